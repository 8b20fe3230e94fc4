/* SPDX-License-Identifier: BSD-2-Clause */
/* poll, select and epoll. */

#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "cpu/uaccess.h"
#include "file/epoll.h"
#include "file/pollset.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

#define POLL_INLINE 8

static uint32_t poll_one(struct pollset *set, struct pollfd *p)
{
	uint32_t events = POLLNVAL;
	struct fd f;

	if (p->fd < 0)
		return 0;
	f = fd_borrow(p->fd);
	if (f.file && !(f.file->flags & O_PATH))
		events = pollset_check(set, f.file) & ((uint16_t)p->events | POLLERR | POLLHUP);
	fd_return(f);
	return events;
}

static int poll_round(struct pollset *set, struct pollfd *fds, unsigned n)
{
	int ready = 0;

	for (unsigned i = 0; i < n; i++) {
		fds[i].revents = poll_one(set, &fds[i]);
		ready += fds[i].revents != 0;
	}
	return ready;
}

static long poll_files(struct pollfd *fds, unsigned n, uint64_t deadline)
{
	struct pollset set;
	int ready, err = 0;

	pollset_begin(&set, deadline);
	while (!(ready = poll_round(&set, fds, n)) && deadline && !err)
		err = pollset_sleep(&set);
	pollset_end(&set);
	if (ready || err == -ETIMEDOUT)
		return ready;
	return err;
}

static long do_poll_user(struct pollfd *ufds, unsigned n, uint64_t deadline)
{
	struct pollfd few[POLL_INLINE], *fds = few;
	long ready;

	if (n > process_current()->rlimit[RLIMIT_NOFILE].soft)
		return -EINVAL;
	if (n > POLL_INLINE && !(fds = heap_alloc(n * sizeof(*fds))))
		return -ENOMEM;
	if (copy_from_user(fds, ufds, n * sizeof(*fds))) {
		ready = -EFAULT;
		goto out;
	}
	ready = poll_files(fds, n, deadline);
	for (unsigned i = 0; ready >= 0 && i < n; i++)
		if (copy_to_user(&ufds[i].revents, &fds[i].revents, sizeof(fds[i].revents)))
			ready = -EFAULT;
out:
	if (fds != few)
		heap_free(fds);
	return ready;
}

static uint64_t deadline_from_ms(int ms)
{
	if (ms < 0)
		return WAIT_FOREVER;
	return ms ? clock_now() + ms * NSEC_PER_MSEC : 0;
}

SYSCALL_DEFINE3(poll, struct pollfd *, fds, unsigned, n, int, ms)
{
	long r = do_poll_user(fds, n, deadline_from_ms(ms));

	return r == -EINTR ? -ERESTARTNOHAND : r;
}

/* The mask for the time of the call; NULL leaves it. -EINVAL, -EFAULT. */
static int use_mask(const uint64_t *umask, size_t size)
{
	uint64_t mask;

	if (!umask)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user(mask, umask))
		return -EFAULT;
	signal_set_temporary_mask(mask);
	return 0;
}

/* Linux writes back what is left of the time, and does not mind if it cannot. */
static void write_back_timespec(struct timespec *uts, uint64_t deadline)
{
	uint64_t now = clock_now(), left = deadline > now ? deadline - now : 0;
	struct timespec ts = { left / NSEC_PER_SEC, left % NSEC_PER_SEC };

	if (uts && deadline != WAIT_FOREVER && copy_to_user(uts, &ts, sizeof(ts)))
		return;
}

static int deadline_from_user(const struct timespec *uts, uint64_t *deadline)
{
	struct timespec ts;

	if (uts && copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	return deadline_from_timespec(uts ? &ts : NULL, deadline);
}

SYSCALL_DEFINE5(ppoll, struct pollfd *, fds, unsigned, n, struct timespec *, uts, const uint64_t *,
	umask, size_t, size)
{
	uint64_t deadline;
	long r = deadline_from_user(uts, &deadline);

	if (r || (r = use_mask(umask, size)))
		return r;
	r = do_poll_user(fds, n, deadline);
	if (r == -EINTR)
		r = -ERESTARTNOHAND;
	r = signal_unset_temporary_mask(r);
	write_back_timespec(uts, deadline);
	return r;
}

/* select(2): the three sets as bitmaps, in and out. */
struct select_sets {
	uint64_t in[3][SKIFF_FD_SETSIZE / 64], out[3][SKIFF_FD_SETSIZE / 64];
};
static const uint32_t select_wanted[3] = { POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR |
						   POLLNVAL,
	POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR | POLLNVAL, POLLPRI | POLLNVAL };

static bool in_set(const uint64_t *set, int fd)
{
	return set[fd / 64] >> (fd % 64) & 1;
}

/* The number of bits set, or -EBADF. */
static int select_round(struct pollset *set, struct select_sets *s, int n)
{
	int ready = 0;

	memset(s->out, 0, sizeof(s->out));
	for (int fd = 0; fd < n; fd++) {
		uint32_t events;
		struct fd f;

		if (!in_set(s->in[0], fd) && !in_set(s->in[1], fd) && !in_set(s->in[2], fd))
			continue;
		f = fd_borrow(fd);
		if (!f.file)
			return -EBADF;
		events = f.file->flags & O_PATH ? POLLNVAL : pollset_check(set, f.file);
		fd_return(f);
		for (int k = 0; k < 3; k++)
			if (in_set(s->in[k], fd) && events & select_wanted[k]) {
				s->out[k][fd / 64] |= 1ull << (fd % 64);
				ready++;
			}
	}
	return ready;
}

static long select_files(struct select_sets *s, int n, uint64_t deadline)
{
	struct pollset set;
	int ready, err = 0;

	pollset_begin(&set, deadline);
	while (!(ready = select_round(&set, s, n)) && deadline && !err)
		err = pollset_sleep(&set);
	pollset_end(&set);
	if (ready || err == -ETIMEDOUT)
		return ready;
	return err;
}

static long select_user(int n, uint64_t *usets[3], uint64_t deadline)
{
	struct select_sets *s;
	size_t bytes;
	long r = 0;

	if (n < 0)
		return -EINVAL;
	n = MIN(n, SKIFF_FD_SETSIZE);
	bytes = DIV_ROUND_UP(n, 64) * 8;
	s = heap_alloc_zeroed(sizeof(*s));
	if (!s)
		return -ENOMEM;
	for (int k = 0; k < 3 && !r; k++)
		if (usets[k] && copy_from_user(s->in[k], usets[k], bytes))
			r = -EFAULT;
	if (!r)
		r = select_files(s, n, deadline);
	for (int k = 0; k < 3 && r >= 0; k++)
		if (usets[k] && copy_to_user(usets[k], s->out[k], bytes))
			r = -EFAULT;
	heap_free(s);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}

SYSCALL_DEFINE5(
	select, int, n, uint64_t *, in, uint64_t *, out, uint64_t *, except, struct timeval *, utv)
{
	uint64_t *sets[3] = { in, out, except };
	struct timespec ts;
	struct timeval tv;
	uint64_t deadline, now, left;
	long r;

	if (utv) {
		if (copy_from_user(&tv, utv, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		ts.tv_sec = tv.tv_sec + tv.tv_usec / 1000000;
		ts.tv_nsec = tv.tv_usec % 1000000 * 1000;
	}
	r = deadline_from_timespec(utv ? &ts : NULL, &deadline);
	if (r)
		return r;
	r = select_user(n, sets, deadline);
	now = clock_now();
	left = deadline > now ? deadline - now : 0;
	tv = (struct timeval){ left / NSEC_PER_SEC, left % NSEC_PER_SEC / 1000 };
	if (utv && deadline != WAIT_FOREVER && copy_to_user(utv, &tv, sizeof(tv)))
		return r;
	return r;
}

struct pselect_mask {
	const uint64_t *mask;
	size_t size;
};

SYSCALL_DEFINE6(pselect6, int, n, uint64_t *, in, uint64_t *, out, uint64_t *, except,
	struct timespec *, uts, const struct pselect_mask *, umask)
{
	uint64_t *sets[3] = { in, out, except };
	struct pselect_mask mask = { NULL, 0 };
	uint64_t deadline;
	long r;

	if (umask && copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	r = deadline_from_user(uts, &deadline);
	if (r || (r = use_mask(mask.mask, mask.size)))
		return r;
	r = signal_unset_temporary_mask(select_user(n, sets, deadline));
	write_back_timespec(uts, deadline);
	return r;
}

SYSCALL_DEFINE1(epoll_create, int, size)
{
	return size <= 0 ? -EINVAL : install_file(epoll_create(0), false);
}

SYSCALL_DEFINE1(epoll_create1, int, flags)
{
	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	return install_file(epoll_create(0), flags & EPOLL_CLOEXEC);
}

SYSCALL_DEFINE4(epoll_ctl, int, epfd, int, op, int, fd, const struct epoll_event *, uevent)
{
	struct epoll_event event = { 0 };
	struct fd ep, f;
	long err = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, uevent, sizeof(event)))
		return -EFAULT;
	ep = fd_borrow(epfd);
	f = fd_borrow(fd);
	if (ep.file && f.file)
		err = epoll_control(ep.file, op, f.file, fd, &event);
	fd_return(f);
	fd_return(ep);
	return err;
}

static long epoll_wait_on(int epfd, struct epoll_event *events, int max, uint64_t deadline)
{
	struct fd ep = fd_borrow(epfd);
	long n;

	if (unlikely(!ep.file))
		return -EBADF;
	n = epoll_wait_events(ep.file, events, max, deadline);
	fd_return(ep);
	return n;
}

SYSCALL_DEFINE4(epoll_wait, int, epfd, struct epoll_event *, events, int, max, int, ms)
{
	return epoll_wait_on(epfd, events, max, deadline_from_ms(ms));
}

SYSCALL_DEFINE6(epoll_pwait, int, epfd, struct epoll_event *, events, int, max, int, ms,
	const uint64_t *, umask, size_t, size)
{
	long r = use_mask(umask, size);

	if (r)
		return r;
	return signal_unset_temporary_mask(epoll_wait_on(epfd, events, max, deadline_from_ms(ms)));
}

SYSCALL_DEFINE6(epoll_pwait2, int, epfd, struct epoll_event *, events, int, max,
	const struct timespec *, uts, const uint64_t *, umask, size_t, size)
{
	uint64_t deadline;
	long r = deadline_from_user(uts, &deadline);

	if (r || (r = use_mask(umask, size)))
		return r;
	return signal_unset_temporary_mask(epoll_wait_on(epfd, events, max, deadline));
}
