/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt vectors. A handler runs with interrupts off on the interrupted thread's kernel stack,
 * may call only thread_wake() and lock-free code, and never sleeps or allocates. The end-of-
 * interrupt is sent by the dispatcher.
 */
#pragma once

#include "lib/types.h"

#define IRQ_VECTOR_FIRST    0x30
#define IRQ_VECTOR_LAST	    0xef
#define IRQ_VECTOR_TIMER    0xf0
#define IRQ_VECTOR_WAKE	    0xf1 /* look at your incoming list */
#define IRQ_VECTOR_TLB	    0xf2
#define IRQ_VECTOR_STOP	    0xf3 /* crash: stop this CPU */
#define IRQ_VECTOR_SPURIOUS 0xff

typedef void irq_handler_fn(void *arg);

/* A free device vector with fn(arg) bound to it, or -ENOSPC. */
int irq_vector_alloc(irq_handler_fn *fn, void *arg);
void irq_vector_free(int vector);
/* Binds one of the fixed vectors above. Boot only. */
void irq_vector_set(int vector, irq_handler_fn *fn, void *arg);

/* How often a CPU was interrupted through this vector. */
uint32_t irq_count(uint32_t cpu, unsigned vector);
/* Is a handler bound to it? */
bool irq_vector_used(unsigned vector);

/* Called by entry/trap.c for vectors >= 0x20. */
void irq_dispatch(unsigned vector);
