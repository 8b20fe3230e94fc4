/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/irq.h"
#include "abi/errno.h"
#include "cpu/apic.h"
#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "lib/bug.h"

/* fn is atomic: claimed by compare-and-swap, published after arg. Read by handlers on every CPU. */
static struct {
	irq_handler_fn *fn;
	void *arg;
} vectors[256];

static DEFINE_PERCPU(uint32_t, irq_counts[256]);

static void reserved(void *arg)
{
}

int irq_vector_alloc(irq_handler_fn *fn, void *arg)
{
	for (int v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++) {
		irq_handler_fn *none = NULL;

		if (!atomic_cas(&vectors[v].fn, &none, reserved))
			continue;
		vectors[v].arg = arg;
		store_release(&vectors[v].fn, fn); /* pairs with the acquire in irq_dispatch */
		return v;
	}
	return -ENOSPC;
}

void irq_vector_free(int vector)
{
	store_release(&vectors[vector].fn, NULL);
}

void irq_vector_set(int vector, irq_handler_fn *fn, void *arg)
{
	BUG_ON(vector < 0x20 || vector > 0xff);
	vectors[vector].arg = arg;
	store_release(&vectors[vector].fn, fn);
}

void irq_dispatch(unsigned vector)
{
	struct cpu_local *local = cpu_local();
	irq_handler_fn *fn = load_acquire(&vectors[vector].fn);

	(*this_cpu(irq_counts))[vector]++;
	local->irq_depth++;
	if (fn)
		fn(vectors[vector].arg);
	local->irq_depth--;
	/* A spurious interrupt was not accepted by the APIC and must not be ended (SDM vol.
	 * 3, 11.9). */
	if (vector != IRQ_VECTOR_SPURIOUS)
		apic_eoi();
}

uint32_t irq_count(uint32_t cpu, unsigned vector)
{
	return load_relaxed(&(*cpu_of(irq_counts, cpu))[vector]);
}

bool irq_vector_used(unsigned vector)
{
	return load_relaxed(&vectors[vector].fn);
}
