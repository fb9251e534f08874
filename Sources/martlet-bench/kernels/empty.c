// No work: what starting and ending a run costs.
#include "kernel.h"

uint64_t kernel_run(uint32_t scale) { return checksum_add(CHECKSUM_START, scale); }
