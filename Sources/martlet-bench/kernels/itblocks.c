// Triangular systems solved in floating point, with stores and loads in IT blocks, as compilers make them of a small `if`.
#include "kernel.h"

#define N 20

static real matrix[N][N], right[N], solution[N];

/// `matrix` as L and U in one, small entries put to 0; returns a word that depends on every decision.
static NOINLINE uint32_t factorise(uint32_t word) {
  for (int k = 0; k < N; k++) {
    for (int i = k + 1; i < N; i++) {
      real factor = matrix[i][k] / matrix[k][k];
      matrix[i][k] = factor;
      for (int j = k + 1; j < N; j++) {
        real value = matrix[i][j] - factor * matrix[k][j];
        matrix[i][j] = value;
        int32_t thousandths = (int32_t)(value * 1000);
        __asm__ volatile(
          "tst %[thousandths], #1\n"
          "ite ne\n"
          "strne %[factor], [%[place]]\n"
          "lsleq %[word], %[word], #1"
          : [word] "+r"(word)
          : [thousandths] "r"(thousandths), [place] "r"(&solution[j]), [factor] "r"(thousandths)
          : "cc", "memory");
        word += (uint32_t)thousandths;
      }
    }
  }
  return word;
}

static NOINLINE void solve(void) {
  for (int i = 0; i < N; i++) {
    real sum = right[i];
    for (int j = 0; j < i; j++) sum -= matrix[i][j] * solution[j];
    solution[i] = sum;
  }
  for (int i = N - 1; i >= 0; i--) {
    real sum = solution[i];
    for (int j = i + 1; j < N; j++) sum -= matrix[i][j] * solution[j];
    solution[i] = sum / matrix[i][i];
  }
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0xd0d0, word = 1;
  for (uint32_t round = 0; round < scale; round++) {
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) matrix[i][j] = (int32_t)random_next(&state) * (real)0x1p-31 + (i == j ? 4 : 0);
      right[i] = (int32_t)random_next(&state) * (real)0x1p-31;
    }
    word = factorise(word);
    solve();
    sum = checksum_add(sum, real_bits(solution[round % N]) + word);
  }
  return sum;
}
