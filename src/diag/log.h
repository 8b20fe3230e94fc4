/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's log: lines with a Linux level, kept in a ring and written to the serial console
 * when the level is at most the boot parameter `loglevel`. Callable from anywhere, interrupt
 * handlers included; lock-free; never allocates.
 */
#pragma once

#include "lib/types.h"

enum { LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* A newline is added. */
void log_at(int level, const char *fmt, ...) __printf(2, 3);
void log_set_level(int level);

#define log_err(...)   log_at(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* Log once per place in the source. */
#define log_once(level, ...)                                                                       \
	do {                                                                                       \
		static bool _said;                                                                 \
		if (!__atomic_exchange_n(&_said, true, __ATOMIC_RELAXED))                          \
			log_at(level, __VA_ARGS__);                                                \
	} while (0)

/*
 * From now on only this CPU prints, after the line that another one is printing; for the last words
 * of the machine, with interrupts off. Waits at most some 100,000 reads of the UART.
 */
void log_seize(void);
/* Copies the newest text of the ring (for /proc/kmsg, dmesg) into buf; returns its length. */
size_t log_read(char *buf, size_t size);
