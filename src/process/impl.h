/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of process/. Locks, outermost first: process->lock, signal_lock. */
#pragma once

#include "cpu/barrier.h"
#include "process/process.h"

/* process.c */
struct process *process_create(void); /* one reference; no task yet. NULL: no memory */
void process_add_task(
	struct process *p, struct task *t); /* makes it visible; takes a reference of t */
int process_reserve_tid(uint32_t tid);	    /* room for it in task_find's table; -ENOMEM */
void process_hide_task(struct task *t);	    /* its number names nobody any more */
bool process_remove_task(struct process *p, struct task *t); /* true: it was the last */
void process_rename_task(struct task *t, uint32_t tid);

/* task.c */
/* One reference; not visible yet. Its FPU area (thread.context.fpu) is the caller's to fill. */
struct task *task_create(struct process *p, const char *name);
void task_start(struct task *t); /* runs it from t->start_frame; consumes the reference */
void task_wake_others(struct process
		*p); /* signal_lock held: everybody looks at group_exit, exec_task, stopped */

/* signal.c */
int signal_send_locked(
	struct process *p, struct task *t, int sig, const siginfo_t *info); /* signal_lock held */
void signal_flush_ignored(struct process *p, int sig);			    /* signal_lock held */
void signal_reset_for_exec(struct process *p);
void pending_set_init(struct pending_set *s);
void pending_set_destroy(struct process *p, struct pending_set *s); /* signal_lock held */
/*
 * A signal whose queue entry is the timer's own; signal_lock held; not queued now. False: nobody
 * wants it (ignored, or the task is gone), so timer_signal_taken will not come.
 */
bool signal_send_timer(struct process *p, struct task *t, struct pending_signal *entry);
void signal_cancel_timer(struct process *p, struct pending_signal *entry); /* signal_lock held */
bool signal_is_fatal_default(int sig);

/* frame.c. 0 or -EFAULT: the program's stack cannot hold the frame. */
int frame_push(struct trap_frame *frame, int sig, const struct sigaction_k *action,
	const siginfo_t *info, uint64_t mask);
size_t frame_min_stack(void); /* AT_MINSIGSTKSZ */
/* The registers with which a program starts: everything else zero. */
void frame_init(struct trap_frame *frame, uintptr_t rip, uintptr_t rsp);

/* fault.c: the report of a program that dies of a signal */
void fault_report(const struct trap_frame *frame, int sig, const siginfo_t *info);

/* timers.c */
void timers_exec(struct process *p); /* POSIX timers end, itimers stay */
void timers_exit(struct process *p);
/* signal_lock held: the entry leaves the queue; fills the overrun and keeps the timer going */
void timer_signal_taken(void *origin, siginfo_t *info);

/* rseq.c: a signal handler is about to run */
void rseq_interrupted(struct trap_frame *frame);

/* vdso.c: maps vvar, vdso and gates into s; the vDSO's address or -errno. *gates: 0, or where the
 * page of gates is. */
intptr_t vdso_map(struct vm_space *s, uintptr_t *gates);
