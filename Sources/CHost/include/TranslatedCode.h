/// What the x86-64 host needs of the operating system: faults in translated code, the GS base, CPU features.
#pragma once
#include <stdint.h>

/// Installs the handler of SIGSEGV and SIGBUS, for code and for ``chost_dirty_begin``, once per process; 0, or negative errno.
int chost_faults_install(void);
/// From now on a fault at a host PC in [start, end) stores that PC at `pc_offset` bytes from the address in rbp and
/// goes on at the host address found at `target_offset`. All other registers are kept. 0, or -1 if the table is full.
int chost_faults_add(uint64_t start, uint64_t end, uint32_t pc_offset, uint32_t target_offset);
void chost_faults_remove(uint64_t start);
/// Maps `size` bytes of zeros twice, writable and executable; 0, or negative errno. The memory has no file of its own,
/// so that profilers look for names of code in it where they do for anonymous memory.
int chost_code_memory(uint64_t size, void **writable, void **executable);
/// Replaces the 32 bits at `place` as one step that all threads see in the same order; returns what they were.
uint32_t chost_exchange32(void *place, uint32_t value);
/// Sets the calling thread's GS base, if it is not that already.
void chost_set_gs_base(uint64_t base);
/// Whether the CPU has BMI1, BMI2, LZCNT and POPCNT.
int chost_cpu_has_bit_instructions(void);

/* Whether the CPU has AVX and FMA3, and the system supports them. */
int chost_cpu_has_fma(void);
