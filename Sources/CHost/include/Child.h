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

/// Starts a shell's command that has the terminal to itself, as a group of its own in the foreground; it reads what is written
/// to `input`. `less` is what the variable LESS becomes if it is not set. 0, or negative errno.
int chost_pager_start(const char *command, const char *less, int *process, int *input);
/// Waits for its end, and takes the terminal back.
void chost_pager_end(int process);
/// Sends it a signal that ends it; from any thread.
void chost_pager_stop(int process, int signal);
