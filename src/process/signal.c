/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: sending, queues, and what happens when a task is about to return to its program.
 *
 * A signal is pending in a task's set or in its process's. Whoever makes it pending sets
 * THREAD_SIGNAL on a task that may take it, under signal_lock; only the task itself clears the flag
 * (signal_recompute on itself), also under signal_lock, so none is lost. Standard signals are
 * pending at most once, real-time ones queue.
 */

#include "process/impl.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/syscall_nr.h"
#include "cpu/barrier.h"
#include "diag/log.h"
#include "file/poll.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/heap.h"

#define UNBLOCKABLE	(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))
#define STOP_SIGNALS	(SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
#define DEFAULT_IGNORED (SIGMASK(SIGCONT) | SIGMASK(SIGCHLD) | SIGMASK(SIGWINCH) | SIGMASK(SIGURG))
#define DEFAULT_CORE                                                                               \
	(SIGMASK(SIGQUIT) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGABRT) |                \
		SIGMASK(SIGFPE) | SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGSYS) |           \
		SIGMASK(SIGXCPU) | SIGMASK(SIGXFSZ))
/* Taken before all others: their handlers must see the registers of the fault. */
#define SYNCHRONOUS                                                                                \
	(SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) |                 \
		SIGMASK(SIGFPE) | SIGMASK(SIGSYS))

/* ---- pending sets; signal_lock held ---- */

void pending_set_init(struct pending_set *s)
{
	s->mask = 0;
	s->count = 0;
	list_init(&s->queue);
}

static void entry_free(struct process *p, struct pending_signal *e)
{
	list_del(&e->link);
	if (!e->origin) {
		p->queued--;
		heap_free(e);
	}
}

void pending_set_destroy(struct process *p, struct pending_set *s)
{
	struct pending_signal *e, *next;

	list_for_each_entry_safe (e, next, &s->queue, link)
		entry_free(p, e);
	s->mask = 0;
}

static void pending_remove(struct process *p, struct pending_set *s, uint64_t signals)
{
	struct pending_signal *e, *next;

	if (!(s->mask & signals))
		return;
	list_for_each_entry_safe (e, next, &s->queue, link)
		if (SIGMASK(e->info.si_signo) & signals)
			entry_free(p, e);
	s->mask &= ~signals;
}

static void pending_remove_everywhere(struct process *p, uint64_t signals)
{
	struct task *t;

	pending_remove(p, &p->pending, signals);
	list_for_each_entry (t, &p->tasks, link)
		pending_remove(p, &t->pending, signals);
}

void signal_flush_ignored(struct process *p, int sig)
{
	pending_remove_everywhere(p, SIGMASK(sig));
}

static int pending_add(struct process *p, struct pending_set *s, int sig, const siginfo_t *info)
{
	bool queues = sig >= SIGRTMIN;
	struct pending_signal *e = NULL;

	if (!queues && (s->mask & SIGMASK(sig)))
		return 0;
	if (!queues || p->queued < p->rlimit[RLIMIT_SIGPENDING].soft)
		e = heap_alloc(sizeof(*e));
	if (e) {
		e->origin = NULL;
		if (info)
			e->info = *info;
		else
			memset(&e->info, 0, sizeof(e->info)), e->info.si_code = SI_KERNEL;
		e->info.si_signo = sig;
		list_add_tail(&s->queue, &e->link);
		p->queued++;
	} else if (queues && info && info->si_code != SI_USER) {
		return -EAGAIN; /* a value would be lost: the sender is told */
	}
	s->mask |= SIGMASK(sig);
	return 0;
}

/* Takes signal sig out of the set, with the oldest siginfo that is queued for it. */
static void pending_take(struct process *p, struct pending_set *s, int sig, siginfo_t *info)
{
	struct pending_signal *e, *next, *first = NULL;
	bool more = false;

	list_for_each_entry_safe (e, next, &s->queue, link) {
		if (e->info.si_signo != sig)
			continue;
		if (!first)
			first = e;
		else
			more = true;
	}
	if (!more)
		s->mask &= ~SIGMASK(sig);
	if (!first) { /* there was no memory for it */
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		return;
	}
	*info = first->info;
	if (first->origin)
		timer_signal_taken(first->origin, info);
	entry_free(p, first);
}

static int pick(uint64_t mask)
{
	if (mask & SYNCHRONOUS)
		mask &= SYNCHRONOUS;
	return __builtin_ctzll(mask) + 1;
}

static int dequeue(struct task *t, uint64_t allowed, siginfo_t *info)
{
	struct process *p = t->process;
	struct pending_set *s = t->pending.mask & allowed ? &t->pending : &p->pending;
	int sig;

	if (!(s->mask & allowed))
		return 0;
	sig = pick(s->mask & allowed);
	pending_take(p, s, sig, info);
	return sig;
}

uint64_t signal_pending_mask(struct task *t)
{
	return t->pending.mask | t->process->pending.mask;
}

int signal_take(uint64_t set, siginfo_t *info)
{
	struct task *t = task_current();
	int sig;

	mutex_lock(&t->process->signal_lock);
	sig = dequeue(t, set & ~UNBLOCKABLE, info);
	if (sig)
		signal_recompute(t);
	mutex_unlock(&t->process->signal_lock);
	return sig;
}

/* ---- the flag ---- */

static bool must_look(const struct task *t)
{
	const struct process *p = t->process;

	return ((t->pending.mask | p->pending.mask) & ~t->blocked) || p->group_exit ||
	       (p->exec_task && p->exec_task != t) || p->stopped;
}

void signal_recompute(struct task *t)
{
	if (must_look(t))
		thread_interrupt(&t->thread);
	else if (t == task_current())
		atomic_and(&t->thread.flags, ~(uint32_t)THREAD_SIGNAL);
}

/* ---- sending ---- */

static bool is_ignored(struct process *p, struct task *t, int sig)
{
	uint64_t handler = p->action[sig - 1].handler;

	if (t && (t->blocked & SIGMASK(sig)))
		return false; /* it may have a handler by the time it is unblocked */
	return handler == SIG_IGN || (handler == SIG_DFL && (DEFAULT_IGNORED & SIGMASK(sig)));
}

/* What a signal does the moment it is sent, whether or not it is ever delivered. */
static void send_side_effects(struct process *p, int sig)
{
	if (sig == SIGCONT || sig == SIGKILL) {
		pending_remove_everywhere(p, STOP_SIGNALS);
		if (p->stopped) {
			p->stopped = false;
			condvar_wake_all(&p->going_on, &p->signal_lock);
		}
	} else if (STOP_SIGNALS & SIGMASK(sig)) {
		pending_remove_everywhere(p, SIGMASK(SIGCONT));
	}
}

/* A task that can take the signal at once: the sender itself or the first thread if possible. */
static struct task *choose_task(struct process *p, int sig)
{
	struct task *t, *self = NULL;

	if (!thread_current()->kernel_thread && process_current() == p)
		self = task_current();
	if (self && !self->gone && !(self->blocked & SIGMASK(sig)))
		return self;
	list_for_each_entry (t, &p->tasks, link)
		if (!t->gone && !(t->blocked & SIGMASK(sig)))
			return t;
	return NULL;
}

static void tell(struct process *p, struct task *t, int sig)
{
	if (!t)
		t = choose_task(p, sig);
	if (t && !t->gone && !(t->blocked & SIGMASK(sig)))
		thread_interrupt(&t->thread);
	wait_wake_all(&p->signal_wait, POLLIN);
}

int signal_send_locked(struct process *p, struct task *t, int sig, const siginfo_t *info)
{
	struct task *first =
		list_empty(&p->tasks) ? NULL : list_first_entry(&p->tasks, struct task, link);
	int err;

	send_side_effects(p, sig);
	if (is_ignored(p, t ? t : first, sig))
		return 0;
	err = pending_add(p, t ? &t->pending : &p->pending, sig, info);
	if (!err)
		tell(p, t, sig);
	return err;
}

int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
	int err;

	BUG_ON(sig < 1 || sig > NSIG);
	mutex_lock(&p->signal_lock);
	err = signal_send_locked(p, NULL, sig, info);
	mutex_unlock(&p->signal_lock);
	return err;
}

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	int err = 0;

	BUG_ON(sig < 1 || sig > NSIG);
	mutex_lock(&t->process->signal_lock);
	if (!t->gone)
		err = signal_send_locked(t->process, t, sig, info);
	mutex_unlock(&t->process->signal_lock);
	return err;
}

bool signal_send_timer(struct process *p, struct task *t, struct pending_signal *e)
{
	struct pending_set *s = t ? &t->pending : &p->pending;
	int sig = e->info.si_signo;

	if (t && t->gone)
		return false;
	send_side_effects(p, sig);
	if (is_ignored(p, t ? t : list_first_entry(&p->tasks, struct task, link), sig))
		return false;
	list_add_tail(&s->queue, &e->link);
	s->mask |= SIGMASK(sig);
	tell(p, t, sig);
	return true;
}

void signal_cancel_timer(struct process *p, struct pending_signal *e)
{
	/* The mask bit may stay: then the signal comes without its siginfo, as after an overflow.
	 */
	list_del(&e->link);
}

void signal_force(int sig, const siginfo_t *info)
{
	struct task *t = task_current();
	struct process *p = t->process;
	struct sigaction_k *action = &p->action[sig - 1];

	mutex_lock(&p->signal_lock);
	if ((t->blocked & SIGMASK(sig)) || action->handler == SIG_IGN) {
		action->handler = SIG_DFL;
		t->blocked &= ~SIGMASK(sig);
	}
	pending_remove(p, &t->pending, SIGMASK(sig)); /* this siginfo is the one that counts */
	(void)pending_add(p, &t->pending, sig, info);
	thread_interrupt(&t->thread);
	mutex_unlock(&p->signal_lock);
}

/* ---- masks and actions ---- */

void signal_set_mask(uint64_t mask)
{
	struct task *t = task_current();
	struct process *p = t->process;
	uint64_t newly, blocked = mask & ~UNBLOCKABLE;

	mutex_lock(&p->signal_lock);
	newly = blocked & ~t->blocked;
	t->blocked = blocked;
	/* What we were chosen for and block from now on must find another task. */
	if (p->pending.mask & newly)
		task_wake_others(p);
	signal_recompute(t);
	mutex_unlock(&p->signal_lock);
}

void signal_set_temporary_mask(uint64_t mask)
{
	struct task *t = task_current();

	if (!t->restore_saved_mask) {
		t->saved_mask = t->blocked;
		t->restore_saved_mask = true;
	}
	signal_set_mask(mask);
}

static bool is_interrupted(long result)
{
	return result == -EINTR || result == -ERESTARTSYS || result == -ERESTARTNOINTR ||
	       result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK;
}

long signal_unset_temporary_mask(long result)
{
	struct task *t = task_current();

	if (t->restore_saved_mask && !(is_interrupted(result) && thread_signalled())) {
		t->restore_saved_mask = false;
		signal_set_mask(t->saved_mask);
	}
	return result;
}

int signal_set_action(int sig, const struct sigaction_k *new, struct sigaction_k *old)
{
	struct process *p = process_current();

	if (sig < 1 || sig > NSIG || (new && (UNBLOCKABLE & SIGMASK(sig))))
		return -EINVAL;
	mutex_lock(&p->signal_lock);
	if (old)
		*old = p->action[sig - 1];
	if (new) {
		p->action[sig - 1] = *new;
		p->action[sig - 1].flags &= SA_KNOWN;
		p->action[sig - 1].mask &= ~UNBLOCKABLE;
		if (is_ignored(p, NULL, sig))
			signal_flush_ignored(p, sig);
	}
	mutex_unlock(&p->signal_lock);
	return 0;
}

void signal_reset_for_exec(struct process *p)
{
	mutex_lock(&p->signal_lock);
	for (unsigned i = 0; i < NSIG; i++) {
		uint64_t handler = p->action[i].handler;

		memset(&p->action[i], 0, sizeof(p->action[i]));
		p->action[i].handler = handler == SIG_IGN ? SIG_IGN : SIG_DFL;
	}
	mutex_unlock(&p->signal_lock);
	task_current()->altstack = (stack_t){ .ss_flags = SS_DISABLE };
}

static bool on_altstack(const stack_t *s, uintptr_t sp)
{
	return !(s->ss_flags & (SS_AUTODISARM | SS_DISABLE)) && sp > (uintptr_t)s->ss_sp &&
	       sp - (uintptr_t)s->ss_sp <= s->ss_size;
}

int signal_set_altstack(const stack_t *new, stack_t *old, uintptr_t sp)
{
	stack_t *s = &task_current()->altstack;
	stack_t before = *s;

	if (old) {
		memset(old, 0, sizeof(*old));
		old->ss_sp = before.ss_sp;
		old->ss_size = before.ss_size;
		old->ss_flags = before.ss_flags & (SS_AUTODISARM | SS_DISABLE);
		if (on_altstack(&before, sp))
			old->ss_flags |= SS_ONSTACK;
	}
	if (new) {
		uint32_t mode = new->ss_flags & ~SS_AUTODISARM;

		if (on_altstack(&before, sp))
			return -EPERM;
		if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
			return -EINVAL;
		if (mode == SS_DISABLE) {
			*s = (stack_t){ .ss_flags = SS_DISABLE | (new->ss_flags &SS_AUTODISARM) };
			return 0;
		}
		if (new->ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		*s = (stack_t){ new->ss_sp, new->ss_flags &SS_AUTODISARM, new->ss_size };
	}
	return 0;
}

/* ---- delivery ---- */

bool signal_is_fatal_default(int sig)
{
	return !((DEFAULT_IGNORED | STOP_SIGNALS) & SIGMASK(sig));
}

/* The call was interrupted and no handler runs: repeat it, or continue it by restart_syscall. */
static void restart_without_handler(struct trap_frame *f)
{
	switch ((long)f->orig_rax < 0 ? 0 : -(long)f->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		f->rax = f->orig_rax;
		f->rip -= 2; /* the length of 'syscall' */
		break;
	case ERESTART_RESTARTBLOCK:
		f->rax = SYS_restart_syscall;
		f->rip -= 2;
		break;
	}
	f->orig_rax = -1;
}

static void restart_with_handler(struct trap_frame *f, uint64_t sa_flags)
{
	switch ((long)f->orig_rax < 0 ? 0 : -(long)f->rax) {
	case ERESTARTSYS:
		if (!(sa_flags & SA_RESTART)) {
			f->rax = -EINTR;
			break;
		}
		/* fall through */
	case ERESTARTNOINTR:
		f->rax = f->orig_rax;
		f->rip -= 2;
		break;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK: f->rax = -EINTR; break;
	}
	f->orig_rax = -1;
}

static __noreturn void die(const struct trap_frame *frame, int sig, const siginfo_t *info)
{
	fault_report(frame, sig, info);
	process_exit_group(sig | (DEFAULT_CORE & SIGMASK(sig) ? 0x80 : 0));
}

/* Before anything else: is this task to end, or to stand still? signal_lock is not held. */
static void heed_process(struct task *t)
{
	struct process *p = t->process;

	for (;;) {
		if (load_acquire(&p->group_exit))
			task_exit(p->exit_code);
		if (load_acquire(&p->exec_task) && p->exec_task != t)
			task_exit(0);
		if (!load_acquire(&p->stopped))
			return;
		mutex_lock(&p->signal_lock);
		while (p->stopped && !p->group_exit && !p->exec_task)
			condvar_wait(&p->going_on, &p->signal_lock);
		mutex_unlock(&p->signal_lock);
	}
}

/* Runs a handler. The mask that the frame saves is the one from before sigsuspend or ppoll. */
static void run_handler(struct task *t, struct trap_frame *frame, int sig,
	const struct sigaction_k *action, const siginfo_t *info)
{
	uint64_t saved = t->restore_saved_mask ? t->saved_mask : t->blocked;

	process_leave_door(frame);
	rseq_interrupted(frame);
	restart_with_handler(frame, action->flags);
	t->restore_saved_mask = false;
	if (frame_push(frame, sig, action, info, saved)) {
		if (sig == SIGSEGV)
			t->process->action[SIGSEGV - 1].handler = SIG_DFL;
		signal_set_mask(saved);
		signal_force(SIGSEGV, NULL);
		return;
	}
	signal_set_mask(
		t->blocked | action->mask | (action->flags & SA_NODEFER ? 0 : SIGMASK(sig)));
}

/* Deals with one signal; false when there is none left. */
static bool deliver_one(struct task *t, struct trap_frame *frame)
{
	struct process *p = t->process;
	struct sigaction_k action;
	siginfo_t info;
	int sig;

	mutex_lock(&p->signal_lock);
	sig = dequeue(t, ~t->blocked, &info);
	if (!sig) {
		mutex_unlock(&p->signal_lock);
		return false;
	}
	action = p->action[sig - 1];
	if (action.handler > SIG_IGN && (action.flags & SA_RESETHAND))
		p->action[sig - 1].handler = SIG_DFL;
	if (action.handler == SIG_DFL && (STOP_SIGNALS & SIGMASK(sig))) {
		p->stopped = true;
		task_wake_others(p);
	}
	mutex_unlock(&p->signal_lock);

	if (action.handler > SIG_IGN)
		run_handler(t, frame, sig, &action, &info);
	else if (action.handler == SIG_DFL && signal_is_fatal_default(sig))
		die(frame, sig, &info);
	return true;
}

void signal_deliver(struct trap_frame *frame)
{
	struct task *t = task_current();
	struct process *p = t->process;

	for (;;) {
		do
			heed_process(t);
		while (deliver_one(t, frame));

		if (t->restore_saved_mask) {
			t->restore_saved_mask = false;
			signal_set_mask(t->saved_mask);
		}
		mutex_lock(&p->signal_lock);
		signal_recompute(t);
		mutex_unlock(&p->signal_lock);
		if (!thread_signalled())
			break;
	}
	restart_without_handler(frame);
}
