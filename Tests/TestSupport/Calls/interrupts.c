// Exceptions within each other: on Arm SVCall from a thread on the process stack with floating point in use, and PendSV
// out of its handler; on RISC-V a trap out of a trap's handler.
volatile int sink, step;

__attribute__((noinline)) int leaf(int x) { sink = x; return x + step; }

#ifdef __riscv
static int depth;
__attribute__((noinline)) void handle(void) {
  if (depth++ == 0) __asm__ volatile("ecall" ::: "memory");
  leaf(depth);
  depth--;
}
// Saves what a trap may change, where it came from among it, so that another one may come in.
__attribute__((naked, aligned(4))) void trap(void) {
  __asm__ volatile(
      "addi sp, sp, -160\n"
      "sd ra, 0(sp)\n sd t0, 8(sp)\n sd t1, 16(sp)\n sd t2, 24(sp)\n sd a0, 32(sp)\n sd a1, 40(sp)\n sd a2, 48(sp)\n"
      "sd a3, 56(sp)\n sd a4, 64(sp)\n sd a5, 72(sp)\n sd a6, 80(sp)\n sd a7, 88(sp)\n sd t3, 96(sp)\n sd t4, 104(sp)\n"
      "sd t5, 112(sp)\n sd t6, 120(sp)\n"
      "csrr t0, mepc\n sd t0, 128(sp)\n csrr t0, mstatus\n sd t0, 136(sp)\n"
      "call handle\n"
      "ld t0, 136(sp)\n csrw mstatus, t0\n ld t0, 128(sp)\n addi t0, t0, 4\n csrw mepc, t0\n"
      "ld ra, 0(sp)\n ld t0, 8(sp)\n ld t1, 16(sp)\n ld t2, 24(sp)\n ld a0, 32(sp)\n ld a1, 40(sp)\n ld a2, 48(sp)\n"
      "ld a3, 56(sp)\n ld a4, 64(sp)\n ld a5, 72(sp)\n ld a6, 80(sp)\n ld a7, 88(sp)\n ld t3, 96(sp)\n ld t4, 104(sp)\n"
      "ld t5, 112(sp)\n ld t6, 120(sp)\n"
      "addi sp, sp, 160\n mret\n");
}
__attribute__((noinline)) int call(int n) {
  __asm__ volatile("ecall" ::: "memory");
  return leaf(n) + 1;
}
int main(void) {
  __asm__ volatile("csrw mtvec, %0" ::"r"(trap));
  for (int i = 0; i < 3; i++) call(i);
  for (;;) sink++;
}
#else
#define ICSR (*(volatile unsigned *)0xe000ed04)
#define SHPR2 (*(volatile unsigned *)0xe000ed1c)
#define SHPR3 (*(volatile unsigned *)0xe000ed20)
static unsigned long long stack[256];
__attribute__((noinline)) void pended(void) { leaf(7); }
void pendsv_handler(void) { pended(); }
__attribute__((noinline)) void served(void) {
  ICSR = 1 << 28;
  __asm__ volatile("dsb\n isb" ::: "memory");
  leaf(3);
}
void svc_handler(void) { served(); }
__attribute__((noinline)) float call(float a, int n) {
  float b = a * 1.5f;
  __asm__ volatile("svc 0" ::: "memory");
  return b + leaf(n);
}
__attribute__((noinline)) int thread(void) {
  float sum = 0;
  for (int i = 0; i < 3; i++) sum += call(sum, i);
  return sum;
}
int main(void) {
  SHPR2 = 0xc0u << 24;
  SHPR3 = 0x40u << 16;
  __asm__ volatile(
      "msr psp, %0\n mrs r3, control\n orr r3, r3, #2\n msr control, r3\n isb" ::"r"(&stack[256]) : "r3", "memory");
  sink = thread();
  while (step < 1000) sink++;
  return sink;
}
#endif
