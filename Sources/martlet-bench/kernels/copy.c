// Memory copies of many sizes, aligned and not, overlapping moves, fills and word sums.
#include "kernel.h"

#define SIZE 8192

static uint8_t from[SIZE] __attribute__((aligned(16))), to[SIZE] __attribute__((aligned(16)));

static NOINLINE uint64_t word_sum(const uint8_t *data, size_t count) {
  uint64_t sum = 0, word;
  for (size_t i = 0; i + 8 <= count; i += 8) {
    memcpy(&word, __builtin_assume_aligned(data + i, 8), 8);
    sum = (sum << 1 | sum >> 63) + word;
  }
  return sum;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0xc0de;
  for (size_t i = 0; i < SIZE; i++) from[i] = (uint8_t)random_next(&state);
  for (uint32_t round = 0; round < scale; round++) {
    uint32_t r = random_next(&state);
    memcpy(to, from, SIZE);
    for (size_t size = 8; size <= 1024; size *= 2) memcpy(to + (r & 0x7f8), from + (r >> 12 & 0x7f8), size);
    memcpy(to + (r & 2047), from + (r >> 11 & 2047) + 1, 64 + (r & 63));
    memmove(to + 64, to + 8, 2048);
    memmove(to + 4096, to + 4160, 2048);
    memset(from + (r & 4095), (int)(r >> 24), 256 + (r >> 20 & 255));
    sum = checksum_add(sum, word_sum(to, SIZE));
    sum = checksum_add(sum, (uint64_t)(memcmp(to, from, SIZE) + 1));
  }
  return sum;
}
