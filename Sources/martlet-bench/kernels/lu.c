// LU factorisation with partial pivoting in double or single precision, and a solution with its residual.
#include "kernel.h"

#define N 64

static real matrix[N][N], factors[N][N], right[N], solution[N];
static int order[N];

static NOINLINE void factorise(void) {
  for (int i = 0; i < N; i++) order[i] = i;
  for (int k = 0; k < N; k++) {
    int pivot = k;
    for (int i = k + 1; i < N; i++)
      if (REAL_ABS(factors[i][k]) > REAL_ABS(factors[pivot][k])) pivot = i;
    if (pivot != k) {
      for (int j = 0; j < N; j++) {
        real t = factors[k][j];
        factors[k][j] = factors[pivot][j], factors[pivot][j] = t;
      }
      int t = order[k];
      order[k] = order[pivot], order[pivot] = t;
    }
    real reciprocal = 1 / factors[k][k];
    for (int i = k + 1; i < N; i++) {
      real factor = factors[i][k] *= reciprocal;
      for (int j = k + 1; j < N; j++) factors[i][j] -= factor * factors[k][j];
    }
  }
}

static NOINLINE void solve(void) {
  for (int i = 0; i < N; i++) {
    real sum = right[order[i]];
    for (int j = 0; j < i; j++) sum -= factors[i][j] * solution[j];
    solution[i] = sum;
  }
  for (int i = N - 1; i >= 0; i--) {
    real sum = solution[i];
    for (int j = i + 1; j < N; j++) sum -= factors[i][j] * solution[j];
    solution[i] = sum / factors[i][i];
  }
}

static NOINLINE real largest_residual(void) {
  real largest = 0;
  for (int i = 0; i < N; i++) {
    real sum = -right[i];
    for (int j = 0; j < N; j++) sum += matrix[i][j] * solution[j];
    if (REAL_ABS(sum) > largest) largest = REAL_ABS(sum);
  }
  return largest;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0xd0d0;
  for (uint32_t round = 0; round < scale; round++) {
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) matrix[i][j] = (int32_t)random_next(&state) * (real)0x1p-31;
      right[i] = (int32_t)random_next(&state) * (real)0x1p-31;
    }
    memcpy(factors, matrix, sizeof factors);
    factorise();
    solve();
    sum = checksum_add(sum, real_bits(solution[round % N]));
    sum = checksum_add(sum, largest_residual() < (real)1e-6);
  }
  return sum;
}
