#define _GNU_SOURCE
#include "DirtyPages.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, SHORTEST = 16, LONGEST = 512, MAPPINGS = 256 };
/* What is known of a page. */
enum { WRITABLE = 1, CLEAN = 2, WRITTEN = 4 };

struct ChostDirtyPages {
  uint8_t *base, *states;
  size_t count;
  int is_tracking;
  /* The pages among which those with WRITTEN are. */
  size_t first, end;
  /* The page behind the chunk that was opened last, and the length of that. */
  size_t next, length;
};

static _Atomic(ChostDirtyPages *) mappings[MAPPINGS];
static atomic_flag busy = ATOMIC_FLAG_INIT;

static void lock(void) {
  while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) {}
}
static void unlock(void) { atomic_flag_clear_explicit(&busy, memory_order_release); }

ChostDirtyPages *chost_dirty_make(void *base, uint64_t size) {
  ChostDirtyPages *pages = calloc(1, sizeof *pages);
  if (!pages) return NULL;
  pages->base = base;
  pages->count = size / PAGE;
  pages->first = pages->count;
  void *states = mmap(NULL, pages->count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (states == MAP_FAILED) {
    free(pages);
    return NULL;
  }
  pages->states = states;
  for (int i = 0; i < MAPPINGS; i++) {
    ChostDirtyPages *none = NULL;
    if (atomic_compare_exchange_strong(&mappings[i], &none, pages)) return pages;
  }
  munmap(states, pages->count);
  free(pages);
  return NULL;
}

void chost_dirty_free(ChostDirtyPages *pages) {
  for (int i = 0; i < MAPPINGS; i++) {
    ChostDirtyPages *own = pages;
    atomic_compare_exchange_strong(&mappings[i], &own, NULL);
  }
  munmap(pages->states, pages->count);
  free(pages);
}

static int protect(ChostDirtyPages *pages, size_t first, size_t end, int protection) {
  return mprotect(pages->base + first * PAGE, (end - first) * PAGE, protection) < 0 ? -errno : 0;
}

/* The end of the run of pages from `first` whose states are alike in `mask`. */
static size_t run(const ChostDirtyPages *pages, size_t first, size_t end, uint8_t mask) {
  size_t next = first + 1;
  while (next < end && (pages->states[next] & mask) == (pages->states[first] & mask)) next++;
  return next;
}

int chost_dirty_protect(ChostDirtyPages *pages, uint64_t start, uint64_t count, int protection) {
  size_t first = start / PAGE, end = first + count / PAGE;
  if (!(protection & PROT_WRITE)) {
    for (size_t page = first; page < end; page++) pages->states[page] &= WRITTEN;
    return protect(pages, first, end, protection);
  }
  for (size_t page = first; page < end; page++) {
    uint8_t state = pages->states[page];
    int was_open = (state & (WRITABLE | CLEAN)) == WRITABLE;
    pages->states[page] = (state & WRITTEN) | WRITABLE | (pages->is_tracking && !was_open ? CLEAN : 0);
  }
  int result = 0;
  for (size_t page = first; page < end && !result;) {
    size_t next = run(pages, page, end, CLEAN);
    result = protect(pages, page, next, pages->states[page] & CLEAN ? PROT_READ : protection);
    page = next;
  }
  return result;
}

void chost_dirty_forget(ChostDirtyPages *pages, uint64_t start, uint64_t count) {
  uint8_t *first = pages->states + start / PAGE, *end = first + count / PAGE;
  uint8_t *inner = (uint8_t *)(((uintptr_t)first + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
  size_t whole = inner < end ? (size_t)(end - inner) & ~(size_t)(PAGE - 1) : 0;
  /* Most of an address space has never had memory in it. */
  if (whole && madvise(inner, whole, MADV_DONTNEED) == 0) {
    memset(first, 0, inner - first);
    first = inner + whole;
  }
  memset(first, 0, end - first);
}

/* Protects the pages of a range that may be written. */
static int close_range(ChostDirtyPages *pages, size_t first, size_t end) {
  for (size_t page = first; page < end;) {
    size_t next = run(pages, page, end, WRITABLE | CLEAN);
    if ((pages->states[page] & (WRITABLE | CLEAN)) == WRITABLE) {
      int result = protect(pages, page, next, PROT_READ);
      if (result) return result;
      for (size_t each = page; each < next; each++) pages->states[each] |= CLEAN;
    }
    page = next;
  }
  return 0;
}

/* Opens the clean pages of a range. */
static int open_range(ChostDirtyPages *pages, size_t first, size_t end) {
  for (size_t page = first; page < end;) {
    size_t next = run(pages, page, end, WRITABLE | CLEAN);
    if ((pages->states[page] & (WRITABLE | CLEAN)) == (WRITABLE | CLEAN)) {
      int result = protect(pages, page, next, PROT_READ | PROT_WRITE);
      if (result) return result;
      for (size_t each = page; each < next; each++) pages->states[each] = WRITABLE | WRITTEN;
      if (page < pages->first) pages->first = page;
      if (next > pages->end) pages->end = next;
    }
    page = next;
  }
  return 0;
}

int chost_dirty_begin(ChostDirtyPages *pages) {
  pages->is_tracking = 1;
  return close_range(pages, 0, pages->count);
}

size_t chost_dirty_take(ChostDirtyPages *pages, ChostDirtyStretch *stretches, size_t limit) {
  size_t found = 0;
  for (size_t page = pages->first; page < pages->end;) {
    size_t next = run(pages, page, pages->end, WRITTEN);
    if (pages->states[page] & WRITTEN) {
      if (found < limit) stretches[found] = (ChostDirtyStretch){page * PAGE, (next - page) * PAGE};
      found++;
    }
    page = next;
  }
  if (found > limit) return found;
  for (size_t i = 0; i < found; i++) {
    size_t first = stretches[i].start / PAGE, end = first + stretches[i].count / PAGE;
    for (size_t page = first; page < end; page++) pages->states[page] &= ~WRITTEN;
    if (pages->is_tracking) close_range(pages, first, end);
  }
  pages->first = pages->count;
  pages->end = 0;
  return found;
}

int chost_dirty_fault(uint64_t address) {
  for (int i = 0; i < MAPPINGS; i++) {
    ChostDirtyPages *pages = atomic_load_explicit(&mappings[i], memory_order_acquire);
    if (!pages || address - (uint64_t)pages->base >= pages->count * PAGE) continue;
    size_t page = (address - (uint64_t)pages->base) / PAGE;
    lock();
    int is_first = (pages->states[page] & (WRITABLE | CLEAN)) == (WRITABLE | CLEAN);
    if (is_first) {
      /* Who goes on behind the last chunk will go on: fewer faults, and more pages to look at that were not written. */
      size_t first = page & ~(size_t)(SHORTEST - 1);
      size_t longer = pages->length < LONGEST ? 2 * pages->length : LONGEST;
      pages->length = first == pages->next && longer ? longer : SHORTEST;
      size_t end = first + pages->length < pages->count ? first + pages->length : pages->count;
      /* Without enough mappings for single chunks (vm.max_map_count), all is open. */
      if (open_range(pages, first, end) < 0) open_range(pages, 0, pages->count);
      pages->next = end;
    }
    unlock();
    return is_first;
  }
  return 0;
}
