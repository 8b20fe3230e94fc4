/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLB shoot-down. Each space knows the CPUs whose TLB may hold entries of it. A CPU that runs a
 * kernel thread keeps the last space's tables loaded but does not use them ("lazy"): it is not
 * interrupted, it only has to flush before it runs that space again.
 *
 *	state of a CPU:		ACTIVE		uses its loaded space
 *				LAZY		does not; entries may be stale only if STALE
 *				STALE		does not; must flush when it goes back
 *
 *	sched_switched, to 0	ACTIVE -> LAZY
 *	tlb_flush elsewhere	LAZY -> STALE (CAS)	instead of an interrupt
 *	sched_switched, back	LAZY or STALE -> ACTIVE (exchange), flush if it was STALE
 *
 * A CPU enters space->cpus before it loads the root. The initiator changes the tables before it
 * reads that mask: so a CPU it does not see will walk the changed tables.
 *
 * One shoot-down at a time: a mutex guards the request, and its holder sleeps until the last CPU's
 * handler wakes it. A handler pins the initiator before it counts itself off, as the initiator may
 * run on, and even exit, from then on.
 */

#include "cpu/apic.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "cpu/percpu.h"
#include "diag/counter.h"
#include "sched/thread.h"
#include "vm/impl.h"

#define FULL_FLUSH_PAGES 32 /* from here on everything is flushed rather than page by page */

COUNTER(tlb_shootdown);
COUNTER(tlb_shootdown_cpus);

enum { TLB_ACTIVE, TLB_LAZY, TLB_STALE };

struct tlb_cpu {
	struct vm_space *loaded; /* whose root is in CR3; of this CPU, and of tlb_leave's handler */
	uint32_t state;		 /* atomic */
};
static DEFINE_PERCPU(struct tlb_cpu, tlb_cpu);

static struct mutex request_lock;
/* guarded by request_lock while being made; then read by handlers whose bit is set */
static struct {
	struct vm_space *space;
	uintptr_t start, end;
	bool leave;
	struct thread *initiator;
	uint64_t cpus[MAX_CPUS / 64]; /* atomic: still to answer */
	uint32_t left;		      /* atomic: how many */
} request;

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

static void on_interrupt(void *arg)
{
	uint32_t cpu = cpu_id();
	struct thread *initiator;
	uint64_t old;

	if (!(load_acquire(&request.cpus[cpu / 64]) & cpu_bit(cpu)))
		return;
	initiator = request.initiator;
	thread_pin(initiator);
	if (request.leave)
		leave_here(request.space);
	else if (this_cpu(tlb_cpu)->loaded == request.space)
		flush_here(request.start, request.end);
	old = atomic_and(&request.cpus[cpu / 64], ~cpu_bit(cpu));
	BUG_ON(!(old & cpu_bit(cpu)));
	if (atomic_sub(&request.left, 1) == 1)
		thread_wake(initiator);
	thread_unpin(initiator);
}

static void wait_for_answers(void)
{
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (load_acquire(&request.left) == 0)
			break;
		schedule();
	}
	thread_cancel_sleep();
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
	uint32_t n;

	mutex_lock(&request_lock);
	/* From here to the last interrupt sent we stay on this CPU: nothing sleeps. */
	if (leave)
		leave_here(s);
	else if (this_cpu(tlb_cpu)->loaded == s)
		flush_here(start, end);
	n = choose_cpus(s, leave, chosen);
	if (n) {
		counter_inc(tlb_shootdown);
		counter_add(tlb_shootdown_cpus, n);
		request.space = s;
		request.start = start;
		request.end = end;
		request.leave = leave;
		request.initiator = thread_current();
		store_relaxed(&request.left, n);
		/* A handler acts on its bit; all the rest must be there by then. */
		for (unsigned i = 0; i < ARRAY_SIZE(chosen); i++)
			store_release(&request.cpus[i], chosen[i]);
		for_each_cpu (cpu)
			if (chosen[cpu / 64] & cpu_bit(cpu))
				apic_send_ipi(cpu, IRQ_VECTOR_TLB);
		wait_for_answers();
	}
	mutex_unlock(&request_lock);
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
	mutex_init(&request_lock);
	irq_vector_set(IRQ_VECTOR_TLB, on_interrupt, NULL);
	sched_root_switched = root_switched;
}
