/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's function names, put into the image by tool/gen-symbols after a first link. */
#pragma once

#include "lib/types.h"

/* The function that covers a kernel address, with the offset into it; NULL if unknown. */
const char *symbol_find(uintptr_t address, uintptr_t *offset);
