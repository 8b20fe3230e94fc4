/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks and sleeping: clock_gettime(2), clock_nanosleep(2), gettimeofday(2), adjtimex(2),
 * times(2). */

#include "abi/timex.h"
#include "lib/string.h"
#include "process/process.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "syscall/syscall.h"
#include "syscall/time_util.h"

#define COARSE_NS 4000000 /* what Linux shows with 250 ticks a second */

uint64_t deadline_of_clock(uint64_t ns, bool realtime)
{
	uint64_t offset = realtime ? clock_realtime() - clock_now() : 0;

	return ns > offset ? MIN(ns - offset, (uint64_t)WAIT_FOREVER - 1) : 0;
}

/*
 * CPU clocks of others, clock_getcpuclockid(3): ~pid << 3 | per_thread << 2 | kind, kinds 0 to 2.
 * All three kinds are the same here, as time in the kernel is not told apart.
 */
static int cpu_clock(int clockid, uint64_t *ns)
{
	uint32_t id = ~(clockid >> 3);

	if ((clockid & 3) == 3)
		return -EINVAL;
	if (clockid & 4) {
		struct task *t = id ? task_find(id) : task_current();

		if (!t || t->process != process_current()) {
			if (t && id)
				task_put(t);
			return -EINVAL;
		}
		*ns = thread_cpu_time(&t->thread);
		if (id)
			task_put(t);
		return 0;
	} else {
		struct process *p = id ? process_find(id) : process_current();

		if (!p)
			return -EINVAL;
		*ns = process_cpu_time(p);
		if (id)
			process_put(p);
		return 0;
	}
}

static int clock_read(int clockid, uint64_t *ns)
{
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: *ns = clock_realtime(); return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: *ns = clock_now(); return 0;
	case CLOCK_PROCESS_CPUTIME_ID: *ns = process_cpu_time(process_current()); return 0;
	case CLOCK_THREAD_CPUTIME_ID: *ns = thread_cpu_time(thread_current()); return 0;
	default: return clockid < 0 ? cpu_clock(clockid, ns) : -EINVAL;
	}
}

SYSCALL_DEFINE2(clock_gettime, int, clockid, struct timespec *, uts)
{
	struct timespec ts;
	uint64_t ns;
	int err = clock_read(clockid, &ns);

	if (err)
		return err;
	ts = timespec_from_ns(ns);
	return copy_to_user(uts, &ts, sizeof(ts));
}

SYSCALL_DEFINE2(clock_getres, int, clockid, struct timespec *, uts)
{
	struct timespec ts = { 0, 1 };
	uint64_t ns;
	int err = clock_read(clockid, &ns);

	if (err)
		return err;
	if (clockid == CLOCK_REALTIME_COARSE || clockid == CLOCK_MONOTONIC_COARSE)
		ts.tv_nsec = COARSE_NS;
	return uts ? copy_to_user(uts, &ts, sizeof(ts)) : 0;
}

static bool may_set_time(void)
{
	return task_current()->cred->euid == 0;
}

SYSCALL_DEFINE2(clock_settime, int, clockid, const struct timespec *, uts)
{
	struct timespec ts;
	uint64_t ns;

	if (clockid != CLOCK_REALTIME)
		return clockid < 0 && !clock_read(clockid, &ns) ? -EPERM : -EINVAL;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	if (!may_set_time())
		return -EPERM;
	/* Linux refuses what would put boot before 1970. */
	if (timespec_to_ns(&ts) < clock_now())
		return -EINVAL;
	clock_set_realtime(timespec_to_ns(&ts));
	return 0;
}

SYSCALL_DEFINE2(gettimeofday, struct timeval *, utv, struct timezone *, utz)
{
	uint64_t ns = clock_realtime();
	struct timeval tv = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };
	struct timezone tz = { 0 };

	if (utv && copy_to_user(utv, &tv, sizeof(tv)))
		return -EFAULT;
	return utz ? copy_to_user(utz, &tz, sizeof(tz)) : 0;
}

SYSCALL_DEFINE2(settimeofday, const struct timeval *, utv, const struct timezone *, utz)
{
	struct timeval tv;

	if (utv) {
		if (copy_from_user(&tv, utv, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || (uint64_t)tv.tv_usec >= 1000000)
			return -EINVAL;
	}
	if (!may_set_time())
		return -EPERM;
	if (utv)
		clock_set_realtime(tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * NSEC_PER_USEC);
	return 0;
}

SYSCALL_DEFINE1(time, int64_t *, ut)
{
	int64_t now = clock_realtime() / NSEC_PER_SEC;

	if (ut && put_user(now, ut))
		return -EFAULT;
	return now;
}

SYSCALL_DEFINE1(times, struct tms *, ubuf)
{
	struct cputime parts = process_cputime(process_current());
	struct tms t = { .tms_utime = parts.user / (NSEC_PER_SEC / USER_HZ),
		.tms_stime = parts.system / (NSEC_PER_SEC / USER_HZ) };

	if (ubuf && copy_to_user(ubuf, &t, sizeof(t)))
		return -EFAULT;
	return clock_now() / (NSEC_PER_SEC / USER_HZ);
}

/* --- Sleeping --- */

static long sleep_until(uint64_t deadline, struct timespec *urest);

/* restart_syscall(2): arg[0] deadline, arg[1] where the rest goes */
static long sleep_restart(struct task *t)
{
	return sleep_until(t->restart.arg[0], (struct timespec *)t->restart.arg[1]);
}

static long sleep_until(uint64_t deadline, struct timespec *urest)
{
	uint64_t now = clock_now(), left;
	struct task *t = task_current();

	if (deadline <= now || !thread_sleep(deadline - now, true, &left))
		return 0;
	if (urest) {
		struct timespec rest = timespec_from_ns(left);

		if (copy_to_user(urest, &rest, sizeof(rest)))
			return -EFAULT;
	}
	t->restart.fn = sleep_restart;
	t->restart.arg[0] = deadline;
	t->restart.arg[1] = (uint64_t)urest;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_for(uint64_t ns, struct timespec *urest)
{
	uint64_t now = clock_now();

	return sleep_until(ns < WAIT_FOREVER - 1 - now ? now + ns : WAIT_FOREVER - 1, urest);
}

SYSCALL_DEFINE2(nanosleep, const struct timespec *, ureq, struct timespec *, urest)
{
	struct timespec ts;

	if (copy_from_user(&ts, ureq, sizeof(ts)))
		return -EFAULT;
	return timespec_valid(&ts) ? sleep_for(timespec_to_ns(&ts), urest) : -EINVAL;
}

/* Its time passes as the process runs, at most on all CPUs at once: look again after that long. */
static long sleep_process_cpu(uint64_t ns, bool absolute, struct timespec *urest)
{
	uint64_t used = process_cpu_time(process_current()), until = absolute ? ns : used + ns;

	for (; used < until; used = process_cpu_time(process_current())) {
		struct timespec rest = timespec_from_ns(until - used);

		if (!thread_sleep((until - used) / cpu_count() + 1000, true, NULL))
			continue;
		if (absolute)
			return -ERESTARTNOHAND;
		return urest && copy_to_user(urest, &rest, sizeof(rest)) ? -EFAULT : -EINTR;
	}
	return 0;
}

SYSCALL_DEFINE4(clock_nanosleep, int, clockid, int, flags, const struct timespec *, ureq,
	struct timespec *, urest)
{
	bool absolute = flags & TIMER_ABSTIME, realtime = false;
	struct timespec ts;
	uint64_t ns;

	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM: realtime = true; break;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_PROCESS_CPUTIME_ID: break;
	case CLOCK_THREAD_CPUTIME_ID: return -EINVAL;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE: return -EOPNOTSUPP;
	default: return -EINVAL;
	}
	if (copy_from_user(&ts, ureq, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_to_ns(&ts);
	if (clockid == CLOCK_PROCESS_CPUTIME_ID)
		return sleep_process_cpu(ns, absolute, urest);
	if (!absolute)
		return sleep_for(ns, urest);
	/* The realtime clock may be set meanwhile: look at it again after each sleep. */
	for (;;) {
		uint64_t now = realtime ? clock_realtime() : clock_now();

		if (now >= ns)
			return 0;
		if (thread_sleep(ns - now, true, NULL))
			return -ERESTARTNOHAND;
	}
}

/* --- Adjusting: the clock runs free, so only the reading side and steps exist --- */

static long adjust(struct timex *utx)
{
	struct timex tx;
	uint64_t now;

	if (copy_from_user(&tx, utx, sizeof(tx)))
		return -EFAULT;
	if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ && !may_set_time())
		return -EPERM;
	if (tx.modes == ADJ_SETOFFSET) {
		if (tx.time.tv_usec < 0 || tx.time.tv_usec >= 1000000)
			return -EINVAL;
		clock_set_realtime(clock_realtime() + tx.time.tv_sec * NSEC_PER_SEC +
				   tx.time.tv_usec * NSEC_PER_USEC);
	} else if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ) {
		return -EOPNOTSUPP;
	}
	now = clock_realtime();
	tx = (struct timex){
		.modes = tx.modes,
		.maxerror = 16000000,
		.esterror = 16000000,
		.status = STA_UNSYNC,
		.constant = 2,
		.precision = 1,
		.tolerance = 32768000,
		.time = { now / NSEC_PER_SEC, now % NSEC_PER_SEC / NSEC_PER_USEC },
		.tick = 1000000 / USER_HZ,
	};
	return copy_to_user(utx, &tx, sizeof(tx)) ? -EFAULT : TIME_ERROR;
}

SYSCALL_DEFINE1(adjtimex, struct timex *, utx)
{
	return adjust(utx);
}

SYSCALL_DEFINE2(clock_adjtime, int, clockid, struct timex *, utx)
{
	uint64_t ns;

	if (clockid != CLOCK_REALTIME)
		return clock_read(clockid, &ns) ? -EINVAL : -EOPNOTSUPP;
	return adjust(utx);
}
