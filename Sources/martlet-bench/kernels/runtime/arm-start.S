@ Entry of a Cortex-M kernel on the board mps2_an386: the vector table at 0, and the reset handler.

  .syntax unified
  .thumb

  .section .text.start, "ax"
  .globl _start
_start:
  .word __stack_top
  .word reset
  .rept 14
  .word trap
  .endr

  .globl reset
  .thumb_func
reset:
  ldr r0, =0xe000ed88           @ CPACR: full access to the floating-point unit
  ldr r1, [r0]
  orr r1, r1, #0xf00000
  str r1, [r0]
  dsb
  isb
  ldr r0, =__data_start
  ldr r1, =__data_load
  ldr r2, =__data_end
1:
  cmp r0, r2
  bhs 2f
  ldr r3, [r1], #4
  str r3, [r0], #4
  b 1b
2:
  ldr r0, =__bss_start
  ldr r1, =__bss_end
  movs r2, #0
3:
  cmp r0, r1
  bhs 4f
  str r2, [r0], #4
  b 3b
4:
  bl main
  movs r0, #0
  bl arm_exit

  .thumb_func
trap:
  movs r0, #1
  bl arm_exit
