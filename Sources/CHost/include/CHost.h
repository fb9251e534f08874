/// C shims Swift cannot write: signals and ucontext, icache, rounding mode.
#pragma once
#include "Child.h"
#include "DirtyPages.h"
#include "GuestMemory.h"
#include "Stream.h"
#include "TranslatedCode.h"
#include <stdint.h>

#include "CHostRounding.h"
#include "Demangle.h"
