// Pointer chasing: random cycles through a small and a larger set of nodes, each step depending on the one before.
#include "kernel.h"

#define SMALL 256
#define LARGE 4096

struct link {
  struct link *next;
  uint64_t value;
};

static struct link small[SMALL], large[LARGE];

// One cycle through all nodes, in random order (Sattolo's shuffle).
static void connect(struct link *nodes, uint32_t count, uint32_t seed) {
  static uint32_t order[LARGE];
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  for (uint32_t i = count - 1; i > 0; i--) {
    uint32_t j = random_next(&seed) % i, t = order[i];
    order[i] = order[j], order[j] = t;
  }
  for (uint32_t i = 0; i < count; i++) nodes[i] = (struct link){&nodes[order[i]], seed * i};
}

static NOINLINE uint64_t chase(const struct link *at, uint32_t steps) {
  uint64_t sum = 0;
  for (; steps > 0; steps--, at = at->next) sum += at->value ^ steps;
  return sum;
}

static NOINLINE uint64_t chase_marking(struct link *at, uint32_t steps) {
  uint64_t odd = 0;
  for (; steps > 0; steps--, at = at->next) {
    odd += at->value & 1;
    at->value += steps;
  }
  return odd;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  connect(small, SMALL, 0x51a11);
  connect(large, LARGE, 0x1a26e);
  for (uint32_t round = 0; round < scale; round++) {
    for (int i = 0; i < 16; i++) sum = checksum_add(sum, chase(&small[round % SMALL], SMALL + i));
    sum = checksum_add(sum, chase_marking(&large[round % LARGE], LARGE));
  }
  return sum;
}
