// The firmware of `martlet demo`, for the virt board (RV64, M-mode, no library): greets, takes a timer interrupt 100 times a second,
// fills, sorts and checksums a buffer over and over, and prints a line each second of virtual time. The key q ends it.
//
// demo.elf is built from the top of the repository with
//   clang --target=riscv64-unknown-none-elf -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -Og -gdwarf-4 -fdebug-compilation-dir=. -ffreestanding -nostdlib -static -fuse-ld=lld -T boards/riscv/demo/demo.ld boards/riscv/demo/demo.c boards/riscv/demo/start.S -o boards/riscv/demo/demo.elf
//
// Good places for a breakpoint: on_timer_tick, on_second, fill_buffer, sort_buffer, checksum_buffer. Good to watch: ticks, rounds, buffer.

#include <stddef.h>
#include <stdint.h>

#define UART ((volatile uint8_t *)0x10000000)
#define UART_LSR 5
#define UART_LSR_DR 0x01
#define UART_LSR_THRE 0x20
#define CLINT_MTIMECMP (*(volatile uint64_t *)0x2004000)
#define CLINT_MTIME (*(volatile uint64_t *)0x200bff8)
#define FINISHER (*(volatile uint32_t *)0x100000)
#define FINISHER_PASS 0x5555
#define FINISHER_FAIL 0x3333

#define MSTATUS_MIE 0x8
#define MIE_MTIE 0x80
#define CAUSE_TIMER (1ull << 63 | 7)

#define TIMEBASE 10000000
#define TICKS_PER_SECOND 100
#define WORDS 256

volatile uint64_t ticks;
uint64_t rounds;
uint32_t buffer[WORDS];

static void put_character(char c) {
  while ((UART[UART_LSR] & UART_LSR_THRE) == 0) {}
  UART[0] = (uint8_t)c;
}

static void put_text(const char *text) {
  for (; *text != 0; text++) {
    if (*text == '\n') put_character('\r');
    put_character(*text);
  }
}

static void put_decimal(uint64_t value) {
  if (value >= 10) put_decimal(value / 10);
  put_character((char)('0' + value % 10));
}

static void put_hex(uint64_t value, int digits) {
  while (digits-- > 0) put_character("0123456789abcdef"[value >> (4 * digits) & 15]);
}

_Noreturn static void power_off(uint32_t how) {
  FINISHER = how;
  for (;;) {}
}

__attribute__((noinline)) void fill_buffer(uint32_t seed) {
  for (int i = 0; i < WORDS; i++) {
    seed = seed * 1664525 + 1013904223;
    buffer[i] = seed;
  }
}

__attribute__((noinline)) void sort_buffer(void) {
  for (int gap = WORDS / 2; gap > 0; gap /= 2)
    for (int i = gap; i < WORDS; i++) {
      uint32_t word = buffer[i];
      int j = i;
      for (; j >= gap && buffer[j - gap] > word; j -= gap) buffer[j] = buffer[j - gap];
      buffer[j] = word;
    }
}

__attribute__((noinline)) uint32_t checksum_buffer(void) {
  uint32_t crc = ~0u;
  for (int i = 0; i < WORDS; i++) {
    crc ^= buffer[i];
    for (int bit = 0; bit < 32; bit++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
  }
  return ~crc;
}

__attribute__((noinline)) void on_timer_tick(void) {
  CLINT_MTIMECMP += TIMEBASE / TICKS_PER_SECOND;
  ticks = ticks + 1;
}

__attribute__((noinline)) void on_second(uint64_t second, uint32_t checksum) {
  put_text("second ");
  put_decimal(second);
  put_text(": ");
  put_decimal(ticks);
  put_text(" timer interrupts, ");
  put_decimal(rounds);
  put_text(" buffers sorted, last checksum ");
  put_hex(checksum, 8);
  put_text("\n");
}

/// Called by the trap vector with mcause, mepc and mtval; only the timer interrupt is expected.
void on_trap(uint64_t cause, uint64_t pc, uint64_t value) {
  if (cause == CAUSE_TIMER) {
    on_timer_tick();
    return;
  }
  put_text("unexpected trap: cause ");
  put_hex(cause, 16);
  put_text(" pc ");
  put_hex(pc, 16);
  put_text(" value ");
  put_hex(value, 16);
  put_text("\n");
  power_off(1 << 16 | FINISHER_FAIL);
}

static void start_timer(void) {
  CLINT_MTIMECMP = CLINT_MTIME + TIMEBASE / TICKS_PER_SECOND;
  __asm__ volatile("csrs mie, %0" : : "r"(MIE_MTIE));
  __asm__ volatile("csrs mstatus, %0" : : "r"(MSTATUS_MIE));
}

static void poll_keys(void) {
  if ((UART[UART_LSR] & UART_LSR_DR) == 0) return;
  char key = (char)UART[0];
  if (key == 'q') {
    put_text("bye\n");
    power_off(FINISHER_PASS);
  }
}

int main(void) {
  put_text("Hello from the demo firmware: RV64 in machine mode, a timer interrupt every 10 ms.\n");
  put_text("Each second it tells what it did; the key q ends it.\n");
  start_timer();
  uint32_t checksum = 0;
  uint64_t second = 0;
  for (;;) {
    uint64_t seen = ticks;
    fill_buffer((uint32_t)rounds);
    sort_buffer();
    checksum = checksum_buffer();
    rounds++;
    poll_keys();
    if (seen / TICKS_PER_SECOND > second) {
      second = seen / TICKS_PER_SECOND;
      on_second(second, checksum);
    }
    while (ticks == seen) __asm__ volatile("wfi");
  }
}
