/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a task: made (first task, clone), started, ended. The last task to end takes its
 * process with it, and the first process's end is the machine's.
 */

#include "process/impl.h"
#include "abi/clone.h"
#include "abi/errno.h"
#include "cpu/context.h"
#include "cpu/uaccess.h"
#include "diag/crash.h"
#include "diag/log.h"
#include "drivers/drivers.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "net/net.h"
#include "sched/clock.h"
#include "sched/futex.h"

struct trap_frame *task_frame(const struct task *t)
{
	return (struct trap_frame *)t->thread.kstack_top - 1;
}

void task_put(struct task *t)
{
	if (atomic_sub(&t->refcount, 1) != 1)
		return;
	heap_free(t->fpu_memory);
	process_put(t->process);
	heap_free(t);
}

static void task_release(struct thread *thread)
{
	task_put(container_of(thread, struct task, thread));
}

/* On the new task's kernel stack, below the place where its frame goes. */
static __noinline __noreturn void enter_program(struct task *t)
{
	*task_frame(t) = t->start_frame;
	if (t->process->vm) {
		vm_set_current(t->process->vm);
		thread_set_root(vm_space_root(t->process->vm));
	}
	if (t->start)
		t->start(t->start_arg);
	if (t->set_child_tid) {
		int ignored = put_user(t->thread.id, t->set_child_tid);

		(void)ignored; /* Linux ignores it as well */
	}
	cpu_return_to_program();
}

/*
 * The scheduler calls this at the very top of the kernel stack, where the program's registers must
 * lie: step below them first. What lies above belongs to callers that are never returned to.
 */
static void task_entry(void *arg)
{
	char frame_room[sizeof(struct trap_frame) + 64];

	__asm__ volatile("" ::"r"(frame_room) : "memory");
	enter_program(arg);
}

static int task_alloc_fpu(struct task *t)
{
	size_t size = ALIGN_UP(cpu_fpu_size(), 64);
	uintptr_t area;

	t->fpu_memory = heap_alloc(2 * size + 64);
	if (!t->fpu_memory)
		return -ENOMEM;
	area = ALIGN_UP((uintptr_t)t->fpu_memory, 64);
	t->thread.context.fpu = (void *)area;
	t->fpu_bounce = (void *)(area + size);
	return 0;
}

struct task *task_create(struct process *p, const char *name)
{
	struct task *t = heap_alloc_zeroed(sizeof(*t));

	if (!t)
		return NULL;
	if (task_alloc_fpu(t)) {
		heap_free(t);
		return NULL;
	}
	if (thread_init(&t->thread, name, task_entry, t)) {
		heap_free(t->fpu_memory);
		heap_free(t);
		return NULL;
	}
	if (process_reserve_tid(t->thread.id)) {
		thread_id_free(t->thread.id);
		kstack_free(t->thread.kstack_top);
		heap_free(t->fpu_memory);
		heap_free(t);
		return NULL;
	}
	t->thread.release = task_release;
	t->refcount = 1;
	t->process = p;
	atomic_add(&p->refcount, 1);
	t->cred = &p->cred;
	list_init(&t->link);
	pending_set_init(&t->pending);
	t->altstack.ss_flags = SS_DISABLE;
	t->start_time = clock_now();
	t->timer_slack = 50 * NSEC_PER_USEC;
	return t;
}

void task_start(struct task *t)
{
	process_add_task(t->process, t);
	/* An exit_group or execve that came before we were on the list has not seen us. */
	mutex_lock(&t->process->signal_lock);
	signal_recompute(t);
	mutex_unlock(&t->process->signal_lock);
	thread_start(&t->thread);
}

static long clone_check(const struct clone_args *a)
{
	const uint64_t thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND;

	if ((a->flags & CLONE_THREAD) && !(a->flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((a->flags & CLONE_SIGHAND) && !(a->flags & CLONE_VM))
		return -EINVAL;
	if ((a->flags & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS))
		return -EINVAL;
	if ((a->flags & CLONE_THREAD) && (a->flags & (CLONE_NEWUSER | CLONE_NEWPID)))
		return -EINVAL;
	if ((a->flags & CLONE_SIGHAND) && (a->flags & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if (a->flags & CLONE_NEW_ANY)
		return -EPERM;
	if (a->set_tid_size)
		return -EPERM;
	if (!(a->flags & CLONE_THREAD) || (a->flags & thread_flags) != thread_flags) {
		log_once(LOG_WARNING, "fork is not supported: the program runs as one process");
		return -ENOSYS;
	}
	if (a->flags & CLONE_PIDFD)
		return -EINVAL; /* as Linux 6.1 for threads */
	if ((a->flags & CLONE_SETTLS) && !user_range_ok((void *)a->tls, 1))
		return -EPERM;
	return 0;
}

long task_clone(const struct clone_args *a, const struct trap_frame *frame)
{
	struct task *self = task_current(), *t;
	uint32_t tid;
	long err = clone_check(a);

	if (err)
		return err;
	t = task_create(self->process, self->thread.name);
	if (!t)
		return -ENOMEM;
	tid = t->thread.id;
	if ((a->flags & CLONE_PARENT_SETTID) && put_user(tid, (uint32_t *)a->parent_tid)) {
		/* Linux leaves the word alone and goes on. */
	}
	t->start_frame = *frame;
	t->start_frame.rax = 0;
	t->start_frame.orig_rax = -1;
	if (a->stack)
		t->start_frame.rsp = a->stack + a->stack_size;
	cpu_fpu_save_new(t->thread.context.fpu);
	t->thread.context.user_fs_base = a->flags & CLONE_SETTLS ? a->tls : cpu_get_fs_base();
	t->thread.context.user_gs_base = cpu_get_gs_base();
	if (a->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = (uint32_t *)a->child_tid;
	if (a->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = (uint32_t *)a->child_tid;
	t->personality = self->personality;
	t->timer_slack = self->timer_slack;
	thread_inherit(&t->thread, &self->thread);
	t->blocked = self->blocked;
	task_start(t);
	return tid;
}

void task_wake_others(struct process *p)
{
	struct task *t;

	list_for_each_entry (t, &p->tasks, link)
		if (t != task_current() && !t->gone)
			thread_interrupt(&t->thread);
}

/* Wakes a futex word under both names that a waiter may have used for it. */
static void wake_word(struct process *p, uintptr_t addr)
{
	struct futex_key private = { (uint64_t)p->vm, addr }, key;

	futex_wake(private.object, private.offset, 1, ~0u);
	if (vm_object_key(p->vm, addr, &key.object, &key.offset) == 0 &&
		(key.object != private.object || key.offset != private.offset))
		futex_wake(key.object, key.offset, 1, ~0u);
}

#define ROBUST_LIST_LIMIT 2048
#define FUTEX_WAITERS	  0x80000000u
#define FUTEX_OWNER_DIED  0x40000000u
#define FUTEX_TID_MASK	  0x3fffffffu

/* A robust mutex whose holder dies: mark it and let the next one have it (set_robust_list(2)). */
static void robust_word_died(struct task *t, uintptr_t addr, bool pi)
{
	uint32_t old;

	if (!IS_ALIGNED(addr, 4) || user_load_u32((uint32_t *)addr, &old))
		return;
	for (;;) {
		uint32_t seen = old;

		if ((old & FUTEX_TID_MASK) != t->thread.id)
			return;
		if (user_cas_u32((uint32_t *)addr, &seen, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
			return;
		if (seen == old)
			break;
		old = seen;
	}
	if (old & FUTEX_WAITERS)
		wake_word(t->process, addr);
}

static void robust_list_walk(struct task *t)
{
	struct { /* struct robust_list_head; bit 0 of an entry says that it is a PI futex */
		uintptr_t next;
		int64_t offset;
		uintptr_t op_pending;
	} head;
	uintptr_t at, next;

	if (!t->robust_list || copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	at = head.next;
	for (unsigned n = 0; n < ROBUST_LIST_LIMIT; n++) {
		uintptr_t entry = at & ~1ul;

		if (entry == (uintptr_t)t->robust_list)
			break;
		if (copy_from_user(&next, (void *)entry, sizeof(next)))
			break;
		if (entry != (head.op_pending & ~1ul))
			robust_word_died(t, entry + head.offset, at & 1);
		at = next;
		cond_resched();
	}
	if (head.op_pending & ~1ul)
		robust_word_died(t, (head.op_pending & ~1ul) + head.offset, head.op_pending & 1);
}

/* The last task is gone: nobody else touches p any more. */
static void process_end(struct process *p)
{
	int status = p->exit_code & 0x7f ? 128 + (p->exit_code & 0x7f) : p->exit_code >> 8 & 0xff;

	timers_exit(p);
	fdtable_put(p->fds);
	if (p->parent == NULL) {
		net_shutdown(); /* what was sent arrives, within bounds */
		if (stdio_in_out && stdio_in_out->drain)
			stdio_in_out->drain(stdio_in_out);
		if (stdio_err && stdio_err != stdio_in_out && stdio_err->drain)
			stdio_err->drain(stdio_err);
		machine_exit(status);
	}
}

__noreturn void task_exit(int code)
{
	struct task *t = task_current();
	struct process *p = t->process;

	t->exiting = true;
	t->exit_code = code;
	robust_list_walk(t);
	process_hide_task(t); /* before a pthread_join can return */
	if (t->clear_child_tid && put_user(0u, t->clear_child_tid) == 0)
		wake_word(p, (uintptr_t)t->clear_child_tid);

	mutex_lock(&p->signal_lock);
	t->gone = true;
	if (t->thread.id == p->pid)
		t->thread.keep_id = true; /* the process's name, until the last task is gone */
	pending_set_destroy(p, &t->pending);
	/* What was for the process and woke only us is somebody else's now. */
	if (p->pending.mask)
		task_wake_others(p);
	if (!p->group_exit && t->thread.id == p->pid)
		p->exit_code = code; /* exit of the first thread, pthread_exit included */
	mutex_unlock(&p->signal_lock);

	if (process_remove_task(p, t))
		process_end(p);
	task_put(t); /* the list's reference; the running thread's goes in task_release */
	thread_exit();
}

/* The machine must not outlive its program because one task does not end. */
#define EXIT_PATIENCE (2 * NSEC_PER_SEC)

__noreturn void process_exit_group(int code)
{
	struct process *p = process_current();
	bool first;

	mutex_lock(&p->signal_lock);
	first = !p->group_exit;
	if (first) {
		p->group_exit = true;
		p->exit_code = code;
		task_wake_others(p);
		condvar_wake_all(&p->going_on, &p->signal_lock);
	}
	mutex_unlock(&p->signal_lock);
	if (first && !p->parent &&
		wait_event_timeout(&p->exit_wait, load_acquire(&p->task_count) == 1,
			clock_now() + EXIT_PATIENCE)) {
		log_err("%u threads did not end within 2 seconds of exit", p->task_count - 1);
		process_end(p);
	}
	task_exit(code);
}
