// The contract of a benchmark kernel, and the few helpers kernels share.
//
// A kernel is one C file that defines `kernel_run`: freestanding, without floating-point contraction, without data whose size or order
// depends on the target, so that its checksum is the same on every guest and on the host.
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

/// Does work in proportion to `scale` and returns a checksum of its results.
uint64_t kernel_run(uint32_t scale);

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *left, const void *right, size_t count);

#define NOINLINE __attribute__((noinline))

/// Marsaglia's xorshift32: `*state` must not be 0.
static inline uint32_t random_next(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

/// Folds `value` into a running checksum (one FNV-1a step on 64 bits).
static inline uint64_t checksum_add(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x100000001b3u; }

// What the floating-point kernels compute in: double precision, or single with SINGLE.
#ifdef SINGLE
typedef float real;
#define REAL_SQRT __builtin_sqrtf
#define REAL_ABS __builtin_fabsf
#else
typedef double real;
#define REAL_SQRT __builtin_sqrt
#define REAL_ABS __builtin_fabs
#endif

static inline uint64_t real_bits(real value) {
  uint64_t result = 0;
  memcpy(&result, &value, sizeof value);
  return result;
}

#define CHECKSUM_START 0xcbf29ce484222325u

#endif
