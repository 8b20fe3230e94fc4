/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/lock_class.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "sched/clock.h"

struct lock_counts {
	uint64_t waits, wait_ns, longest_ns, tokens; /* atomic: written by this CPU only */
};
struct class_counts {
	struct lock_counts of[LOCK_CLASSES_MAX];
};
static DEFINE_PERCPU(struct class_counts, class_counts);

uint16_t lock_class_find(const void *lock)
{
	uintptr_t at = cpu_percpu_template((uintptr_t)lock);

	for (const struct lock_class *c = __start_lock_classes; c < __stop_lock_classes; c++)
		if (at - (uintptr_t)c->object < c->size)
			return lock_class_index(c);
	return 0;
}

static void add(uint64_t *count, uint64_t n)
{
	store_relaxed(count, load_relaxed(count) + n);
}

void lock_class_waited(uint16_t index, uint64_t since, bool token)
{
	uint64_t ns = clock_now() - since;
	struct lock_counts *c = &this_cpu(class_counts)->of[index];

	add(&c->waits, 1);
	add(&c->wait_ns, ns);
	add(&c->tokens, token);
	if (ns > load_relaxed(&c->longest_ns))
		store_relaxed(&c->longest_ns, ns);
}

bool lock_class_read(unsigned i, struct lock_stats *out)
{
	if (i > __stop_lock_classes - __start_lock_classes)
		return false;
	*out = (struct lock_stats){ .name = i ? __start_lock_classes[i - 1].name : "other" };
	for_each_cpu (cpu) {
		const struct lock_counts *c = &cpu_of(class_counts, cpu)->of[i];

		out->waits += load_relaxed(&c->waits);
		out->wait_ns += load_relaxed(&c->wait_ns);
		out->tokens += load_relaxed(&c->tokens);
		out->longest_ns = MAX(out->longest_ns, load_relaxed(&c->longest_ns));
	}
	return true;
}
