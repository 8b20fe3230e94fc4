/* SPDX-License-Identifier: BSD-2-Clause */
/* What the assembly files and the C files of entry/ call in each other. */
#pragma once

#include "cpu/barrier.h"
#include "cpu/trapframe.h"
#include "lib/string.h"
#include "lib/types.h"

extern const uintptr_t trap_table[256];		  /* trap.S */
extern char syscall_entry[], patch_entry[];	  /* syscall.S */
extern char boot_stack_top[];			  /* boot.S */
extern char ap_trampoline[], ap_trampoline_end[]; /* boot.S */
extern uint32_t ap_arrived;			  /* boot.S, atomic */
extern uintptr_t ap_stack_tops[];		  /* smp.c, read by boot.S */

void start_kernel(int protocol, uintptr_t info); /* start.c, from boot.S */
void kernel_main(void);				 /* main.c */
void smp_start_others(void);			 /* smp.c: starts them and goes on */
void smp_wait_for_others(void);			 /* smp.c: sleeps until all are up */
void smp_enter(uint32_t id);			 /* smp.c, from boot.S */

/* syscall.S: where gates.S enters, and what call_table (calls.c) holds for calls that need a whole
 * frame. */
extern char call_entry[], call_entry_short[];
long call_full(long a, long b, long c, long d, long e, long f);
extern const char gates_page[]; /* gates.S */
void calls_init(void);		/* calls.c: programs started from now on are told of the doors */

bool call_takes_arguments(uint64_t nr); /* calls.c: and leaves the caller's frame alone */

/* calls.c: instead of syscall_dispatch for one syscall instruction in CPUTIME_SAMPLE, from
 * syscall.S */
void syscall_sampled(struct trap_frame *f);

/* patch.c */
void patch_init(void);			 /* reads the command line's "nopatch" */
void patch_sample(struct trap_frame *f); /* before the call */
/* A program interrupted in a stub goes on at its site. Interrupts are still off. */
void patch_leave(struct trap_frame *f);

#define RFLAGS_IF 0x200

void trap_handle(struct trap_frame *f);
void trap_exit_work(struct trap_frame *f);
void trap_fatal(struct trap_frame *f);
uintptr_t trap_emergency_stack(void);
void trap_report_overflow(struct trap_frame *f, const uint64_t *pad);
