/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals and the timers that send them. */

#include "syscall/syscall.h"
#include "abi/fcntl.h"
#include "abi/time.h"
#include "lib/string.h"
#include "process/process.h"
#include "sched/clock.h"

#define SIGSET_SIZE sizeof(uint64_t)

/* ---- actions and masks ---- */

SYSCALL_DEFINE4(rt_sigaction, int, sig, const struct sigaction_k *, unew, struct sigaction_k *,
	uold, size_t, size)
{
	struct sigaction_k new, old;
	int err;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (unew && get_user(new, unew))
		return -EFAULT;
	err = signal_set_action(sig, unew ? &new : NULL, &old);
	if (!err && uold && put_user(old, uold))
		return -EFAULT;
	return err;
}

SYSCALL_DEFINE4(rt_sigprocmask, int, how, const uint64_t *, uset, uint64_t *, uold, size_t, size)
{
	uint64_t old = task_current()->blocked, set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (uset) {
		if (get_user(set, uset))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK: signal_set_mask(old | set); break;
		case SIG_UNBLOCK: signal_set_mask(old & ~set); break;
		case SIG_SETMASK: signal_set_mask(set); break;
		default: return -EINVAL;
		}
	}
	return uold && put_user(old, uold) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(rt_sigpending, uint64_t *, uset, size_t, size)
{
	struct task *t = task_current();
	uint64_t pending;

	if (size > SIGSET_SIZE)
		return -EINVAL;
	mutex_lock(&t->process->signal_lock);
	pending = signal_pending_mask(t) & t->blocked;
	mutex_unlock(&t->process->signal_lock);
	return copy_to_user(uset, &pending, size);
}

SYSCALL_DEFINE2(sigaltstack, const stack_t *, unew, stack_t *, uold)
{
	stack_t new, old;
	int err;

	if (unew && get_user(new, unew))
		return -EFAULT;
	err = signal_set_altstack(unew ? &new : NULL, &old, syscall_frame()->rsp);
	if (!err && uold && put_user(old, uold))
		return -EFAULT;
	return err;
}

SYSCALL_DEFINE0(rt_sigreturn)
{
	return signal_return(syscall_frame());
}

/* ---- waiting ---- */

static long wait_for_signal(void)
{
	/* Signals for others end the sleep of nobody: the condition is the interruption. */
	(void)wait_event_interruptible(&process_current()->signal_wait, false);
	return -ERESTARTNOHAND;
}

SYSCALL_DEFINE0(pause)
{
	return wait_for_signal();
}

SYSCALL_DEFINE2(rt_sigsuspend, const uint64_t *, uset, size_t, size)
{
	uint64_t set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(set, uset))
		return -EFAULT;
	signal_set_temporary_mask(set);
	return signal_unset_temporary_mask(wait_for_signal());
}

SYSCALL_DEFINE4(rt_sigtimedwait, const uint64_t *, uset, siginfo_t *, uinfo,
	const struct timespec *, utimeout, size_t, size)
{
	uint64_t set, deadline = WAIT_FOREVER;
	struct timespec timeout;
	siginfo_t info;
	int sig = 0, err;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(set, uset))
		return -EFAULT;
	if (utimeout) {
		uint64_t now = clock_now();

		if (get_user(timeout, utimeout))
			return -EFAULT;
		if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 ||
			timeout.tv_nsec >= (int64_t)NSEC_PER_SEC)
			return -EINVAL;
		if ((uint64_t)timeout.tv_sec < (INT64_MAX - now) / NSEC_PER_SEC - 1)
			deadline = now + timeout.tv_sec * NSEC_PER_SEC + timeout.tv_nsec;
	}
	err = wait_event_interruptible_timeout(
		&process_current()->signal_wait, (sig = signal_take(set, &info)) != 0, deadline);
	if (!sig)
		return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
	if (uinfo && put_user(info, uinfo))
		return -EFAULT;
	return sig;
}

/* Continues the call that was interrupted, as it left word in task->restart. */
SYSCALL_DEFINE0(restart_syscall)
{
	struct task *t = task_current();

	return t->restart.fn ? t->restart.fn(t) : -EINTR;
}

/* ---- sending ---- */

static siginfo_t info_from_us(int code)
{
	siginfo_t info = { .si_code = code };

	info.si_pid = process_current()->pid;
	info.si_uid = process_current()->cred.uid;
	return info;
}

static long send_process(struct process *p, int sig, const siginfo_t *info)
{
	long err = sig ? signal_send_process(p, sig, info) : 0;

	process_put(p);
	return err;
}

/* The process that pid names, also by one of its threads as Linux lets kill(2) do. */
static struct process *process_by_any(int pid)
{
	struct process *p = process_find(pid);
	struct task *t;

	if (p)
		return p;
	t = task_find(pid);
	if (!t)
		return NULL;
	p = process_find(t->process->pid);
	task_put(t);
	return p;
}

SYSCALL_DEFINE2(kill, int, pid, int, sig)
{
	struct process *self = process_current(), *p = NULL;
	siginfo_t info = info_from_us(SI_USER);

	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	if (pid > 0)
		p = process_by_any(pid);
	else if (pid == 0 || (pid != -1 && pid != INT32_MIN && (uint32_t)-pid == self->pgid))
		p = process_find(self->pid); /* our group has one member */
	return p ? send_process(p, sig, &info) : -ESRCH;
}

static long send_thread(int pid, int tid, int sig, const siginfo_t *info)
{
	struct task *t = task_find(tid);
	long err = -ESRCH;

	if (!t)
		return err;
	if (pid <= 0 || t->process->pid == (uint32_t)pid)
		err = sig ? signal_send_task(t, sig, info) : 0;
	task_put(t);
	return err;
}

SYSCALL_DEFINE3(tgkill, int, pid, int, tid, int, sig)
{
	siginfo_t info = info_from_us(SI_TKILL);

	if (pid <= 0 || tid <= 0 || sig < 0 || sig > NSIG)
		return -EINVAL;
	return send_thread(pid, tid, sig, &info);
}

SYSCALL_DEFINE2(tkill, int, tid, int, sig)
{
	siginfo_t info = info_from_us(SI_TKILL);

	if (tid <= 0 || sig < 0 || sig > NSIG)
		return -EINVAL;
	return send_thread(0, tid, sig, &info);
}

/* Only to oneself may one pretend that the kernel or kill(2) sent it. */
static bool info_is_forged(const siginfo_t *info, int pid)
{
	return (info->si_code >= 0 || info->si_code == SI_TKILL) &&
	       (uint32_t)pid != process_current()->pid;
}

SYSCALL_DEFINE3(rt_sigqueueinfo, int, pid, int, sig, const siginfo_t *, uinfo)
{
	struct process *p;
	siginfo_t info;

	if (get_user(info, uinfo))
		return -EFAULT;
	info.si_signo = sig;
	if (info_is_forged(&info, pid))
		return -EPERM;
	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	p = process_by_any(pid);
	return p ? send_process(p, sig, &info) : -ESRCH;
}

SYSCALL_DEFINE4(rt_tgsigqueueinfo, int, pid, int, tid, int, sig, const siginfo_t *, uinfo)
{
	siginfo_t info;

	if (get_user(info, uinfo))
		return -EFAULT;
	info.si_signo = sig;
	if (pid <= 0 || tid <= 0)
		return -EINVAL;
	if (info_is_forged(&info, pid))
		return -EPERM;
	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	return send_thread(pid, tid, sig, &info);
}

/* ---- pidfd ---- */

SYSCALL_DEFINE2(pidfd_open, int, pid, unsigned, flags)
{
	struct process *p;
	struct file *f;
	int fd;

	if ((flags & ~O_NONBLOCK) || pid <= 0)
		return -EINVAL;
	p = process_find(pid);
	if (!p) { /* a thread that is not the first is EINVAL, nobody at all ESRCH */
		struct task *t = task_find(pid);

		if (t)
			task_put(t);
		return t ? -EINVAL : -ESRCH;
	}
	f = pidfd_create(p, flags);
	process_put(p);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(process_current()->fds, f, 0, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE4(pidfd_send_signal, int, fd, int, sig, const siginfo_t *, uinfo, unsigned, flags)
{
	siginfo_t info = info_from_us(SI_USER);
	struct process *p;
	struct file *f;
	long err;

	if (flags)
		return -EINVAL;
	f = fd_get(process_current()->fds, fd);
	if (!f)
		return -EBADF;
	p = pidfd_process(f);
	err = p ? 0 : -EBADF;
	if (p && uinfo) {
		if (get_user(info, uinfo))
			err = -EFAULT;
		else if (info.si_signo != sig)
			err = -EINVAL;
		else if (info_is_forged(&info, p->pid))
			err = -EPERM;
	}
	if (!err && (sig < 0 || sig > NSIG))
		err = -EINVAL;
	if (!err && sig)
		err = signal_send_process(p, sig, &info);
	file_put(f);
	return err;
}

/* ---- signalfd ---- */

static long signalfd(int fd, const uint64_t *uset, size_t size, int flags)
{
	struct process *p = process_current();
	struct file *f;
	uint64_t set;
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(set, uset))
		return -EFAULT;
	set &= ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	if (fd != -1) {
		f = fd_get(p->fds, fd);
		if (!f)
			return -EBADF;
		err = signalfd_set_mask(f, set);
		file_put(f);
		return err ? err : fd;
	}
	f = signalfd_create(set, flags & O_NONBLOCK);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(p->fds, f, 0, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE3(signalfd, int, fd, const uint64_t *, uset, size_t, size)
{
	return signalfd(fd, uset, size, 0);
}

SYSCALL_DEFINE4(signalfd4, int, fd, const uint64_t *, uset, size_t, size, int, flags)
{
	return signalfd(fd, uset, size, flags);
}

/* ---- timers ---- */

SYSCALL_DEFINE1(alarm, unsigned, seconds)
{
	struct itimerval new = { .it_value = { .tv_sec = seconds } }, old;
	int err = itimer_set(ITIMER_REAL, &new, &old);

	if (err)
		return err;
	/* Rounded, but never to 0 while it runs. */
	return old.it_value.tv_sec +
	       ((!old.it_value.tv_sec && old.it_value.tv_usec) || old.it_value.tv_usec >= 500000);
}

SYSCALL_DEFINE2(getitimer, int, which, struct itimerval *, uout)
{
	struct itimerval out;
	int err = itimer_get(which, &out);

	return err ? err : put_user(out, uout);
}

SYSCALL_DEFINE3(setitimer, int, which, const struct itimerval *, unew, struct itimerval *, uold)
{
	struct itimerval new = { 0 }, old;
	int err;

	if (unew && get_user(new, unew))
		return -EFAULT;
	err = itimer_set(which, &new, &old);
	if (!err && uold && put_user(old, uold))
		return -EFAULT;
	return err;
}

SYSCALL_DEFINE3(timer_create, int, clockid, const struct sigevent *, uevent, int *, uid)
{
	struct sigevent event;
	int id;

	if (uevent && get_user(event, uevent))
		return -EFAULT;
	id = posix_timer_create(clockid, uevent ? &event : NULL);
	if (id >= 0 && put_user(id, uid)) {
		(void)posix_timer_delete(id);
		return -EFAULT;
	}
	return id < 0 ? id : 0;
}

SYSCALL_DEFINE4(timer_settime, int, id, int, flags, const struct itimerspec *, unew,
	struct itimerspec *, uold)
{
	struct itimerspec new, old;
	int err;

	if (!unew)
		return -EINVAL;
	if (get_user(new, unew))
		return -EFAULT;
	err = posix_timer_set(id, flags, &new, &old);
	if (!err && uold && put_user(old, uold))
		return -EFAULT;
	return err;
}

SYSCALL_DEFINE2(timer_gettime, int, id, struct itimerspec *, uout)
{
	struct itimerspec out;
	int err = posix_timer_get(id, &out);

	return err ? err : put_user(out, uout);
}

SYSCALL_DEFINE1(timer_getoverrun, int, id)
{
	return posix_timer_overrun(id);
}

SYSCALL_DEFINE1(timer_delete, int, id)
{
	return posix_timer_delete(id);
}
