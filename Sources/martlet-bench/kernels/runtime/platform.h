// What a target offers to the main program of a kernel.
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stddef.h>

void platform_write(const char *text, size_t length);

#endif
