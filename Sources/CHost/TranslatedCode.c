#define _GNU_SOURCE
#include "TranslatedCode.h"
#include "DirtyPages.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

int chost_code_memory(uint64_t size, void **writable, void **executable) {
  void *first = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (first == MAP_FAILED) return -errno;
  /* An old size of 0 maps shared memory once more (mremap(2)). */
  void *second = mremap(first, 0, size, MREMAP_MAYMOVE);
  if (second == MAP_FAILED || mprotect(second, size, PROT_READ | PROT_EXEC) < 0) {
    int error = errno;
    munmap(first, size);
    if (second != MAP_FAILED) munmap(second, size);
    return -error;
  }
  *writable = first;
  *executable = second;
  return 0;
}

uint32_t chost_exchange32(void *place, uint32_t value) {
  return atomic_exchange((_Atomic uint32_t *)place, value);
}

#if defined(__x86_64__)
#include <asm/prctl.h>
#include <asm/hwcap2.h>
#include <cpuid.h>

/* Slots are filled before `end` is published, so that the handler never sees half of one. */
typedef struct {
  uint64_t start;
  _Atomic uint64_t end;
  uint32_t pc_offset, target_offset;
} CodeRange;

enum { RANGES = 256 };
static CodeRange ranges[RANGES];

static int handle_code_fault(void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  uint64_t pc = (uint64_t)registers[REG_RIP];
  for (int i = 0; i < RANGES; i++) {
    uint64_t end = atomic_load_explicit(&ranges[i].end, memory_order_acquire);
    if (pc >= end || pc < ranges[i].start) continue;
    char *state = (char *)registers[REG_RBP];
    *(uint64_t *)(state + ranges[i].pc_offset) = pc;
    registers[REG_RIP] = (greg_t) * (uint64_t *)(state + ranges[i].target_offset);
    return 1;
  }
  return 0;
}

int chost_faults_add(uint64_t start, uint64_t end, uint32_t pc_offset, uint32_t target_offset) {
  static atomic_flag busy = ATOMIC_FLAG_INIT;
  while (atomic_flag_test_and_set(&busy)) {}
  int result = -1;
  for (int i = 0; i < RANGES && result < 0; i++) {
    if (atomic_load(&ranges[i].end) != 0) continue;
    ranges[i].start = start;
    ranges[i].pc_offset = pc_offset;
    ranges[i].target_offset = target_offset;
    atomic_store_explicit(&ranges[i].end, end, memory_order_release);
    result = 0;
  }
  atomic_flag_clear(&busy);
  return result;
}

void chost_faults_remove(uint64_t start) {
  for (int i = 0; i < RANGES; i++)
    if (atomic_load(&ranges[i].end) != 0 && ranges[i].start == start) atomic_store(&ranges[i].end, 0);
}

void chost_set_gs_base(uint64_t base) {
  static _Thread_local uint64_t current;
  if (current == base) return;
  if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) {
    __asm__ volatile("wrgsbase %0" ::"r"(base));
    current = base;
  } else if (syscall(SYS_arch_prctl, ARCH_SET_GS, base) == 0) {
    current = base;
  }
}

int chost_cpu_has_bit_instructions(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_BMI) || !(b & bit_BMI2)) return 0;
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & bit_LZCNT)) return 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_POPCNT) != 0;
}

int chost_cpu_has_fma(void) {
  unsigned a, b, c, d, low, high;
  unsigned needed = bit_FMA | bit_AVX | bit_OSXSAVE;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & needed) != needed) return 0;
  /* The system must keep the SSE and AVX parts of registers. */
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & 6) == 6;
}

#else

static int handle_code_fault(void *context) { return 0; }
int chost_faults_add(uint64_t start, uint64_t end, uint32_t pc_offset, uint32_t target_offset) { return -1; }
void chost_faults_remove(uint64_t start) {}
void chost_set_gs_base(uint64_t base) {}
int chost_cpu_has_bit_instructions(void) { return 0; }
int chost_cpu_has_fma(void) { return 0; }

#endif

static struct sigaction previous_segv, previous_bus;

static void handle_fault(int number, siginfo_t *info, void *context) {
  /* A handler must not change what the interrupted code is about to look at. */
  int error = errno;
  if (number == SIGSEGV && info->si_code == SEGV_ACCERR && chost_dirty_fault((uint64_t)info->si_addr)) {
    errno = error;
    return;
  }
  if (handle_code_fault(context)) return;
  struct sigaction *previous = number == SIGBUS ? &previous_bus : &previous_segv;
  if (previous->sa_flags & SA_SIGINFO) {
    previous->sa_sigaction(number, info, context);
  } else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
    previous->sa_handler(number);
  } else {
    /* Returning repeats the access, which now ends the process with the usual report. */
    signal(number, SIG_DFL);
  }
}

int chost_faults_install(void) {
  static _Atomic int installed;
  if (atomic_exchange(&installed, 1)) return 0;
  struct sigaction action = {0};
  action.sa_sigaction = handle_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGSEGV, &action, &previous_segv) < 0 || sigaction(SIGBUS, &action, &previous_bus) < 0) return -errno;
  return 0;
}
