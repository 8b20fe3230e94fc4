/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ordering. Between CPUs use C11/GNU __atomic operations; their orders say what is meant.
 * Towards a device use these: mb_device is a real mfence, because some emulators drop the fence
 * that a lock prefix implies when the machine has a single CPU.
 */
#pragma once

static inline void barrier(void)
{
	__asm__ volatile("" ::: "memory");
}
static inline void mb_device(void)
{
	__asm__ volatile("mfence" ::: "memory");
}
static inline void wmb_device(void)
{
	__asm__ volatile("sfence" ::: "memory");
}
static inline void rmb_device(void)
{
	__asm__ volatile("lfence" ::: "memory");
}

#define load_acquire(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define load_relaxed(p)	    __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_add(p, v)    __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL) /* the old value */
#define atomic_sub(p, v)    __atomic_fetch_sub(p, v, __ATOMIC_ACQ_REL) /* the old value */
#define atomic_or(p, v)	    __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL)  /* the old value */
#define atomic_and(p, v)    __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL) /* the old value */
#define atomic_xchg(p, v)   __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
/* *expected is updated on failure. */
#define atomic_cas(p, expected, v)                                                                 \
	__atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)
