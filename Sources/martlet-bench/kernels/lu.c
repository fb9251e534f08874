// LU factorisation with partial pivoting in double precision, and a solution with its residual.
#include "kernel.h"

#define N 64

static double matrix[N][N], factors[N][N], right[N], solution[N];
static int order[N];

static NOINLINE void factorise(void) {
  for (int i = 0; i < N; i++) order[i] = i;
  for (int k = 0; k < N; k++) {
    int pivot = k;
    for (int i = k + 1; i < N; i++)
      if (__builtin_fabs(factors[i][k]) > __builtin_fabs(factors[pivot][k])) pivot = i;
    if (pivot != k) {
      for (int j = 0; j < N; j++) {
        double t = factors[k][j];
        factors[k][j] = factors[pivot][j], factors[pivot][j] = t;
      }
      int t = order[k];
      order[k] = order[pivot], order[pivot] = t;
    }
    double reciprocal = 1 / factors[k][k];
    for (int i = k + 1; i < N; i++) {
      double factor = factors[i][k] *= reciprocal;
      for (int j = k + 1; j < N; j++) factors[i][j] -= factor * factors[k][j];
    }
  }
}

static NOINLINE void solve(void) {
  for (int i = 0; i < N; i++) {
    double sum = right[order[i]];
    for (int j = 0; j < i; j++) sum -= factors[i][j] * solution[j];
    solution[i] = sum;
  }
  for (int i = N - 1; i >= 0; i--) {
    double sum = solution[i];
    for (int j = i + 1; j < N; j++) sum -= factors[i][j] * solution[j];
    solution[i] = sum / factors[i][i];
  }
}

static NOINLINE double largest_residual(void) {
  double largest = 0;
  for (int i = 0; i < N; i++) {
    double sum = -right[i];
    for (int j = 0; j < N; j++) sum += matrix[i][j] * solution[j];
    if (__builtin_fabs(sum) > largest) largest = __builtin_fabs(sum);
  }
  return largest;
}

static uint64_t bits(double value) {
  uint64_t result;
  memcpy(&result, &value, sizeof result);
  return result;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0xd0d0;
  for (uint32_t round = 0; round < scale; round++) {
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) matrix[i][j] = (int32_t)random_next(&state) * 0x1p-31;
      right[i] = (int32_t)random_next(&state) * 0x1p-31;
    }
    memcpy(factors, matrix, sizeof factors);
    factorise();
    solve();
    sum = checksum_add(sum, bits(solution[round % N]));
    sum = checksum_add(sum, largest_residual() < 1e-6);
  }
  return sum;
}
