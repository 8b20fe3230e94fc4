/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classes of locks, and how often threads waited for one. A class is all locks of one kind, such as
 * pipe.lock; its name is STRUCT.FIELD, or the variable's own for a lock that is one. Each has a row
 * in doc/locking.md (tool/check-locks verifies). /proc/skiff/locks lists them.
 *
 * Nobody counts unless a thread finds the lock taken; then the thread counts, once it has the lock,
 * on words of its CPU that nobody else writes (the kernel is not preempted, no interrupt handler
 * takes a lock).
 *
 *	             lock_class_waited  lock_class_read
 *	waited       safe               safe
 *	read         safe               safe; the sums may be of slightly different moments
 */
#pragma once

#include "lib/types.h"

#define LOCK_CLASSES_MAX 96u /* "other" included; entry/kernel.ld refuses more */

/* Fixed. The size makes all of them one array, in a section of their own. */
struct lock_class {
	const char *name;
	const void *object; /* static storage whose locks are of this class, or NULL */
	size_t size;
} __aligned(32);

#define LOCK_CLASS_DEFINE(variable, class_name, object, size)                                      \
	static const struct lock_class variable __used __section(                                  \
		"lock_classes") = { class_name, object, size }

/* At file scope: the zero-initialised locks inside of a static or per-CPU object are of this class.
 */
#define LOCK_CLASS_OF(object, class_name)                                                          \
	LOCK_CLASS_DEFINE(lock_class_##object, class_name, &object, sizeof(object))

struct lock_stats {
	const char *name;
	uint64_t waits;	     /* how often a thread found it taken */
	uint64_t wait_ns;    /* until they had it, all together */
	uint64_t longest_ns; /* the longest of these waits */
	uint64_t tokens;     /* how often the waiter took over an unlock's duty (see mutex.c) */
};

/* All classes; the linker's names for the ends of the section. */
extern const struct lock_class __start_lock_classes[], __stop_lock_classes[];

/* The number of the class, from 1. */
static inline uint16_t lock_class_index(const struct lock_class *class)
{
	return (uint16_t)(class - __start_lock_classes + 1);
}
/* The number of the class whose object the address lies in; 0, that is "other", if there is none.
 */
uint16_t lock_class_find(const void *lock);
/* The running thread has the lock, for which it has waited since then (clock_now). */
void lock_class_waited(uint16_t index, uint64_t since, bool token);
/* Number i, since boot, of all CPUs; false past the end. */
bool lock_class_read(unsigned i, struct lock_stats *out);
