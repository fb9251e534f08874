// Calls and loops to be stepped through by lines. What a line that a step may end at is called stands behind it.
volatile int sink;

int leaf(int n) {
  return n + 1;  // leaf
}
int work(int n) {
  int sum = 0;  // sum
  for (int i = 0; i < n; i++) {  // for
    sum += leaf(i);  // call
  }  // turn
  sink = sum;  // store
  return sum;  // return
}

// Without lines, but what it calls has some.
int unknown(int n);
#ifdef __riscv
#if __riscv_xlen == 64
#define SAVE "sd ra, 8(sp)"
#define RESTORE "ld ra, 8(sp)"
#else
#define SAVE "sw ra, 8(sp)"
#define RESTORE "lw ra, 8(sp)"
#endif
__asm__(
    ".text\n.globl unknown\n.type unknown, @function\nunknown: addi sp, sp, -16\n" SAVE "\ncall leaf\ncall leaf\n" RESTORE
    "\naddi sp, sp, 16\nret\n.size unknown, . - unknown\n"
    // A handler that goes on behind the call of the environment.
    ".balign 4\n.globl handler\n.type handler, @function\nhandler: addi sp, sp, -16\ncsrr t0, mepc\naddi t0, t0, 4\n"
    "csrw mepc, t0\naddi sp, sp, 16\nmret\n.size handler, . - handler\n");
#define EXCEPTION()                                                        \
  __asm__ volatile("la t0, handler\ncsrw mtvec, t0" ::: "t0"); \
  __asm__ volatile(".option push\n.option norvc\necall\n.option pop" ::: "t0", "memory")
#else
__asm__(
    ".text\n.thumb\n.syntax unified\n.globl unknown\n.type unknown, %function\n.thumb_func\nunknown: push {r4, lr}\nbl leaf\n"
    "bl leaf\npop {r4, pc}\n.size unknown, . - unknown\n.globl svc_handler\n.type svc_handler, %function\n.thumb_func\n"
    "svc_handler: push {r4, lr}\nmovs r4, #1\npop {r4, pc}\n.size svc_handler, . - svc_handler\n");
#define EXCEPTION() __asm__ volatile("svc #0" ::: "memory")
#endif

int down(int n) {
  if (n == 0) return 0;  // zero
  return down(n - 1) + 1;  // down
}  // end
int main(void) {
  int a = work(2);  // first
  work(1);  // second
  int b = unknown(a);  // unknown
  int c = leaf(a) + leaf(b);  // two
  while (c > 0) c = leaf(c) - 5;  // while
  EXCEPTION();  // exception
  sink = down(3);  // recursion
  for (;;) {  // ever
    sink++;  // count
  }
}
