# Owns the scheduler's part for RISC-V in machine mode: start, and the switch by an environment call, which saves mepc,
# mstatus, x1 and x5-x31 in the places that FreeRTOS's port has for them.

#if __riscv_xlen == 64
#define SAVE sd
#define LOAD ld
#define WORD 8
#else
#define SAVE sw
#define LOAD lw
#define WORD 4
#endif

  .cfi_sections .debug_frame

  .section .text.start, "ax"
  .globl _start
  .type _start, @function
_start:
  .cfi_startproc
  .cfi_undefined ra
  csrr t0, mhartid
  bnez t0, 1f
  la sp, stack_top
  la t0, on_trap
  csrw mtvec, t0
  call main
1:
  wfi
  j 1b
  .cfi_endproc

# word *first_frame(word *end, void (*body)(word), word argument)
  .text
  .globl first_frame
  .type first_frame, @function
first_frame:
  addi a0, a0, -31 * WORD
  SAVE a1, 0(a0)
  li t0, 0x1880
  SAVE t0, WORD(a0)
  SAVE zero, 2 * WORD(a0)
  SAVE a2, 8 * WORD(a0)
  ret

  .globl switch_task
  .type switch_task, @function
switch_task:
  .cfi_startproc
  ecall
  ret
  .cfi_endproc

  .balign 4
  .type on_trap, @function
on_trap:
  addi sp, sp, -31 * WORD
  SAVE x1, 2 * WORD(sp)
  .irp n, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  SAVE x\n, (\n - 2) * WORD(sp)
  .endr
  csrr t0, mepc
  addi t0, t0, 4
  SAVE t0, 0(sp)
  csrr t0, mstatus
  SAVE t0, WORD(sp)
  la t0, pxCurrentTCB
  LOAD t0, 0(t0)
  SAVE sp, 0(t0)
  la sp, stack_top
  call choose_task

  .globl start_first_task
  .type start_first_task, @function
start_first_task:
  la t0, pxCurrentTCB
  LOAD t0, 0(t0)
  LOAD sp, 0(t0)
  LOAD t0, 0(sp)
  csrw mepc, t0
  LOAD t0, WORD(sp)
  csrw mstatus, t0
  LOAD x1, 2 * WORD(sp)
  .irp n, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  LOAD x\n, (\n - 2) * WORD(sp)
  .endr
  addi sp, sp, 31 * WORD
  mret
