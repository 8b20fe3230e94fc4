/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal of skiff run: raw while the guest has it, and as it was whatever happens after. */
#ifndef TOOL_TERMINAL_H
#define TOOL_TERMINAL_H

#include <stdbool.h>

/* Whether standard input and output are one's own terminal, in the foreground. */
bool terminal_usable(void);
void terminal_size(unsigned short *rows, unsigned short *cols);
void terminal_raw(void);
void terminal_restore(void);
/* "\r\n" while it is raw. */
const char *terminal_newline(void);

#endif
