// String work on generated text: length, copy, compare, tokenise, fold case, search by two methods.
#include "kernel.h"

#define TEXT 8192
#define WORDS 2048

static const char *const vocabulary[] = {
    "swift", "martlet", "wing", "Feather", "sky", "nest", "THE", "a", "of", "Migration", "summer", "roof", "eaves", "fly", "never", "lands",
};
static char text[TEXT], copy[TEXT];
static const char *words[WORDS];

static NOINLINE size_t length(const char *s) {
  const char *end = s;
  while (*end != 0) end++;
  return (size_t)(end - s);
}

static NOINLINE char *append(char *to, const char *from) {
  while ((*to = *from++) != 0) to++;
  return to;
}

static NOINLINE int compare(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return (unsigned char)*a - (unsigned char)*b;
}

static NOINLINE void fold_case(char *s) {
  for (; *s != 0; s++)
    if (*s >= 'A' && *s <= 'Z') *s += 'a' - 'A';
}

static NOINLINE uint32_t search_plain(const char *s, const char *what) {
  uint32_t found = 0;
  for (; *s != 0; s++) {
    size_t i = 0;
    while (what[i] != 0 && s[i] == what[i]) i++;
    found += what[i] == 0;
  }
  return found;
}

// Horspool's method: on a mismatch, shift by the distance of the window's last character from the end of the pattern.
static NOINLINE uint32_t search_horspool(const char *s, size_t count, const char *what) {
  uint8_t shift[256];
  size_t size = length(what);
  uint32_t found = 0;
  memset(shift, (int)size, sizeof shift);
  for (size_t i = 0; i + 1 < size; i++) shift[(unsigned char)what[i]] = (uint8_t)(size - 1 - i);
  for (size_t at = 0; at + size <= count; at += shift[(unsigned char)s[at + size - 1]])
    found += memcmp(s + at, what, size) == 0;
  return found;
}

static NOINLINE uint32_t tokenise(char *s) {
  uint32_t count = 0;
  while (*s != 0 && count < WORDS) {
    while (*s == ' ' || *s == ',' || *s == '.') *s++ = 0;
    if (*s == 0) break;
    words[count++] = s;
    while (*s != 0 && *s != ' ' && *s != ',' && *s != '.') s++;
  }
  return count;
}

static void compose(uint32_t seed) {
  char *end = text;
  while (end < text + TEXT - 16) {
    uint32_t r = random_next(&seed);
    end = append(end, vocabulary[r >> 4 & 15]);
    end = append(end, (r & 0xe00) == 0 ? ". " : (r & 0xe00) == 0x200 ? ", " : " ");
  }
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  for (uint32_t round = 1; round <= scale; round++) {
    compose(round * 2654435761u | 1);
    append(copy, text);
    sum = checksum_add(sum, search_plain(copy, "Migration"));
    fold_case(copy);
    size_t count = length(copy);
    for (int i = 0; i < 4; i++) sum = checksum_add(sum, search_horspool(copy, count, vocabulary[(round + i * 3) & 15]));
    uint32_t tokens = tokenise(copy);
    uint32_t ascending = 0, longest = 0;
    for (uint32_t i = 1; i < tokens; i++) {
      ascending += compare(words[i - 1], words[i]) < 0;
      if (length(words[i]) > length(words[longest])) longest = i;
    }
    sum = checksum_add(sum, (uint64_t)tokens << 32 | ascending << 8 | longest);
  }
  return sum;
}
