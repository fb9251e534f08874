// Critical sections as an RTOS makes them on RISC-V: interrupts off by `csrrci`, then `mstatus` as it was.
#include "kernel.h"

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  __asm__ volatile("csrsi mstatus, 8");
  for (uint32_t i = 0; i < scale; i++) {
    uintptr_t before;
    __asm__ volatile("csrrci %0, mstatus, 8" : "=r"(before) : : "memory");
    sum = checksum_add(sum, before & 8);
    __asm__ volatile("csrw mstatus, %0" : : "r"(before) : "memory");
  }
  return sum;
}
