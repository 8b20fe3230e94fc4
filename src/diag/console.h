/* SPDX-License-Identifier: BSD-2-Clause */
/* COM1, polled, for log lines and reports: works from the first instruction to the last. */
#pragma once

#include "lib/types.h"

void console_init(void);
void console_write(const char *text, size_t len);
/* As long as one look at the UART takes. */
void console_pause(void);
/* Next received byte or -1. */
int console_read_byte(void);
