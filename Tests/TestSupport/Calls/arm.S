  .syntax unified
  .thumb
  .section .vectors, "a"
  .word stack_top
  .word reset_handler
  .rept 9
  .word stray_handler
  .endr
  .word svc_handler
  .rept 2
  .word stray_handler
  .endr
  .word pendsv_handler
  .word stray_handler
  .weak svc_handler
  .weak pendsv_handler
  .text
  .globl reset_handler
  .type reset_handler, %function
  .thumb_func
reset_handler:
  ldr r0, =0xe000ed88           @ CPACR: floating point is on
  ldr r1, =0x00f00000
  str r1, [r0]
  bl main
1:
  b 1b
  .size reset_handler, . - reset_handler
  .type stray_handler, %function
  .thumb_func
stray_handler:
  b stray_handler
  .size stray_handler, . - stray_handler
