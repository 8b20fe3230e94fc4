/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other CPUs. All are started at once and come up while the boot CPU goes on; each takes its
 * number in order of arrival. Nobody waits by looping: the last one wakes the boot thread.
 */
#include "entry/entry.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/io.h"
#include "cpu/layout.h"
#include "cpu/percpu.h"
#include "diag/log.h"
#include "drivers/drivers.h"
#include "mem/heap.h"
#include "mem/pagetable.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "sched/wait.h"

#define TRAMPOLINE_PAGE 0x8
#define START_TIMEOUT	(5 * NSEC_PER_SEC)

uintptr_t ap_stack_tops[MAX_CPUS];
static void *percpu_blocks[MAX_CPUS]; /* fixed before the first CPU is started */
static uint32_t expected;	      /* CPUs that were started; fixed likewise */
static uint32_t ready;		      /* atomic: how many of them are up */
static struct thread *starter;

void smp_enter(uint32_t id)
{
	cpu_init_secondary(id, percpu_blocks[id], ap_stack_tops[id]);
	write_cr3(kernel_pagetable.root.raw);
	apic_init_cpu();
	clocks_init_cpu();
	kvm_guest_init_cpu();
	sched_init_cpu(); /* once it is counted, others give it threads */
	if (atomic_add(&ready, 1) + 1 == expected) {
		store_release(&cpu_online_count, expected + 1);
		thread_wake(starter);
	}
	sched_start_cpu();
}

static bool prepare(uint32_t id)
{
	ap_stack_tops[id] = kstack_alloc();
	percpu_blocks[id] = heap_alloc_zeroed(cpu_percpu_size() + CACHE_LINE);
	if (!ap_stack_tops[id] || !percpu_blocks[id])
		return false;
	percpu_blocks[id] = (void *)ALIGN_UP((uintptr_t)percpu_blocks[id], CACHE_LINE);
	return true;
}

void smp_start_others(void)
{
	uint32_t ids[MAX_CPUS];
	unsigned count = machine_cpus(ids, MAX_CPUS), n = 0;

	starter = thread_current();
	while (n + 1 < count && prepare(n + 1))
		n++;
	if (n + 1 < count)
		log_err("no memory to start more than %u of %u CPUs", n + 1, count);
	expected = n;
	memcpy(phys_to_virt(PADDR(TRAMPOLINE_PAGE << 12)), ap_trampoline,
		ap_trampoline_end - ap_trampoline);
	for (unsigned i = 1; i <= n; i++)
		apic_start_cpu(ids[i], TRAMPOLINE_PAGE);
}

void smp_wait_for_others(void)
{
	struct wait_queue none;

	if (!expected)
		return;
	wait_init(&none);
	if (wait_event_timeout(
		    &none, load_acquire(&ready) == expected, clock_now() + START_TIMEOUT))
		log_err("only %u of %u other CPUs started; going on with one", load_acquire(&ready),
			expected);
}
