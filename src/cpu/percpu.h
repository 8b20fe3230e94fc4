/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-CPU data. `DEFINE_PERCPU(struct x, name);` in one .c file makes one zeroed copy per CPU;
 * this_cpu(name) is the running CPU's, cpu_of(name, n) another's.
 *
 * Kernel code is not preempted, so between two points where it may sleep this_cpu() stays the
 * same CPU. Data that an interrupt handler touches too needs irq_save around it.
 */
#pragma once

#include "lib/types.h"

#define MAX_CPUS 256

struct thread;

/* What entry code finds at %gs:0; offsets are fixed in cpu/offsets.h. */
struct cpu_local {
	struct cpu_local *self;
	uintptr_t kstack_top;	 /* of the running thread */
	uintptr_t scratch;	 /* entry code only */
	struct thread *current;	 /* the running thread; its first word is its flags */
	uintptr_t percpu_offset; /* add to a template's address to get this CPU's copy */
	uint32_t id;		 /* 0 .. cpu_count()-1 */
	uint32_t apic_id;
	uint32_t irq_depth;  /* > 0 in an interrupt handler */
	uint32_t read_depth; /* > 0 in a read section of sched/rcu.h */
	int32_t sample;	     /* entry code only: syscall instructions until one is looked at */
	int32_t call_sample; /* the same for calls through the other doors */
};

#ifndef SKIFF_HOST
#define DEFINE_PERCPU(type, name)  __section(".bss..percpu") type name
#define DECLARE_PERCPU(type, name) extern type name

/* gs-relative so that it is right whichever CPU runs it. */
static inline struct cpu_local *cpu_local(void)
{
	struct cpu_local *self;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(self));
	return self;
}
static inline uint32_t cpu_id(void)
{
	uint32_t id;

	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(id) : "i"(offsetof(struct cpu_local, id)));
	return id;
}
/* Neither in an interrupt handler nor in a read section: both words at once. */
static inline bool cpu_may_sleep(void)
{
	bool may;

	_Static_assert(offsetof(struct cpu_local, read_depth) ==
			       offsetof(struct cpu_local, irq_depth) + sizeof(uint32_t),
		"looked at together");
	__asm__ volatile("cmpq $0, %%gs:%c1"
			 : "=@cce"(may)
			 : "i"(offsetof(struct cpu_local, irq_depth))
			 : "memory");
	return may;
}
static inline uintptr_t cpu_this_offset(void)
{
	uintptr_t offset;

	__asm__ volatile("mov %%gs:%c1, %0"
			 : "=r"(offset)
			 : "i"(offsetof(struct cpu_local, percpu_offset)));
	return offset;
}
extern uintptr_t cpu_percpu_offset[MAX_CPUS];
DECLARE_PERCPU(struct cpu_local, cpu_locals);

#define this_cpu(name)	((__typeof__(name) *)((uintptr_t) & (name) + cpu_this_offset()))
#define cpu_of(name, n) ((__typeof__(name) *)((uintptr_t) & (name) + cpu_percpu_offset[n]))
/* Of an address in some CPU's copy the one in the template; any other as it is. Walks the CPUs. */
uintptr_t cpu_percpu_template(uintptr_t at);
#else
extern _Thread_local uint32_t host_cpu_id; /* a host test thread chooses its CPU */
#define DEFINE_PERCPU(type, name)  type name##_percpu[MAX_CPUS]
#define DECLARE_PERCPU(type, name) extern type name##_percpu[MAX_CPUS]
static inline uint32_t cpu_id(void)
{
	return host_cpu_id;
}
#define this_cpu(name)		   (&name##_percpu[host_cpu_id])
#define cpu_of(name, n)		   (&name##_percpu[n])
static inline uintptr_t cpu_percpu_template(uintptr_t at)
{
	return at;
}
#endif

/* How many CPUs run (1 until the others are started; fixed after boot). */
extern uint32_t cpu_online_count;
static inline uint32_t cpu_count(void)
{
	return cpu_online_count;
}
#define for_each_cpu(n) for (uint32_t n = 0; n < cpu_count(); n++)
