// Environment calls from M-mode to M-mode, and back by `mret`.
#include "kernel.h"

/// Counts in s11, and returns behind the call.
__asm__(
  "  .balign 4\n"
  "count_call:\n"
  "  addi s11, s11, 1\n"
  "  csrr t0, mepc\n"
  "  addi t0, t0, 4\n"
  "  csrw mepc, t0\n"
  "  mret\n");

uint64_t kernel_run(uint32_t scale) {
  register uintptr_t count __asm__("s11") = 0;
  uintptr_t before;
  __asm__ volatile("la t0, count_call\n csrrw %0, mtvec, t0" : "=r"(before) : : "t0");
  for (uint32_t i = 0; i < scale; i++) __asm__ volatile("ecall" : "+r"(count) : : "t0", "memory");
  __asm__ volatile("csrw mtvec, %0" : : "r"(before));
  return checksum_add(CHECKSUM_START, count);
}
