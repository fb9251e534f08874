// The board mps2_an386 as a target: the UART at 0x40004000, and semihosting to leave.
#include "kernel.h"
#include "platform.h"

#define UART ((volatile uint32_t *)0x40004000)
#define UART_DATA 0
#define UART_STATE 1
#define UART_CTRL 2
#define UART_BAUDDIV 4
#define UART_STATE_TXFULL 1u

void platform_write(const char *text, size_t length) {
  UART[UART_BAUDDIV] = 16;
  UART[UART_CTRL] = 1;
  for (size_t i = 0; i < length; i++) {
    while ((UART[UART_STATE] & UART_STATE_TXFULL) != 0) {}
    UART[UART_DATA] = (uint8_t)text[i];
  }
}

/// SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit and an exit code.
_Noreturn void arm_exit(uint32_t code) {
  const uint32_t block[2] = {0x20026, code};
  register uint32_t operation __asm__("r0") = 0x20;
  register const uint32_t *parameter __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(parameter) : "memory");
  for (;;) {}
}

// What compilers call by the names of the Arm run-time ABI.
#define ALIAS(name) __attribute__((alias(#name)))
void __aeabi_memclr(void *to, size_t count) { memset(to, 0, count); }
void __aeabi_memclr4(void *to, size_t count) ALIAS(__aeabi_memclr);
void __aeabi_memclr8(void *to, size_t count) ALIAS(__aeabi_memclr);
void __aeabi_memset(void *to, size_t count, int byte) { memset(to, byte, count); }
void __aeabi_memset4(void *to, size_t count, int byte) ALIAS(__aeabi_memset);
void __aeabi_memset8(void *to, size_t count, int byte) ALIAS(__aeabi_memset);
void __aeabi_memcpy(void *to, const void *from, size_t count) { memcpy(to, from, count); }
void __aeabi_memcpy4(void *to, const void *from, size_t count) ALIAS(__aeabi_memcpy);
void __aeabi_memcpy8(void *to, const void *from, size_t count) ALIAS(__aeabi_memcpy);
void __aeabi_memmove(void *to, const void *from, size_t count) { memmove(to, from, count); }
void __aeabi_memmove4(void *to, const void *from, size_t count) ALIAS(__aeabi_memmove);
void __aeabi_memmove8(void *to, const void *from, size_t count) ALIAS(__aeabi_memmove);
