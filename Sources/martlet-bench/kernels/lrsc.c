// A word counted up by load-reserved and store-conditional.
#include "kernel.h"

uint64_t kernel_run(uint32_t scale) {
  static uint32_t counter;
  for (uint32_t i = 0; i < scale; i++) {
    uintptr_t value, failure;
    __asm__ volatile(
        "1: lr.w %0, (%2)\n addi %0, %0, 3\n sc.w %1, %0, (%2)\n bnez %1, 1b"
        : "=&r"(value), "=&r"(failure)
        : "r"(&counter)
        : "memory");
  }
  return checksum_add(CHECKSUM_START, counter);
}
