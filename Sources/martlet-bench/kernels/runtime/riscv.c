// The virt board as a target: ns16550a at 0x10000000, test finisher at 0x100000, and the page tables of the paged variant.
#include "kernel.h"
#include "platform.h"

#define UART ((volatile uint8_t *)0x10000000)
#define UART_LSR 5
#define UART_LSR_THRE 0x20
#define FINISHER ((volatile uint32_t *)0x100000)
#define FINISHER_PASS 0x5555u
#define FINISHER_FAIL 0x3333u

void platform_write(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    while ((UART[UART_LSR] & UART_LSR_THRE) == 0) {}
    UART[0] = (uint8_t)text[i];
  }
}

_Noreturn static void finish(uint32_t value) {
  *FINISHER = value;
  for (;;) {}
}

_Noreturn void riscv_exit(void) { finish(FINISHER_PASS); }

static void write_hex(const char *label, uintptr_t value) {
  size_t length = 0;
  while (label[length] != 0) length++;
  platform_write(label, length);
  for (int shift = (int)sizeof value * 8 - 4; shift >= 0; shift -= 4) platform_write(&"0123456789abcdef"[value >> shift & 15], 1);
}

/// A kernel takes no trap: names the one it took and leaves with exit code 1.
_Noreturn void riscv_trap(uintptr_t cause, uintptr_t pc, uintptr_t value) {
  write_hex(KERNEL_NAME " trap cause=", cause);
  write_hex(" pc=", pc);
  write_hex(" value=", value);
  platform_write("\n", 1);
  finish(1u << 16 | FINISHER_FAIL);
}

#ifdef PAGED
#define PTE_VALID 0x01u
#define PTE_RWX_VALID_ACCESSED_DIRTY 0xcfu
#define PTES (4096 / sizeof(uintptr_t))
#define RAM 0x80000000u
#define RAM_SIZE (128u << 20)

static uintptr_t root[PTES] __attribute__((aligned(4096)));

static uintptr_t leaf(uintptr_t address) { return address >> 2 | PTE_RWX_VALID_ACCESSED_DIRTY; }
static uintptr_t pointer(const uintptr_t *table) { return (uintptr_t)table >> 2 | PTE_VALID; }

#ifdef SMALL_PAGES
static uintptr_t pages[RAM_SIZE / 4096] __attribute__((aligned(4096)));

/// Maps the `index`th stretch of RAM that one table covers by a table of 4 KiB pages.
static uintptr_t ram_entry(uintptr_t index) {
  for (uintptr_t i = index * PTES; i < (index + 1) * PTES; i++) pages[i] = leaf(RAM + (i << 12));
  return pointer(&pages[index * PTES]);
}
#else
static uintptr_t ram_entry(uintptr_t index) { return leaf(RAM + index * PTES * 4096); }
#endif

#if __riscv_xlen == 64
static uintptr_t ram[PTES] __attribute__((aligned(4096)));

/// Devices as one 1 GiB page, RAM as 2 MiB or 4 KiB pages; returns the value of `satp` (mode Sv39).
uintptr_t riscv_identity_map(void) {
  for (uintptr_t i = 0; i < RAM_SIZE / (PTES * 4096); i++) ram[i] = ram_entry(i);
  root[0] = leaf(0);
  root[2] = pointer(ram);
  return (uintptr_t)8 << 60 | (uintptr_t)root >> 12;
}
#else
/// All below RAM as 4 MiB pages, RAM as 4 MiB or 4 KiB pages; returns the value of `satp` (mode Sv32).
uintptr_t riscv_identity_map(void) {
  for (uintptr_t i = 0; i < RAM >> 22; i++) root[i] = leaf(i << 22);
  for (uintptr_t i = 0; i < RAM_SIZE >> 22; i++) root[(RAM >> 22) + i] = ram_entry(i);
  return (uintptr_t)1 << 31 | (uintptr_t)root >> 12;
}
#endif
#endif
