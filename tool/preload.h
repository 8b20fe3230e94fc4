/* SPDX-License-Identifier: BSD-2-Clause */
/* libskiff.so in the image: libc's hottest calls without a trap, in programs that know nothing of
 * it. */
#ifndef TOOL_PRELOAD_H
#define TOOL_PRELOAD_H

#include "closure.h"

#define PRELOAD_LIBRARY "/.skiff/libskiff.so"
#define PRELOAD_LIST	"/etc/ld.so.preload"

/* Puts the library into the image and names it in the file that glibc's loader reads, behind what
 * the image's file names already. Does nothing for a program that must not or cannot have it. Dies
 * if this command's own library is missing. To be called when all else is in the tree. */
void preload_plan(struct tree *t, const struct closure *c);

#endif
