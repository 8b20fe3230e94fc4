/* SPDX-License-Identifier: BSD-2-Clause */
#include "diag/trace.h"
#include "cpu/percpu.h"
#include "diag/clockhook.h"
#include "diag/log.h"

#define ENTRIES 32

/* What every CPU has without anybody's asking. */
struct first_ring {
	struct trace_entry entry[ENTRIES];
	uint32_t next;
};
static DEFINE_PERCPU(struct first_ring, first_rings);
static DEFINE_PERCPU(struct trace_ring *, trace_rings); /* atomic; NULL: the first one */
bool trace_scheduling;

void trace(uint16_t event, uint64_t a, uint64_t b)
{
	struct trace_ring *r = load_acquire(this_cpu(trace_rings)); /* pairs with trace_set_ring */
	struct first_ring *first = this_cpu(first_rings);
	struct trace_entry *e =
		r ? &r->entry[r->next++ & r->mask] : &first->entry[first->next++ % ENTRIES];

	e->time = diag_clock ? diag_clock() : 0;
	e->event = event;
	e->a = a;
	e->b = b;
}

void trace_set_ring(uint32_t cpu, struct trace_ring *r)
{
	store_release(cpu_of(trace_rings, cpu), r);
}

bool trace_read(uint32_t cpu, uint32_t i, struct trace_entry *out)
{
	const struct trace_ring *r = load_acquire(cpu_of(trace_rings, cpu));
	const struct first_ring *first = cpu_of(first_rings, cpu);
	uint32_t next = load_relaxed(r ? &r->next : &first->next), size = r ? r->mask + 1 : ENTRIES;

	if (i >= MIN(next, size))
		return false;
	if (next > size)
		i += next;
	*out = r ? r->entry[i & r->mask] : first->entry[i % ENTRIES];
	return true;
}

const char *trace_event_name(uint16_t event)
{
	static const char *const names[] = { "none", "switch", "wake", "irq", "fault", "syscall",
		"signal", "idle" };

	return event < ARRAY_SIZE(names) ? names[event] : "user";
}

static uint32_t count(uint32_t cpu)
{
	const struct trace_ring *r = load_acquire(cpu_of(trace_rings, cpu));

	return r ? MIN(r->next, r->mask + 1)
		 : MIN(cpu_of(first_rings, cpu)->next, (uint32_t)ENTRIES);
}

void trace_print(int level)
{
	struct trace_entry e;

	for_each_cpu (cpu) {
		uint32_t n = count(cpu);

		for (uint32_t i = n > ENTRIES ? n - ENTRIES : 0; trace_read(cpu, i, &e); i++)
			log_at(level, "trace cpu%u %lu.%09lu %s %lx %lx", cpu,
				e.time / NSEC_PER_SEC, e.time % NSEC_PER_SEC,
				trace_event_name(e.event), e.a, e.b);
	}
}
