#include "CHostRounding.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

#pragma STDC FENV_ACCESS ON

static const int modes[4] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

static int begin(int mode) {
  int before = fegetround();
  fesetround(modes[mode & 3]);
  feclearexcept(FE_ALL_EXCEPT);
  return before;
}

static uint32_t end(int before) {
  int raised = fetestexcept(FE_ALL_EXCEPT);
  feclearexcept(FE_ALL_EXCEPT);
  fesetround(before);
  return (raised & FE_INEXACT ? 1u : 0u) | (raised & FE_UNDERFLOW ? 2u : 0u) | (raised & FE_OVERFLOW ? 4u : 0u) |
         (raised & FE_DIVBYZERO ? 8u : 0u) | (raised & FE_INVALID ? 16u : 0u);
}

// Operands and result are volatile, which keeps the operation between begin and end. `long double` holds every 64-bit
// integer, so that a conversion from it rounds once.
#define DEFINE(NAME, TYPE, RAW, OTHER, OTHER_RAW, FMA, SQRT, RINT)                                      \
  chost_float_result NAME(chost_float_operation operation, int mode, uint64_t a, uint64_t b, uint64_t c) { \
    RAW ra = (RAW)a, rb = (RAW)b, rc = (RAW)c, rr;                                                      \
    OTHER_RAW ro = (OTHER_RAW)a;                                                                        \
    TYPE fa, fb, fc, fr;                                                                                \
    OTHER fo;                                                                                           \
    memcpy(&fa, &ra, sizeof fa);                                                                        \
    memcpy(&fb, &rb, sizeof fb);                                                                        \
    memcpy(&fc, &rc, sizeof fc);                                                                        \
    memcpy(&fo, &ro, sizeof fo);                                                                        \
    volatile TYPE x = fa, y = fb, z = fc, result = 0;                                                   \
    volatile OTHER other = fo;                                                                          \
    volatile long double integer = operation == CHOST_FROM_INT64 ? (long double)(int64_t)a : (long double)a; \
    int before = begin(mode);                                                                           \
    switch (operation) {                                                                                \
    case CHOST_ADD: result = x + y; break;                                                              \
    case CHOST_SUBTRACT: result = x - y; break;                                                         \
    case CHOST_MULTIPLY: result = x * y; break;                                                         \
    case CHOST_DIVIDE: result = x / y; break;                                                           \
    case CHOST_SQUARE_ROOT: result = SQRT(x); break;                                                    \
    case CHOST_FUSED_MULTIPLY_ADD: result = FMA(x, y, z); break;                                        \
    case CHOST_ROUND_TO_INTEGRAL: result = RINT(x); break;                                              \
    case CHOST_CONVERT: result = (TYPE)other; break;                                                    \
    case CHOST_FROM_INT64:                                                                              \
    case CHOST_FROM_UINT64: result = (TYPE)integer; break;                                              \
    }                                                                                                   \
    chost_float_result out = {0, end(before)};                                                          \
    fr = result;                                                                                        \
    memcpy(&rr, &fr, sizeof rr);                                                                        \
    out.bits = rr;                                                                                      \
    return out;                                                                                         \
  }

DEFINE(chost_float32, float, uint32_t, double, uint64_t, fmaf, sqrtf, rintf)
DEFINE(chost_float64, double, uint64_t, float, uint32_t, fma, sqrt, rint)
