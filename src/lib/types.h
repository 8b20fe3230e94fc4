/* SPDX-License-Identifier: BSD-2-Clause */
/* Base types and the handful of macros every file uses. */
#pragma once

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef SKIFF_HOST
typedef long ssize_t;
#else
#include <sys/types.h>
#endif

/* A physical address; not a pointer and not interchangeable with one. */
typedef struct {
	uint64_t raw;
} paddr_t;

#define PADDR(x) ((paddr_t){ (x) })

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)			((sizeof(a)) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)		((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)			ALIGN_DOWN((x) + (__typeof__(x))(a)-1, a)
#define DIV_ROUND_UP(n, d)		(((n) + (d)-1) / (d))
#define IS_ALIGNED(x, a)		(((x) & ((__typeof__(x))(a)-1)) == 0)
#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) _a = (a);                                                            \
		__typeof__(b) _b = (b);                                                            \
		_a < _b ? _a : _b;                                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) _a = (a);                                                            \
		__typeof__(b) _b = (b);                                                            \
		_a > _b ? _a : _b;                                                                 \
	})
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __packed     __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __noreturn   __attribute__((noreturn))
#define __noinline   __attribute__((noinline))
#define __no_canary  __attribute__((no_stack_protector)) /* for code that changes the canary */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __used		__attribute__((used))
#define __section(s)	__attribute__((section(s)))
#define __printf(f, a)	__attribute__((format(printf, f, a)))
#define __must_check	__attribute__((warn_unused_result))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define NSEC_PER_SEC  1000000000ul
#define NSEC_PER_MSEC 1000000ul
#define NSEC_PER_USEC 1000ul

#define PAGE_SHIFT 12
#ifndef PAGE_SIZE
#define PAGE_SIZE 4096ul
#endif
#define HUGE_SHIFT 21
#define HUGE_SIZE  (1ul << HUGE_SHIFT)
#define CACHE_LINE 64

/* A pointer-returning function reports -errno as ERR_PTR(-errno). */
static inline void *ERR_PTR(long err)
{
	return (void *)err;
}
static inline long PTR_ERR(const void *p)
{
	return (long)p;
}
static inline bool IS_ERR(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)-4095;
}
