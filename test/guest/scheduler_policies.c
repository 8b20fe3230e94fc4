/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies, priorities, nice and affinity: checks, inheritance, and that a change counts at once.
 */
/* root */
#include <sched.h>
#include <sys/resource.h>
#include "t.h"

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct sched_param param(int priority)
{
	return (struct sched_param){ .sched_priority = priority };
}

static void show(const char *who)
{
	struct sched_param p = param(-1);
	struct attr a = { 0 };
	int policy = sched_getscheduler(0);

	sched_getparam(0, &p);
	printf("%s: policy %d%s priority %d nice %d", who, policy & 0xff,
		policy & SCHED_RESET_ON_FORK ? " reset" : "", p.sched_priority,
		getpriority(PRIO_PROCESS, syscall(SYS_gettid)));
	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) == 0)
		printf(", attr: policy %u flags %lu nice %d priority %u", a.policy, a.flags, a.nice,
			a.priority);
	printf("\n");
}

static void set(int policy, int priority)
{
	struct sched_param p = param(priority);
	int ret = sched_setscheduler(0, policy, &p);

	printf("set %#x %d: %s\n", policy, priority, ret ? t_errno(errno) : "done");
}

static void *child(void *arg)
{
	show(arg);
	return NULL;
}

static void inherit(const char *what)
{
	printf("%s\n", what);
	show("  parent");
	pthread_join(t_thread(child, "  child"), NULL);
}

static void errors(void)
{
	struct sched_param p = param(0);
	struct timespec ts;
	struct attr a = { .size = sizeof(a), .policy = SCHED_RR, .priority = 7 };

	for (int policy = -1; policy < 7; policy++) {
		printf("%d: %d to %d\n", policy, sched_get_priority_min(policy),
			sched_get_priority_max(policy));
		if (policy != 6) {
			set(policy, 0);
			set(policy, 1);
		}
	}
	set(SCHED_FIFO, 100);
	set(SCHED_OTHER, 0);
	RET(sched_setscheduler(0, SCHED_OTHER, NULL));
	RET(sched_setscheduler(-5, SCHED_OTHER, &p));
	RET(sched_setscheduler(0x3ffffff, SCHED_OTHER, &p));
	RET(sched_getscheduler(-5));
	RET(sched_getparam(0, NULL));
	RET(sched_rr_get_interval(-5, &ts));
	set(SCHED_FIFO, 3);
	RET(sched_rr_get_interval(0, &ts));
	printf("FIFO interval %ld.%09ld\n", ts.tv_sec, ts.tv_nsec);
	RET(syscall(SYS_sched_setattr, 0, &a, 0));
	show("RR by attr");
	RET(sched_rr_get_interval(0, &ts));
	printf("RR interval %ld.%09ld\n", ts.tv_sec, ts.tv_nsec);
	RET(syscall(SYS_sched_setattr, 0, &a, 1));
	a.flags = 1ul << 40;
	RET(syscall(SYS_sched_setattr, 0, &a, 0));
	a = (struct attr){ .size = 40 };
	RET(syscall(SYS_sched_setattr, 0, &a, 0));
	IS(a.size >= 48);
	RET(syscall(SYS_sched_getattr, 0, &a, 40, 0));
	RET(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 1));
	set(SCHED_OTHER, 0);
	RET(getpriority(9, 0));
	RET(setpriority(PRIO_PROCESS, 0x3ffffff, 0));
}

static void inheritance(void)
{
	struct attr a = { .size = sizeof(a), .policy = SCHED_OTHER, .flags = 1, .nice = -7 };

	set(SCHED_RR, 5);
	inherit("RR");
	set(SCHED_RR | SCHED_RESET_ON_FORK, 5);
	inherit("RR, reset");
	RET(sched_setparam(0, &(struct sched_param){ .sched_priority = 6 }));
	show("after sched_setparam");
	set(SCHED_BATCH | SCHED_RESET_ON_FORK, 0);
	RET(setpriority(PRIO_PROCESS, 0, 5));
	inherit("BATCH, nice 5, reset");
	RET(syscall(SYS_sched_setattr, 0, &a, 0));
	inherit("OTHER, nice -7, reset");
	set(SCHED_OTHER, 0);
	inherit("OTHER, nice -7");
	RET(setpriority(PRIO_PROCESS, 0, -50));
	show("nice -50");
	RET(setpriority(PRIO_PROCESS, 0, 0));
}

/* One CPU: a worker that computes, and us. */
static volatile int worker_tid, seen_fifo, stop;

static void *worker(void *arg)
{
	struct sched_param p = param(0);

	worker_tid = syscall(SYS_gettid);
	while (!stop) {
		int fifo = sched_getscheduler(0) == SCHED_FIFO;

		if (fifo) {
			for (volatile int i = 0; i < 1000000; i++)
				;
			seen_fifo = 1;
			sched_setscheduler(0, SCHED_OTHER, &p);
		}
	}
	return NULL;
}

static void at_once(void)
{
	cpu_set_t all, one, last;
	struct sched_param p = param(1);
	int cpu = 0, n = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t id;

	NEED(sched_getaffinity(0, sizeof(all), &all) == 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	RET(sched_setaffinity(0, sizeof(one), &one));
	id = t_thread(worker, NULL);
	while (!worker_tid)
		sched_yield();
	/* It becomes more urgent than we are, on our CPU: nothing of ours happens before it is
	 * done. */
	NEED(sched_setscheduler(worker_tid, SCHED_FIFO, &p) == 0);
	printf("the worker ran at once: %d\n", seen_fifo);
	/* We are more urgent and never sleep; it is moved away, if there is anywhere to go. */
	CPU_ZERO(&last);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all)) {
			CPU_ZERO(&last);
			CPU_SET(i, &last);
		}
	RET(sched_setaffinity(worker_tid, sizeof(last), &last));
	if (n > 1) {
		set(SCHED_FIFO, 2);
		seen_fifo = 0;
		NEED(sched_setscheduler(worker_tid, SCHED_FIFO, &p) == 0);
		while (!seen_fifo)
			;
		set(SCHED_OTHER, 0);
	} else {
		printf("set 0x1 2: done\nset 0 0: done\n");
	}
	stop = 1;
	pthread_join(id, NULL);
	RET(sched_setaffinity(0, sizeof(all), &all));
}

/* Masks longer than the machine has CPUs, shorter than the kernel's, and of no CPU. */
static void masks(void)
{
	static unsigned long many[1024 / 8], back[1024 / 8];
	int n = sysconf(_SC_NPROCESSORS_CONF);

	memset(many, 0xff, sizeof(many));
	RET(syscall(SYS_sched_setaffinity, 0, sizeof(many), many));
	IS(syscall(SYS_sched_getaffinity, 0, sizeof(back), back) >= (n + 63) / 64 * 8);
	IS(__builtin_popcountl(back[0]) >= 1);
	RET(syscall(SYS_sched_getaffinity, 0, 7, back));
	RET(syscall(SYS_sched_getaffinity, 0, 0, back));
	RET(syscall(SYS_sched_getaffinity, 0, sizeof(back) - 4, back));
	RET(syscall(SYS_sched_setaffinity, 0, 1, "\xff"));
	memset(many, 0, sizeof(many));
	RET(syscall(SYS_sched_setaffinity, 0, sizeof(many), many));
	RET(syscall(SYS_sched_setaffinity, 0, 0, many));
	many[LENGTH(many) - 1] = ~0ul;
	RET(syscall(SYS_sched_setaffinity, 0, sizeof(many), many));
	RET(syscall(SYS_sched_setaffinity, 0, 8, BAD_PTR));
	RET(syscall(SYS_sched_setaffinity, 0x3ffffff, 8, back));
}

int main(void)
{
	errors();
	inheritance();
	at_once();
	masks();
	return 0;
}
