// Quicksort (median of three, insertion sort for short runs) and heap sort of 32-bit keys.
#include "kernel.h"

#define COUNT 4096
#define SHORT_RUN 12

static uint32_t source[COUNT], keys[COUNT];

static void swap(uint32_t *a, uint32_t *b) {
  uint32_t t = *a;
  *a = *b, *b = t;
}

static void insertion_sort(uint32_t *a, int count) {
  for (int i = 1; i < count; i++) {
    uint32_t key = a[i];
    int j = i;
    for (; j > 0 && a[j - 1] > key; j--) a[j] = a[j - 1];
    a[j] = key;
  }
}

static NOINLINE void quicksort(uint32_t *a, int count) {
  while (count > SHORT_RUN) {
    int middle = count / 2, last = count - 1;
    if (a[middle] < a[0]) swap(&a[middle], &a[0]);
    if (a[last] < a[0]) swap(&a[last], &a[0]);
    if (a[last] < a[middle]) swap(&a[last], &a[middle]);
    uint32_t pivot = a[middle];
    int i = 0, j = last;
    for (;;) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i >= j) break;
      swap(&a[i++], &a[j--]);
    }
    quicksort(a, i);
    a += i, count -= i;
  }
  insertion_sort(a, count);
}

static void sift_down(uint32_t *a, int root, int count) {
  uint32_t key = a[root];
  for (int child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && a[child + 1] > a[child]) child++;
    if (a[child] <= key) break;
    a[root] = a[child];
  }
  a[root] = key;
}

static NOINLINE void heap_sort(uint32_t *a, int count) {
  for (int i = count / 2 - 1; i >= 0; i--) sift_down(a, i, count);
  for (int end = count - 1; end > 0; end--) {
    swap(&a[0], &a[end]);
    sift_down(a, 0, end);
  }
}

static uint64_t digest(uint64_t sum) {
  uint32_t inversions = 0;
  for (int i = 1; i < COUNT; i++) inversions += keys[i - 1] > keys[i];
  for (int i = 0; i < COUNT; i += 61) sum = checksum_add(sum, keys[i]);
  return checksum_add(sum, inversions);
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0xbadcafe;
  for (uint32_t round = 0; round < scale; round++) {
    for (int i = 0; i < COUNT; i++) source[i] = random_next(&state) >> (round & 15);
    memcpy(keys, source, sizeof keys);
    quicksort(keys, COUNT);
    sum = digest(sum);
    memcpy(keys, source, sizeof keys);
    heap_sort(keys, COUNT);
    sum = digest(sum);
  }
  return sum;
}
