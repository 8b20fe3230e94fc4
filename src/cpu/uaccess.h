/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only way the kernel touches program memory. Addresses are checked to lie in the lower half;
 * faults are served like the program's own (so these may sleep) and what cannot be served ends as
 * -EFAULT through the exception table. Nothing here takes a lock.
 */
#pragma once

#include "cpu/layout.h"
#include "lib/types.h"

/* True if [addr, addr+len) lies in the program's half (no overflow). Says nothing about mappings.
 */
static inline bool user_range_ok(const void *addr, size_t len)
{
	return len <= USER_MAX && (uintptr_t)addr <= USER_MAX - len;
}

/* 0 or -EFAULT; on a fault part of the bytes may have been copied. */
int copy_from_user(void *dst, const void *usrc, size_t n) __must_check;
int copy_to_user(void *udst, const void *src, size_t n) __must_check;
int clear_user(void *udst, size_t n) __must_check;
/* As above, but returns the bytes that were NOT copied, for calls with partial results. */
size_t copy_from_user_partial(void *dst, const void *usrc, size_t n);
size_t copy_to_user_partial(void *udst, const void *src, size_t n);
/* Length without the terminator, -EFAULT, or -ENAMETOOLONG when no terminator in size bytes. What
 * is in dst behind the terminator changes, too. */
ssize_t copy_string_from_user(char *dst, const char *usrc, size_t size);

/* Atomics on an aligned 32-bit word of the program (futex). 0 or -EFAULT. */
int user_load_u32(const uint32_t *uaddr, uint32_t *value) __must_check;
/* Compare-and-swap; *expected receives what was there. 0 or -EFAULT. */
int user_cas_u32(uint32_t *uaddr, uint32_t *expected, uint32_t desired) __must_check;

#define get_user(x, uptr) copy_from_user(&(x), (uptr), sizeof(x))
#define put_user(x, uptr)                                                                          \
	({                                                                                         \
		__typeof__(*(uptr)) _v = (x);                                                      \
		copy_to_user((uptr), &_v, sizeof(_v));                                             \
	})

/* Where a fault at this kernel RIP continues, or 0. For entry/trap.c. */
uintptr_t uaccess_fixup(uintptr_t rip);
