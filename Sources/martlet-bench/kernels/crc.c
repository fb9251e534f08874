// CRC-32 (reflected 0xEDB88320), by table and bit by bit, over a buffer that changes each round.
#include "kernel.h"

#define SIZE 16384

static uint32_t table[256];
static uint8_t buffer[SIZE];

static uint32_t step_bits(uint32_t crc) {
  for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
  return crc;
}

static NOINLINE uint32_t crc_by_table(const uint8_t *data, size_t count) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < count; i++) crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
  return ~crc;
}

static NOINLINE uint32_t crc_by_bits(const uint8_t *data, size_t count) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < count; i++) crc = step_bits(crc ^ data[i]);
  return ~crc;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0x1234567;
  for (uint32_t i = 0; i < 256; i++) table[i] = step_bits(i);
  for (size_t i = 0; i < SIZE; i++) buffer[i] = (uint8_t)random_next(&state);
  for (uint32_t round = 0; round < scale; round++) {
    uint32_t crc = crc_by_table(buffer, SIZE);
    sum = checksum_add(sum, crc);
    sum = checksum_add(sum, crc_by_bits(buffer + (crc & 1023), SIZE / 8));
    buffer[crc % SIZE] ^= (uint8_t)(crc >> 24 | 1);
  }
  return sum;
}
