// The frame of the generated flat program: sets registers and memory up, calls it `scale` times, and sums up what it left.
#include "kernel.h"

/// The eight registers and the table the generated functions work on; see FlatProgram.swift.
struct state {
  uint64_t registers[8];
  uint64_t table[64];
};

/// Calls every generated function once.
void flat_run(struct state *state);

static struct state state;

uint64_t kernel_run(uint32_t scale) {
  for (uint64_t i = 0; i < 8; i++) state.registers[i] = (i + 1) * 0x9e3779b97f4a7c15u;
  for (uint64_t i = 0; i < 64; i++) state.table[i] = i * i + 1;
  for (uint32_t n = 0; n < scale; n++) flat_run(&state);
  uint64_t sum = CHECKSUM_START;
  for (uint64_t i = 0; i < 8; i++) sum = checksum_add(sum, state.registers[i]);
  for (uint64_t i = 0; i < 64; i++) sum = checksum_add(sum, state.table[i]);
  return sum;
}
