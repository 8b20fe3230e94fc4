/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs: sleeping, waking, choosing, switching, idling. Every CPU does this for itself; other
 * CPUs only push onto its incoming list and interrupt it when it would not look soon enough.
 *
 * No wake-up is lost between CPUs. The waker pushes, then reads mode; the CPU writes mode, then
 * reads its incoming list; all four are sequentially consistent, so either the CPU sees the push
 * or the waker sees the new mode:
 *	schedule sets BUSY, then drains		a waker that still saw SLICED has pushed before
 *	idle sets HALTED, then looks last	a waker that still saw IDLE has pushed before
 * BUSY and HALTED get an IPI, which waits while interrupts are off and then sets
 * THREAD_NEED_RESCHED on whatever runs; or HALTED gets a kick, which ends the halt or, if that has
 * not begun yet, waits for it. On the CPU itself the last look at the list comes after interrupts
 * are off, so its own handlers cannot slip in between either.
 */

#include "sched/impl.h"
#include "abi/sched.h"
#include "cpu/apic.h"
#include "cpu/barrier.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "cpu/irqflags.h"
#include "diag/trace.h"
#include "lib/bug.h"
#include "mem/pagetable.h"
#include "sched/clock.h"

DEFINE_PERCPU(struct runqueue, runqueue);
void (*sched_kick_halted)(uint32_t cpu);
void (*sched_root_switched)(uint64_t from, uint64_t to);

static struct thread boot_thread;
static struct thread idle_threads[MAX_CPUS];

static void request_resched(struct thread *t)
{
	atomic_or(&t->flags, THREAD_NEED_RESCHED);
}

/* --- The CPU's timer: the end of the slice or the next timer, whichever comes first --- */

/*
 * Interrupts are off. Arms only for an earlier moment than what is armed; an interrupt that comes
 * too early since then arms the rest. So a CPU that switches often does not program its timer
 * each time.
 */
static void program_timer(struct runqueue *rq)
{
	uint64_t when = MIN(rq->slice_end, load_acquire(&rq->next_timer)), now;

	if (when >= rq->armed)
		return;
	now = clock_now();
	rq->armed = when;
	apic_timer_arm(when > now ? when - now : 0);
}

static void timer_interrupt(void *arg)
{
	struct runqueue *rq = this_cpu(runqueue);
	uint64_t now = clock_now();

	rq->timer_interrupts++;
	rq->armed = UINT64_MAX;
	if (load_acquire(&rq->next_timer) <= now && load_acquire(&rq->timer_thread)) {
		store_release(&rq->next_timer, UINT64_MAX); /* its thread sets the next one */
		thread_wake(rq->timer_thread);
	}
	if (rq->slice_end <= now) {
		rq->slice_end = UINT64_MAX;
		request_resched(thread_current());
	}
	program_timer(rq);
}

static void wake_interrupt(void *arg)
{
	struct runqueue *rq = this_cpu(runqueue);

	request_resched(thread_current());
	program_timer(rq);
	if (unlikely(load_relaxed(&rq->barrier_wanted)))
		sched_barrier_answer(rq);
}

void sched_send_ipi(uint32_t cpu)
{
	this_cpu(runqueue)->ipis++;
	apic_send_ipi(cpu, IRQ_VECTOR_WAKE);
}

/*
 * Always looks at what is armed: the interrupt may just have taken the old value away, so comparing
 * with that says nothing.
 */
void sched_timer_set(uint32_t cpu, uint64_t expiry)
{
	struct runqueue *rq = cpu_of(runqueue, cpu);
	bool on;

	atomic_xchg(&rq->next_timer, expiry);
	if (cpu == cpu_id()) {
		on = irq_save();
		program_timer(rq);
		irq_restore(on);
	} else if (expiry != UINT64_MAX) {
		sched_send_ipi(cpu);
	}
}

/*
 * Arms nothing: what is armed is early enough for the old value, so for this one. Should the
 * interrupt have taken the old value away, or be about to, the timer thread is awake and sets the
 * next one, whichever of the two stores comes last.
 */
void sched_timer_later(uint32_t cpu, uint64_t expiry)
{
	store_release(&cpu_of(runqueue, cpu)->next_timer, expiry);
}

/* --- Choosing a CPU --- */

static uint32_t any_allowed(const struct thread *t)
{
	for_each_cpu (cpu)
		if (thread_may_run_on(t, cpu))
			return cpu;
	return 0; /* the mask names no CPU that is there: thread_set_affinity does not allow it */
}

/*
 * A driver's thread that runs on this CPU, with nobody queued, works off a batch of microseconds
 * and sleeps. Whom it wakes waits for that rather than move away from where its packets arrive; if
 * it takes longer, balance_push gives him away.
 */
bool sched_free_soon(void)
{
	const struct thread *running = thread_current();

	return sched_is_driver(running) && !cpu_local()->irq_depth && !this_cpu(runqueue)->queued;
}

/*
 * Somebody whose last CPU has halted, woken by a driver's thread that is done here at once: to get
 * that CPU out of its halt costs more than he does, if there is room for him.
 */
static bool better_here(struct runqueue *rq, struct thread *t, uint32_t last)
{
	return load_relaxed(&cpu_of(runqueue, last)->mode) == CPU_HALTED && sched_free_soon() &&
	       thread_may_run_on(t, cpu_id()) && balance_room(rq, t);
}

/*
 * Its last CPU, unless that is taken and another is idle, or it is better_here. Only a saved thread
 * may move (S3).
 */
static inline uint32_t choose_cpu(struct thread *t)
{
	uint32_t last = load_relaxed(&t->cpu), idle;

	if (load_acquire(&t->on_cpu))
		return last; /* if it may not run there any more, that CPU passes it on */
	if (unlikely(!thread_may_run_on(t, last)))
		last = any_allowed(t);
	if (cpu_count() == 1 ||
		(last == cpu_id() && sched_free_soon() && !balance_crowded(this_cpu(runqueue), t)))
		return last;
	if (sched_is_idle(last))
		return better_here(this_cpu(runqueue), t, last) ? cpu_id() : last;
	idle = sched_find_idle(t);
	return idle < MAX_CPUS ? idle : last;
}

static __noinline void limit_slice_now(struct runqueue *rq, struct thread *running, uint64_t end)
{
	bool on = irq_save();

	if (clock_now() >= end)
		request_resched(running);
	else
		program_timer(rq);
	irq_restore(on);
}

/*
 * The slice shall end at 'end' at the latest. Usually the timer is armed for an earlier moment, and
 * its handler looks at slice_end then. Interrupts are on: a handler between the store and the look
 * at 'armed' has seen the new end, one before the store has set 'armed' as we see it.
 */
static inline void limit_slice(struct runqueue *rq, struct thread *running, uint64_t end)
{
	if (end >= rq->slice_end)
		return;
	store_relaxed(&rq->slice_end, end);
	barrier();
	if (unlikely(end < load_relaxed(&rq->armed)))
		limit_slice_now(rq, running, end);
}

/* The end of the slice of one that was alone and so had none. */
static inline uint64_t first_slice_end(const struct thread *t)
{
	if (likely(t->class == THREAD_NORMAL))
		return t->slice_start + SCALE_TAU / LEAD_DIV;
	return t->policy == SCHED_RR ? t->slice_start + SLICE_RR : UINT64_MAX;
}

/* Own CPU, thread context: straight into the queue. */
static inline void queue_here(struct runqueue *rq, struct thread *t, struct thread *running)
{
	uint64_t left;

	rq_insert(rq, t);
	if (unlikely(running == rq->idle))
		request_resched(running);
	else if (!rq_preempts(t, running, MAX(rq->scale_last, SCALE_ONE)))
		/* If it was alone it had no slice. The decision at its end computes the next. */
		limit_slice(rq, running, first_slice_end(running));
	else if (rq_protects(running, t) && (left = rq_least_left(running)))
		limit_slice(rq, running, running->slice_start + left);
	else
		request_resched(running);
}

void sched_submit(struct thread *t)
{
	uint32_t cpu = choose_cpu(t);

	if (unlikely(cpu != cpu_id()) || unlikely(cpu_local()->irq_depth) || !irq_enabled() ||
		unlikely(!thread_may_run_on(t, cpu))) {
		sched_give(t, cpu);
		return;
	}
	trace_sched(TRACE_WAKE, t->id, cpu);
	store_relaxed(&t->cpu, cpu);
	queue_here(this_cpu(runqueue), t, thread_current());
}

/* --- Sleeping and waking --- */

void thread_prepare_sleep(enum sleep_kind kind)
{
	struct thread *t = thread_current();

	/* A full barrier: the condition is read after this. Pairs with the CAS in thread_wake. */
	atomic_xchg(&t->state, kind == SLEEP_INTERRUPTIBLE ? STATE_PREPARED_INT : STATE_PREPARED);
}

void thread_cancel_sleep(void)
{
	store_relaxed(&thread_current()->state, STATE_RUNNING);
}

static bool wake_from(struct thread *t, uint32_t prepared, uint32_t asleep)
{
	uint32_t state = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST);

	for (;;) {
		if (state == prepared) {
			if (atomic_cas(&t->state, &state, STATE_RUNNING))
				return true;
		} else if (state == asleep) {
			if (atomic_cas(&t->state, &state, STATE_RUNNING)) {
				sched_submit(t);
				return true;
			}
		} else {
			return false;
		}
	}
}

bool thread_wake(struct thread *t)
{
	uint32_t state;

	/* The caller's change to the condition comes before our look at the state. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	state = load_relaxed(&t->state);
	if (likely(state >= STATE_ASLEEP) && likely(state != STATE_DEAD) &&
		likely(atomic_cas(&t->state, &state, STATE_RUNNING))) {
		sched_submit(t);
		return true;
	}
	switch (state) {
	case STATE_PREPARED_INT:
	case STATE_ASLEEP_INT: return wake_from(t, STATE_PREPARED_INT, STATE_ASLEEP_INT);
	case STATE_PREPARED:
	case STATE_ASLEEP: return wake_from(t, STATE_PREPARED, STATE_ASLEEP);
	default: return false;
	}
}

void thread_interrupt(struct thread *t)
{
	atomic_or(&t->flags, THREAD_SIGNAL);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (wake_from(t, STATE_PREPARED_INT, STATE_ASLEEP_INT))
		return;
	/* If it is just being switched to, it reads its flags after it set on_cpu. */
	if (__atomic_load_n(&t->on_cpu, __ATOMIC_SEQ_CST) && load_relaxed(&t->cpu) != cpu_id())
		sched_send_ipi(load_relaxed(&t->cpu));
}

/*
 * t's policy, priority or affinity was changed. If it sleeps or is on its way, it is queued by the
 * new ones: the writer's barrier here pairs with the CAS that wakes it and with the exchange of
 * mode before a list is drained. Else it runs or is queued, and may just be moving: every CPU that
 * is busy is asked to look. An idle one decides before it runs anything, so it sees the flag.
 */
void sched_changed(struct thread *t)
{
	if (t == thread_current()) {
		t->class = rq_class(t);
		request_resched(t);
		return;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (load_relaxed(&t->state) != STATE_RUNNING)
		return;
	for_each_cpu (cpu) {
		struct runqueue *rq = cpu_of(runqueue, cpu);

		atomic_xchg(&rq->resort, 1);
		if (cpu == cpu_id())
			request_resched(thread_current());
		else if (__atomic_load_n(&rq->mode, __ATOMIC_SEQ_CST) < CPU_IDLE)
			sched_send_ipi(cpu);
	}
}

/* --- Choosing a thread --- */

static __noinline void drain_incoming(struct runqueue *rq)
{
	uint32_t cpu = cpu_id();

	for (struct mpsc_node *n = mpsc_take_all(&rq->incoming), *next; n; n = next) {
		struct thread *t = container_of(n, struct thread, incoming);

		next = load_relaxed(&n->next);
		store_relaxed(&t->cpu, cpu);
		if (unlikely(!thread_may_run_on(t, cpu)) && !load_acquire(&t->on_cpu))
			sched_submit(t);
		else
			rq_insert(rq, t);
	}
}

/* Somebody's policy, priority or affinity was changed: everybody to the right place. */
static void resort(struct runqueue *rq, struct thread *prev, bool runnable)
{
	struct thread *t;

	atomic_xchg(&rq->resort, 0);
	if (runnable)
		prev->class = rq_class(prev);
	while ((t = rq_misplaced(rq, cpu_id()))) {
		rq_remove(rq, t);
		if (thread_may_run_on(t, cpu_id()))
			rq_insert(rq, t);
		else
			sched_submit(t);
	}
}

static __noinline void serve_wanted(struct runqueue *rq, struct thread *prev, bool runnable)
{
	if (load_relaxed(&rq->pull_request))
		balance_serve(rq, prev, runnable);
	if (load_relaxed(&rq->resort))
		resort(rq, prev, runnable);
	if (load_relaxed(&rq->quiescent_wanted))
		sched_quiescent(rq);
}

/* The first thread that may run here; those whose affinity changed meanwhile are sent away. */
static struct thread *first_allowed(struct runqueue *rq)
{
	struct thread *t;

	while ((t = rq_first(rq)) && unlikely(!thread_may_run_on(t, cpu_id())) &&
		!load_acquire(&t->on_cpu)) {
		rq_remove(rq, t);
		sched_submit(t);
	}
	return t;
}

static inline void charge(struct runqueue *rq, struct thread *t, uint64_t now, uint64_t scale)
{
	uint64_t ran = now - t->slice_start;

	rq_charge(rq, t, scale, ran); /* R of the idle thread: balance.c */
	if (t != rq->idle)
		store_relaxed(&t->cpu_time, t->cpu_time + ran);
	else
		rq->idle_ns += ran;
	store_relaxed(&t->slice_start, now);
	rq->scale_last = scale;
	rq->now = now;
}

void sched_account(void)
{
	struct runqueue *rq = this_cpu(runqueue);
	uint64_t now = clock_now();

	charge(rq, thread_current(), now, rq_scale(rq, now));
}

/*
 * The thread to run now, taken out of the queue. prev, if it stays runnable and is not chosen, goes
 * into the queue, or is left to finish_switch if it may not stay on this CPU.
 */
static inline struct thread *pick(
	struct runqueue *rq, struct thread *prev, bool runnable, uint64_t scale)
{
	struct thread *next = first_allowed(rq);
	bool stays = runnable && thread_may_run_on(prev, cpu_id());

	if (stays && (!next || rq_stays(rq, prev, next, scale)))
		return prev;
	if (unlikely(!next))
		return rq->idle;
	rq_remove(rq, next);
	if (stays)
		rq_put_back(rq, prev, next);
	return next;
}

static inline void finish_switch(struct runqueue *rq)
{
	struct thread *prev = rq->prev;
	uint32_t state = load_relaxed(&prev->state);
	bool moves = rq->prev_moves;

	/* Its registers are saved: pairs with the acquire in choose_cpu. After this it is not ours,
	 * unless it waits for us to move it. */
	store_release(&prev->on_cpu, 0);
	if (state == STATE_DEAD)
		sched_reap(prev);
	else if (moves)
		sched_submit(prev);
}

static __noinline void switch_to_root(struct runqueue *rq, uint64_t root)
{
	if (sched_root_switched)
		sched_root_switched(rq->running_root, root);
	rq->running_root = root;
	/* Kernel threads keep what is loaded. vm/ may have taken this CPU off a dying root. */
	if (root && root != read_cr3())
		write_cr3(root);
}

static inline void switch_root(struct runqueue *rq, struct thread *next)
{
	if (next->page_root != rq->running_root)
		switch_to_root(rq, next->page_root);
}

static inline void switch_to(
	struct runqueue *rq, struct thread *prev, struct thread *next, bool moves)
{
	struct cpu_local *local = cpu_local();

	BUG_ON(next->state != STATE_RUNNING); /* S2 */
	BUG_ON(next->on_cpu);		      /* S3 */
	rq->switches++;
	rq->prev = prev;
	rq->prev_moves = moves;
	/* Before the thread reads its flags on the way out; pairs with thread_interrupt. */
	atomic_xchg(&next->on_cpu, 1);
	local->current = next;
	local->kstack_top = next->kstack_top;
	if (next->told_cpu && next->told_cpu != local->id + 1)
		(void)atomic_or(&next->flags, THREAD_NOTIFY);
	switch_root(rq, next);
	cpu_switch(&prev->context, &next->context);
	finish_switch(this_cpu(runqueue));
}

/* Somebody is queued: how long next may run, and what wakers need to know. */
static __noinline void begin_slice(
	struct runqueue *rq, struct thread *next, uint64_t now, uint64_t scale)
{
	uint64_t slice = rq_slice(rq, next, scale);

	if (balance_wanted(rq))
		slice = MIN(slice, balance_delay(rq, now));
	rq->slice_end = slice == UINT64_MAX ? UINT64_MAX : now + slice;
	program_timer(rq);
	if (slice == UINT64_MAX)
		return; /* stays CPU_BUSY */
	/* Whoever comes behind this key waits for the timer, and so do all for the least slice. */
	if (slice <= SLICE_MIN || next->class == THREAD_REALTIME)
		store_relaxed(&rq->running_key, 0);
	else
		store_relaxed(&rq->running_key,
			rq_key(rq, next) - MIN(next->run_key, next->weight * scale / LEAD_DIV));
	store_release(&rq->mode, CPU_SLICED);
}

static inline bool must_serve(struct runqueue *rq, bool runnable)
{
	return !mpsc_empty(&rq->incoming) || load_relaxed(&rq->wanted) ||
	       (rq->queued + runnable >= 2 && rq->now >= rq->next_balance);
}

/*
 * What came from others. Interrupts are off at the last look, see above, and on meanwhile.
 * balance_push and serve_wanted take their reasons away, so this ends unless others go on bringing
 * more.
 */
static __noinline void serve_others(struct runqueue *rq, struct thread *prev, bool runnable)
{
	do {
		irq_enable();
		drain_incoming(rq);
		if (rq->queued + runnable >= 2 && rq->now >= rq->next_balance)
			balance_push(rq, prev, runnable, rq->now);
		if (load_relaxed(&rq->wanted))
			serve_wanted(rq, prev, runnable);
		irq_disable();
	} while (must_serve(rq, runnable));
}

void sched_reschedule(void)
{
	struct thread *prev = thread_current(), *next;
	struct runqueue *rq = this_cpu(runqueue);
	uint64_t now, scale;
	uint32_t state;
	bool runnable, moves;

	if (load_relaxed(&prev->flags) & THREAD_NEED_RESCHED)
		atomic_and(&prev->flags, ~THREAD_NEED_RESCHED);
	/* It may be that already: then no waker has seen anything else since the last decision. */
	if (load_relaxed(&rq->mode) != CPU_BUSY)
		atomic_xchg(&rq->mode, CPU_BUSY);
	/* While prev is surely on no queue: its key must not change there. */
	now = clock_now();
	scale = rq_scale(rq, now);
	charge(rq, prev, now, scale);
	state = load_relaxed(&prev->state);
	runnable = state == STATE_RUNNING && prev != rq->idle;
	if (likely(state == STATE_PREPARED || state == STATE_PREPARED_INT))
		/* If this fails somebody woke it. From here on a wake-up submits it. */
		runnable =
			!atomic_cas(&prev->state, &state, state + (STATE_ASLEEP - STATE_PREPARED));
	irq_disable();
	if (unlikely(must_serve(rq, runnable)))
		serve_others(rq, prev, runnable);
	next = pick(rq, prev, runnable, scale);
	rq->yielding = false;
	moves = runnable && unlikely(!thread_may_run_on(prev, cpu_id()));
	if (next != prev && next != rq->idle)
		rq_charge_switch(rq, next, scale);
	store_relaxed(&next->slice_start, now);
	if (unlikely(rq->queued)) {
		begin_slice(rq, next, now, scale);
	} else {
		rq->slice_end = UINT64_MAX;
		if (unlikely(load_acquire(&rq->next_timer) < rq->armed))
			program_timer(rq);
	}
	trace_sched(TRACE_SWITCH, (uint64_t)prev->id << 32 | next->id, rq->queued);
	if (next != prev) {
		if (runnable)
			prev->involuntary_switches++;
		else
			prev->voluntary_switches++;
		switch_to(rq, prev, next, moves);
	}
	irq_enable();
}

void schedule(void)
{
	struct thread *t = thread_current();

	BUG_ON(!cpu_may_sleep()); /* a handler must not, nor a reader: sched/rcu.h */
	if (load_relaxed(&t->state) == STATE_RUNNING &&
		!(load_relaxed(&t->flags) & THREAD_NEED_RESCHED))
		return; /* woken already */
	sched_reschedule();
}

void thread_yield(void)
{
	struct runqueue *rq = this_cpu(runqueue);

	if (!rq->queued && mpsc_empty(&rq->incoming))
		return;
	rq->yielding = true;
	sched_reschedule();
}

void thread_exit(void)
{
	struct thread *t = thread_current();

	BUG_ON(t == this_cpu(runqueue)->idle);
	store_release(&t->state, STATE_DEAD);
	sched_reschedule();
	BUG("a dead thread ran");
}

/* A new thread's first steps, on its own stack, interrupts off. */
void sched_thread_trampoline(void *arg)
{
	struct thread *t = arg;

	finish_switch(this_cpu(runqueue));
	irq_enable();
	t->entry(t->arg);
	thread_exit();
}

void thread_set_root(uint64_t cr3)
{
	struct thread *t = thread_current();
	struct runqueue *rq = this_cpu(runqueue);
	bool on = irq_save();

	t->page_root = cr3;
	switch_root(rq, t);
	irq_restore(on);
}

/* --- Start --- */

static void name_thread(struct thread *t, const char *name, uint32_t cpu)
{
	for (unsigned i = 0; name[i]; i++)
		t->name[i] = name[i];
	t->cpu = cpu;
	t->state = STATE_RUNNING;
	t->kernel_thread = true;
	rq_set_weight(t);
	for (unsigned w = 0; w < ARRAY_SIZE(t->affinity); w++)
		t->affinity[w] = UINT64_MAX;
}

static struct runqueue *init_runqueue(uint32_t cpu, struct thread *running)
{
	struct runqueue *rq = cpu_of(runqueue, cpu);

	rq_init(rq);
	rq->idle = &idle_threads[cpu];
	name_thread(rq->idle, "idle", cpu);
	rq->idle->id = 0;
	rq->running_root = 0;
	running->on_cpu = 1;
	running->kstack_top = cpu_local()->kstack_top;
	running->context.kstack_top = running->kstack_top;
	running->slice_start = clock_now();
	cpu_local()->current = running;
	return rq;
}

void sched_init(void)
{
	struct runqueue *rq;
	uintptr_t stack = kstack_alloc();

	BUG_ON(!stack); /* the machine has no memory at all */
	name_thread(&boot_thread, "boot", 0);
	boot_thread.id = thread_id_kernel();
	rq = init_runqueue(0, &boot_thread);
	boot_thread.context.kstack_top =
		0; /* a part of the image: not to be freed when boot ends */
	rq->idle->kstack_top = stack;
	rq->idle->entry = sched_idle;
	cpu_context_init(&rq->idle->context, stack, sched_thread_trampoline, rq->idle);
	irq_vector_set(IRQ_VECTOR_TIMER, timer_interrupt, NULL);
	irq_vector_set(IRQ_VECTOR_WAKE, wake_interrupt, NULL);
	sched_reaper_init();
}

void sched_init_cpu(void)
{
	uint32_t cpu = cpu_id();

	init_runqueue(cpu, &idle_threads[cpu]);
}

void sched_start_cpu(void)
{
	irq_enable();
	sched_idle(NULL);
}

/* --- What others may know --- */

void sched_stats(uint32_t cpu, struct sched_stats *out)
{
	struct runqueue *rq = cpu_of(runqueue, cpu);
	uint64_t idle = load_relaxed(&rq->idle_ns);

	if (sched_is_idle(cpu) && rq->idle)
		idle += clock_now() - load_relaxed(&rq->idle->slice_start);
	*out = (struct sched_stats){
		.switches = load_relaxed(&rq->switches),
		.ipis = load_relaxed(&rq->ipis),
		.timer_interrupts = load_relaxed(&rq->timer_interrupts),
		.idle_ns = idle,
		.runnable = load_relaxed(&rq->queued) + !sched_is_idle(cpu),
	};
}

unsigned sched_runnable_count(void)
{
	unsigned n = 0;

	for_each_cpu (cpu)
		n += load_relaxed(&cpu_of(runqueue, cpu)->queued) + !sched_is_idle(cpu);
	return n;
}
