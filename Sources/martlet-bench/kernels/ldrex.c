// A word counted up by exclusive loads and stores on a Cortex-M.
#include "kernel.h"

uint64_t kernel_run(uint32_t scale) {
  static uint32_t counter;
  for (uint32_t i = 0; i < scale; i++) {
    uint32_t value, failure;
    __asm__ volatile(
        "1: ldrex %0, [%2]\n adds %0, %0, #3\n strex %1, %0, [%2]\n cmp %1, #0\n bne 1b"
        : "=&r"(value), "=&r"(failure)
        : "r"(&counter)
        : "memory", "cc");
  }
  return checksum_add(CHECKSUM_START, counter);
}
