// What keeps code from running on at full speed, a hundred times each (RISC-V).
typedef unsigned long word;
#define TIMES 100
volatile word sink;

#define FUNCTION __attribute__((noinline, aligned(4096)))

/// In a page with code.
__asm__(".section .text.beside, \"ax\"\n.balign 4096\nbeside: .dword 0\n.text");
extern volatile word beside;
__attribute__((noinline, section(".text.beside"))) void store_beside(void) {
  for (int i = 0; i < TIMES; i++) beside = i;
}
FUNCTION void touch_device(void) {
  for (int i = 0; i < TIMES; i++) sink = *(volatile unsigned char *)0x10000005;
}
static char buffer[3 * 4096] __attribute__((aligned(4096)));
FUNCTION void cross_pages(void) {
  char *place = buffer + 4094;
  for (int i = 0; i < TIMES; i++) __asm__ volatile("sw %0, 0(%1)" ::"r"(i), "r"(place) : "memory");
}
FUNCTION void read_counter(void) {
  for (int i = 0; i < TIMES; i++) __asm__ volatile("csrr %0, mip" : "=r"(sink));
}
FUNCTION void raise(void) {
  for (int i = 0; i < TIMES; i++) __asm__ volatile(".option push\n.option norvc\n.word 0\n.option pop" ::: "t0", "memory");
}
FUNCTION void fence_code(void) {
  for (int i = 0; i < TIMES; i++) __asm__ volatile("fence.i" ::: "memory");
}
FUNCTION void watched(void) {
  for (int i = 0; i < TIMES; i++) sink = i;
}
FUNCTION int far(int n) { return n + 1; }
FUNCTION int near(int n) {
  for (int i = 0; i < TIMES; i++) n = far(n);
  return n;
}
__asm__(
    ".text\n.balign 4\n.globl handler\n.type handler, @function\nhandler: csrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0\nmret\n"
    ".size handler, . - handler\n");
static word table[512] __attribute__((aligned(4096)));
/// Behind page tables that map memory to itself, in supervisor mode.
FUNCTION void map(void) {
  for (word i = 0; i < 4; i++) table[i] = i << 28 | 0xCF;
  __asm__ volatile("csrw pmpaddr0, %0\ncsrw pmpcfg0, %1" ::"r"(~0UL >> 10), "r"(0x1F));
  __asm__ volatile("csrw satp, %0\nsfence.vma" ::"r"(8UL << 60 | (word)table >> 12));
  __asm__ volatile(
      "li t0, 0x1800\ncsrc mstatus, t0\nli t0, 0x800\ncsrs mstatus, t0\nla t0, 1f\ncsrw mepc, t0\nmret\n1:" ::
          : "t0", "memory");
}
FUNCTION void rest(void) {
  for (;;) sink++;
}
int main(void) {
  __asm__ volatile("la t0, handler\ncsrw mtvec, t0" ::: "t0");
  store_beside();
  touch_device();
  read_counter();
  raise();
  fence_code();
  watched();
  map();
  cross_pages();
  sink = near(1);
  rest();
  return 0;
}
