#define _GNU_SOURCE
#include "GuestMemory.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int chost_memory_file(const char *name, int64_t size) {
  int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) return -errno;
  if (ftruncate(fd, size) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int64_t chost_memory_file_data(int fd, int64_t position) { return lseek(fd, position, SEEK_DATA); }

int64_t chost_memory_file_hole(int fd, int64_t position) { return lseek(fd, position, SEEK_HOLE); }

int chost_memory_file_discard(int fd, int64_t start, int64_t count) {
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, count) < 0 ? -errno : 0;
}
