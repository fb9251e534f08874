/// Programs that run beside this one and end with it.
#pragma once
#include <stdint.h>

typedef struct {
  int process;
  /// Read ends of its standard output and standard error.
  int output;
  int messages;
} chost_child;

/// Starts a program with no input. It may use so many bytes of address space and so many seconds of processor time, and is
/// killed when the calling thread ends. 0, or negative errno.
int chost_child_start(chost_child *child, char *const arguments[], uint64_t memory, uint32_t seconds);
/// Waits for its end; returns its exit code, or 128 and the number of the signal that ended it.
int chost_child_end(chost_child *child);
