@ Vector table and reset handler: Cortex-M with 4 MiB of code at 0 and 4 MiB of data at 0x20000000.

  .syntax unified
  .thumb
  .cpu cortex-m4
  .cfi_sections .debug_frame

  .section .vectors, "a"
  .word stack_top
  .word reset_handler
  .rept 14
  .word stray_handler
  .endr
  .rept 8
  .word stray_handler
  .endr
  .word on_timer_interrupt      @ interrupt 8: CMSDK timer 0
  .rept 23
  .word stray_handler
  .endr

  .text
  .globl reset_handler
  .type reset_handler, %function
  .thumb_func
reset_handler:
  .cfi_startproc
  .cfi_undefined lr
  ldr r0, =data_start
  ldr r1, =data_end
  ldr r2, =data_load
1:
  cmp r0, r1
  bhs 2f
  ldr r3, [r2], #4
  str r3, [r0], #4
  b 1b
2:
  ldr r0, =bss_start
  ldr r1, =bss_end
  movs r2, #0
3:
  cmp r0, r1
  bhs 4f
  str r2, [r0], #4
  b 3b
4:
  bl main
5:
  b 5b
  .cfi_endproc
  .size reset_handler, . - reset_handler

@ Every exception that nothing is prepared for ends here, to be looked at.
  .type stray_handler, %function
  .thumb_func
stray_handler:
  b stray_handler
  .size stray_handler, . - stray_handler

  .globl wait_for_interrupt
  .type wait_for_interrupt, %function
  .thumb_func
wait_for_interrupt:
  .cfi_startproc
  wfi
  bx lr
  .cfi_endproc
  .size wait_for_interrupt, . - wait_for_interrupt

@ semihosting_exit(code): SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit.
  .globl semihosting_exit
  .type semihosting_exit, %function
  .thumb_func
semihosting_exit:
  .cfi_startproc
  ldr r1, =0x20026
  push {r0, r1}
  ldr r2, [sp]
  str r1, [sp]
  str r2, [sp, #4]
  movs r0, #0x20
  mov r1, sp
  bkpt 0xab
  pop {r0, r1}
  bx lr
  .cfi_endproc
  .size semihosting_exit, . - semihosting_exit

@ What the compiler asks of a C library.
  .globl memset
  .globl __aeabi_memset
  .globl __aeabi_memclr
  .globl __aeabi_memclr4
  .globl __aeabi_memclr8
  .thumb_func
__aeabi_memclr:
  .thumb_func
__aeabi_memclr4:
  .thumb_func
__aeabi_memclr8:
  movs r2, #0
  .thumb_func
__aeabi_memset:
  mov r3, r1
  mov r1, r2
  mov r2, r3
  .thumb_func
memset:
  mov r3, r0
1:
  cbz r2, 2f
  strb r1, [r3], #1
  subs r2, #1
  b 1b
2:
  bx lr

@ memcpy too copies from the end if the destination is the higher: one routine for both.
  .globl memcpy
  .globl memmove
  .globl __aeabi_memcpy
  .globl __aeabi_memcpy4
  .globl __aeabi_memcpy8
  .globl __aeabi_memmove
  .globl __aeabi_memmove4
  .globl __aeabi_memmove8
  .thumb_func
__aeabi_memcpy:
  .thumb_func
__aeabi_memcpy4:
  .thumb_func
__aeabi_memcpy8:
  .thumb_func
memcpy:
  .thumb_func
__aeabi_memmove:
  .thumb_func
__aeabi_memmove4:
  .thumb_func
__aeabi_memmove8:
  .thumb_func
memmove:
  push {r4}
  mov r3, r0
  cmp r0, r1
  bhi 3f
1:
  cbz r2, 5f
  ldrb r4, [r1], #1
  strb r4, [r3], #1
  subs r2, #1
  b 1b
3:
  cbz r2, 5f
  subs r2, #1
  ldrb r4, [r1, r2]
  strb r4, [r3, r2]
  b 3b
5:
  pop {r4}
  bx lr
