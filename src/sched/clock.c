/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time from a counter: ns = base_ns + (ticks - base_ticks) * mult >> shift, with a 128-bit product,
 * so that it is exact however long the machine runs. Two copies under a latch: a reader, an
 * interrupt handler included, never waits for the writer.
 */

#include "sched/clock.h"
#include "cpu/barrier.h"
#include "lib/bug.h"
#include "lockfree/latch.h"
#include "sched/mutex.h"

#define SHIFT 32

struct clock_state {
	uint64_t (*read)(void);
	uint64_t base_ticks, base_ns;
	uint64_t mult; /* ns per tick << SHIFT */
};

static struct mutex clock_lock = MUTEX_INIT; /* writers: all below */
static const struct clock_source *current_source;
static struct latch latch;
static struct clock_state state[2];
static uint64_t realtime_offset; /* atomic */

union clock_vdso_page clock_vdso_page __aligned(4096);

static uint64_t convert(uint64_t ticks, uint64_t mult)
{
	return (unsigned __int128)ticks * mult >> SHIFT;
}

uint64_t clock_now(void)
{
	uint64_t ns, ticks;
	uint32_t seq;

	do {
		struct clock_state *s;
		uint64_t (*read)(void);

		seq = latch_read(&latch);
		s = &state[seq & 1];
		read = load_relaxed(&s->read);
		if (unlikely(!read))
			return 0;
		ticks = read() - load_relaxed(&s->base_ticks);
		if (unlikely((int64_t)ticks < 0))
			ticks = 0; /* this CPU's counter is a little behind the writer's */
		ns = load_relaxed(&s->base_ns) + convert(ticks, load_relaxed(&s->mult));
	} while (unlikely(latch_changed(&latch, seq)));
	return ns;
}

static void store_state(struct clock_state *to, const struct clock_state *from)
{
	store_relaxed(&to->read, from->read);
	store_relaxed(&to->base_ticks, from->base_ticks);
	store_relaxed(&to->base_ns, from->base_ns);
	store_relaxed(&to->mult, from->mult);
}

/* The program's copy is a plain seqlock: who finds it odd makes the system call. */
static void publish_vdso(const struct clock_state *s)
{
	struct clock_vdso_data *v = &clock_vdso_page.data;
	unsigned shift = SHIFT;
	uint64_t mult = s->mult;

	while (mult > UINT32_MAX) {
		mult >>= 1;
		shift--;
	}
	store_relaxed(&v->seq, v->seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	store_relaxed(&v->mode, current_source && current_source->is_tsc);
	store_relaxed(&v->base_tsc, s->base_ticks);
	store_relaxed(&v->base_ns, s->base_ns);
	store_relaxed(&v->realtime_offset, load_relaxed(&realtime_offset));
	store_relaxed(&v->mult, mult);
	store_relaxed(&v->shift, shift);
	store_release(&v->seq, v->seq + 1);
}

/* Time goes on from what it is now, with another counter or rate. clock_lock is held. */
static void change(const struct clock_source *source, uint64_t hz)
{
	struct clock_state new = {
		.read = source->read,
		.base_ns = clock_now(),
		.base_ticks = source->read(),
		.mult = (NSEC_PER_SEC << SHIFT) / hz, /* 2^62: fits */
	};

	current_source = source;
	latch_write_first(&latch);
	store_state(&state[0], &new);
	latch_write_second(&latch);
	store_state(&state[1], &new);
	publish_vdso(&new);
}

void clock_register(const struct clock_source *source, uint64_t hz)
{
	BUG_ON(!hz);
	mutex_lock(&clock_lock);
	if (!current_source || source->rating > current_source->rating)
		change(source, hz);
	mutex_unlock(&clock_lock);
}

void clock_set_rate(uint64_t hz)
{
	BUG_ON(!hz);
	mutex_lock(&clock_lock);
	if (current_source)
		change(current_source, hz);
	mutex_unlock(&clock_lock);
}

uint64_t clock_realtime(void)
{
	return clock_now() + load_relaxed(&realtime_offset);
}

void clock_set_realtime(uint64_t ns)
{
	mutex_lock(&clock_lock);
	store_relaxed(&realtime_offset, ns - clock_now());
	publish_vdso(&state[0]);
	mutex_unlock(&clock_lock);
}
