/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt flag of this CPU. Sections with interrupts off are short and never sleep. */
#pragma once

#include "lib/types.h"

#ifndef SKIFF_HOST
static inline bool irq_enabled(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags)::"memory");
	return flags & 0x200;
}
static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}
static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}
/* sti takes effect after the next instruction: no interrupt is lost between the two. */
static inline void irq_enable_and_halt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}
#else
static inline bool irq_enabled(void)
{
	return true;
}
static inline void irq_disable(void)
{
}
static inline void irq_enable(void)
{
}
#endif

/* Returns whether interrupts were on, for irq_restore. Nests. */
static inline bool irq_save(void)
{
	bool on = irq_enabled();

	irq_disable();
	return on;
}
static inline void irq_restore(bool on)
{
	if (on)
		irq_enable();
}
