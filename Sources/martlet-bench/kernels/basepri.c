// Critical sections as an RTOS makes them on a Cortex-M: BASEPRI raised, and put back.
#include "kernel.h"

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t i = 0; i < scale; i++) {
    uint32_t before;
    __asm__ volatile("mrs %0, basepri\n msr basepri, %1" : "=&r"(before) : "r"(0x50) : "memory");
    sum = checksum_add(sum, before);
    __asm__ volatile("msr basepri, %0" : : "r"(before) : "memory");
  }
  return sum;
}
