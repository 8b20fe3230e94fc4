/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vDSO (vdso(7)): time and CPU number without a system call. Runs in the program, at whatever
 * ring; integer code only, no relocations. The data pages lie right in front of this object.
 */

#include "abi/syscall_nr.h"
#include "process/vdso.h"
#include "sched/clock.h"

/* Not abi/time.h: its names would clash with those that we define. */
struct timespec {
	int64_t tv_sec, tv_nsec;
};
struct timeval {
	int64_t tv_sec, tv_usec;
};
enum {
	REALTIME = 0,
	MONOTONIC = 1,
	MONOTONIC_RAW = 4,
	REALTIME_COARSE = 5,
	MONOTONIC_COARSE = 6,
	BOOTTIME = 7,
	TAI = 11,
};

/* In front of this object; the addresses are vdso.ld's. */
extern const struct clock_vdso_data vvar_clock __attribute__((visibility("hidden")));
extern const struct vvar_cpu vvar_cpu __attribute__((visibility("hidden")));

#define EXPORT __attribute__((visibility("default")))

static long call2(long nr, long a, long b)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return ret;
}

static uint64_t rdtsc_ordered(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

/* Monotonic ns, and what to add for realtime; false: ask the kernel. The writer is sched/clock.c.
 */
static bool read_clock(uint64_t *ns, uint64_t *realtime_offset)
{
	const struct clock_vdso_data *d = &vvar_clock;
	uint32_t seq = __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE);
	uint64_t tsc, delta;

	if (seq & 1 || __atomic_load_n(&d->mode, __ATOMIC_RELAXED) == 0)
		return false;
	tsc = rdtsc_ordered();
	delta = tsc > d->base_tsc ? tsc - d->base_tsc : 0;
	*ns = d->base_ns + (uint64_t)((unsigned __int128)delta * d->mult >> CLOCK_VDSO_SHIFT);
	*realtime_offset = d->realtime_offset;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&d->seq, __ATOMIC_RELAXED) == seq;
}

static bool now(int clock, uint64_t *out)
{
	uint64_t ns, offset;

	switch (clock) {
	case REALTIME:
	case REALTIME_COARSE:
	case TAI:
		if (!read_clock(&ns, &offset))
			return false;
		*out = ns + offset;
		return true;
	case MONOTONIC:
	case MONOTONIC_RAW:
	case MONOTONIC_COARSE:
	case BOOTTIME: return read_clock(out, &offset);
	default: return false;
	}
}

EXPORT int __vdso_clock_gettime(int clock, struct timespec *ts);
EXPORT int __vdso_clock_gettime(int clock, struct timespec *ts)
{
	uint64_t ns;

	if (!now(clock, &ns))
		return call2(SYS_clock_gettime, clock, (long)ts);
	ts->tv_sec = ns / NSEC_PER_SEC;
	ts->tv_nsec = ns % NSEC_PER_SEC;
	return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval *tv, void *tz);
EXPORT int __vdso_gettimeofday(struct timeval *tv, void *tz)
{
	uint64_t ns;

	if (tz || !tv || !now(REALTIME, &ns))
		return call2(SYS_gettimeofday, (long)tv, (long)tz);
	tv->tv_sec = ns / NSEC_PER_SEC;
	tv->tv_usec = ns % NSEC_PER_SEC / NSEC_PER_USEC;
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *t);
EXPORT int64_t __vdso_time(int64_t *t)
{
	uint64_t ns;

	if (!now(REALTIME, &ns))
		return call2(SYS_time, (long)t, 0);
	if (t)
		*t = ns / NSEC_PER_SEC;
	return ns / NSEC_PER_SEC;
}

EXPORT int __vdso_clock_getres(int clock, struct timespec *ts);
EXPORT int __vdso_clock_getres(int clock, struct timespec *ts)
{
	switch (clock) {
	case REALTIME:
	case MONOTONIC:
	case MONOTONIC_RAW:
	case BOOTTIME:
	case TAI:
		if (ts) {
			ts->tv_sec = 0;
			ts->tv_nsec = 1;
		}
		return 0;
	default: return call2(SYS_clock_getres, clock, (long)ts);
	}
}

EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);
EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	uint32_t lo, hi, aux;

	if (!vvar_cpu.has_tsc_aux)
		return call2(SYS_getcpu, (long)cpu, (long)node);
	__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
	if (cpu)
		*cpu = aux & 0xfff;
	if (node)
		*node = aux >> 12;
	return 0;
}

/* The names without prefix, weak, as Linux's vDSO has them. */
#define ALIAS(name) __attribute__((weak, visibility("default"), alias("__vdso_" #name)))
ALIAS(clock_gettime) int clock_gettime(int, struct timespec *);
ALIAS(gettimeofday) int gettimeofday(struct timeval *, void *);
ALIAS(time) int64_t time(int64_t *);
ALIAS(clock_getres) int clock_getres(int, struct timespec *);
ALIAS(getcpu) long getcpu(unsigned *, unsigned *, void *);
