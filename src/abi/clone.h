/* SPDX-License-Identifier: BSD-2-Clause */
/* clone(2), wait(2), prctl(2), arch_prctl(2), rseq(2): numbers and structs. */
#pragma once

#include "lib/types.h"

#define CSIGNAL		     0x000000ffull
#define CLONE_VM	     0x00000100ull
#define CLONE_FS	     0x00000200ull
#define CLONE_FILES	     0x00000400ull
#define CLONE_SIGHAND	     0x00000800ull
#define CLONE_PIDFD	     0x00001000ull
#define CLONE_PTRACE	     0x00002000ull
#define CLONE_VFORK	     0x00004000ull
#define CLONE_PARENT	     0x00008000ull
#define CLONE_THREAD	     0x00010000ull
#define CLONE_NEWNS	     0x00020000ull
#define CLONE_SYSVSEM	     0x00040000ull
#define CLONE_SETTLS	     0x00080000ull
#define CLONE_PARENT_SETTID  0x00100000ull
#define CLONE_CHILD_CLEARTID 0x00200000ull
#define CLONE_DETACHED	     0x00400000ull
#define CLONE_UNTRACED	     0x00800000ull
#define CLONE_CHILD_SETTID   0x01000000ull
#define CLONE_NEWCGROUP	     0x02000000ull
#define CLONE_NEWUTS	     0x04000000ull
#define CLONE_NEWIPC	     0x08000000ull
#define CLONE_NEWUSER	     0x10000000ull
#define CLONE_NEWPID	     0x20000000ull
#define CLONE_NEWNET	     0x40000000ull
#define CLONE_IO	     0x80000000ull
#define CLONE_NEWTIME	     0x00000080ull
#define CLONE_CLEAR_SIGHAND  0x100000000ull
#define CLONE_INTO_CGROUP    0x200000000ull
#define CLONE_NEW_ANY                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
		CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

struct clone_args { /* clone3(2) */
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64
#define CLONE_ARGS_SIZE_VER2 88

#define WNOHANG	    1
#define WUNTRACED   2
#define WSTOPPED    2
#define WEXITED	    4
#define WCONTINUED  8
#define WNOWAIT	    0x01000000
#define __WNOTHREAD 0x20000000
#define __WALL	    0x40000000
#define __WCLONE    0x80000000

#define P_ALL	0
#define P_PID	1
#define P_PGID	2
#define P_PIDFD 3

#define ARCH_SET_GS	    0x1001
#define ARCH_SET_FS	    0x1002
#define ARCH_GET_FS	    0x1003
#define ARCH_GET_GS	    0x1004
#define ARCH_GET_CPUID	    0x1011
#define ARCH_SET_CPUID	    0x1012
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_GET_XCOMP_PERM 0x1022
#define ARCH_REQ_XCOMP_PERM 0x1023

#define PR_SET_PDEATHSIG	 1
#define PR_GET_PDEATHSIG	 2
#define PR_GET_DUMPABLE		 3
#define PR_SET_DUMPABLE		 4
#define PR_GET_UNALIGN		 5
#define PR_SET_UNALIGN		 6
#define PR_GET_KEEPCAPS		 7
#define PR_SET_KEEPCAPS		 8
#define PR_GET_TIMING		 13
#define PR_SET_TIMING		 14
#define PR_SET_NAME		 15
#define PR_GET_NAME		 16
#define PR_GET_SECCOMP		 21
#define PR_SET_SECCOMP		 22
#define PR_CAPBSET_READ		 23
#define PR_CAPBSET_DROP		 24
#define PR_GET_TSC		 25
#define PR_SET_TSC		 26
#define PR_GET_SECUREBITS	 27
#define PR_SET_SECUREBITS	 28
#define PR_SET_TIMERSLACK	 29
#define PR_GET_TIMERSLACK	 30
#define PR_MCE_KILL		 33
#define PR_MCE_KILL_GET		 34
#define PR_SET_MM		 35
#define PR_SET_CHILD_SUBREAPER	 36
#define PR_GET_CHILD_SUBREAPER	 37
#define PR_SET_NO_NEW_PRIVS	 38
#define PR_GET_NO_NEW_PRIVS	 39
#define PR_GET_TID_ADDRESS	 40
#define PR_SET_THP_DISABLE	 41
#define PR_GET_THP_DISABLE	 42
#define PR_CAP_AMBIENT		 47
#define PR_CAP_AMBIENT_IS_SET	 1
#define PR_CAP_AMBIENT_RAISE	 2
#define PR_CAP_AMBIENT_LOWER	 3
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#define PR_SET_IO_FLUSHER	 57
#define PR_GET_IO_FLUSHER	 58
#define PR_SET_PTRACER		 0x59616d61
#define PR_SET_VMA		 0x53564d41
#define PR_SET_VMA_ANON_NAME	 0

#define CAP_LAST_CAP 40

struct rseq_area { /* struct rseq of linux/rseq.h */
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid, end[];
};
struct rseq_cs {
	uint32_t version, flags;
	uint64_t start_ip, post_commit_offset, abort_ip;
};
#define RSEQ_CPU_ID_UNINITIALIZED (-1)
#define RSEQ_FLAG_UNREGISTER	  1
#define RSEQ_ORIG_SIZE		  32
