/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signal queues, masks and delivery on the host: signal.c with a process of two tasks whose threads
 * never run; frames, sleeping and dying are recorded instead of done.
 */
/* sources: src/process/signal.c src/process/doors.c */
/* flags: -D_GNU_SOURCE */

#include "t.h"
#include "bug_host.h"
#include "heap_host.h"
#include "abi/errno.h"
#include "abi/syscall_nr.h"
#include "process/impl.h"
#include "abi/resource.h"
#include <setjmp.h>

_Thread_local struct thread *host_current;
_Thread_local uint32_t host_cpu_id;

static struct process proc;
static struct task task[2];
static jmp_buf died;
static int death, pushed[8], push_count, push_error;
static siginfo_t pushed_info[8];
static uint64_t pushed_mask[8];

void mutex_lock(struct mutex *m)
{
	CHECK(m->count == 0);
	m->count = 1;
}
void mutex_unlock(struct mutex *m)
{
	CHECK(m->count == 1);
	m->count = 0;
}
void condvar_wait(struct condvar *c, struct mutex *m)
{
	/* A stopped task sleeps: somebody sends SIGCONT. */
	mutex_unlock(m);
	(void)signal_send_process(&proc, SIGCONT, NULL);
	mutex_lock(m);
}
void condvar_wake_all(struct condvar *c, struct mutex *m)
{
	CHECK(m->count == 1);
}
void thread_interrupt(struct thread *t)
{
	t->flags |= THREAD_SIGNAL;
}
void wait_wake_all(struct wait_queue *q, uint32_t events)
{
}
void task_wake_others(struct process *p)
{
	struct task *t;

	list_for_each_entry (t, &p->tasks, link)
		if (t != task_current())
			thread_interrupt(&t->thread);
}
void rseq_interrupted(struct trap_frame *frame)
{
}
void task_exit(int code)
{
	death = code;
	longjmp(died, 1);
}
void process_exit_group(int code)
{
	death = code;
	longjmp(died, 1);
}
void fault_report(const struct trap_frame *frame, int sig, const siginfo_t *info)
{
}
void timer_signal_taken(void *origin, siginfo_t *info)
{
	info->si_overrun = 7;
}
int frame_push(struct trap_frame *f, int sig, const struct sigaction_k *a, const siginfo_t *info,
	uint64_t mask)
{
	if (push_error)
		return push_error--, -EFAULT;
	pushed[push_count] = sig;
	pushed_mask[push_count] = mask;
	pushed_info[push_count++] = *info;
	return 0;
}

static void setup(void)
{
	mutex_lock(&proc.signal_lock);
	if (proc.pending.queue.next) {
		pending_set_destroy(&proc, &proc.pending);
		pending_set_destroy(&proc, &task[0].pending);
		pending_set_destroy(&proc, &task[1].pending);
	}
	mutex_unlock(&proc.signal_lock);
	memset(&proc, 0, sizeof(proc));
	memset(task, 0, sizeof(task));
	list_init(&proc.tasks);
	pending_set_init(&proc.pending);
	proc.rlimit[RLIMIT_SIGPENDING].soft = 100;
	for (int i = 0; i < 2; i++) {
		task[i].process = &proc;
		pending_set_init(&task[i].pending);
		list_add_tail(&proc.tasks, &task[i].link);
	}
	host_current = &task[0].thread;
	death = push_count = push_error = 0;
}

static void handle(int sig, uint64_t flags)
{
	struct sigaction_k a = { .handler = 0x1000 + sig, .flags = flags };

	CHECK_EQ(signal_set_action(sig, &a, NULL), 0);
}

static struct trap_frame deliver(void)
{
	struct trap_frame f = { .orig_rax = -1 };

	push_count = death = 0;
	if (!setjmp(died))
		signal_deliver(&f);
	return f;
}

TEST(signal_standard_is_pending_once)
{
	setup();
	handle(SIGUSR1, 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	CHECK_EQ(proc.queued, 1);
	deliver();
	CHECK_EQ(push_count, 1);
	CHECK_EQ(pushed[0], SIGUSR1);
	CHECK(!(task[0].thread.flags & THREAD_SIGNAL));
	CHECK(task[0].blocked == SIGMASK(SIGUSR1));
	CHECK_EQ(t_live(), 0);
}

TEST(signal_realtime_queues_in_order)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	setup();
	handle(SIGRTMIN + 1, SA_NODEFER);
	handle(SIGRTMIN, SA_NODEFER);
	for (int i = 0; i < 3; i++) {
		info.si_value.sival_int = i;
		CHECK_EQ(signal_send_process(&proc, SIGRTMIN + 1, &info), 0);
	}
	CHECK_EQ(signal_send_process(&proc, SIGRTMIN, &info), 0);
	deliver();
	CHECK_EQ(push_count, 4);
	CHECK_EQ(pushed[0], SIGRTMIN); /* the lowest number first */
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pushed_info[1 + i].si_value.sival_int, i);
	CHECK_EQ(proc.queued, 0);
	CHECK_EQ(t_live(), 0);
}

TEST(signal_queue_limit)
{
	siginfo_t queue = { .si_code = SI_QUEUE };

	setup();
	handle(SIGRTMIN, 0);
	task[0].blocked = task[1].blocked = ~0ull;
	for (int i = 0; i < 100; i++)
		CHECK_EQ(signal_send_process(&proc, SIGRTMIN, &queue), 0);
	CHECK_EQ(signal_send_process(&proc, SIGRTMIN, &queue), -EAGAIN);
	/* kill(2) of one gets through without a siginfo, and so does a standard signal. */
	CHECK_EQ(signal_send_process(&proc, SIGRTMIN + 2, NULL), 0);
	CHECK_EQ(signal_send_process(&proc, SIGTERM, NULL), 0);
	CHECK(proc.pending.mask & SIGMASK(SIGRTMIN + 2));
	setup();
	CHECK_EQ(t_live(), 0);
}

TEST(signal_without_memory_comes_bare)
{
	siginfo_t got, info = { .si_code = SI_QUEUE, .si_pid = 5 };

	setup();
	handle(SIGUSR1, 0);
	task[0].blocked = task[1].blocked = ~0ull;
	t_fail_alloc(1);
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, &info), 0);
	t_fail_alloc(1);
	CHECK_EQ(signal_send_process(&proc, SIGRTMIN, &info), -EAGAIN);
	CHECK_EQ(signal_take(~0ull, &got), SIGUSR1);
	CHECK_EQ(got.si_code, SI_USER);
	CHECK_EQ(got.si_pid, 0);
	CHECK_EQ(signal_take(~0ull, &got), 0);
}

TEST(signal_goes_to_who_can_take_it)
{
	setup();
	handle(SIGUSR1, 0);
	task[0].blocked = SIGMASK(SIGUSR1);
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	CHECK(!(task[0].thread.flags & THREAD_SIGNAL));
	CHECK(task[1].thread.flags & THREAD_SIGNAL);
	/* It blocks it before it comes to look: the other one is woken, and unblocking finds it. */
	host_current = &task[1].thread;
	signal_set_mask(SIGMASK(SIGUSR1));
	CHECK(task[0].thread.flags & THREAD_SIGNAL);
	host_current = &task[0].thread;
	signal_set_mask(0);
	CHECK(task[0].thread.flags & THREAD_SIGNAL);
	deliver();
	CHECK_EQ(push_count, 1);
}

TEST(signal_ignored_is_dropped_unless_blocked)
{
	struct sigaction_k ignore = { .handler = SIG_IGN }, dfl = { 0 };

	setup();
	CHECK_EQ(signal_send_process(&proc, SIGCHLD, NULL), 0);
	CHECK_EQ(proc.pending.mask, 0);
	CHECK_EQ(signal_set_action(SIGUSR1, &ignore, NULL), 0);
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	CHECK_EQ(proc.pending.mask, 0);
	task[0].blocked = SIGMASK(SIGUSR1);
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	CHECK_EQ(proc.pending.mask, SIGMASK(SIGUSR1));
	/* Setting it to be ignored (again) throws away what is pending. */
	CHECK_EQ(signal_set_action(SIGUSR1, &ignore, NULL), 0);
	CHECK_EQ(proc.pending.mask, 0);
	CHECK_EQ(signal_set_action(SIGKILL, &dfl, NULL), -EINVAL);
	CHECK_EQ(signal_set_action(SIGSTOP, &ignore, NULL), -EINVAL);
	CHECK_EQ(signal_set_action(65, NULL, NULL), -EINVAL);
	CHECK_EQ(t_live(), 0);
}

TEST(signal_default_kills_with_status)
{
	setup();
	CHECK_EQ(signal_send_process(&proc, SIGTERM, NULL), 0);
	deliver();
	CHECK_EQ(death, SIGTERM);
	setup();
	CHECK_EQ(signal_send_task(&task[0], SIGABRT, NULL), 0);
	deliver();
	CHECK_EQ(death, SIGABRT | 0x80);
}

TEST(signal_forced_beats_block_and_ignore)
{
	struct sigaction_k ignore = { .handler = SIG_IGN };
	siginfo_t info = { .si_code = SEGV_MAPERR };

	setup();
	task[0].blocked = ~0ull;
	signal_force(SIGSEGV, &info);
	deliver();
	CHECK_EQ(death, SIGSEGV | 0x80);
	setup();
	CHECK_EQ(signal_set_action(SIGSEGV, &ignore, NULL), 0);
	signal_force(SIGSEGV, &info);
	deliver();
	CHECK_EQ(death, SIGSEGV | 0x80);
	/* With a handler it runs, before any other signal that is pending. */
	setup();
	handle(SIGSEGV, 0);
	handle(SIGHUP, 0);
	CHECK_EQ(signal_send_process(&proc, SIGHUP, NULL), 0);
	signal_force(SIGSEGV, &info);
	deliver();
	CHECK_EQ(push_count, 2);
	CHECK_EQ(pushed[0], SIGSEGV);
	CHECK_EQ(pushed_info[0].si_code, SEGV_MAPERR);
}

TEST(signal_no_room_for_the_frame)
{
	setup();
	handle(SIGUSR1, 0);
	push_error = 1;
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	deliver();
	CHECK_EQ(death, SIGSEGV | 0x80);
	setup();
	handle(SIGSEGV, 0); /* a handler that cannot get its frame either */
	push_error = 2;
	signal_force(SIGSEGV, NULL);
	deliver();
	CHECK_EQ(death, SIGSEGV | 0x80);
}

TEST(signal_resethand_and_nodefer)
{
	setup();
	handle(SIGUSR1, SA_RESETHAND | SA_NODEFER);
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	deliver();
	CHECK_EQ(task[0].blocked, 0);
	CHECK_EQ(proc.action[SIGUSR1 - 1].handler, SIG_DFL);
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	deliver();
	CHECK_EQ(death, SIGUSR1);
}

TEST(signal_restarts_calls)
{
	static const struct {
		long code;
		bool handler;
		uint64_t flags;
		long rax;
		int moved;
	} c[] = {
		{ -ERESTARTSYS, true, 0, -EINTR, 0 },
		{ -ERESTARTSYS, true, SA_RESTART, SYS_read, 2 },
		{ -ERESTARTSYS, false, 0, SYS_read, 2 },
		{ -ERESTARTNOINTR, true, 0, SYS_read, 2 },
		{ -ERESTARTNOHAND, true, SA_RESTART, -EINTR, 0 },
		{ -ERESTARTNOHAND, false, 0, SYS_read, 2 },
		{ -ERESTART_RESTARTBLOCK, true, SA_RESTART, -EINTR, 0 },
		{ -ERESTART_RESTARTBLOCK, false, 0, SYS_restart_syscall, 2 },
		{ 5, true, 0, 5, 0 },
		{ -EINTR, false, 0, -EINTR, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
		struct trap_frame f = { .orig_rax = SYS_read, .rax = c[i].code, .rip = 0x1000 };

		setup();
		handle(SIGUSR1, c[i].flags);
		if (c[i].handler)
			CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
		else
			task[0].thread.flags |= THREAD_SIGNAL; /* somebody else took it */
		signal_deliver(&f);
		CHECK_EQ((long)f.rax, c[i].rax);
		CHECK_EQ(f.rip, 0x1000 - c[i].moved);
		CHECK_EQ(f.orig_rax, -1);
		signal_deliver(&f); /* nothing is restarted twice */
		CHECK_EQ(f.rip, 0x1000 - c[i].moved);
	}
}

TEST(signal_temporary_mask)
{
	setup();
	handle(SIGUSR1, 0);
	signal_set_mask(SIGMASK(SIGUSR2));
	signal_set_temporary_mask(SIGMASK(SIGHUP));
	CHECK_EQ(task[0].blocked, SIGMASK(SIGHUP));
	CHECK_EQ(signal_unset_temporary_mask(3), 3);
	CHECK_EQ(task[0].blocked, SIGMASK(SIGUSR2));
	/* Interrupted: the handler's frame holds the old mask. */
	signal_set_temporary_mask(SIGMASK(SIGHUP));
	CHECK_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	CHECK_EQ(signal_unset_temporary_mask(-EINTR), -EINTR);
	CHECK_EQ(task[0].blocked, SIGMASK(SIGHUP));
	deliver();
	CHECK_EQ(push_count, 1);
	CHECK_EQ(pushed_mask[0], SIGMASK(SIGUSR2));
	/* Interrupted, but somebody else took it: the mask comes back all the same. */
	setup();
	signal_set_temporary_mask(SIGMASK(SIGHUP));
	task[0].thread.flags |= THREAD_SIGNAL;
	signal_unset_temporary_mask(-ERESTARTNOHAND);
	deliver();
	CHECK_EQ(task[0].blocked, 0);
	CHECK(!task[0].restore_saved_mask);
}

TEST(signal_stop_and_continue)
{
	setup();
	CHECK_EQ(signal_send_process(&proc, SIGTSTP, NULL), 0);
	deliver(); /* sleeps; condvar_wait above sends SIGCONT */
	CHECK(!proc.stopped);
	CHECK_EQ(death, 0);
	/* Each kind throws the other out. */
	task[0].blocked = task[1].blocked = ~0ull;
	CHECK_EQ(signal_send_process(&proc, SIGTSTP, NULL), 0);
	CHECK_EQ(signal_send_process(&proc, SIGCONT, NULL), 0);
	CHECK_EQ(proc.pending.mask, SIGMASK(SIGCONT));
	CHECK_EQ(signal_send_process(&proc, SIGTTIN, NULL), 0);
	CHECK_EQ(proc.pending.mask, SIGMASK(SIGTTIN));
}

TEST(signal_timer_entry)
{
	struct pending_signal e = { .origin = &e };
	siginfo_t got;

	setup();
	handle(SIGALRM, 0);
	task[0].blocked = task[1].blocked = ~0ull;
	list_init(&e.link);
	e.info.si_signo = SIGALRM;
	e.info.si_code = SI_TIMER;
	CHECK(signal_send_timer(&proc, NULL, &e));
	CHECK_EQ(signal_take(~0ull, &got), SIGALRM);
	CHECK_EQ(got.si_overrun, 7);
	CHECK(list_empty(&e.link));
	CHECK(signal_send_timer(&proc, &task[1], &e));
	signal_cancel_timer(&proc, &e);
	CHECK(list_empty(&e.link));
	setup();
	CHECK(!signal_send_timer(&proc, (task[1].gone = true, &task[1]), &e));
	CHECK_EQ(t_live(), 0);
}

TEST(signal_altstack_rules)
{
	stack_t s = { (void *)0x10000, 0, 0x4000 }, old;

	setup();
	task[0].altstack.ss_flags = SS_DISABLE;
	CHECK_EQ(signal_set_altstack(NULL, &old, 0x5000), 0);
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	CHECK_EQ(signal_set_altstack(&s, NULL, 0x5000), 0);
	CHECK_EQ(signal_set_altstack(NULL, &old, 0x12000), 0);
	CHECK_EQ(old.ss_flags, SS_ONSTACK);
	CHECK_EQ(signal_set_altstack(&s, NULL, 0x12000), -EPERM);
	s.ss_size = 100;
	CHECK_EQ(signal_set_altstack(&s, NULL, 0x5000), -ENOMEM);
	s.ss_flags = 8;
	CHECK_EQ(signal_set_altstack(&s, NULL, 0x5000), -EINVAL);
	s = (stack_t){ (void *)0x10000, SS_AUTODISARM, 0x4000 };
	CHECK_EQ(signal_set_altstack(&s, NULL, 0x5000), 0);
	CHECK_EQ(signal_set_altstack(NULL, &old, 0x12000), 0);
	CHECK_EQ((long)old.ss_flags, (long)SS_AUTODISARM);
	s.ss_flags = SS_DISABLE;
	CHECK_EQ(signal_set_altstack(&s, NULL, 0x12000), 0);
	CHECK_EQ(signal_set_altstack(NULL, &old, 0x5000), 0);
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	CHECK_EQ(old.ss_size, 0);
}
