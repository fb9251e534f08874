// Owns libFuzzer's entry, for which its headers have no declaration in C: LLVM, "libFuzzer", section "Using libFuzzer as a
// library".
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*test)(const uint8_t *data, size_t size));
