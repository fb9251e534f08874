# Entry and trap vector: RV32 in machine mode, linked at the start of RAM.

  .cfi_sections .debug_frame

  .section .text.start, "ax"
  .globl _start
  .type _start, @function
_start:
  .cfi_startproc
  .cfi_undefined ra
  csrr t0, mhartid
  bnez t0, 4f                   # one hart works, the others sleep
  la sp, stack_top
  la t0, trap_entry
  csrw mtvec, t0
  la t0, bss_start
  la t1, bss_end
1:
  bgeu t0, t1, 2f
  sw zero, 0(t0)
  addi t0, t0, 4
  j 1b
2:
  call main
4:
  wfi
  j 4b
  .cfi_endproc
  .size _start, . - _start

# Saves what Swift code may change, calls the handler of the timer interrupt, and returns to where the trap came from.
# The column of mepc (CSR 0x341 is DWARF register 4096 + 0x341) is where the frame returns to.
  .balign 4
  .type trap_entry, @function
trap_entry:
  .cfi_startproc
  .cfi_signal_frame
  .cfi_return_column 4929
  addi sp, sp, -80
  .cfi_def_cfa_offset 80
  sw ra, 0(sp)
  sw t0, 4(sp)
  sw t1, 8(sp)
  sw t2, 12(sp)
  sw t3, 16(sp)
  sw t4, 20(sp)
  sw t5, 24(sp)
  sw t6, 28(sp)
  sw a0, 32(sp)
  sw a1, 36(sp)
  sw a2, 40(sp)
  sw a3, 44(sp)
  sw a4, 48(sp)
  sw a5, 52(sp)
  sw a6, 56(sp)
  sw a7, 60(sp)
  csrr t0, mepc
  sw t0, 64(sp)
  .cfi_offset ra, -80
  .cfi_offset t0, -76
  .cfi_offset t1, -72
  .cfi_offset t2, -68
  .cfi_offset t3, -64
  .cfi_offset t4, -60
  .cfi_offset t5, -56
  .cfi_offset t6, -52
  .cfi_offset a0, -48
  .cfi_offset a1, -44
  .cfi_offset a2, -40
  .cfi_offset a3, -36
  .cfi_offset a4, -32
  .cfi_offset a5, -28
  .cfi_offset a6, -24
  .cfi_offset a7, -20
  .cfi_offset 4929, -16
  csrr t0, mcause
  li t1, 0x80000007             # the machine timer interrupt
  bne t0, t1, stray_trap
  call on_timer_interrupt
  lw ra, 0(sp)
  lw t0, 4(sp)
  lw t1, 8(sp)
  lw t2, 12(sp)
  lw t3, 16(sp)
  lw t4, 20(sp)
  lw t5, 24(sp)
  lw t6, 28(sp)
  lw a0, 32(sp)
  lw a1, 36(sp)
  lw a2, 40(sp)
  lw a3, 44(sp)
  lw a4, 48(sp)
  lw a5, 52(sp)
  lw a6, 56(sp)
  lw a7, 60(sp)
  addi sp, sp, 80
  mret
# Any other trap ends here, to be looked at.
stray_trap:
  j stray_trap
  .cfi_endproc
  .size trap_entry, . - trap_entry

  .text
  .globl wait_for_interrupt
  .type wait_for_interrupt, @function
wait_for_interrupt:
  wfi
  ret
  .size wait_for_interrupt, . - wait_for_interrupt

  .globl enable_timer_interrupt
  .type enable_timer_interrupt, @function
enable_timer_interrupt:
  li t0, 0x80                   # mie.MTIE
  csrs mie, t0
  csrsi mstatus, 8              # mstatus.MIE
  ret
  .size enable_timer_interrupt, . - enable_timer_interrupt

# What the compiler asks of a C library.
  .globl memset
memset:
  mv t0, a0
1:
  beqz a2, 2f
  sb a1, 0(t0)
  addi t0, t0, 1
  addi a2, a2, -1
  j 1b
2:
  ret

# memcpy too copies from the end if the destination is the higher: one routine for both.
  .globl memcpy
  .globl memmove
memcpy:
memmove:
  bgtu a0, a1, 3f
  mv t0, a0
1:
  beqz a2, 5f
  lb t1, 0(a1)
  sb t1, 0(t0)
  addi a1, a1, 1
  addi t0, t0, 1
  addi a2, a2, -1
  j 1b
3:
  beqz a2, 5f
  addi a2, a2, -1
  add t0, a1, a2
  lb t1, 0(t0)
  add t0, a0, a2
  sb t1, 0(t0)
  j 3b
5:
  ret
