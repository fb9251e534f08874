// A hash table with open addressing (insert, look up, delete by shifting back), and a bit sieve of primes.
#include "kernel.h"

#define SLOTS 4096
#define KEYS 2600
#define LIMIT 32768

struct slot {
  uint32_t key, value;
};

static struct slot slots[SLOTS];
static uint32_t composite[LIMIT / 32];

static uint32_t home(uint32_t key) { return (key * 2654435761u) >> 20; }

static uint32_t probe(uint32_t key) {
  uint32_t i = home(key);
  while (slots[i].key != 0 && slots[i].key != key) i = (i + 1) % SLOTS;
  return i;
}

static NOINLINE void insert(uint32_t key, uint32_t value) { slots[probe(key)] = (struct slot){key, value}; }

static NOINLINE uint32_t look_up(uint32_t key) {
  struct slot s = slots[probe(key)];
  return s.key == key ? s.value : 0;
}

static NOINLINE uint32_t remove_key(uint32_t key) {
  uint32_t hole = probe(key);
  if (slots[hole].key == 0) return 0;
  for (uint32_t i = (hole + 1) % SLOTS; slots[i].key != 0; i = (i + 1) % SLOTS) {
    uint32_t distance = (i - home(slots[i].key)) % SLOTS;
    if (distance >= (i - hole) % SLOTS) {
      slots[hole] = slots[i];
      hole = i;
    }
  }
  slots[hole].key = 0;
  return 1;
}

static NOINLINE uint32_t count_primes(uint32_t limit) {
  uint32_t count = 0;
  memset(composite, 0, sizeof composite);
  for (uint32_t i = 2; i < limit; i++) {
    if (composite[i / 32] >> (i % 32) & 1) continue;
    count++;
    for (uint32_t j = i * i; j < limit && i < 182; j += i) composite[j / 32] |= 1u << (j % 32);
  }
  return count;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 1; round <= scale; round++) {
    uint32_t seed = round * 2654435761u | 1, state = seed, found = 0, removed = 0;
    memset(slots, 0, sizeof slots);
    for (uint32_t i = 0; i < KEYS; i++) insert(random_next(&state) | 1, i);
    state = seed;
    for (uint32_t i = 0; i < KEYS; i++) {
      uint32_t key = random_next(&state);
      found += look_up(key | 1) + look_up(key & ~1u);
      if (i % 3 == 0) removed += remove_key(key | 1);
    }
    for (uint32_t i = 0; i < SLOTS; i += 97) sum = checksum_add(sum, slots[i].key);
    sum = checksum_add(sum, (uint64_t)found << 32 | removed);
    sum = checksum_add(sum, count_primes(LIMIT - (round & 255)));
  }
  return sum;
}
