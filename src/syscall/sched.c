/* SPDX-License-Identifier: BSD-2-Clause */
/* sched(7): policies, priorities, affinity. */

#include "abi/sched.h"
#include "abi/time.h"
#include "cpu/percpu.h"
#include "lib/string.h"
#include "process/process.h"
#include "sched/thread.h"
#include "syscall/syscall.h"
#include "syscall/time_util.h"

/* What sched_rr_get_interval(2) shows. */
#define RR_INTERVAL	100000000ull
#define NORMAL_INTERVAL 10000000ull

static struct task *find(int tid)
{
	struct task *t;

	if (tid)
		return task_find(tid);
	t = task_current();
	__atomic_fetch_add(&t->refcount, 1, __ATOMIC_RELAXED);
	return t;
}

static bool privileged(void)
{
	return task_current()->cred->euid == 0;
}

static bool is_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

SYSCALL_DEFINE0(sched_yield)
{
	thread_yield();
	return 0;
}

SYSCALL_DEFINE3(getcpu, uint32_t *, ucpu, uint32_t *, unode, void *, unused)
{
	uint32_t cpu = cpu_id(), node = 0;

	if (ucpu && put_user(cpu, ucpu))
		return -EFAULT;
	return unode ? put_user(node, unode) : 0;
}

SYSCALL_DEFINE3(sched_getaffinity, int, tid, unsigned, len, uint64_t *, umask)
{
	uint64_t mask[MAX_CPUS / 64] = { 0 };
	unsigned size = DIV_ROUND_UP(cpu_count(), 64) * 8;
	struct task *t;

	if (len < size || len % 8)
		return -EINVAL;
	t = find(tid);
	if (!t)
		return -ESRCH;
	for_each_cpu (cpu)
		mask[cpu / 64] |= t->thread.affinity[cpu / 64] & 1ull << (cpu % 64);
	task_put(t);
	return copy_to_user(umask, mask, size) ? -EFAULT : (long)size;
}

SYSCALL_DEFINE3(sched_setaffinity, int, tid, unsigned, len, const uint64_t *, umask)
{
	uint64_t mask[MAX_CPUS / 64] = { 0 };
	struct task *t;
	int err;

	if (copy_from_user(mask, umask, MIN((size_t)len, sizeof(mask))))
		return -EFAULT;
	t = find(tid);
	if (!t)
		return -ESRCH;
	err = thread_set_affinity(&t->thread, mask, ARRAY_SIZE(mask));
	task_put(t);
	return err;
}

/* The policy as sched_setscheduler(2) takes it, checked as Linux does. */
static int set_scheduler(struct task *t, int policy, int priority)
{
	bool reset = policy & SCHED_RESET_ON_FORK;
	int err;

	policy &= ~SCHED_RESET_ON_FORK;
	if (policy < 0 || priority < 0 || priority > 99)
		return -EINVAL;
	if ((is_realtime(policy) || (t->thread.reset_on_fork && !reset)) && !privileged())
		return -EPERM;
	err = thread_set_policy(&t->thread, policy, priority);
	if (!err)
		t->thread.reset_on_fork = reset;
	return err;
}

/* As sched_getscheduler(2) shows it and set_scheduler takes it. */
static int policy_of(const struct task *t)
{
	return t->thread.policy | (t->thread.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

static long set_param(int tid, int policy, const int *uparam)
{
	struct task *t;
	int priority;
	long ret;

	if (!uparam || tid < 0)
		return -EINVAL;
	if (get_user(priority, uparam))
		return -EFAULT;
	t = find(tid);
	if (!t)
		return -ESRCH;
	ret = set_scheduler(t, policy < 0 ? policy_of(t) : policy, priority);
	task_put(t);
	return ret;
}

SYSCALL_DEFINE3(sched_setscheduler, int, tid, int, policy, const int *, uparam)
{
	return policy < 0 ? -EINVAL : set_param(tid, policy, uparam);
}

SYSCALL_DEFINE2(sched_setparam, int, tid, const int *, uparam)
{
	return set_param(tid, -1, uparam);
}

SYSCALL_DEFINE1(sched_getscheduler, int, tid)
{
	struct task *t;
	int policy;

	if (tid < 0)
		return -EINVAL;
	t = find(tid);
	if (!t)
		return -ESRCH;
	policy = policy_of(t);
	task_put(t);
	return policy;
}

SYSCALL_DEFINE2(sched_getparam, int, tid, int *, uparam)
{
	struct task *t;
	int priority;

	if (!uparam || tid < 0)
		return -EINVAL;
	t = find(tid);
	if (!t)
		return -ESRCH;
	priority = t->thread.rt_priority;
	task_put(t);
	return put_user(priority, uparam);
}

SYSCALL_DEFINE3(sched_setattr, int, tid, struct sched_attr *, uattr, unsigned, flags)
{
	struct sched_attr attr = { 0 };
	struct task *t;
	uint32_t size;
	long ret;

	if (!uattr || tid < 0 || flags)
		return -EINVAL;
	if (get_user(size, &uattr->size))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) {
		uint32_t known = sizeof(attr);

		return put_user(known, &uattr->size) ? -EFAULT : -E2BIG;
	}
	if (copy_from_user(&attr, uattr, MIN((size_t)size, sizeof(attr))))
		return -EFAULT;
	if ((int)attr.sched_policy < 0 || attr.sched_policy >= SCHED_DEADLINE ||
		attr.sched_flags & ~SCHED_FLAG_RESET_ON_FORK)
		return -EINVAL;
	t = find(tid);
	if (!t)
		return -ESRCH;
	if (attr.sched_flags & SCHED_FLAG_RESET_ON_FORK)
		attr.sched_policy |= SCHED_RESET_ON_FORK;
	ret = set_scheduler(t, attr.sched_policy, attr.sched_priority);
	if (!ret && !is_realtime(attr.sched_policy & ~SCHED_RESET_ON_FORK))
		thread_set_nice(&t->thread, attr.sched_nice);
	task_put(t);
	return ret;
}

SYSCALL_DEFINE4(
	sched_getattr, int, tid, struct sched_attr *, uattr, unsigned, size, unsigned, flags)
{
	struct sched_attr attr = { 0 };
	struct task *t;

	if (!uattr || tid < 0 || size > PAGE_SIZE || size < SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	t = find(tid);
	if (!t)
		return -ESRCH;
	attr.size = MIN(size, (unsigned)sizeof(attr));
	attr.sched_policy = t->thread.policy;
	attr.sched_flags = t->thread.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_realtime(t->thread.policy))
		attr.sched_priority = t->thread.rt_priority;
	else
		attr.sched_nice = t->thread.nice;
	attr.sched_util_max = 1024;
	task_put(t);
	return copy_to_user(uattr, &attr, attr.size);
}

SYSCALL_DEFINE1(sched_get_priority_max, int, policy)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR: return 99;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE: return 0;
	default: return -EINVAL;
	}
}

SYSCALL_DEFINE1(sched_get_priority_min, int, policy)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR: return 1;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE: return 0;
	default: return -EINVAL;
	}
}

SYSCALL_DEFINE2(sched_rr_get_interval, int, tid, struct timespec *, uts)
{
	struct timespec ts = { 0 };
	struct task *t;

	if (tid < 0)
		return -EINVAL;
	t = find(tid);
	if (!t)
		return -ESRCH;
	if (t->thread.policy == SCHED_RR)
		ts.tv_nsec = RR_INTERVAL;
	else if (t->thread.policy != SCHED_FIFO)
		ts.tv_nsec = NORMAL_INTERVAL;
	task_put(t);
	return copy_to_user(uts, &ts, sizeof(ts));
}

/* --- nice --- */

/* Does PRIO_PGRP or PRIO_USER name the running process? There is no other. */
static bool names_us(int which, uint32_t who)
{
	struct process *p = process_current();

	return which == PRIO_PGRP ? !who || who == p->pgid : !who || who == p->cred.uid;
}

SYSCALL_DEFINE2(getpriority, int, which, uint32_t, who)
{
	struct process *p = process_current();
	struct task *t;
	int nice = 20;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	if (which == PRIO_PROCESS) {
		t = find(who);
		if (!t)
			return -ESRCH;
		nice = t->thread.nice;
		task_put(t);
		return 20 - nice;
	}
	if (!names_us(which, who))
		return -ESRCH;
	mutex_lock(&p->lock);
	list_for_each_entry (t, &p->tasks, link)
		nice = MIN(nice, (int)t->thread.nice);
	mutex_unlock(&p->lock);
	return 20 - nice;
}

static int set_nice(struct task *t, int nice)
{
	if (nice < t->thread.nice && !privileged())
		return -EACCES;
	thread_set_nice(&t->thread, nice);
	return 0;
}

SYSCALL_DEFINE3(setpriority, int, which, uint32_t, who, int, nice)
{
	struct process *p = process_current();
	struct task *t;
	int err = 0;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = MAX(-20, MIN(19, nice));
	if (which == PRIO_PROCESS) {
		t = find(who);
		if (!t)
			return -ESRCH;
		err = set_nice(t, nice);
		task_put(t);
		return err;
	}
	if (!names_us(which, who))
		return -ESRCH;
	mutex_lock(&p->lock);
	list_for_each_entry (t, &p->tasks, link)
		err = set_nice(t, nice) ? -EACCES : err;
	mutex_unlock(&p->lock);
	return err;
}
