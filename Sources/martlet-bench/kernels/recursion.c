// Recursive functions: Fibonacci, Ackermann, a binary tree that is built, summed and mirrored, and the queens problem.
#include "kernel.h"

struct tree {
  struct tree *left, *right;
  uint32_t key;
};

#define NODES 2047

static struct tree nodes[NODES];
static uint32_t used;

static NOINLINE uint32_t fibonacci(uint32_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static NOINLINE uint32_t ackermann(uint32_t m, uint32_t n) {
  if (m == 0) return n + 1;
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static NOINLINE struct tree *build(uint32_t depth, uint32_t key) {
  struct tree *t = &nodes[used++];
  t->key = key;
  t->left = depth == 0 ? NULL : build(depth - 1, key * 2);
  t->right = depth == 0 ? NULL : build(depth - 1, key * 2 + 1);
  return t;
}

static NOINLINE uint32_t fold(const struct tree *t, uint32_t level) {
  return t == NULL ? level : t->key ^ (fold(t->left, level + 1) * 3 + fold(t->right, level + 1));
}

static NOINLINE void mirror(struct tree *t) {
  if (t == NULL) return;
  struct tree *left = t->left;
  t->left = t->right, t->right = left;
  mirror(t->left);
  mirror(t->right);
}

static NOINLINE uint32_t queens(uint32_t free, uint32_t left, uint32_t right) {
  uint32_t solutions = 0;
  if (free == 0) return 1;
  for (uint32_t places = free & ~(left | right); places != 0; places &= places - 1) {
    uint32_t place = places & -places;
    solutions += queens(free & ~place, (left | place) << 1, (right | place) >> 1);
  }
  return solutions;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 0; round < scale; round++) {
    sum = checksum_add(sum, fibonacci(16 + (round & 3)));
    sum = checksum_add(sum, ackermann(2, 20 + (round & 15)));
    sum = checksum_add(sum, ackermann(3, 3));
    used = 0;
    struct tree *root = build(10, round + 1);
    mirror(root);
    sum = checksum_add(sum, fold(root, 0));
    sum = checksum_add(sum, queens((1u << (5 + (round & 1))) - 1, 0, 0));
  }
  return sum;
}
