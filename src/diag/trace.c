/* SPDX-License-Identifier: BSD-2-Clause */
#include "diag/trace.h"
#include "cpu/percpu.h"
#include "diag/clockhook.h"
#include "diag/log.h"

#define ENTRIES 32

struct trace_ring {
	uint32_t next;
	struct {
		uint64_t time, a, b;
		uint16_t event;
	} entry[ENTRIES];
};
static DEFINE_PERCPU(struct trace_ring, trace_rings);

void trace(uint16_t event, uint64_t a, uint64_t b)
{
	struct trace_ring *r = this_cpu(trace_rings);
	unsigned i = r->next++ % ENTRIES;

	r->entry[i].time = diag_clock ? diag_clock() : 0;
	r->entry[i].event = event;
	r->entry[i].a = a;
	r->entry[i].b = b;
}

static const char *event_name(uint16_t event)
{
	static const char *const names[] = { "none", "switch", "wake", "irq", "fault", "syscall",
		"signal", "idle" };

	return event < ARRAY_SIZE(names) ? names[event] : "user";
}

void trace_print(int level)
{
	for_each_cpu (cpu) {
		const struct trace_ring *r = cpu_of(trace_rings, cpu);

		for (uint32_t n = 0; n < ENTRIES; n++) {
			unsigned i = (r->next + n) % ENTRIES;

			if (r->entry[i].event)
				log_at(level, "trace cpu%u %lu.%09lu %s %lx %lx", cpu,
					r->entry[i].time / NSEC_PER_SEC,
					r->entry[i].time % NSEC_PER_SEC,
					event_name(r->entry[i].event), r->entry[i].a,
					r->entry[i].b);
		}
	}
}
