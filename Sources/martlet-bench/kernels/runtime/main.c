// The main program of every kernel on every target: runs it once and prints `NAME checksum=HEX`.
#include "kernel.h"
#include "platform.h"

int main(void) {
  static const char name[] = KERNEL_NAME " checksum=";
  uint64_t checksum = kernel_run(KERNEL_SCALE);
  char digits[17];
  for (int i = 0; i < 16; i++) digits[i] = "0123456789abcdef"[checksum >> (60 - 4 * i) & 15];
  digits[16] = '\n';
  platform_write(name, sizeof name - 1);
  platform_write(digits, sizeof digits);
  return 0;
}
