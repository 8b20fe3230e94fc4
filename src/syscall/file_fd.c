/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors themselves: dup, close, fcntl, ioctl, locks; pipes and other files without a path. */

#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/resource.h"
#include "cpu/barrier.h"
#include "cpu/uaccess.h"
#include "file/lock.h"
#include "file/timerfd.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"

SYSCALL_DEFINE1(close, int, fd)
{
	return fd_close(process_current()->fds, fd);
}

SYSCALL_DEFINE3(close_range, unsigned, first, unsigned, last, unsigned, flags)
{
	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	return fd_close_range(process_current()->fds, first, last, flags & CLOSE_RANGE_CLOEXEC);
}

static long dup_at_least(int fd, int min, bool cloexec)
{
	struct file *f = get_file(fd);
	int new;

	if (!f)
		return -EBADF;
	new = fd_install(process_current()->fds, f, min, cloexec);
	if (new < 0)
		file_put(f);
	return new;
}

static long dup_to(int old, int new, bool cloexec)
{
	struct file *f = get_file(old);
	int fd;

	if (!f)
		return -EBADF;
	fd = fd_install_at(process_current()->fds, f, new, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE1(dup, int, fd)
{
	return dup_at_least(fd, 0, false);
}

SYSCALL_DEFINE2(dup2, int, old, int, new)
{
	struct file *f;

	if (old != new)
		return dup_to(old, new, false);
	f = get_file(old);
	if (!f)
		return -EBADF;
	file_put(f);
	return new;
}

SYSCALL_DEFINE3(dup3, int, old, int, new, int, flags)
{
	if (old == new || flags & ~O_CLOEXEC)
		return -EINVAL;
	return dup_to(old, new, flags & O_CLOEXEC);
}

static long set_status_flags(struct file *f, uint32_t arg)
{
	uint32_t old = __atomic_load_n(&f->flags, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&f->flags, &old,
		(old & ~(uint32_t)O_SETFL_MASK) | (arg & O_SETFL_MASK), false, __ATOMIC_RELAXED,
		__ATOMIC_RELAXED))
		;
	if (f->ops->flags_changed)
		f->ops->flags_changed(f);
	return 0;
}

/* fcntl(2): l_whence, l_start, l_len to a range. */
static int lock_range_of(struct file *f, const struct flock *l, struct lock_range *r)
{
	int64_t start = 0;

	if (l->l_whence == SEEK_CUR)
		start = f->pos;
	else if (l->l_whence == SEEK_END)
		start = f->ops->seek ? f->ops->seek(f, 0, SEEK_END) : 0;
	else if (l->l_whence != SEEK_SET)
		return -EINVAL;
	if (l->l_start > INT64_MAX - start)
		return -EOVERFLOW;
	start += l->l_start;
	if (start < 0)
		return -EINVAL;
	if (l->l_len == 0) {
		*r = (struct lock_range){ start, LOCK_TO_END };
	} else if (l->l_len > 0) {
		if (l->l_len - 1 > INT64_MAX - start)
			return -EOVERFLOW;
		*r = (struct lock_range){ start, (uint64_t)start + (uint64_t)l->l_len };
	} else { /* the bytes before start */
		if (start + l->l_len < 0)
			return -EINVAL;
		*r = (struct lock_range){ start + l->l_len, start };
	}
	return 0;
}

static int whole_lock_range(struct file *f, const struct flock *l, struct lock_range *r)
{
	int64_t pos = f->pos;
	int err;

	mutex_lock(&f->pos_lock);
	err = lock_range_of(f, l, r);
	f->pos = pos; /* asking for the end moved it */
	mutex_unlock(&f->pos_lock);
	return err;
}

static long get_lock(struct file *f, struct flock *ul, bool ofd)
{
	void *owner = ofd ? (void *)f : process_current()->fds;
	struct lock_range r;
	struct flock l;
	int type, pid = 0, err;

	if (copy_from_user(&l, ul, sizeof(l)))
		return -EFAULT;
	if ((l.l_type != F_RDLCK && l.l_type != F_WRLCK) || (ofd && l.l_pid))
		return -EINVAL;
	err = whole_lock_range(f, &l, &r);
	if (err)
		return err;
	type = l.l_type;
	lock_test(f, owner, &type, &r, &pid);
	l.l_type = type;
	if (type != F_UNLCK) {
		l.l_whence = SEEK_SET;
		l.l_start = r.start;
		l.l_len = r.end == LOCK_TO_END ? 0 : r.end - r.start;
		l.l_pid = pid;
	}
	return copy_to_user(ul, &l, sizeof(l));
}

static long set_lock(struct file *f, const struct flock *ul, bool ofd, bool wait)
{
	void *owner = ofd ? (void *)f : process_current()->fds;
	struct lock_range r;
	struct flock l;
	int err;

	if (copy_from_user(&l, ul, sizeof(l)))
		return -EFAULT;
	err = whole_lock_range(f, &l, &r);
	if (err)
		return err;
	switch (l.l_type) {
	case F_RDLCK:
		if (!file_readable(f))
			return -EBADF;
		break;
	case F_WRLCK:
		if (!file_writable(f))
			return -EBADF;
		break;
	case F_UNLCK: break;
	default: return -EINVAL;
	}
	if (ofd && l.l_pid)
		return -EINVAL;
	return lock_set(f, false, owner, ofd ? -1 : (int)process_current()->pid, l.l_type, r, wait);
}

static long owner_ex(struct file *f, struct f_owner_ex *uowner, bool set)
{
	struct f_owner_ex o = { F_OWNER_PID, f->owner_pid };

	if (!set) {
		if (o.pid < 0)
			o = (struct f_owner_ex){ F_OWNER_PGRP, -o.pid };
		return copy_to_user(uowner, &o, sizeof(o));
	}
	if (copy_from_user(&o, uowner, sizeof(o)))
		return -EFAULT;
	if (o.type < F_OWNER_TID || o.type > F_OWNER_PGRP)
		return -EINVAL;
	f->owner_pid = o.type == F_OWNER_PGRP ? -o.pid : o.pid;
	return 0;
}

static bool allowed_on_path_files(unsigned cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD ||
	       cmd == F_GETFL;
}

static long fcntl_duplicate(int fd, unsigned long min, bool cloexec)
{
	if (min >= process_current()->rlimit[RLIMIT_NOFILE].soft)
		return -EINVAL;
	return dup_at_least(fd, min, cloexec);
}

static long fcntl_on(struct file *f, int fd, unsigned cmd, unsigned long arg)
{
	struct fdtable *t = process_current()->fds;

	switch (cmd) {
	case F_DUPFD: return fcntl_duplicate(fd, arg, false);
	case F_DUPFD_CLOEXEC: return fcntl_duplicate(fd, arg, true);
	case F_GETFD: return fd_get_cloexec(t, fd);
	case F_SETFD: return fd_set_cloexec(t, fd, arg & FD_CLOEXEC);
	case F_GETFL: return f->flags | (f->ops->seek ? O_LARGEFILE : 0);
	case F_SETFL: return set_status_flags(f, arg);
	case F_GETLK: return get_lock(f, (struct flock *)arg, false);
	case F_SETLK: return set_lock(f, (struct flock *)arg, false, false);
	case F_SETLKW: return set_lock(f, (struct flock *)arg, false, true);
	case F_OFD_GETLK: return get_lock(f, (struct flock *)arg, true);
	case F_OFD_SETLK: return set_lock(f, (struct flock *)arg, true, false);
	case F_OFD_SETLKW: return set_lock(f, (struct flock *)arg, true, true);
	case F_SETOWN: f->owner_pid = arg; return 0;
	case F_GETOWN: return f->owner_pid;
	case F_SETOWN_EX: return owner_ex(f, (struct f_owner_ex *)arg, true);
	case F_GETOWN_EX: return owner_ex(f, (struct f_owner_ex *)arg, false);
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->owner_signal = arg;
		return 0;
	case F_GETSIG: return f->owner_signal;
	case F_GETLEASE: return F_UNLCK;
	default: return f->ops->fcntl ? f->ops->fcntl(f, cmd, arg) : -EINVAL;
	}
}

SYSCALL_DEFINE3(fcntl, int, fd, unsigned, cmd, unsigned long, arg)
{
	struct file *f = get_file(fd);
	long n;

	if (!f)
		return -EBADF;
	n = f->flags & O_PATH && !allowed_on_path_files(cmd) ? -EBADF : fcntl_on(f, fd, cmd, arg);
	file_put(f);
	return n;
}

static long ioctl_on(struct file *f, int fd, unsigned cmd, unsigned long arg)
{
	uint32_t flags = load_relaxed(&f->flags);
	int on;

	switch (cmd) {
	case FIOCLEX: return fd_set_cloexec(process_current()->fds, fd, true);
	case FIONCLEX: return fd_set_cloexec(process_current()->fds, fd, false);
	case FIONBIO:
		if (get_user(on, (int *)arg))
			return -EFAULT;
		return set_status_flags(f, on ? flags | O_NONBLOCK : flags & ~(uint32_t)O_NONBLOCK);
	case FIOASYNC:
		if (get_user(on, (int *)arg))
			return -EFAULT;
		return set_status_flags(f, on ? flags | O_ASYNC : flags & ~(uint32_t)O_ASYNC);
	default: return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
	}
}

SYSCALL_DEFINE3(ioctl, int, fd, unsigned, cmd, unsigned long, arg)
{
	struct file *f = get_file(fd);
	long n;

	if (!f)
		return -EBADF;
	n = f->flags & O_PATH ? -EBADF : ioctl_on(f, fd, cmd, arg);
	file_put(f);
	return n;
}

SYSCALL_DEFINE2(flock, int, fd, int, operation)
{
	struct file *f;
	int type;
	long err;

	switch (operation & ~LOCK_NB) {
	case LOCK_SH: type = F_RDLCK; break;
	case LOCK_EX: type = F_WRLCK; break;
	case LOCK_UN: type = F_UNLCK; break;
	default: return -EINVAL;
	}
	f = get_file(fd);
	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		err = -EBADF;
	else
		err = lock_set(f, true, f, 0, type, (struct lock_range){ 0, LOCK_TO_END },
			!(operation & LOCK_NB));
	file_put(f);
	return err;
}

static long make_pipe(int *ufds, int flags)
{
	struct fdtable *t = process_current()->fds;
	struct file *ends[2];
	int fds[2], err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create(ends, flags);
	if (err)
		return err;
	fds[0] = install_file(ends[0], flags & O_CLOEXEC);
	if (fds[0] < 0) {
		file_put(ends[1]);
		return fds[0];
	}
	fds[1] = install_file(ends[1], flags & O_CLOEXEC);
	if (fds[1] < 0) {
		fd_close(t, fds[0]);
		return fds[1];
	}
	if (!copy_to_user(ufds, fds, sizeof(fds)))
		return 0;
	fd_close(t, fds[0]);
	fd_close(t, fds[1]);
	return -EFAULT;
}

SYSCALL_DEFINE1(pipe, int *, fds)
{
	return make_pipe(fds, 0);
}

SYSCALL_DEFINE2(pipe2, int *, fds, int, flags)
{
	return make_pipe(fds, flags);
}

SYSCALL_DEFINE2(eventfd2, unsigned, initial, int, flags)
{
	if (flags & ~(1 | O_CLOEXEC | O_NONBLOCK)) /* EFD_SEMAPHORE is 1 */
		return -EINVAL;
	return install_file(eventfd_create(initial, flags & 1, flags), flags & O_CLOEXEC);
}

SYSCALL_DEFINE1(eventfd, unsigned, initial)
{
	return install_file(eventfd_create(initial, false, 0), false);
}

SYSCALL_DEFINE2(timerfd_create, int, clockid, int, flags)
{
	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return install_file(timerfd_create(clockid, flags), flags & O_CLOEXEC);
}

SYSCALL_DEFINE4(timerfd_settime, int, fd, int, flags, const struct itimerspec *, unew,
	struct itimerspec *, uold)
{
	struct itimerspec new, old;
	struct file *f;
	long err;

	if (copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	f = get_file(fd);
	if (!f)
		return -EBADF;
	err = timerfd_set(f, flags, &new, &old);
	file_put(f);
	if (!err && uold)
		err = copy_to_user(uold, &old, sizeof(old));
	return err;
}

SYSCALL_DEFINE2(timerfd_gettime, int, fd, struct itimerspec *, unow)
{
	struct itimerspec now;
	struct file *f = get_file(fd);
	long err;

	if (!f)
		return -EBADF;
	err = timerfd_get(f, &now);
	file_put(f);
	return err ? err : copy_to_user(unow, &now, sizeof(now));
}
