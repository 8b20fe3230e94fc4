/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/skiff: what the kernel counts and remembers about itself. Linux has nothing of it. */

#include "syscall/procfs.h"

#include "abi/errno.h"
#include "cpu/percpu.h"
#include "diag/counter.h"
#include "diag/trace.h"
#include "fs/vnode.h"
#include "mem/heap.h"
#include "sched/mutex.h"

static int show_counters(struct text *t, void *arg)
{
	const char *name;
	uint64_t value;

	for (unsigned i = 0; counter_read(i, &name, &value); i++)
		text_printf(t, "%-32s %lu\n", name, value);
	return 0;
}

/* --- locks --- */

/* Into place among the n before it: most waits first, otherwise as they were linked. */
static void sort_in(struct lock_stats *all, unsigned n, struct lock_stats fresh)
{
	for (; n && all[n - 1].waits < fresh.waits; n--)
		all[n] = all[n - 1];
	all[n] = fresh;
}

static int show_locks(struct text *t, void *arg)
{
	struct lock_stats *all = heap_alloc(LOCK_CLASSES_MAX * sizeof(*all)), s;
	unsigned n = 0;

	if (!all)
		return -ENOMEM;
	while (lock_class_read(n, &s)) {
		sort_in(all, n, s);
		n++;
	}
	text_printf(t, "%-24s %10s %16s %12s %10s\n", "class", "waits", "wait_ns", "longest_ns",
		"tokens");
	for (unsigned i = 0; i < n; i++)
		text_printf(t, "%-24s %10lu %16lu %12lu %10lu\n", all[i].name, all[i].waits,
			all[i].wait_ns, all[i].longest_ns, all[i].tokens);
	heap_free(all);
	return 0;
}

/* --- the trace ring --- */

static int show_trace(struct text *t, void *arg)
{
	struct trace_entry e;

	for_each_cpu (cpu)
		for (uint32_t i = 0; trace_read(cpu, i, &e); i++)
			text_printf(t, "%u %lu.%09lu %s %lx %lx\n", cpu, e.time / NSEC_PER_SEC,
				e.time % NSEC_PER_SEC, trace_event_name(e.event), e.a, e.b);
	return 0;
}

#define TRACE_ENTRIES_MAX 32768ul

/* The rings are made once: a CPU may be writing into the one it has, so none is ever freed. */
static int make_rings(uint64_t entries)
{
	static uint64_t made; /* guarded by rings_lock */
	static DEFINE_MUTEX(rings_lock);
	uint64_t n = 32;
	int err = 0;

	while (n < MIN(entries, TRACE_ENTRIES_MAX))
		n *= 2;
	mutex_lock(&rings_lock);
	for_each_cpu (cpu) {
		struct trace_ring *r;

		if (made > cpu)
			continue;
		r = heap_alloc_zeroed(sizeof(*r) + n * sizeof(r->entry[0]));
		if (!r) {
			err = -ENOMEM;
			break;
		}
		r->mask = n - 1;
		trace_set_ring(cpu, r);
		made++;
	}
	mutex_unlock(&rings_lock);
	return err;
}

static ssize_t store_trace(const char *data, size_t n, void *arg)
{
	uint64_t entries = 0;
	size_t i = 0;
	int err = 0;

	for (; i < n && data[i] >= '0' && data[i] <= '9' && i < 9; i++)
		entries = entries * 10 + (data[i] - '0');
	if (!i || (i < n && data[i] != '\n'))
		return -EINVAL;
	if (entries)
		err = make_rings(entries);
	if (err)
		return err;
	__atomic_store_n(&trace_scheduling, entries != 0, __ATOMIC_RELAXED);
	return (ssize_t)n;
}

void procfs_skiff_init(void)
{
	procfs_add("skiff/counters", 0444, show_counters, NULL, NULL);
	procfs_add("skiff/locks", 0444, show_locks, NULL, NULL);
	procfs_add("skiff/trace", 0644, show_trace, store_trace, NULL);
}
