/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes and their threads (tasks). A task is a thread that runs the program; a process is what
 * its tasks share. There is one process for now, but nothing here assumes it.
 */
#pragma once

#include "abi/signal.h"
#include "cpu/trapframe.h"
#include "file/file.h"
#include "fs/vnode.h"
#include "lib/list.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "sched/wait.h"
#include "vm/vm.h"

struct process;

struct credentials {
	uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	uint32_t groups[32];
	unsigned group_count;
};

struct rlimit64 {
	uint64_t soft, hard;
};
#define RLIMIT_COUNT 16

struct pending_signal { /* queued siginfo */
	struct list_node link;
	siginfo_t info;
	void *origin; /* POSIX timer that owns it, or NULL */
};
struct pending_set {
	uint64_t mask; /* bit n-1: signal n is pending */
	struct list_node queue;
	unsigned count;
};

struct task {
	struct thread thread; /* must be first */
	struct process *process;
	struct list_node
		link; /* process->tasks; changed under process->lock and signal_lock both */
	struct cputime shown_cputime; /* guarded by process->lock: what was told last */
	uint32_t refcount;	      /* atomic */
	void *fpu_memory;	      /* holds context.fpu and fpu_bounce */
	void *fpu_bounce;	      /* a second XSAVE area, for sigreturn and the like */
	struct trap_frame
		start_frame; /* of a new task: copied to its kernel stack when it starts */
	void (*start)(const char *arg); /* or NULL; runs first, in the task, and may exec */
	const char *start_arg;

	/* guarded by process->signal_lock */
	uint64_t blocked, saved_mask; /* saved_mask: to restore after sigsuspend, ppoll, ... */
	bool restore_saved_mask;
	struct pending_set pending;
	bool gone; /* takes no more signals */

	/* of the task alone */
	stack_t altstack;
	uint64_t fault_trapno, fault_error, fault_cr2; /* of the last fault, for signal frames */
	uint32_t *clear_child_tid, *set_child_tid;     /* program addresses */
	void *robust_list;
	size_t robust_list_len;
	/* Atomic, the task's own: the futex that its FUTEX_LOCK_PI wants while pi_waits is odd. */
	uint32_t *pi_word;
	uint32_t pi_waits; /* counts beginnings and ends of such calls */
	uintptr_t rseq;
	uint32_t rseq_len, rseq_sig;
	struct credentials *cred; /* points into process for now */
	uint32_t personality;
	int pdeath_signal;
	bool exiting;
	int exit_code;
	struct { /* restart_syscall(2) */
		long (*fn)(struct task *t);
		uint64_t arg[5];
	} restart;
	uint64_t start_time, minor_faults, major_faults;
	uint64_t timer_slack;
};

struct process {
	uint32_t pid; /* = tgid = tid of the first task */
	uint32_t refcount;
	struct process *parent;
	uint32_t pgid, sid;
	struct vm_space *vm;
	struct fdtable *fds;

	struct mutex lock; /* guards: tasks, task_count, cwd, root, umask, rlimit, exe, names */
	struct list_node tasks;
	unsigned task_count;
	struct dentry *cwd, *root, *exe;
	uint32_t umask;
	struct rlimit64 rlimit[RLIMIT_COUNT];
	struct credentials cred;

	struct mutex signal_lock; /* guards: action, pending, and every task's signal fields */
	struct sigaction_k action[64];
	struct pending_set pending;    /* for the whole process */
	unsigned queued;	       /* siginfos in all sets, against RLIMIT_SIGPENDING */
	struct wait_queue signal_wait; /* signalfd, sigtimedwait: told of every new signal */
	bool group_exit;
	bool out_of_memory; /* atomic: it has been said */
	int exit_code;	    /* as wait(2) encodes it */
	bool stopped;	    /* by a stop signal: tasks wait before they return to the program ... */
	struct condvar going_on; /* ... with signal_lock, until it is continued, ends or execs */
	struct task *exec_task;	 /* in execve: every other task must end */
	struct wait_queue exit_wait; /* a task ended */

	uintptr_t arg_start, arg_end, env_start, env_end, stack_start, code_start, code_end,
		data_start, data_end;
	uintptr_t gates; /* where the page of gates is; 0: it has none */
	uint64_t auxv[48];
	unsigned auxv_count;	       /* words */
	struct process_timers *timers; /* timers.c */
	uint64_t start_time;
	uint64_t dead_cpu_time, dead_system_time; /* of tasks that ended */
	struct cputime shown_cputime;		  /* guarded by lock: what was told last */
	uint64_t dead_voluntary, dead_involuntary;
	uint32_t dumpable;
	bool no_new_privs, keep_caps, child_subreaper, thp_disable;
	uint64_t cap_effective, cap_permitted,
		cap_inheritable; /* capabilities(7), bit per number */
};

static inline struct task *task_current(void) /* NULL-safe only in program threads */
{
	return container_of(thread_current(), struct task, thread);
}
static inline struct process *process_current(void)
{
	return task_current()->process;
}
uint64_t process_cpu_time(struct process *p);	   /* ns, of all tasks, the ended ones too */
struct cputime process_cputime(struct process *p); /* the same in its parts */
struct cputime task_cputime(struct process *p, struct task *t);
struct path_context process_path_context(void); /* of the running process; fields not referenced */
struct task *task_find(uint32_t tid);		/* referenced, or NULL */
void task_put(struct task *t);
struct process *process_find(uint32_t pid);
void process_put(struct process *p);

/* Boot: makes process 1 from the command line and runs it; its end ends the machine. */
void process_start_first(const char *cmdline);
extern char process_hostname[65], process_domainname[65];

/*
 * execve of the running task into a fresh image. 0: the task's frame is the new program's, go there
 * by returning to it. Errors leave the old image as it was. All of the request is the caller's.
 */
struct exec_request {
	struct file *at; /* path is relative to it, or empty: it is the program itself. NULL: cwd */
	const char *path;
	const char *
		name; /* what the program is told: AT_EXECFN, and its last part the thread's name */
	char *const *argv, *const *envp; /* NULL-terminated */
};
int process_exec(const struct exec_request *r);

struct trap_frame *task_frame(
	const struct task *t); /* registers of the program; at the kernel stack's top */

/* clone(2)/clone3(2) for threads; kernel copy of clone_args. Returns the tid or -errno (-ENOSYS for
 * fork). */
struct clone_args;
long task_clone(const struct clone_args *args, const struct trap_frame *frame);
__noreturn void task_exit(int code);	      /* this task */
__noreturn void process_exit_group(int code); /* wait(2) encoding: status << 8 or signal */

/* Signals. info may be NULL (SI_KERNEL). 0, or -EAGAIN when the queue limit is reached. Thread
 * context. */
int signal_send_process(struct process *p, int sig, const siginfo_t *info);
int signal_send_task(struct task *t, int sig, const siginfo_t *info);
/* A fault of the running program: delivered even when blocked or ignored (then the default action).
 */
void signal_force(int sig, const siginfo_t *info);
/* Last thing before the program continues, while thread->flags has THREAD_SIGNAL; also completes
 * restarts. */
void signal_deliver(struct trap_frame *frame);
/*
 * The mask for the duration of one call (ppoll, epoll_pwait, sigsuspend). The call ends with
 *	return signal_unset_temporary_mask(result);
 * which puts the old mask back at once, or, when the result is -EINTR or a restart code, leaves
 *that to signal_deliver: the handler's frame then restores it.
 */
void signal_set_temporary_mask(uint64_t mask);
long signal_unset_temporary_mask(long result);
void signal_set_mask(uint64_t mask);   /* of the running task, KILL and STOP taken out */
void signal_recompute(struct task *t); /* THREAD_SIGNAL from pending & ~blocked; signal_lock held */
long signal_return(struct trap_frame *frame); /* rt_sigreturn: what rax is to be */
/* Takes a signal of 'set' that is pending for the running task: its number, or 0. */
int signal_take(uint64_t set, siginfo_t *info);
uint64_t signal_pending_mask(struct task *t); /* its own and the process's; signal_lock held */
int signal_set_action(int sig, const struct sigaction_k *new, struct sigaction_k *old);
int signal_set_altstack(const stack_t *new, stack_t *old, uintptr_t sp);
/* Puts the fields of info into the form that read(2) of a signalfd gives. */
struct file *signalfd_create(uint64_t mask, uint32_t flags);
int signalfd_set_mask(struct file *f, uint64_t mask);

/* Restartable sequences. task_resume: before the program continues while thread->flags has
 * THREAD_NOTIFY. */
int rseq_register(uintptr_t addr, uint32_t len, int flags, uint32_t sig); /* rseq(2) */
void task_resume(struct trap_frame *frame);

/* A descriptor for a process, which it references. ERR_PTR. pidfd_process: borrowed; NULL: f is
 * none. */
struct file *pidfd_create(struct process *p, uint32_t flags);
struct process *pidfd_process(struct file *f);

/* Interval and POSIX timers (setitimer(2), timer_create(2)); of the running process. */
struct itimerval;
struct itimerspec;
int itimer_get(int which, struct itimerval *out);
int itimer_set(int which, const struct itimerval *new, struct itimerval *old);
int posix_timer_create(int clockid, const struct sigevent *event); /* the timer's id */
int posix_timer_set(int id, int flags, const struct itimerspec *new, struct itimerspec *old);
int posix_timer_get(int id, struct itimerspec *out);
int posix_timer_overrun(int id);
int posix_timer_delete(int id);

/*
 * The page of code through which programs call the kernel (entry/gates.S, include/skiff.h); in the
 * kernel's image, one page. NULL: programs have only the syscall instruction. Fixed before the
 * first program.
 */
extern const void *process_gates_page;
/*
 * A program that stands in a gate is put in front of the syscall instruction that does the same,
 * with interrupts on: so nobody, neither a signal's handler nor an unwinder, ever sees it there.
 */
void process_leave_door(struct trap_frame *frame);

/* entry/trap.c: a fault of the program, turned into its signal. */
void process_fault(struct trap_frame *frame, int sig, int code, uintptr_t addr);
/* Out of memory while serving a fault: says who held what, kills. */
void process_out_of_memory(void);
