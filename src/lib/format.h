/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * printf formatting into a buffer. %d %i %u %x %X %o %c %s %p %% with flags, width, precision and
 * the lengths hh h l ll z t j; no floating point. Returns the length the whole text has, as C's
 * snprintf; the result is always terminated when size > 0.
 */
#pragma once

#include "lib/types.h"

int format(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int format_va(char *buf, size_t size, const char *fmt, va_list ap);
