/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to fs/: the program's descriptors 0 to 2. */
#pragma once

#include "drivers/drivers.h"
#include "fs/impl.h"

void stdio_init(void); /* /dev/console and /dev/tty; before drivers are up */
struct file *tty_open(void *port_of, uint32_t flags);
bool stdio_is_tty(void);
