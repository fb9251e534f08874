@ Owns the scheduler's part for Cortex-M: vectors, start, and the switch, which saves r4-r11 under what the CPU stacks.

  .syntax unified
  .thumb
  .cpu cortex-m3
  .cfi_sections .debug_frame

  .section .vectors, "a"
  .word stack_top
  .word reset_handler
  .rept 9
  .word stray_handler
  .endr
  .word on_supervisor_call
  .rept 2
  .word stray_handler
  .endr
  .word on_switch
  .word stray_handler

  .text
  .globl reset_handler
  .type reset_handler, %function
reset_handler:
  .cfi_startproc
  .cfi_undefined lr
  bl main
1:
  b 1b
  .cfi_endproc

  .type stray_handler, %function
stray_handler:
  b stray_handler

@ word *first_frame(word *end, void (*body)(word), word argument)
  .globl first_frame
  .type first_frame, %function
first_frame:
  movs r3, #0x01000000
  str r3, [r0, #-4]!
  bic r1, r1, #1
  str r1, [r0, #-4]!
  movs r3, #0
  str r3, [r0, #-4]!
  subs r0, #20
  str r2, [r0]
  subs r0, #32
  bx lr

@ Pends the exception of the lowest priority, which is taken at once.
  .globl switch_task
  .type switch_task, %function
switch_task:
  .cfi_startproc
  ldr r0, =0xe000ed04
  movs r1, #0x10000000
  str r1, [r0]
  isb
  bx lr
  .cfi_endproc

  .globl start_first_task
  .type start_first_task, %function
start_first_task:
  .cfi_startproc
  svc 0
  .cfi_endproc

  .type on_supervisor_call, %function
on_supervisor_call:
  mvn lr, #2
  b restore

  .type on_switch, %function
on_switch:
  mrs r0, psp
  stmdb r0!, {r4-r11}
  ldr r2, =pxCurrentTCB
  ldr r1, [r2]
  str r0, [r1]
  push {r2, lr}
  bl choose_task
  pop {r2, lr}
restore:
  ldr r2, =pxCurrentTCB
  ldr r1, [r2]
  ldr r0, [r1]
  ldmia r0!, {r4-r11}
  msr psp, r0
  isb
  bx lr
