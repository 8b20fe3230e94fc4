/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of processes and tasks, and what tasks share. */

#include "process/impl.h"
#include "sched/cputime.h"
#include "abi/clone.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "diag/log.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "lockfree/refslot.h"
#include "mem/heap.h"
#include "sched/clock.h"

#define ALL_CAPABILITIES ((2ull << CAP_LAST_CAP) - 1)

char process_hostname[65] = "skiff", process_domainname[65] = "(none)";

/*
 * Tasks by number. A number belongs to one thread at a time (sched/thread.c), whose place in here
 * only that thread changes; nobody takes a lock to find it. Pages of places are made when their
 * first number is used and stay. There is one process: the program.
 */
#define TABLE_PAGE (PAGE_SIZE / sizeof(struct refslot))
static struct refslot *task_pages[THREAD_ID_COUNT / TABLE_PAGE]; /* atomic: NULL, then fixed */
static struct refslot first_process;

static struct refslot *task_slot(uint32_t tid)
{
	struct refslot *page;

	if (tid >= THREAD_ID_COUNT)
		return NULL;
	page = load_acquire(&task_pages[tid / TABLE_PAGE]);
	return page ? &page[tid % TABLE_PAGE] : NULL;
}

int process_reserve_tid(uint32_t tid)
{
	struct refslot *page, *old = NULL;

	if (task_slot(tid))
		return 0;
	page = heap_alloc_zeroed(PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	if (!atomic_cas(&task_pages[tid / TABLE_PAGE], &old, page))
		heap_free(page);
	return 0;
}

struct task *task_find(uint32_t tid)
{
	struct refslot *s = task_slot(tid);

	return s ? refslot_get(s, offsetof(struct task, refcount)) : NULL;
}

struct process *process_find(uint32_t pid)
{
	struct process *p = refslot_get(&first_process, offsetof(struct process, refcount));

	if (!p || p->pid == pid)
		return p;
	process_put(p);
	return NULL;
}

void process_put(struct process *p)
{
	if (atomic_sub(&p->refcount, 1) == 1)
		heap_free(p);
}

/* The limits that Linux gives the first process (include/asm-generic/resource.h). */
static const struct rlimit64 default_rlimit[RLIMIT_COUNT] = {
	[RLIMIT_CPU] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_FSIZE] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_DATA] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_STACK] = { MIB(8), RLIM_INFINITY },
	[RLIMIT_CORE] = { 0, RLIM_INFINITY },
	[RLIMIT_RSS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_NPROC] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_NOFILE] = { 1048576, 1048576 },
	[RLIMIT_MEMLOCK] = { MIB(8), MIB(8) },
	[RLIMIT_AS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_LOCKS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_SIGPENDING] = { 65536, 65536 },
	[RLIMIT_MSGQUEUE] = { 819200, 819200 },
	[RLIMIT_NICE] = { 0, 0 },
	[RLIMIT_RTPRIO] = { 0, 0 },
	[RLIMIT_RTTIME] = { RLIM_INFINITY, RLIM_INFINITY },
};

struct process *process_create(void)
{
	struct process *p = heap_alloc_zeroed(sizeof(*p));

	if (!p)
		return NULL;
	p->fds = fdtable_create();
	if (!p->fds) {
		heap_free(p);
		return NULL;
	}
	p->refcount = 1;
	list_init(&p->tasks);
	pending_set_init(&p->pending);
	mutex_init(&p->lock, "process.lock");
	mutex_init(&p->signal_lock, "process.signal_lock");
	wait_init(&p->signal_wait);
	wait_init(&p->exit_wait);
	memcpy(p->rlimit, default_rlimit, sizeof(p->rlimit));
	fdtable_set_limit(p->fds, p->rlimit[RLIMIT_NOFILE].soft);
	p->umask = 022;
	p->dumpable = 1;
	p->start_time = clock_now();
	p->cap_effective = p->cap_permitted = ALL_CAPABILITIES;
	return p;
}

void process_add_task(struct process *p, struct task *t)
{
	atomic_add(&t->refcount, 1);
	mutex_lock(&p->lock);
	mutex_lock(&p->signal_lock);
	list_add_tail(&p->tasks, &t->link);
	p->task_count++;
	mutex_unlock(&p->signal_lock);
	mutex_unlock(&p->lock);

	if (!load_relaxed(&first_process.word)) /* the first task is alone */
		refslot_set(&first_process, p, offsetof(struct process, refcount));
	BUG_ON(!refslot_set(task_slot(t->thread.id), t, offsetof(struct task, refcount)));
}

void process_hide_task(struct task *t)
{
	refslot_exchange(task_slot(t->thread.id), NULL, offsetof(struct task, refcount));
}

bool process_remove_task(struct process *p, struct task *t)
{
	bool last;

	mutex_lock(&p->lock);
	mutex_lock(&p->signal_lock);
	p->dead_cpu_time += thread_cpu_time(&t->thread);
	p->dead_system_time += t->thread.system_time;
	p->dead_voluntary += t->thread.voluntary_switches;
	p->dead_involuntary += t->thread.involuntary_switches;
	list_del(&t->link);
	last = --p->task_count == 0;
	mutex_unlock(&p->signal_lock);
	mutex_unlock(&p->lock);
	wait_wake_all(&p->exit_wait, 0);
	return last;
}

/* execve by a thread makes it the process's first thread: it takes over that one's number. */
void process_rename_task(struct task *t, uint32_t tid)
{
	uint32_t old = t->thread.id;

	process_hide_task(t);
	t->thread.id = tid;
	BUG_ON(!refslot_set(task_slot(tid), t, offsetof(struct task, refcount)));
	thread_id_free(old);
}

uint64_t process_cpu_time(struct process *p)
{
	struct task *t;
	uint64_t sum;

	mutex_lock(&p->lock);
	sum = p->dead_cpu_time;
	list_for_each_entry (t, &p->tasks, link)
		sum += thread_cpu_time(&t->thread);
	mutex_unlock(&p->lock);
	return sum;
}

struct cputime process_cputime(struct process *p)
{
	struct cputime parts;
	uint64_t sum, system;
	struct task *t;

	mutex_lock(&p->lock);
	sum = p->dead_cpu_time;
	system = p->dead_system_time;
	list_for_each_entry (t, &p->tasks, link) {
		sum += thread_cpu_time(&t->thread);
		system += load_relaxed(&t->thread.system_time);
	}
	parts = cputime_split(sum, system, &p->shown_cputime);
	mutex_unlock(&p->lock);
	return parts;
}

struct cputime task_cputime(struct process *p, struct task *t)
{
	struct cputime parts;

	mutex_lock(&p->lock);
	parts = cputime_split(thread_cpu_time(&t->thread), load_relaxed(&t->thread.system_time),
		&t->shown_cputime);
	mutex_unlock(&p->lock);
	return parts;
}

struct path_context process_path_context(void)
{
	struct process *p = process_current();

	return (struct path_context){
		.root = p->root,
		.cwd = p->cwd,
		.uid = p->cred.fsuid,
		.gid = p->cred.fsgid,
		.umask = p->umask,
		.groups = p->cred.groups,
		.group_count = p->cred.group_count,
	};
}
