/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers that send signals: setitimer(2), alarm(2), timer_create(2). Everything here is guarded by
 * the process's signal_lock.
 *
 * A timer counts on a wall clock (monotonic ns; CLOCK_REALTIME is converted when it is set) or on a
 * CPU clock. CPU time runs at most as fast as all CPUs together, so a CPU timer sleeps for the
 * earliest moment at which it can be due, looks, and sleeps again; there is no tick.
 *
 * A POSIX timer has one queue entry. While that is queued the timer stands still; when the signal
 * is taken, timer_signal_taken counts the periods that have passed meanwhile as overruns and arms
 * it for the next. So no interval, however short, is a burden.
 */

#include "process/impl.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/time.h"
#include "cpu/percpu.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/clock.h"

#define CPU_POLL_MIN NSEC_PER_MSEC	  /* a CPU timer looks no more often */
#define IGNORED_MIN  NSEC_PER_MSEC	  /* nor does a timer whose signal nobody wants */
#define ITIMER_MIN   (50 * NSEC_PER_USEC) /* shortest real period of an itimer */
#define OVERRUN_MAX  INT32_MAX
#define SECONDS_MAX  (INT64_MAX / (int64_t)NSEC_PER_SEC - 1)

enum time_base { BASE_WALL, BASE_PROCESS_CPU, BASE_THREAD_CPU };

struct interval_timer {
	struct timer timer;
	struct process *process;
	struct task *cpu_task; /* BASE_THREAD_CPU: referenced */
	enum time_base base;
	uint64_t expires; /* on the base's clock; 0: disarmed */
	uint64_t interval;
	void (*fire)(struct interval_timer *t, uint64_t now); /* due */
};

struct posix_timer {
	struct list_node link;
	struct interval_timer it;
	int id, clockid, notify;
	struct task *target; /* SIGEV_THREAD_ID: referenced */
	struct pending_signal entry;
	int64_t overrun, last_overrun; /* of the next signal, of the last one taken */
};

struct process_timers {
	struct interval_timer itimer[3];
	struct list_node posix;
	int next_id;
};

/* ---- one interval timer ---- */

static uint64_t base_now(const struct interval_timer *t)
{
	struct process *p = t->process;
	struct task *task;
	uint64_t sum;

	switch (t->base) {
	case BASE_WALL: return clock_now();
	case BASE_THREAD_CPU: return thread_cpu_time(&t->cpu_task->thread);
	default: break;
	}
	sum = p->dead_cpu_time; /* the list is as safe under signal_lock as under process->lock */
	list_for_each_entry (task, &p->tasks, link)
		sum += thread_cpu_time(&task->thread);
	return sum;
}

static void arm(struct interval_timer *t, uint64_t now)
{
	uint64_t left = t->expires > now ? t->expires - now : 0;

	if (t->base == BASE_WALL) {
		timer_arm(&t->timer, t->expires);
		return;
	}
	if (t->base == BASE_PROCESS_CPU)
		left /= cpu_count();
	timer_arm(&t->timer, clock_now() + MAX(left, CPU_POLL_MIN));
}

static void interval_timer_fn(struct timer *timer)
{
	struct interval_timer *t = container_of(timer, struct interval_timer, timer);
	uint64_t now;

	mutex_lock(&t->process->signal_lock);
	now = base_now(t);
	if (t->expires && t->expires <= now)
		t->fire(t, now);
	else if (t->expires)
		arm(t, now);
	mutex_unlock(&t->process->signal_lock);
}

static void interval_timer_init(struct interval_timer *t, struct process *p, enum time_base base,
	void (*fire)(struct interval_timer *, uint64_t))
{
	timer_init(&t->timer, interval_timer_fn, NULL);
	t->process = p;
	t->base = base;
	t->fire = fire;
}

/* Moves expires past now by whole intervals; how many were passed beyond the first. */
static uint64_t forward(struct interval_timer *t, uint64_t now)
{
	uint64_t periods = (now - t->expires) / t->interval;

	t->expires += (periods + 1) * t->interval;
	return periods;
}

static void interval_timer_set(
	struct interval_timer *t, uint64_t expires, uint64_t interval, uint64_t now)
{
	t->expires = expires;
	t->interval = interval;
	if (expires)
		arm(t, now);
	else
		timer_cancel(&t->timer);
}

/* What is left until it is due; at least 1 ns while it is armed, as 0 would say disarmed. */
static uint64_t interval_timer_left(const struct interval_timer *t, uint64_t now)
{
	if (!t->expires)
		return 0;
	return t->expires > now ? t->expires - now : 1;
}

/* ---- the process's set ---- */

static void itimer_fire(struct interval_timer *t, uint64_t now);

/* Made when first needed; NULL: no memory. signal_lock held. */
static struct process_timers *timers_of(struct process *p)
{
	struct process_timers *ts = p->timers;

	if (ts)
		return ts;
	ts = heap_alloc_zeroed(sizeof(*ts));
	if (!ts)
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(ts->itimer); i++)
		interval_timer_init(&ts->itimer[i], p,
			i == ITIMER_REAL ? BASE_WALL : BASE_PROCESS_CPU, itimer_fire);
	list_init(&ts->posix);
	p->timers = ts;
	return ts;
}

/* ---- itimers ---- */

static const int itimer_signal[] = {
	[ITIMER_REAL] = SIGALRM,
	[ITIMER_VIRTUAL] = SIGVTALRM,
	[ITIMER_PROF] = SIGPROF,
};

static void itimer_fire(struct interval_timer *t, uint64_t now)
{
	struct process *p = t->process;
	int which = t - p->timers->itimer;

	if (t->interval) {
		forward(t, now);
		t->expires = MAX(t->expires, now + ITIMER_MIN);
		arm(t, now);
	} else {
		t->expires = 0;
	}
	(void)signal_send_locked(p, NULL, itimer_signal[which], NULL);
}

static int timeval_to_ns(const struct timeval *tv, uint64_t *ns)
{
	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return -EINVAL;
	*ns = MIN(tv->tv_sec, SECONDS_MAX) * NSEC_PER_SEC + tv->tv_usec * NSEC_PER_USEC;
	return 0;
}

static struct timeval ns_to_timeval(uint64_t ns)
{
	ns += NSEC_PER_USEC - 1; /* up, so that an armed timer never reads as 0 */
	return (struct timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };
}

int itimer_set(int which, const struct itimerval *new, struct itimerval *old)
{
	struct process *p = process_current();
	struct process_timers *ts;
	uint64_t value = 0, interval = 0, now;
	int err = 0;

	if (which < 0 || which > ITIMER_PROF)
		return -EINVAL;
	if (new && (timeval_to_ns(&new->it_value, &value) ||
			   timeval_to_ns(&new->it_interval, &interval)))
		return -EINVAL;
	mutex_lock(&p->signal_lock);
	ts = timers_of(p);
	if (ts) {
		struct interval_timer *t = &ts->itimer[which];

		now = base_now(t);
		if (old) {
			old->it_value = ns_to_timeval(interval_timer_left(t, now));
			old->it_interval = ns_to_timeval(t->interval);
		}
		if (new)
			interval_timer_set(t, value ? now + value : 0, value ? interval : 0, now);
	} else {
		err = -ENOMEM;
	}
	mutex_unlock(&p->signal_lock);
	return err;
}

int itimer_get(int which, struct itimerval *out)
{
	return itimer_set(which, NULL, out);
}

/* ---- POSIX timers ---- */

static void posix_fire(struct interval_timer *it, uint64_t now)
{
	struct posix_timer *t = container_of(it, struct posix_timer, it);
	bool sent;

	if (t->notify == SIGEV_NONE) {
		if (it->interval) {
			forward(it, now);
			arm(it, now);
		} else {
			it->expires = 0;
		}
		return;
	}
	if (!list_empty(&t->entry.link))
		return; /* set anew while the old signal waits: that one speaks for both */
	t->overrun = 0;
	sent = signal_send_timer(it->process, t->target, &t->entry);
	if (sent)
		return; /* goes on in timer_signal_taken */
	if (it->interval) {
		forward(it, now);
		it->expires = MAX(it->expires, now + IGNORED_MIN);
		arm(it, now);
	} else {
		it->expires = 0;
	}
}

void timer_signal_taken(void *origin, siginfo_t *info)
{
	struct posix_timer *t = origin;
	struct interval_timer *it = &t->it;
	uint64_t now = base_now(it);

	if (it->expires && it->expires <= now) {
		if (it->interval) {
			t->overrun += MIN(forward(it, now), OVERRUN_MAX);
			arm(it, now);
		} else {
			it->expires = 0;
		}
	}
	t->last_overrun = MIN(t->overrun, OVERRUN_MAX);
	t->overrun = 0;
	info->si_overrun = t->last_overrun;
}

static struct posix_timer *posix_find(struct process *p, int id)
{
	struct posix_timer *t;

	if (p->timers)
		list_for_each_entry (t, &p->timers->posix, link)
			if (t->id == id)
				return t;
	return NULL;
}

static int clock_base(int clockid, enum time_base *base)
{
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI: *base = BASE_WALL; return 0;
	case CLOCK_PROCESS_CPUTIME_ID: *base = BASE_PROCESS_CPU; return 0;
	case CLOCK_THREAD_CPUTIME_ID: *base = BASE_THREAD_CPU; return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE: return -EOPNOTSUPP;
	default: return -EINVAL;
	}
}

static int check_event(const struct sigevent *e, struct task **target)
{
	int notify = e->sigev_notify;

	*target = NULL;
	if (notify == SIGEV_NONE)
		return 0;
	if (notify != SIGEV_SIGNAL && notify != SIGEV_THREAD &&
		notify != (SIGEV_SIGNAL | SIGEV_THREAD_ID))
		return -EINVAL;
	if (e->sigev_signo < 1 || e->sigev_signo > NSIG)
		return -EINVAL;
	if (notify & SIGEV_THREAD_ID) {
		*target = task_find(e->sigev_notify_thread_id);
		if (*target && (*target)->process != process_current()) {
			task_put(*target);
			*target = NULL;
		}
		if (!*target)
			return -EINVAL;
	}
	return 0;
}

static void posix_timer_free(struct posix_timer *t)
{
	timer_cancel_sync(&t->it.timer);
	if (t->target)
		task_put(t->target);
	if (t->it.cpu_task)
		task_put(t->it.cpu_task);
	heap_free(t);
}

int posix_timer_create(int clockid, const struct sigevent *event)
{
	struct process *p = process_current();
	struct process_timers *ts;
	struct sigevent e = { .sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL };
	enum time_base base;
	struct posix_timer *t;
	struct task *target;
	int err = clock_base(clockid, &base);

	if (!err && event)
		e = *event;
	if (!err)
		err = check_event(&e, &target);
	if (err)
		return err;
	t = heap_alloc_zeroed(sizeof(*t));
	if (!t) {
		if (target)
			task_put(target);
		return -EAGAIN;
	}
	interval_timer_init(&t->it, p, base, posix_fire);
	if (base == BASE_THREAD_CPU) {
		t->it.cpu_task = task_current();
		atomic_add(&t->it.cpu_task->refcount, 1);
	}
	t->clockid = clockid;
	t->notify = e.sigev_notify;
	t->target = target;
	list_init(&t->entry.link);
	t->entry.origin = t;
	t->entry.info.si_signo = e.sigev_signo;
	t->entry.info.si_code = SI_TIMER;

	mutex_lock(&p->signal_lock);
	ts = timers_of(p);
	if (ts) {
		t->id = ts->next_id++;
		if (!event)
			e.sigev_value.sival_int = t->id;
		t->entry.info.si_timerid = t->id;
		t->entry.info.si_timer_value = e.sigev_value;
		list_add(&ts->posix, &t->link);
	}
	mutex_unlock(&p->signal_lock);
	if (!ts) {
		posix_timer_free(t);
		return -EAGAIN;
	}
	return t->id;
}

static int timespec_to_ns(const struct timespec *ts, uint64_t *ns)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (int64_t)NSEC_PER_SEC)
		return -EINVAL;
	*ns = MIN(ts->tv_sec, SECONDS_MAX) * NSEC_PER_SEC + ts->tv_nsec;
	return 0;
}

static struct timespec ns_to_timespec(uint64_t ns)
{
	return (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
}

static void posix_read(const struct posix_timer *t, uint64_t now, struct itimerspec *out)
{
	uint64_t left = interval_timer_left(&t->it, now);

	/* Standing still until its signal is taken: tell what is left of the running period. */
	if (t->it.expires && t->it.expires <= now && t->it.interval)
		left = t->it.interval - (now - t->it.expires) % t->it.interval;
	else if (t->it.expires && t->it.expires <= now &&
		 !list_empty((struct list_node *)&t->entry.link))
		left = 0; /* one-shot, done */
	out->it_value = ns_to_timespec(left);
	out->it_interval = ns_to_timespec(t->it.interval);
}

int posix_timer_set(int id, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	struct process *p = process_current();
	uint64_t value, interval, now;
	struct posix_timer *t;

	if (timespec_to_ns(&new->it_value, &value) || timespec_to_ns(&new->it_interval, &interval))
		return -EINVAL;
	mutex_lock(&p->signal_lock);
	t = posix_find(p, id);
	if (t) {
		now = base_now(&t->it);
		if (old)
			posix_read(t, now, old);
		signal_cancel_timer(p, &t->entry); /* what it had to say is void */
		t->overrun = t->last_overrun = 0;
		if (value && !(flags & TIMER_ABSTIME)) {
			value += now;
		} else if (value && (t->clockid == CLOCK_REALTIME || t->clockid == CLOCK_TAI ||
					    t->clockid == CLOCK_REALTIME_ALARM)) {
			uint64_t offset = clock_realtime() - now;

			value = value > offset ? value - offset : 1;
		}
		interval_timer_set(&t->it, value, interval, now);
	}
	mutex_unlock(&p->signal_lock);
	return t ? 0 : -EINVAL;
}

int posix_timer_get(int id, struct itimerspec *out)
{
	struct process *p = process_current();
	struct posix_timer *t;

	mutex_lock(&p->signal_lock);
	t = posix_find(p, id);
	if (t)
		posix_read(t, base_now(&t->it), out);
	mutex_unlock(&p->signal_lock);
	return t ? 0 : -EINVAL;
}

int posix_timer_overrun(int id)
{
	struct process *p = process_current();
	struct posix_timer *t;
	int overrun = -EINVAL;

	mutex_lock(&p->signal_lock);
	t = posix_find(p, id);
	if (t)
		overrun = t->last_overrun;
	mutex_unlock(&p->signal_lock);
	return overrun;
}

int posix_timer_delete(int id)
{
	struct process *p = process_current();
	struct posix_timer *t;

	mutex_lock(&p->signal_lock);
	t = posix_find(p, id);
	if (t) {
		t->it.expires = 0;
		signal_cancel_timer(p, &t->entry);
		list_del(&t->link);
	}
	mutex_unlock(&p->signal_lock);
	if (!t)
		return -EINVAL;
	posix_timer_free(t);
	return 0;
}

void timers_exec(struct process *p)
{
	if (!p->timers)
		return;
	while (!list_empty(&p->timers->posix))
		(void)posix_timer_delete(
			list_first_entry(&p->timers->posix, struct posix_timer, link)->id);
}

void timers_exit(struct process *p)
{
	struct process_timers *ts = p->timers;

	if (!ts)
		return;
	timers_exec(p);
	for (unsigned i = 0; i < ARRAY_SIZE(ts->itimer); i++) {
		mutex_lock(&p->signal_lock);
		ts->itimer[i].expires = 0;
		mutex_unlock(&p->signal_lock);
		timer_cancel_sync(&ts->itimer[i].timer);
	}
	p->timers = NULL;
	heap_free(ts);
}
