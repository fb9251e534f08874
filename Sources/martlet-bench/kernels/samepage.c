// A table updated by code that lies in the same page (with SHARED), as small bare-metal images have it, or in a page of its own.
#include "kernel.h"

#ifdef SHARED
#define TABLE __attribute__((section(".data_together")))
#else
#define TABLE __attribute__((section(".data_apart")))
#endif

#define SIZE 64

static TABLE uint32_t table[SIZE] = {1};

__attribute__((noinline, section(".text_together"))) static uint64_t update(uint32_t n) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t i = 0; i < SIZE; i++) {
    uint32_t value = table[i] * 33 + (n ^ i);
    table[i] = value;
    sum = (sum >> 7) + value;
    if ((value & 15) == 3) table[(i + 5) % SIZE] += 7;
  }
  return sum;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t n = 0; n < scale; n++) sum = checksum_add(sum, update(n));
  return sum;
}
