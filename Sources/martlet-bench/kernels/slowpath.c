// Accesses that translated code cannot make itself: to the scratch register of a 16550 (two in each round), or with CODE
// stores to a word among instructions (one).
#include "kernel.h"

#ifdef CODE
__asm__(
    ".section .text_together, \"ax\"\n"
    "  .balign 64\n"
    "store_beside:\n"
    "  la t0, 2f\n"
    "1:\n"
    "  sw a0, 0(t0)\n"
    "  addi a0, a0, -1\n"
    "  bnez a0, 1b\n"
    "  lw a0, 0(t0)\n"
    "  ret\n"
    "  .balign 4\n"
    "2:\n"
    "  .word 0\n"
    "  .text\n");
uint32_t store_beside(uint32_t count);

uint64_t kernel_run(uint32_t scale) { return checksum_add(CHECKSUM_START, store_beside(scale)); }
#else
#define SCRATCH ((volatile uint8_t *)0x10000007)

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t i = 0; i < scale; i++) {
    *SCRATCH = (uint8_t)i;
    sum += *SCRATCH;
  }
  return sum;
}
#endif
