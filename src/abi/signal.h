/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals as the Linux kernel of x86-64 has them: numbers, siginfo, sigaction, the frame that a
 * handler runs on (signal(7), sigaction(2), asm/sigcontext.h, asm/ucontext.h). A set is a uint64_t
 * whose bit n-1 stands for signal n.
 */
#pragma once

#include "lib/types.h"

#define SIGHUP	  1
#define SIGINT	  2
#define SIGQUIT	  3
#define SIGILL	  4
#define SIGTRAP	  5
#define SIGABRT	  6
#define SIGBUS	  7
#define SIGFPE	  8
#define SIGKILL	  9
#define SIGUSR1	  10
#define SIGSEGV	  11
#define SIGUSR2	  12
#define SIGPIPE	  13
#define SIGALRM	  14
#define SIGTERM	  15
#define SIGSTKFLT 16
#define SIGCHLD	  17
#define SIGCONT	  18
#define SIGSTOP	  19
#define SIGTSTP	  20
#define SIGTTIN	  21
#define SIGTTOU	  22
#define SIGURG	  23
#define SIGXCPU	  24
#define SIGXFSZ	  25
#define SIGVTALRM 26
#define SIGPROF	  27
#define SIGWINCH  28
#define SIGIO	  29
#define SIGPWR	  30
#define SIGSYS	  31
#define SIGRTMIN  32
#define SIGRTMAX  64
#define NSIG	  64

#define SIGMASK(n) (1ull << ((n)-1))

#define SIG_DFL 0ul
#define SIG_IGN 1ul

#define SA_NOCLDSTOP	  0x00000001ul
#define SA_NOCLDWAIT	  0x00000002ul
#define SA_SIGINFO	  0x00000004ul
#define SA_UNSUPPORTED	  0x00000400ul
#define SA_EXPOSE_TAGBITS 0x00000800ul
#define SA_RESTORER	  0x04000000ul
#define SA_ONSTACK	  0x08000000ul
#define SA_RESTART	  0x10000000ul
#define SA_NODEFER	  0x40000000ul
#define SA_RESETHAND	  0x80000000ul
#define SA_KNOWN                                                                                   \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK | \
		SA_RESTART | SA_NODEFER | SA_RESETHAND)

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1u << 31)
#define MINSIGSTKSZ   2048

/* si_code: > 0 from the kernel, <= 0 from a program. */
#define SI_USER	      0
#define SI_KERNEL     0x80
#define SI_QUEUE      -1
#define SI_TIMER      -2
#define SI_MESGQ      -3
#define SI_ASYNCIO    -4
#define SI_SIGIO      -5
#define SI_TKILL      -6
#define ILL_ILLOPC    1
#define ILL_ILLOPN    2
#define ILL_PRVOPC    5
#define FPE_INTDIV    1
#define FPE_INTOVF    2
#define FPE_FLTDIV    3
#define FPE_FLTOVF    4
#define FPE_FLTUND    5
#define FPE_FLTRES    6
#define FPE_FLTINV    7
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define BUS_OBJERR    3
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define TRAP_HWBKPT   4
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6
#define POLL_IN	      1

#define SIGEV_SIGNAL	0
#define SIGEV_NONE	1
#define SIGEV_THREAD	2
#define SIGEV_THREAD_ID 4

typedef union {
	int sival_int;
	void *sival_ptr;
} sigval_t;

typedef struct {
	int si_signo, si_errno, si_code, pad0;
	union {
		int pad[28];
		struct { /* kill, sigqueue, SIGCHLD */
			int si_pid;
			uint32_t si_uid;
			union {
				sigval_t si_value;
				struct {
					int si_status, pad1;
					int64_t si_utime, si_stime;
				};
			};
		};
		struct { /* POSIX timers; their sigval is where sigqueue's is */
			int si_timerid, si_overrun;
			sigval_t si_timer_value;
		};
		struct { /* SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP */
			void *si_addr;
			int16_t si_addr_lsb;
			void *si_lower, *si_upper;
		};
		struct { /* SIGIO */
			int64_t si_band;
			int si_fd;
		};
		struct { /* SIGSYS */
			void *si_call_addr;
			int si_syscall;
			uint32_t si_arch;
		};
	};
} siginfo_t;
_Static_assert(sizeof(siginfo_t) == 128, "siginfo_t is 128 bytes");
_Static_assert(offsetof(siginfo_t, si_value) == 24, "siginfo_t layout");
_Static_assert(offsetof(siginfo_t, si_addr) == 16, "siginfo_t layout");

struct sigaction_k { /* what rt_sigaction(2) takes: not libc's struct */
	uint64_t handler, flags, restorer, mask;
};

typedef struct {
	void *ss_sp;
	uint32_t ss_flags;
	size_t ss_size;
} stack_t;

struct sigevent {
	sigval_t sigev_value;
	int sigev_signo, sigev_notify;
	union {
		int pad[12];
		int sigev_notify_thread_id;
	};
};
_Static_assert(sizeof(struct sigevent) == 64, "sigevent is 64 bytes");

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate; /* program address of the FXSAVE/XSAVE image, or 0 */
	uint64_t reserved[8];
};
_Static_assert(sizeof(struct sigcontext) == 256, "sigcontext is 256 bytes");

struct ucontext {
	uint64_t uc_flags, uc_link;
	stack_t uc_stack;
	struct sigcontext uc_mcontext;
	uint64_t uc_sigmask;
};
#define UC_FP_XSTATE	     1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4

/* What the handler finds at its stack pointer. */
struct rt_sigframe {
	uint64_t pretcode; /* return address: SA_RESTORER */
	struct ucontext uc;
	siginfo_t info;
};

/* In bytes 464..511 of the FXSAVE image: says that a whole XSAVE image with MAGIC2 behind it
 * follows. */
struct fpx_sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};
#define FPX_SW_OFFSET	      464
#define FXSAVE_SIZE	      512
#define FP_XSTATE_MAGIC1      0x46505853u
#define FP_XSTATE_MAGIC2      0x46505845u
#define FP_XSTATE_MAGIC2_SIZE 4

struct signalfd_siginfo {
	uint32_t ssi_signo;
	int32_t ssi_errno, ssi_code;
	uint32_t ssi_pid, ssi_uid;
	int32_t ssi_fd;
	uint32_t ssi_tid, ssi_band, ssi_overrun, ssi_trapno;
	int32_t ssi_status, ssi_int;
	uint64_t ssi_ptr, ssi_utime, ssi_stime, ssi_addr;
	uint16_t ssi_addr_lsb, pad2;
	int32_t ssi_syscall;
	uint64_t ssi_call_addr;
	uint32_t ssi_arch;
	uint8_t pad[28];
};
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "signalfd_siginfo is 128 bytes");
