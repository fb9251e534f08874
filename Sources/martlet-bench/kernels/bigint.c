// Big integers in 32-bit limbs: schoolbook products, and modular powers by Montgomery multiplication.
#include "kernel.h"

#define LIMBS 16

static NOINLINE void multiply(uint32_t *product, const uint32_t *a, const uint32_t *b, int limbs) {
  memset(product, 0, (size_t)limbs * 8);
  for (int i = 0; i < limbs; i++) {
    uint32_t carry = 0;
    for (int j = 0; j < limbs; j++) {
      uint64_t t = (uint64_t)a[i] * b[j] + product[i + j] + carry;
      product[i + j] = (uint32_t)t;
      carry = (uint32_t)(t >> 32);
    }
    product[i + limbs] = carry;
  }
}

static int not_less(const uint32_t *a, const uint32_t *b) {
  for (int i = LIMBS - 1; i >= 0; i--)
    if (a[i] != b[i]) return a[i] > b[i];
  return 1;
}

static void subtract(uint32_t *a, const uint32_t *b) {
  uint32_t borrow = 0;
  for (int i = 0; i < LIMBS; i++) {
    uint64_t t = (uint64_t)a[i] - b[i] - borrow;
    a[i] = (uint32_t)t;
    borrow = (uint32_t)(t >> 63);
  }
}

// result = a * b / 2^(32 * LIMBS) mod modulus, for an odd modulus with its top bit set; `inverse` = -1 / modulus mod 2^32.
static NOINLINE void montgomery(uint32_t *result, const uint32_t *a, const uint32_t *b, const uint32_t *modulus, uint32_t inverse) {
  uint32_t t[LIMBS + 2] = {0};
  for (int i = 0; i < LIMBS; i++) {
    uint64_t sum = 0;
    for (int j = 0; j < LIMBS; j++) {
      sum += (uint64_t)a[j] * b[i] + t[j];
      t[j] = (uint32_t)sum;
      sum >>= 32;
    }
    sum += t[LIMBS];
    t[LIMBS] = (uint32_t)sum;
    t[LIMBS + 1] = (uint32_t)(sum >> 32);
    uint32_t factor = t[0] * inverse;
    sum = ((uint64_t)factor * modulus[0] + t[0]) >> 32;
    for (int j = 1; j < LIMBS; j++) {
      sum += (uint64_t)factor * modulus[j] + t[j];
      t[j - 1] = (uint32_t)sum;
      sum >>= 32;
    }
    sum += t[LIMBS];
    t[LIMBS - 1] = (uint32_t)sum;
    t[LIMBS] = t[LIMBS + 1] + (uint32_t)(sum >> 32);
  }
  if (t[LIMBS] != 0 || not_less(t, modulus)) subtract(t, modulus);
  memcpy(result, t, LIMBS * 4);
}

static void power(uint32_t *result, const uint32_t *base, const uint32_t *exponent, int bits, const uint32_t *modulus) {
  uint32_t one[LIMBS] = {1}, square[LIMBS], unit[LIMBS];
  uint32_t inverse = modulus[0];
  for (int i = 0; i < 4; i++) inverse *= 2 - modulus[0] * inverse;
  inverse = -inverse;
  memset(unit, 0, sizeof unit);
  subtract(unit, modulus);
  memcpy(square, unit, sizeof square);
  for (int i = 0; i < 32 * LIMBS; i++) {
    uint32_t carry = square[LIMBS - 1] >> 31;
    for (int j = LIMBS - 1; j > 0; j--) square[j] = square[j] << 1 | square[j - 1] >> 31;
    square[0] <<= 1;
    if (carry || not_less(square, modulus)) subtract(square, modulus);
  }
  uint32_t factor[LIMBS];
  montgomery(factor, base, square, modulus, inverse);
  memcpy(result, unit, sizeof unit);
  for (int bit = bits - 1; bit >= 0; bit--) {
    montgomery(result, result, result, modulus, inverse);
    if (exponent[bit / 32] >> (bit % 32) & 1) montgomery(result, result, factor, modulus, inverse);
  }
  montgomery(result, result, one, modulus, inverse);
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0x5eed;
  uint32_t modulus[LIMBS], base[LIMBS], exponent[LIMBS], result[LIMBS], product[2 * LIMBS];
  for (int i = 0; i < LIMBS; i++) modulus[i] = random_next(&state), base[i] = random_next(&state), exponent[i] = random_next(&state);
  modulus[0] |= 1, modulus[LIMBS - 1] |= 0x80000000u, base[LIMBS - 1] &= 0x7fffffffu;
  for (uint32_t round = 0; round < scale; round++) {
    power(result, base, exponent, 128, modulus);
    for (int i = 0; i < 16; i++) {
      multiply(product, result, base, LIMBS);
      for (int j = 0; j < LIMBS; j++) base[j] = product[j + LIMBS / 2];
    }
    base[LIMBS - 1] &= 0x7fffffffu;
    exponent[round % 4] ^= result[0];
    for (int i = 0; i < LIMBS; i += 5) sum = checksum_add(sum, result[i]);
  }
  return sum;
}
