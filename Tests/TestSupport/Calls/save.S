# What -msave-restore leaves to a library (compiler-rt's has the same names).
  .text
  nop                           # what lies before does not return to here
  .type __riscv_save_3, @function
  .type __riscv_save_2, @function
  .type __riscv_save_1, @function
  .type __riscv_save_0, @function
  .type __riscv_save_9, @function
  .type __riscv_save_4, @function
  .type __riscv_restore_9, @function
  .type __riscv_restore_4, @function
  .type __riscv_restore_3, @function
  .type __riscv_restore_2, @function
  .type __riscv_restore_1, @function
  .type __riscv_restore_0, @function
  .globl __riscv_save_3
  .globl __riscv_save_2
  .globl __riscv_save_1
  .globl __riscv_save_0
__riscv_save_3:
__riscv_save_2:
__riscv_save_1:
__riscv_save_0:
  addi sp, sp, -32
  sw s3, 12(sp)
  sw s2, 16(sp)
  sw s1, 20(sp)
  sw s0, 24(sp)
  sw ra, 28(sp)
  jr t0
  .globl __riscv_save_9
  .globl __riscv_save_4
__riscv_save_9:
__riscv_save_4:
  addi sp, sp, -64
  sw s9, 20(sp)
  sw s8, 24(sp)
  sw s7, 28(sp)
  sw s6, 32(sp)
  sw s5, 36(sp)
  sw s4, 40(sp)
  sw s3, 44(sp)
  sw s2, 48(sp)
  sw s1, 52(sp)
  sw s0, 56(sp)
  sw ra, 60(sp)
  jr t0
  .globl __riscv_restore_9
  .globl __riscv_restore_4
__riscv_restore_9:
__riscv_restore_4:
  lw s9, 20(sp)
  lw s8, 24(sp)
  lw s7, 28(sp)
  lw s6, 32(sp)
  lw s5, 36(sp)
  lw s4, 40(sp)
  lw s3, 44(sp)
  lw s2, 48(sp)
  lw s1, 52(sp)
  lw s0, 56(sp)
  lw ra, 60(sp)
  addi sp, sp, 64
  ret
  .globl __riscv_restore_3
  .globl __riscv_restore_2
  .globl __riscv_restore_1
  .globl __riscv_restore_0
__riscv_restore_3:
__riscv_restore_2:
__riscv_restore_1:
__riscv_restore_0:
  lw s3, 12(sp)
  lw s2, 16(sp)
  lw s1, 20(sp)
  lw s0, 24(sp)
  lw ra, 28(sp)
  addi sp, sp, 32
  ret
