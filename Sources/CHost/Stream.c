#define _GNU_SOURCE
#include "Stream.h"

#include <stdlib.h>

typedef struct {
  void (*take)(const char *, size_t);
} sink;

static ssize_t write_all(void *cookie, const char *bytes, size_t count) {
  ((sink *)cookie)->take(bytes, count);
  return (ssize_t)count;
}

FILE *chost_stream(void (*take)(const char *bytes, size_t count)) {
  sink *cookie = malloc(sizeof *cookie);
  if (!cookie) return NULL;
  cookie->take = take;
  cookie_io_functions_t functions = {.write = write_all};
  return fopencookie(cookie, "w", functions);
}
