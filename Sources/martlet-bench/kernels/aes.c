// AES-128 (FIPS 197): key expansion and table-driven encryption in CBC mode, byte-wise decryption of a part.
#include "kernel.h"

#define BLOCKS 64

static uint8_t sbox[256], inverse_sbox[256];
static uint32_t round_table[256];
static uint32_t schedule[44];
static uint8_t data[BLOCKS][16];

static uint32_t rotate_left(uint32_t x, int n) { return x << n | x >> (32 - n); }

static uint8_t times2(uint8_t x) { return (uint8_t)(x << 1 ^ (0x1b & -(x >> 7))); }

// The S-box from its definition: walk the powers of 3 and of its inverse 0xf6 side by side, then the affine map.
static void build_tables(void) {
  uint8_t p = 1, q = 1;
  do {
    p ^= times2(p);
    q ^= q << 1, q ^= q << 2, q ^= q << 4;
    q ^= 0x09 & -(q >> 7);
    uint32_t r = q * 0x0101u;
    sbox[p] = (uint8_t)(q ^ r >> 7 ^ r >> 6 ^ r >> 5 ^ r >> 4 ^ 0x63);
  } while (p != 1);
  sbox[0] = 0x63;
  for (int i = 0; i < 256; i++) {
    uint8_t s = sbox[i], d = times2(s);
    inverse_sbox[s] = (uint8_t)i;
    round_table[i] = (uint32_t)d << 24 | (uint32_t)s << 16 | (uint32_t)s << 8 | (uint8_t)(s ^ d);
  }
}

static uint32_t load_be(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be(uint8_t *p, uint32_t x) { p[0] = x >> 24, p[1] = x >> 16, p[2] = x >> 8, p[3] = x; }

static uint32_t substitute(uint32_t x) {
  return (uint32_t)sbox[x >> 24] << 24 | (uint32_t)sbox[x >> 16 & 255] << 16 | (uint32_t)sbox[x >> 8 & 255] << 8 | sbox[x & 255];
}

static NOINLINE void expand_key(const uint8_t key[16]) {
  uint8_t constant = 1;
  for (int i = 0; i < 4; i++) schedule[i] = load_be(key + 4 * i);
  for (int i = 4; i < 44; i++) {
    uint32_t t = schedule[i - 1];
    if (i % 4 == 0) {
      t = substitute(rotate_left(t, 8)) ^ (uint32_t)constant << 24;
      constant = times2(constant);
    }
    schedule[i] = schedule[i - 4] ^ t;
  }
}

static NOINLINE void encrypt(uint8_t block[16]) {
  uint32_t s[4], t[4];
  for (int i = 0; i < 4; i++) s[i] = load_be(block + 4 * i) ^ schedule[i];
  for (int round = 1; round < 10; round++) {
    for (int i = 0; i < 4; i++)
      t[i] = round_table[s[i] >> 24] ^ rotate_left(round_table[s[(i + 1) & 3] >> 16 & 255], 24) ^
             rotate_left(round_table[s[(i + 2) & 3] >> 8 & 255], 16) ^ rotate_left(round_table[s[(i + 3) & 3] & 255], 8) ^
             schedule[4 * round + i];
    for (int i = 0; i < 4; i++) s[i] = t[i];
  }
  for (int i = 0; i < 4; i++) {
    uint32_t mixed = (s[i] & 0xff000000u) | (s[(i + 1) & 3] & 0xff0000u) | (s[(i + 2) & 3] & 0xff00u) | (s[(i + 3) & 3] & 0xffu);
    t[i] = substitute(mixed) ^ schedule[40 + i];
  }
  for (int i = 0; i < 4; i++) store_be(block + 4 * i, t[i]);
}

static void add_round_key(uint8_t s[16], int round) {
  for (int i = 0; i < 16; i++) s[i] ^= (uint8_t)(schedule[4 * round + i / 4] >> (24 - 8 * (i & 3)));
}

static NOINLINE void decrypt(uint8_t block[16]) {
  uint8_t t[16];
  add_round_key(block, 10);
  for (int round = 9;; round--) {
    for (int i = 0; i < 16; i++) t[(i + 4 * (i & 3)) & 15] = inverse_sbox[block[i]];
    add_round_key(t, round);
    memcpy(block, t, 16);
    if (round == 0) return;
    for (int c = 0; c < 16; c += 4) {
      uint8_t a = t[c], b = t[c + 1], d = t[c + 2], e = t[c + 3];
      uint8_t u = times2(times2(a ^ d)), v = times2(times2(b ^ e)), all = times2(u ^ v) ^ a ^ b ^ d ^ e;
      block[c] = a ^ all ^ times2(a ^ b) ^ u;
      block[c + 1] = b ^ all ^ times2(b ^ d) ^ v;
      block[c + 2] = d ^ all ^ times2(d ^ e) ^ u;
      block[c + 3] = e ^ all ^ times2(e ^ a) ^ v;
    }
  }
}

// The example of FIPS 197, appendix C.1.
static int self_test(void) {
  static const uint8_t expected[16] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};
  uint8_t key[16], block[16];
  for (int i = 0; i < 16; i++) key[i] = (uint8_t)i, block[i] = (uint8_t)(0x11 * i);
  expand_key(key);
  encrypt(block);
  int passed = memcmp(block, expected, 16) == 0;
  decrypt(block);
  for (int i = 0; i < 16; i++) passed &= block[i] == 0x11 * i;
  return passed;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint8_t key[16] = {0};
  build_tables();
  if (!self_test()) return 0;
  for (uint32_t round = 0; round < scale; round++) {
    expand_key(key);
    for (int b = 0; b < BLOCKS; b++) {
      const uint8_t *previous = data[(b + BLOCKS - 1) % BLOCKS];
      for (int i = 0; i < 16; i++) data[b][i] ^= previous[i] + (uint8_t)b;
      encrypt(data[b]);
    }
    memcpy(key, data[BLOCKS - 1], 16);
    for (int b = 0; b < BLOCKS; b += 8) decrypt(data[b]);
    sum = checksum_add(sum, load_be(data[round % BLOCKS]));
  }
  return sum;
}
