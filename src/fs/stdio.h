/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to fs/: the program's descriptors 0 to 2. */
#pragma once

#include "drivers/drivers.h"
#include "fs/impl.h"

void stdio_init(void);	 /* /dev/console and /dev/tty; before drivers are up */
bool stdio_is_tty(void); /* tty=1 on the command line */

/* tty.c: the line discipline. tty_start: once drivers are up, before the first open. */
void tty_init(void);
void tty_start(void);
struct file *tty_open(void *arg, uint32_t flags); /* -ENXIO without a terminal */
