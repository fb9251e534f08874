  .section .text.start, "ax"
  .globl _start
  .type _start, @function
_start:
  la sp, stack_top
  li t0, 0x2000                 # mstatus.FS: floating point is on
  csrs mstatus, t0
  call main
1:
  j 1b
  .size _start, . - _start
