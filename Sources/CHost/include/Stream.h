/// Streams of the C library for libraries that write to one.
#pragma once
#include <stddef.h>
#include <stdio.h>

/// Makes a stream whose bytes `take` takes, all of them; NULL if there is no memory.
FILE *chost_stream(void (*take)(const char *bytes, size_t count));
