/// Names of compiled Swift and C++ as their sources have them.
#pragma once

/// The demangled form of `name`, to be freed; NULL if it is no mangled name of Swift or C++.
char *chost_demangle(const char *name);
