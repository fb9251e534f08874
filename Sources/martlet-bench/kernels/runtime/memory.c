// The memory functions, the same on guest and host: a host's hand-tuned library routines would compare two programs, not two machines.
#include "kernel.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef uint64_t __attribute__((may_alias)) word;

static inline int aligned(const void *a, const void *b) { return (((uintptr_t)a | (uintptr_t)b) & 7) == 0; }

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  unsigned char *d = to;
  const unsigned char *s = from;
  if (aligned(d, s)) {
    for (; count >= 32; count -= 32, d += 32, s += 32) {
      word a = ((const word *)s)[0], b = ((const word *)s)[1], c = ((const word *)s)[2], e = ((const word *)s)[3];
      ((word *)d)[0] = a, ((word *)d)[1] = b, ((word *)d)[2] = c, ((word *)d)[3] = e;
    }
    for (; count >= 8; count -= 8, d += 8, s += 8) *(word *)d = *(const word *)s;
  }
  while (count-- > 0) *d++ = *s++;
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  unsigned char *d = to;
  const unsigned char *s = from;
  if ((uintptr_t)d - (uintptr_t)s >= count) return memcpy(to, from, count);
  d += count, s += count;
  if (aligned(d, s))
    for (; count >= 8; count -= 8) d -= 8, s -= 8, *(word *)d = *(const word *)s;
  while (count-- > 0) *--d = *--s;
  return to;
}

void *memset(void *to, int byte, size_t count) {
  unsigned char *d = to;
  word pattern = (unsigned char)byte * 0x0101010101010101u;
  for (; count > 0 && ((uintptr_t)d & 7) != 0; count--) *d++ = (unsigned char)byte;
  for (; count >= 8; count -= 8, d += 8) *(word *)d = pattern;
  while (count-- > 0) *d++ = (unsigned char)byte;
  return to;
}

int memcmp(const void *left, const void *right, size_t count) {
  const unsigned char *a = left, *b = right;
  for (; count > 0; count--, a++, b++)
    if (*a != *b) return *a < *b ? -1 : 1;
  return 0;
}
