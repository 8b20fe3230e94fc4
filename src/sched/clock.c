/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock is a timeline over the best counter there is. The program's vDSO reads a copy; while
 * that copy changes it makes the system call, which never waits.
 */

#include "sched/clock.h"
#include "cpu/barrier.h"
#include "cpu/io.h"
#include "lib/bug.h"
#include "lockfree/timeline.h"
#include "sched/mutex.h"

static DEFINE_MUTEX(clock_lock);		  /* writers: all below */
static const struct clock_source *current_source; /* fixed once a second CPU runs */
static bool by_tsc;				  /* the same */
static struct timeline timeline;
static uint64_t realtime_offset; /* atomic */

union clock_vdso_page clock_vdso_page __aligned(4096);

static __noinline uint64_t now_slow(void)
{
	if (unlikely(!current_source))
		return 0;
	return timeline_now(&timeline, current_source->read);
}

/* timeline_now where no change is under way and the source is the TSC: every decision asks. */
uint64_t clock_now(void)
{
	uint64_t seq = load_acquire(&timeline.seq), ns;

	if (unlikely(seq % 2) || unlikely(!by_tsc))
		return now_slow();
	ns = timeline_at(&timeline.line[seq / 2 % 2], rdtsc_ordered());
	return likely(load_acquire(&timeline.seq) == seq) ? ns : now_slow();
}

static void vdso_begin(void)
{
	struct clock_vdso_data *v = &clock_vdso_page.data;

	__atomic_store_n(&v->seq, v->seq + 1, __ATOMIC_SEQ_CST);
}

static void vdso_end(const struct timeline_line *l)
{
	struct clock_vdso_data *v = &clock_vdso_page.data;

	store_relaxed(&v->mode, current_source && current_source->is_tsc);
	store_relaxed(&v->base_tsc, load_relaxed(&l->base_ticks));
	store_relaxed(&v->base_ns, load_relaxed(&l->base_ns));
	store_relaxed(&v->mult, load_relaxed(&l->mult));
	store_relaxed(&v->realtime_offset, load_relaxed(&realtime_offset));
	store_release(&v->seq, v->seq + 1);
}

static uint64_t mult_of(uint64_t hz)
{
	BUG_ON(!hz);
	return (NSEC_PER_SEC << TIMELINE_SHIFT) / hz; /* 2^62: fits */
}

static const struct timeline_line *current_line(void)
{
	return &timeline.line[timeline.seq / 2 % 2];
}

void clock_register(const struct clock_source *source, uint64_t hz)
{
	uint64_t now = clock_now();

	if (current_source && source->rating <= current_source->rating)
		return;
	current_source = source;
	by_tsc = source->is_tsc;
	timeline_init(&timeline, source->read(), now, mult_of(hz));
	vdso_begin();
	vdso_end(current_line());
}

void clock_set_rate(uint64_t hz)
{
	mutex_lock(&clock_lock);
	if (current_source) {
		vdso_begin();
		vdso_end(timeline_change(&timeline, mult_of(hz), current_source->read));
	}
	mutex_unlock(&clock_lock);
}

uint64_t clock_realtime(void)
{
	return clock_now() + load_relaxed(&realtime_offset);
}

void clock_set_realtime(uint64_t ns)
{
	mutex_lock(&clock_lock);
	vdso_begin();
	store_relaxed(&realtime_offset, ns - clock_now());
	vdso_end(current_line());
	mutex_unlock(&clock_lock);
}
