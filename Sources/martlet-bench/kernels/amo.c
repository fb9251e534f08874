// Atomic additions to one word, each old value used.
#include "kernel.h"

uint64_t kernel_run(uint32_t scale) {
  static uint32_t counter;
  uintptr_t sum = 0;
  for (uint32_t i = 0; i < scale; i++) {
    uintptr_t old;
    __asm__ volatile("amoadd.w %0, %2, (%1)" : "=r"(old) : "r"(&counter), "r"(i) : "memory");
    sum ^= old;
  }
  return checksum_add(checksum_add(CHECKSUM_START, sum), counter);
}
