#include "Demangle.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of Swift's runtime (swift/Demangling/Demangle.h) and of the C++ ABI, which that runtime is linked with anyway. */
extern char *swift_demangle(const char *name, size_t length, char *buffer, size_t *size, uint32_t flags);
extern char *__cxa_demangle(const char *name, char *buffer, size_t *size, int *status);

char *chost_demangle(const char *name) {
  if (name[0] == '_' && name[1] == 'Z') {
    int status = 0;
    return __cxa_demangle(name, NULL, NULL, &status);
  }
  return swift_demangle(name, strlen(name), NULL, NULL, 0);
}
