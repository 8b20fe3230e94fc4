/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel command line: tokens between blanks (space, tab, newline), `key=value`; \xHH in a
 * value stands for one byte. Pure; used by the kernel, and tested on the host.
 */
#pragma once

#include "lib/types.h"

/*
 * Finds the n-th (from 0) token whose key is 'key' and decodes its value into buf (terminated).
 * Returns the value's length, or -1 if there is none or it does not fit. A token without '='
 * counts as an empty value.
 */
ssize_t cmdline_get(const char *line, const char *key, unsigned n, char *buf, size_t size);
/* The first such token from *line on, in the same way; *line is then behind it. For reading them
 * all. */
ssize_t cmdline_next(const char **line, const char *key, char *buf, size_t size);
/* Same, for a number; 'absent' if there is no such token or it is no number. */
uint64_t cmdline_get_u64(const char *line, const char *key, uint64_t absent);
