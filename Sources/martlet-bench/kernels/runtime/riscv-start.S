# Entry of a RISC-V kernel on the virt board: M-mode at 0x80000000, hart 0; with PAGED, S-mode behind an identity map (Sv39, or Sv32).

#if __riscv_xlen == 64
# define STORE sd
#else
# define STORE sw
#endif

  .section .text.start, "ax"
  .globl _start
_start:
  csrr t0, mhartid
  bnez t0, park
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la sp, __stack_top
  la t0, trap
  csrw mtvec, t0
  li t0, 0x2000                 # mstatus.FS = initial
  csrs mstatus, t0
  la t0, __bss_start
  la t1, __bss_end
1:
  bgeu t0, t1, 2f
  STORE zero, 0(t0)
  addi t0, t0, __riscv_xlen / 8
  j 1b
2:
#ifdef PAGED
  li t0, -1                     # one PMP region over everything, or S-mode may touch nothing
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  call riscv_identity_map       # returns satp
  csrw satp, a0
  sfence.vma
  li t0, 0x1800
  csrc mstatus, t0
  li t0, 0x0800                 # mstatus.MPP = S
  csrs mstatus, t0
  la t0, 3f
  csrw mepc, t0
  mret
3:
#endif
  call main
  call riscv_exit

  .balign 4
trap:
  csrr a0, mcause
  csrr a1, mepc
  csrr a2, mtval
  la sp, __stack_top
  call riscv_trap

park:
  wfi
  j park
