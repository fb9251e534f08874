// A page of counters whose first word is never touched, and a function that is never called: what it costs when a debugger
// watches the one or waits at the other.
#include "kernel.h"

#define SIZE 64

// Not zero, or the start-up code would clear it.
__attribute__((aligned(4096))) uint64_t hot_page[4096 / sizeof(uint64_t)] = {1};

__attribute__((noinline, used)) void never_called(void) { hot_page[0]++; }

__attribute__((noinline)) static uint64_t update(uint32_t n) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t i = 1; i <= SIZE; i++) {
    uint64_t value = hot_page[i] * 33 + (n ^ i);
    hot_page[i] = value;
    sum = (sum >> 7) + value;
    if ((value & 15) == 3) hot_page[1 + (i + 5) % SIZE] += 7;
  }
  return sum;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t n = 0; n < scale; n++) sum = checksum_add(sum, update(n));
  return sum;
}
