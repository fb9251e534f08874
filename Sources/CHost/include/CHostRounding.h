/// The host's FPU under a chosen rounding mode, with the flags it raised: the oracle of SoftFloat's tests.
#pragma once
#include <stdint.h>

/// Raw bits (binary32 in the lower half) and flags as in RISC-V's fflags (NX 1, UF 2, OF 4, DZ 8, NV 16).
typedef struct {
  uint64_t bits;
  uint32_t flags;
} chost_float_result;

/// The operation in `chost_float32` and `chost_float64`; the unary ones ignore what they do not need.
typedef enum {
  CHOST_ADD,
  CHOST_SUBTRACT,
  CHOST_MULTIPLY,
  CHOST_DIVIDE,
  CHOST_SQUARE_ROOT,
  CHOST_FUSED_MULTIPLY_ADD,
  CHOST_ROUND_TO_INTEGRAL,
  /// From the other format, whose raw bits are `a`.
  CHOST_CONVERT,
  /// From the signed or unsigned 64-bit integer `a`.
  CHOST_FROM_INT64,
  CHOST_FROM_UINT64,
} chost_float_operation;

/// `mode`: 0 to nearest even, 1 toward zero, 2 down, 3 up. The mode in force before is restored.
chost_float_result chost_float32(chost_float_operation operation, int mode, uint64_t a, uint64_t b, uint64_t c);
chost_float_result chost_float64(chost_float_operation operation, int mode, uint64_t a, uint64_t b, uint64_t c);
