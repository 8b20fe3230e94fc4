/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of processes and tasks, and what tasks share. */

#include "process/impl.h"
#include "abi/clone.h"
#include "abi/resource.h"
#include "diag/log.h"
#include "lib/bug.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/clock.h"

#define TABLE_SIZE	 256
#define ALL_CAPABILITIES ((2ull << CAP_LAST_CAP) - 1)

char process_hostname[65] = "skiff", process_domainname[65] = "(none)";

static struct mutex table_lock; /* guards both tables */
static struct list_node task_table[TABLE_SIZE];
static struct list_node process_table[TABLE_SIZE];

static struct list_node *bucket(struct list_node *table, uint32_t id)
{
	return &table[hash_u64(id) % TABLE_SIZE];
}

void process_init(void)
{
	for (unsigned i = 0; i < TABLE_SIZE; i++) {
		list_init(&task_table[i]);
		list_init(&process_table[i]);
	}
}

struct task *task_find(uint32_t tid)
{
	struct task *t, *found = NULL;

	mutex_lock(&table_lock);
	list_for_each_entry (t, bucket(task_table, tid), hash_link) {
		if (t->thread.id == tid) {
			atomic_add(&t->refcount, 1);
			found = t;
			break;
		}
	}
	mutex_unlock(&table_lock);
	return found;
}

struct process *process_find(uint32_t pid)
{
	struct process *p, *found = NULL;

	mutex_lock(&table_lock);
	list_for_each_entry (p, bucket(process_table, pid), hash_link) {
		if (p->pid == pid) {
			atomic_add(&p->refcount, 1);
			found = p;
			break;
		}
	}
	mutex_unlock(&table_lock);
	return found;
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
	list_init(&p->hash_link);
	pending_set_init(&p->pending);
	wait_init(&p->signal_wait);
	wait_init(&p->stop_wait);
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

	mutex_lock(&table_lock);
	list_add(bucket(task_table, t->thread.id), &t->hash_link);
	if (list_empty(&p->hash_link))
		list_add(bucket(process_table, p->pid), &p->hash_link);
	mutex_unlock(&table_lock);
}

void process_hide_task(struct task *t)
{
	mutex_lock(&table_lock);
	list_del(&t->hash_link);
	mutex_unlock(&table_lock);
}

bool process_remove_task(struct process *p, struct task *t)
{
	bool last;

	mutex_lock(&p->lock);
	mutex_lock(&p->signal_lock);
	p->dead_cpu_time += thread_cpu_time(&t->thread);
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
	thread_id_free(t->thread.id);
	mutex_lock(&table_lock);
	list_del(&t->hash_link);
	t->thread.id = tid;
	list_add(bucket(task_table, tid), &t->hash_link);
	mutex_unlock(&table_lock);
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
