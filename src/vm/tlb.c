/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLB shoot-down. Each space knows the CPUs whose TLB may hold entries of it. A CPU that runs a
 * kernel thread or idles keeps the last space's tables loaded but does not use them ("lazy"): it is
 * not interrupted, it only has to flush before it runs that space again.
 *
 *	state of a CPU:		ACTIVE		uses its loaded space
 *				LAZY		does not; entries may be stale only if STALE
 *				STALE		does not; must flush when it goes back
 *
 *	root_switched, to 0	ACTIVE -> LAZY
 *	tlb_flush elsewhere	LAZY -> STALE (CAS)	instead of an interrupt
 *	root_switched, back	LAZY or STALE -> ACTIVE (exchange), flush if it was STALE
 *
 * Why a lazy CPU may be left alone: both changes of its state are atomic operations on one word,
 * so one comes first. If the initiator's CAS does, the exchange sees STALE and flushes before the
 * program runs; if the exchange does, the CAS fails and the CPU is interrupted. Nothing reads
 * program memory while LAZY: uaccess belongs to threads that have a root.
 *
 * A CPU enters space->cpus before it loads the root. The initiator changes the tables before it
 * reads that mask: so a CPU it does not see will walk the changed tables.
 *
 * Requests. Every CPU has a request slot; a thread uses the slot of the CPU it starts on (a mutex
 * keeps it against other threads of the same CPU), so shoot-downs of different CPUs go on side by
 * side. For each CPU to be told the initiator sets its slot's bit in that CPU's word 'from', and
 * interrupts it if the word was 0: otherwise an interrupt is on its way whose handler has not taken
 * the word yet, and will find this bit too. The handler takes the word (exchange), serves every
 * slot named in it, and counts itself off; the last one wakes the initiator. It pins the initiator
 * before that, as it may run on, and even exit, from then on.
 *
 *			  tlb_flush/leave   handler	      root_switched
 *	tlb_flush/leave	  slot's mutex	    bit and count     state and mask, above
 *	handler		  bit and count	    of its own CPU    interrupts are off in both
 *
 * The initiator looks for the answers for POLL_NS at most, as they usually come within the time of
 * a thread switch, and then sleeps. Handlers run meanwhile: nobody waits for somebody who waits.
 */

#include "cpu/apic.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "cpu/percpu.h"
#include "diag/counter.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "vm/impl.h"

#define FULL_FLUSH_PAGES 32 /* from here on everything is flushed rather than page by page */
#define POLL_NS		 10000

COUNTER(tlb_shootdown);
COUNTER(tlb_shootdown_cpus);
COUNTER(tlb_shootdown_joined); /* interrupts saved, as one was on its way */
COUNTER(tlb_shootdown_slept);

enum { TLB_ACTIVE, TLB_LAZY, TLB_STALE };

struct tlb_request {
	struct mutex lock;
	/* guarded by lock while being made; then read by handlers that found the slot's bit */
	struct vm_space *space;
	uintptr_t start, end;
	bool leave;
	struct thread *initiator;
	uint32_t left; /* atomic: CPUs still to answer */
};

struct tlb_cpu {
	struct vm_space *loaded; /* whose root is in CR3; of this CPU, and of tlb_leave's handler */
	uint32_t state;		 /* atomic */
	struct tlb_request request;   /* its slot */
	uint64_t from[MAX_CPUS / 64]; /* atomic: slots whose request this CPU has to serve */
};
static DEFINE_PERCPU(struct tlb_cpu, tlb_cpu);
LOCK_CLASS_OF(tlb_cpu, "tlb_request.lock");

struct vm_space *tlb_loaded(void)
{
	return this_cpu(tlb_cpu)->loaded;
}

static void flush_all(void)
{
	write_cr3(read_cr3()); /* the kernel's entries are global and stay */
}

static void flush_here(uintptr_t start, uintptr_t end)
{
	if ((end - start) >> PAGE_SHIFT >= FULL_FLUSH_PAGES) {
		flush_all();
		return;
	}
	for (; start < end; start += PAGE_SIZE)
		invlpg(start);
}

static inline uint64_t cpu_bit(uint32_t cpu)
{
	return 1ull << (cpu % 64);
}

static void leave_here(struct vm_space *s)
{
	struct tlb_cpu *t = this_cpu(tlb_cpu);

	if (t->loaded != s)
		return;
	write_cr3(kernel_pagetable.root.raw);
	t->loaded = NULL;
	(void)atomic_and(&s->cpus[cpu_id() / 64], ~cpu_bit(cpu_id()));
}

static void serve(struct tlb_request *r)
{
	struct thread *initiator = r->initiator;

	thread_pin(initiator);
	if (r->leave)
		leave_here(r->space);
	else if (this_cpu(tlb_cpu)->loaded == r->space)
		flush_here(r->start, r->end);
	if (atomic_sub(&r->left, 1) == 1)
		thread_wake(initiator);
	thread_unpin(initiator);
}

static void on_interrupt(void *arg)
{
	struct tlb_cpu *t = this_cpu(tlb_cpu);

	for (unsigned w = 0; w < DIV_ROUND_UP(cpu_count(), 64u); w++) {
		uint64_t slots = load_relaxed(&t->from[w]) ? atomic_xchg(&t->from[w], 0) : 0;

		for (; slots; slots &= slots - 1)
			serve(&cpu_of(tlb_cpu, w * 64 + __builtin_ctzll(slots))->request);
	}
}

static void wait_for_answers(struct tlb_request *r)
{
	uint64_t until = clock_now() + POLL_NS;

	do { /* [waits: tlb-answers] */
		if (load_acquire(&r->left) == 0)
			return;
		cpu_pause();
	} while (clock_now() < until);
	counter_inc(tlb_shootdown_slept);
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (load_acquire(&r->left) == 0)
			break;
		schedule();
	}
	thread_cancel_sleep();
}

/* Lets the CPU know of the request in that slot. */
static void tell(uint32_t cpu, uint32_t slot)
{
	uint64_t old = __atomic_fetch_or(
		&cpu_of(tlb_cpu, cpu)->from[slot / 64], cpu_bit(slot), __ATOMIC_SEQ_CST);

	BUG_ON(old & cpu_bit(slot));
	if (old)
		counter_inc(tlb_shootdown_joined);
	else
		apic_send_ipi(cpu, IRQ_VECTOR_TLB);
}

/* The CPUs of s, but this one, that must be interrupted; lazy ones are told in passing. */
static uint32_t choose_cpus(struct vm_space *s, bool leave, uint64_t chosen[MAX_CPUS / 64])
{
	uint32_t n = 0, self = cpu_id();

	for_each_cpu (cpu) {
		uint32_t lazy = TLB_LAZY, *state = &cpu_of(tlb_cpu, cpu)->state;

		if (cpu == self ||
			!(__atomic_load_n(&s->cpus[cpu / 64], __ATOMIC_SEQ_CST) & cpu_bit(cpu)))
			continue;
		if (!leave && (atomic_cas(state, &lazy, TLB_STALE) || lazy == TLB_STALE))
			continue;
		chosen[cpu / 64] |= cpu_bit(cpu);
		n++;
	}
	return n;
}

static void shoot_down(struct vm_space *s, uintptr_t start, uintptr_t end, bool leave)
{
	uint64_t chosen[MAX_CPUS / 64] = { 0 };
	uint32_t n, slot = cpu_id();
	struct tlb_request *r = &cpu_of(tlb_cpu, slot)->request;

	mutex_lock(&r->lock);
	/* From here to the last interrupt sent we stay on this CPU: nothing sleeps. */
	if (leave)
		leave_here(s);
	else if (this_cpu(tlb_cpu)->loaded == s)
		flush_here(start, end);
	n = choose_cpus(s, leave, chosen);
	if (n) {
		counter_inc(tlb_shootdown);
		counter_add(tlb_shootdown_cpus, n);
		r->space = s;
		r->start = start;
		r->end = end;
		r->leave = leave;
		r->initiator = thread_current();
		store_relaxed(&r->left, n);
		/* A handler acts on its bit: all of the above must be there by then. */
		for_each_cpu (cpu)
			if (chosen[cpu / 64] & cpu_bit(cpu))
				tell(cpu, slot);
		wait_for_answers(r);
	}
	mutex_unlock(&r->lock);
}

/* Nobody but this CPU may have entries of s. */
static bool alone(struct vm_space *s)
{
	uint32_t self = cpu_id();

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* partner: the exchange in root_switched */
	for (unsigned i = 0; i < DIV_ROUND_UP(cpu_count(), 64u); i++) {
		uint64_t mask = load_relaxed(&s->cpus[i]);

		if (i == self / 64)
			mask &= ~cpu_bit(self);
		if (mask)
			return false;
	}
	return true;
}

void tlb_flush(struct vm_space *s, uintptr_t start, uintptr_t end)
{
	if (likely(alone(s))) {
		if (this_cpu(tlb_cpu)->loaded == s)
			flush_here(start, end);
		return;
	}
	shoot_down(s, start, end, false);
}

void tlb_leave(struct vm_space *s)
{
	if (alone(s))
		leave_here(s);
	else
		shoot_down(s, 0, 0, true);
}

/* Called by the scheduler on the switching CPU, before it loads 'to' (0: it keeps what it has). */
static void root_switched(uint64_t from, uint64_t to)
{
	struct tlb_cpu *t = this_cpu(tlb_cpu);
	struct page *root = to ? phys_to_page(PADDR(to)) : NULL;
	struct vm_space *s = root ? (struct vm_space *)root->private : NULL;
	uint32_t cpu = cpu_id();

	if (!s) {
		store_release(&t->state, TLB_LAZY);
		return;
	}
	if (t->loaded != s) {
		if (t->loaded)
			(void)atomic_and(&t->loaded->cpus[cpu / 64], ~cpu_bit(cpu));
		(void)__atomic_fetch_or(&s->cpus[cpu / 64], cpu_bit(cpu), __ATOMIC_SEQ_CST);
		t->loaded = s;
		atomic_xchg(&t->state, TLB_ACTIVE); /* the caller loads CR3: that flushes */
	} else if (atomic_xchg(&t->state, TLB_ACTIVE) == TLB_STALE) {
		flush_all();
	}
}

void tlb_init(void)
{
	irq_vector_set(IRQ_VECTOR_TLB, on_interrupt, NULL);
	sched_root_switched = root_switched;
}
