// What debuggers are measured on: a function that is called again and again, memory full of noise, and places to run for ever
// at, where a debugger puts the PC.
#include "kernel.h"

#define SIZE (1 << 20)

uint8_t noise[SIZE];
volatile uint64_t total;

__attribute__((noinline, used)) void visit(uint64_t n) { total += n; }

__attribute__((noinline, used)) void turn(void) { __asm__ volatile(""); }

__attribute__((noinline, used)) void busy(void) {
  for (;;) __asm__ volatile("");
}

__attribute__((noinline, used)) void wait(void) {
  for (;;) __asm__ volatile("wfi");
}

// SYS_READC: a character from the console, which nobody types.
__attribute__((noinline, used, aligned(16))) void type(void) {
  register uint64_t operation __asm__("a0") = 7, argument __asm__("a1") = 0;
  for (;;) {
    __asm__ volatile(
        ".option push\n.option norvc\n.balign 16\n"
        "slli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n.option pop\n"
        : "+r"(operation) : "r"(argument) : "memory");
    operation = 7;
  }
}

// The handler's first instruction is no instruction.
__attribute__((noinline, used, naked)) void fault(void) {
  __asm__ volatile("la t0, 1f\ncsrw mtvec, t0\n.balign 4\n1:\n.4byte 0\n");
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t state = scale;
  for (uint32_t i = 0; i < SIZE; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    noise[i] = (uint8_t)(state >> 56);
  }
  for (uint64_t n = 0;; n++) {
    if ((n & ((1 << 20) - 1)) == 0) turn();
    visit(n);
  }
}
