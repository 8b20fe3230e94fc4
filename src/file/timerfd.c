/* SPDX-License-Identifier: BSD-2-Clause */
/* timerfd_create(2). */

#include "file/timerfd.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/barrier.h"
#include "file/anon.h"
#include "file/file.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "sched/timer.h"

#define TFD_TIMER_ABSTIME	1
#define TFD_TIMER_CANCEL_ON_SET 2

struct timerfd {
	int clockid; /* fixed */
	struct mutex lock;
	/* guarded by lock; 'ticks' is also read atomically by wait conditions */
	struct timer timer;
	uint64_t expires, interval; /* monotonic ns; expires 0: disarmed */
	uint64_t ticks;
	struct wait_queue wait;
};

static void expired(struct timer *timer)
{
	struct timerfd *t = timer->arg;
	uint64_t now = clock_now(), n = 1;

	mutex_lock(&t->lock);
	if (!t->expires || now < t->expires) { /* set anew meanwhile */
		mutex_unlock(&t->lock);
		return;
	}
	if (t->interval) {
		n += (now - t->expires) / t->interval;
		t->expires += n * t->interval;
		timer_arm(&t->timer, t->expires);
	} else {
		t->expires = 0;
	}
	store_release(&t->ticks, t->ticks + n);
	mutex_unlock(&t->lock);
	wait_wake_all(&t->wait, POLLIN | POLLRDNORM);
}

static ssize_t timerfd_read(struct file *f, struct iter *to, int64_t *pos)
{
	struct timerfd *t = f->private;
	uint64_t ticks;
	int err;

	if (to->left < sizeof(ticks))
		return -EINVAL;
	for (;;) {
		mutex_lock(&t->lock);
		ticks = t->ticks;
		store_release(&t->ticks, 0);
		mutex_unlock(&t->lock);
		if (ticks)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wait, load_acquire(&t->ticks));
		if (err)
			return err;
	}
	return iter_copy_to(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t)sizeof(ticks)
									: -EFAULT;
}

static uint32_t timerfd_poll(struct file *f, struct poll_table *table)
{
	struct timerfd *t = f->private;

	poll_wait(table, &t->wait);
	return load_acquire(&t->ticks) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->private;

	mutex_lock(&t->lock);
	t->expires = 0; /* a callback that runs now does not arm again */
	mutex_unlock(&t->lock);
	timer_cancel_sync(&t->timer);
	heap_free(t);
}

static const struct file_ops timerfd_ops = {
	.kind = "anon_inode:[timerfd]",
	.no_position = true,
	.read = timerfd_read,
	.poll = timerfd_poll,
	.stat = anon_file_stat,
	.release = timerfd_release,
};

struct file *timerfd_create(int clockid, uint32_t flags)
{
	struct timerfd *t;
	struct file *f;

	if (clockid != CLOCK_REALTIME && clockid != CLOCK_MONOTONIC && clockid != CLOCK_BOOTTIME &&
		clockid != CLOCK_REALTIME_ALARM && clockid != CLOCK_BOOTTIME_ALARM)
		return ERR_PTR(-EINVAL);
	t = heap_alloc_zeroed(sizeof(*t));
	if (!t)
		return ERR_PTR(-ENOMEM);
	t->clockid = clockid;
	mutex_init(&t->lock, "timerfd.lock");
	wait_init(&t->wait);
	timer_init(&t->timer, expired, t);
	f = file_create(&timerfd_ops, t, O_RDWR | (flags & O_NONBLOCK));
	if (f)
		return f;
	heap_free(t);
	return ERR_PTR(-ENOMEM);
}

static bool valid(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < (int64_t)NSEC_PER_SEC;
}

static uint64_t to_ns(const struct timespec *ts)
{
	if ((uint64_t)ts->tv_sec >= INT64_MAX / NSEC_PER_SEC)
		return INT64_MAX;
	return ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
}

static struct timespec from_ns(uint64_t ns)
{
	return (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
}

/* Lock held. */
static void state(struct timerfd *t, struct itimerspec *out)
{
	uint64_t now = clock_now();

	out->it_interval = from_ns(t->interval);
	out->it_value = from_ns(!t->expires ? 0 : t->expires > now ? t->expires - now : 1);
}

/* When the timer is to expire, in monotonic ns; never 0. */
static uint64_t expiry(const struct timerfd *t, int flags, uint64_t value)
{
	uint64_t now = clock_now(), real = clock_realtime();
	bool realtime = t->clockid == CLOCK_REALTIME || t->clockid == CLOCK_REALTIME_ALARM;

	if (!(flags & TFD_TIMER_ABSTIME))
		return value > INT64_MAX - now ? INT64_MAX : now + value;
	if (!realtime)
		return MAX(value, 1ul);
	return value <= real ? MAX(now, 1ul) : now + (value - real);
}

int timerfd_set(struct file *f, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	struct timerfd *t = f->private;
	uint64_t value;

	if (f->ops != &timerfd_ops || flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	if (!valid(&new->it_value) || !valid(&new->it_interval))
		return -EINVAL;
	value = to_ns(&new->it_value);
	mutex_lock(&t->lock);
	if (old)
		state(t, old);
	t->interval = to_ns(&new->it_interval);
	store_release(&t->ticks, 0);
	t->expires = value ? expiry(t, flags, value) : 0;
	if (t->expires)
		timer_arm(&t->timer, t->expires);
	else
		timer_cancel(&t->timer);
	mutex_unlock(&t->lock);
	return 0;
}

int timerfd_get(struct file *f, struct itimerspec *now)
{
	struct timerfd *t = f->private;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	mutex_lock(&t->lock);
	state(t, now);
	mutex_unlock(&t->lock);
	return 0;
}
