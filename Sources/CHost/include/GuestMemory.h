/// Linux calls on memory files that Swift's Glibc module does not show.
#pragma once
#include <stdint.h>

/// A new memory file of `size` bytes of zeros, closed on exec; negative errno on failure.
int chost_memory_file(const char *name, int64_t size);
/// The start of the first populated stretch at or after `position`; negative when there is none.
int64_t chost_memory_file_data(int fd, int64_t position);
/// The end of the populated stretch that contains `position`; negative on failure.
int64_t chost_memory_file_hole(int fd, int64_t position);
/// Gives back the pages of a stretch, which read as zero again; 0, or negative errno.
int chost_memory_file_discard(int fd, int64_t start, int64_t count);
