/// Which pages of mapped memory were written: pages are write-protected, and the first write to one of a chunk opens it.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct ChostDirtyPages ChostDirtyPages;

/// A stretch of pages that were written, or might have been: bytes from the start of the mapping.
typedef struct {
  uint64_t start, count;
} ChostDirtyStretch;

/// For the `size` bytes of address space at `base`, of which nothing is mapped yet. NULL: too many such, or no memory.
ChostDirtyPages *chost_dirty_make(void *base, uint64_t size);
void chost_dirty_free(ChostDirtyPages *pages);

/// Of pages that nothing is mapped at any more. What was written there is forgotten.
void chost_dirty_forget(ChostDirtyPages *pages, uint64_t start, uint64_t count);
/// Says what pages allow apart from being watched for writes; to be called after each mmap, and in place of mprotect.
/// `protection` as mprotect's. 0, or negative errno.
int chost_dirty_protect(ChostDirtyPages *pages, uint64_t start, uint64_t count, int protection);

/// Protects all pages that may be written, from now on. 0, or negative errno.
int chost_dirty_begin(ChostDirtyPages *pages);

/// What has been written since the last call, ascending, without overlaps; protects it again. At most `limit` stretches are
/// given; returns how many there are: if more, nothing is taken.
size_t chost_dirty_take(ChostDirtyPages *pages, ChostDirtyStretch *stretches, size_t limit);

/// For the handler of SIGSEGV: whether a fault at `address` was the first write to a page, which is open now.
int chost_dirty_fault(uint64_t address);
