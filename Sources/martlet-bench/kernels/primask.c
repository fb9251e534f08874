// Critical sections of a Cortex-M without priorities: `cpsid i` and `cpsie i`.
#include "kernel.h"

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t i = 0; i < scale; i++) {
    __asm__ volatile("cpsid i" : : : "memory");
    sum = checksum_add(sum, i);
    __asm__ volatile("cpsie i" : : : "memory");
  }
  return sum;
}
