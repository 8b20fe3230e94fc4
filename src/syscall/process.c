/* SPDX-License-Identifier: BSD-2-Clause */
/* Who one is: processes, threads, execve, wait, and what a process carries (limits, prctl). */

#include "syscall/syscall.h"
#include "abi/clone.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "cpu/context.h"
#include "diag/log.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "process/process.h"
#include "sched/clock.h"

/* ---- numbers ---- */

SYSCALL_DEFINE0(getpid)
{
	return process_current()->pid;
}

SYSCALL_DEFINE0(gettid)
{
	return thread_current()->id;
}

SYSCALL_DEFINE0(getppid)
{
	struct process *parent = process_current()->parent;

	return parent ? parent->pid : 0;
}

/* The process named by pid (0: the caller's), referenced, or NULL. */
static struct process *process_named(int pid)
{
	return process_find(pid ? pid : (int)process_current()->pid);
}

SYSCALL_DEFINE1(getpgid, int, pid)
{
	struct process *p = process_named(pid);
	long pgid;

	if (!p)
		return -ESRCH;
	pgid = p->pgid;
	process_put(p);
	return pgid;
}

SYSCALL_DEFINE0(getpgrp)
{
	return process_current()->pgid;
}

SYSCALL_DEFINE1(getsid, int, pid)
{
	struct process *p = process_named(pid);
	long sid;

	if (!p)
		return -ESRCH;
	sid = p->sid;
	process_put(p);
	return sid;
}

SYSCALL_DEFINE2(setpgid, int, pid, int, pgid)
{
	struct process *p;
	long err = 0;

	if (pgid < 0)
		return -EINVAL;
	p = process_named(pid);
	if (!p)
		return -ESRCH;
	if (!pgid)
		pgid = p->pid;
	if (p->sid == p->pid)
		err = -EPERM; /* a session's leader stays in its group */
	else if ((uint32_t)pgid != p->pid && (uint32_t)pgid != process_current()->pgid)
		err = -EPERM; /* no such group in this session */
	else
		p->pgid = pgid;
	process_put(p);
	return err;
}

SYSCALL_DEFINE0(setsid)
{
	struct process *p = process_current();

	if (p->pgid == p->pid)
		return -EPERM;
	p->sid = p->pgid = p->pid;
	return p->sid;
}

SYSCALL_DEFINE1(set_tid_address, uint32_t *, addr)
{
	task_current()->clear_child_tid = addr;
	return thread_current()->id;
}

/* ---- threads ---- */

SYSCALL_DEFINE5(clone, uint64_t, flags, uint64_t, stack, uint32_t *, parent_tid, uint32_t *,
	child_tid, uint64_t, tls)
{
	struct clone_args a = {
		.flags = (uint32_t)flags & ~CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.parent_tid = (uint64_t)parent_tid,
		.pidfd = (uint64_t)parent_tid,
		.child_tid = (uint64_t)child_tid,
		.tls = tls,
	};

	return task_clone(&a, syscall_frame());
}

SYSCALL_DEFINE2(clone3, const void *, uargs, size_t, size)
{
	struct clone_args a = { 0 };
	char byte;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (copy_from_user(&a, uargs, MIN(size, sizeof(a))))
		return -EFAULT;
	for (size_t i = sizeof(a); i < size; i++) {
		if (copy_from_user(&byte, (const char *)uargs + i, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	if ((a.flags & (CSIGNAL & ~CLONE_NEWTIME)) || (a.flags & CLONE_DETACHED) || a.flags >> 34)
		return -EINVAL;
	if (a.exit_signal > 64 || ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal))
		return -EINVAL;
	if (!a.stack != !a.stack_size || (a.stack && !user_range_ok((void *)a.stack, a.stack_size)))
		return -EINVAL;
	return task_clone(&a, syscall_frame());
}

SYSCALL_DEFINE0(fork)
{
	struct clone_args a = { .exit_signal = 17 };

	return task_clone(&a, syscall_frame());
}

SYSCALL_DEFINE0(vfork)
{
	struct clone_args a = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = 17 };

	return task_clone(&a, syscall_frame());
}

SYSCALL_DEFINE1(exit, int, status)
{
	task_exit((status & 0xff) << 8);
}

SYSCALL_DEFINE1(exit_group, int, status)
{
	process_exit_group((status & 0xff) << 8);
}

/* ---- execve ---- */

#define PATH_SIZE    4096
#define MAX_STRING   (32 * PAGE_SIZE)
#define MAX_STRINGS  0x7fffffffu
#define MAX_ARGS_ALL MIB(6)

static char *string_from_user(const char *ustr, size_t max, long *err)
{
	size_t size = 256;
	char *s = NULL;

	for (;;) {
		char *bigger = heap_resize(s, size);
		ssize_t len;

		if (!bigger) {
			*err = -ENOMEM;
			break;
		}
		s = bigger;
		len = copy_string_from_user(s, ustr, size);
		if (len >= 0)
			return s;
		if (len != -ENAMETOOLONG || size >= max) {
			*err = len;
			break;
		}
		size = MIN(size * 4, max);
	}
	heap_free(s);
	return NULL;
}

static void strings_free(char **v)
{
	if (!v)
		return;
	for (char **p = v; *p; p++)
		heap_free(*p);
	heap_free(v);
}

/* A NULL-terminated vector of strings; uv == NULL is an empty one, as Linux has it. */
static char **strings_from_user(char *const *uv, long *err)
{
	size_t room = 16, n = 0, total = 0;
	char **v = heap_alloc(room * sizeof(*v));

	*err = v ? 0 : -ENOMEM;
	while (v) {
		char *ustr = NULL;

		v[n] = NULL;
		if (uv && get_user(ustr, uv + n)) {
			*err = -EFAULT;
			break;
		}
		if (!ustr)
			return v;
		v[n] = string_from_user(ustr, MAX_STRING, err);
		if (!v[n]) {
			*err = *err == -ENAMETOOLONG ? -E2BIG : *err;
			break;
		}
		total += strlen(v[n]) + 1 + sizeof(char *);
		if (total > MAX_ARGS_ALL) {
			v[n + 1] = NULL;
			*err = -E2BIG;
			break;
		}
		if (++n + 2 > room) {
			char **bigger = heap_resize(v, 2 * room * sizeof(*v));

			if (!bigger) {
				v[n] = NULL;
				*err = -ENOMEM;
				break;
			}
			v = bigger;
			room *= 2;
		}
	}
	strings_free(v);
	return NULL;
}

/* r has everything but the strings. */
static long exec_request(struct exec_request *r, char *const *uargv, char *const *uenvp)
{
	char **argv, **envp = NULL;
	long err;

	argv = strings_from_user(uargv, &err);
	if (argv)
		envp = strings_from_user(uenvp, &err);
	if (envp) {
		r->argv = argv;
		r->envp = envp;
		err = process_exec(r);
	}
	strings_free(argv);
	strings_free(envp);
	return err;
}

SYSCALL_DEFINE3(execve, const char *, upath, char *const *, uargv, char *const *, uenvp)
{
	long err;
	char *path = string_from_user(upath, PATH_SIZE, &err);
	struct exec_request r = { .path = path, .name = path };

	if (!path)
		return err;
	err = exec_request(&r, uargv, uenvp);
	heap_free(path);
	return err;
}

/* Linux makes up a name under /dev/fd for a program that is found through a descriptor. */
static long exec_at(int dirfd, const char *path, char *const *uargv, char *const *uenvp)
{
	size_t size = strlen(path) + 32;
	char *name = heap_alloc(size);
	struct exec_request r = { .path = path, .name = name };
	long err = -EBADF;

	if (!name)
		return -ENOMEM;
	format(name, size, "/dev/fd/%d%s%s", dirfd, *path ? "/" : "", path);
	r.at = fd_get(process_current()->fds, dirfd);
	if (r.at) {
		err = exec_request(&r, uargv, uenvp);
		file_put(r.at);
	}
	heap_free(name);
	return err;
}

SYSCALL_DEFINE5(execveat, int, dirfd, const char *, upath, char *const *, uargv, char *const *,
	uenvp, int, flags)
{
	struct exec_request r;
	char *path;
	long err;

	path = string_from_user(upath, PATH_SIZE, &err);
	if (!path)
		return err;
	if (!*path && !(flags & AT_EMPTY_PATH)) {
		err = -ENOENT;
	} else if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
		err = -EINVAL;
	} else if (*path == '/' || (dirfd == AT_FDCWD && *path)) {
		r = (struct exec_request){ .path = path, .name = path };
		err = exec_request(&r, uargv, uenvp);
	} else {
		err = exec_at(dirfd, path, uargv, uenvp);
	}
	heap_free(path);
	return err;
}

/* ---- children: there are none ---- */

SYSCALL_DEFINE4(wait4, int, pid, int *, status, int, options, struct rusage *, usage)
{
	if ((uint32_t)options &
		~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	return -ECHILD;
}

SYSCALL_DEFINE5(waitid, int, type, int, id, void *, info, int, options, struct rusage *, usage)
{
	if ((uint32_t)options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED |
					__WNOTHREAD | __WALL | __WCLONE))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (type) {
	case P_ALL: break;
	case P_PID:
		if (id <= 0)
			return -EINVAL;
		break;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		break;
	case P_PIDFD: return id < 0 ? -EINVAL : -EBADF;
	default: return -EINVAL;
	}
	return -ECHILD;
}

/* ---- limits and usage ---- */

#define NOFILE_MAX	 1048576
#define CAP_SYS_RESOURCE 24

static void limits_apply(struct process *p)
{
	fdtable_set_limit(p->fds, MIN(p->rlimit[RLIMIT_NOFILE].soft, NOFILE_MAX));
	vm_set_limits(p->vm, p->rlimit[RLIMIT_AS].soft, p->rlimit[RLIMIT_DATA].soft,
		p->rlimit[RLIMIT_STACK].soft);
}

static long limit_change(
	struct process *p, unsigned which, const struct rlimit64 *new, struct rlimit64 *old)
{
	long err = 0;

	if (which >= RLIMIT_COUNT)
		return -EINVAL;
	if (new &&new->soft > new->hard)
		return -EINVAL;
	if (new &&which == RLIMIT_NOFILE &&new->hard > NOFILE_MAX)
		return -EPERM;
	mutex_lock(&p->lock);
	if (old)
		*old = p->rlimit[which];
	if (new &&new->hard > p->rlimit[which].hard && !(p->cap_effective >> CAP_SYS_RESOURCE & 1))
		err = -EPERM;
	else if (new)
		p->rlimit[which] = *new;
	mutex_unlock(&p->lock);
	if (new && !err)
		limits_apply(p);
	return err;
}

SYSCALL_DEFINE4(prlimit64, int, pid, unsigned, which, const struct rlimit64 *, unew,
	struct rlimit64 *, uold)
{
	struct rlimit64 new, old;
	struct process *p;
	long err;

	if (unew && get_user(new, unew))
		return -EFAULT;
	p = process_named(pid);
	if (!p)
		return -ESRCH;
	err = limit_change(p, which, unew ? &new : NULL, &old);
	process_put(p);
	if (!err && uold && put_user(old, uold))
		return -EFAULT;
	return err;
}

SYSCALL_DEFINE2(getrlimit, unsigned, which, struct rlimit64 *, uold)
{
	struct rlimit64 old;
	long err = limit_change(process_current(), which, NULL, &old);

	return !err && put_user(old, uold) ? -EFAULT : err;
}

SYSCALL_DEFINE2(setrlimit, unsigned, which, const struct rlimit64 *, unew)
{
	struct rlimit64 new;

	if (get_user(new, unew))
		return -EFAULT;
	return limit_change(process_current(), which, &new, NULL);
}

static struct timeval ns_to_timeval(uint64_t ns)
{
	return (struct timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };
}

static void usage_of_process(struct process *p, struct rusage *r)
{
	struct cputime parts = process_cputime(p);
	struct vm_stats vm;
	struct task *t;

	r->ru_utime = ns_to_timeval(parts.user);
	r->ru_stime = ns_to_timeval(parts.system);
	mutex_lock(&p->lock);
	r->ru_nvcsw = p->dead_voluntary;
	r->ru_nivcsw = p->dead_involuntary;
	list_for_each_entry (t, &p->tasks, link) {
		r->ru_nvcsw += t->thread.voluntary_switches;
		r->ru_nivcsw += t->thread.involuntary_switches;
	}
	mutex_unlock(&p->lock);
	vm_stats(p->vm, &vm);
	r->ru_maxrss = vm.resident_peak * 4;
	r->ru_minflt = vm.minor_faults;
	r->ru_majflt = vm.major_faults;
}

SYSCALL_DEFINE2(getrusage, int, who, struct rusage *, usage)
{
	struct rusage r = { 0 };
	struct cputime parts;

	switch (who) {
	case RUSAGE_SELF: usage_of_process(process_current(), &r); break;
	case RUSAGE_THREAD:
		usage_of_process(process_current(), &r);
		parts = task_cputime(process_current(), task_current());
		r.ru_utime = ns_to_timeval(parts.user);
		r.ru_stime = ns_to_timeval(parts.system);
		r.ru_nvcsw = thread_current()->voluntary_switches;
		r.ru_nivcsw = thread_current()->involuntary_switches;
		break;
	case RUSAGE_CHILDREN: break;
	default: return -EINVAL;
	}
	return put_user(r, usage);
}

/* ---- prctl and friends ---- */

static long prctl_name(unsigned long option, char *uname)
{
	struct thread *t = thread_current();
	char name[16];
	ssize_t len;

	if (option == PR_GET_NAME)
		return copy_to_user(uname, t->name, sizeof(t->name));
	len = copy_string_from_user(name, uname, sizeof(name) - 1);
	if (len == -EFAULT)
		return len;
	len = len < 0 ? (ssize_t)sizeof(name) - 1 : len;
	memset(name + len, 0, sizeof(name) - len);
	memcpy(t->name, name, sizeof(name));
	return 0;
}

static long prctl_vma_name(unsigned long what, uintptr_t addr, size_t len, const char *uname)
{
	char name[80], tagged[96];
	ssize_t got;

	if (what != PR_SET_VMA_ANON_NAME || !IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (!uname || !len)
		return 0;
	got = copy_string_from_user(name, uname, sizeof(name));
	if (got < 0)
		return got == -ENAMETOOLONG ? -EINVAL : got;
	format(tagged, sizeof(tagged), "[anon:%s]", name);
	vm_area_name(process_current()->vm, addr, tagged);
	return 0;
}

static long prctl_cap_ambient(
	unsigned long what, unsigned long cap, unsigned long a4, unsigned long a5)
{
	if (a4 || a5)
		return -EINVAL;
	if (what == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : 0;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (what) {
	case PR_CAP_AMBIENT_IS_SET:
	case PR_CAP_AMBIENT_LOWER: return 0;
	case PR_CAP_AMBIENT_RAISE: return -EPERM;
	default: return -EINVAL;
	}
}

SYSCALL_DEFINE5(prctl, int, option, unsigned long, a2, unsigned long, a3, unsigned long, a4,
	unsigned long, a5)
{
	struct process *p = process_current();
	struct task *t = task_current();

	switch (option) {
	case PR_SET_NAME:
	case PR_GET_NAME: return prctl_name(option, (char *)a2);
	case PR_SET_PDEATHSIG:
		if (a2 > 64)
			return -EINVAL;
		t->pdeath_signal = a2;
		return 0;
	case PR_GET_PDEATHSIG: return put_user(t->pdeath_signal, (int *)a2);
	case PR_GET_DUMPABLE: return p->dumpable;
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		p->dumpable = a2;
		return 0;
	case PR_GET_KEEPCAPS: return p->keep_caps;
	case PR_SET_KEEPCAPS:
		if (a2 > 1)
			return -EINVAL;
		p->keep_caps = a2;
		return 0;
	case PR_GET_TIMING: return 0;
	case PR_SET_TIMING: return a2 ? -EINVAL : 0;
	case PR_GET_SECCOMP: return 0;
	case PR_CAPBSET_READ: return a2 > CAP_LAST_CAP ? -EINVAL : 1;
	case PR_CAPBSET_DROP: return a2 > CAP_LAST_CAP ? -EINVAL : 0;
	case PR_GET_TSC: return put_user(1, (int *)a2); /* PR_TSC_ENABLE */
	case PR_SET_TSC: return a2 == 1 ? 0 : -EINVAL;
	case PR_GET_SECUREBITS: return 0;
	case PR_SET_SECUREBITS: return a2 ? -EPERM : 0;
	case PR_SET_TIMERSLACK: t->timer_slack = a2 ? a2 : 50 * NSEC_PER_USEC; return 0;
	case PR_GET_TIMERSLACK: return t->timer_slack;
	case PR_SET_CHILD_SUBREAPER: p->child_subreaper = a2 != 0; return 0;
	case PR_GET_CHILD_SUBREAPER: return put_user((int)p->child_subreaper, (int *)a2);
	case PR_SET_NO_NEW_PRIVS:
		if (a2 != 1 || a3 || a4 || a5)
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS: return a2 || a3 || a4 || a5 ? -EINVAL : p->no_new_privs;
	case PR_GET_TID_ADDRESS: return put_user((uint64_t)t->clear_child_tid, (uint64_t *)a2);
	case PR_SET_THP_DISABLE:
		if (a3 || a4 || a5)
			return -EINVAL;
		p->thp_disable = a2 != 0;
		return 0;
	case PR_GET_THP_DISABLE: return a2 || a3 || a4 || a5 ? -EINVAL : p->thp_disable;
	case PR_CAP_AMBIENT: return prctl_cap_ambient(a2, a3, a4, a5);
	case PR_MCE_KILL: return a4 || a5 ? -EINVAL : 0;
	case PR_MCE_KILL_GET: return a2 || a3 || a4 || a5 ? -EINVAL : 2; /* default policy */
	case PR_SET_VMA: return prctl_vma_name(a2, a3, a4, (const char *)a5);
	default: return -EINVAL;
	}
}

SYSCALL_DEFINE2(arch_prctl, int, code, unsigned long, addr)
{
	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (!user_range_ok((void *)addr, 1))
			return -EPERM;
		if (code == ARCH_SET_FS)
			cpu_set_fs_base(addr);
		else
			cpu_set_gs_base(addr);
		return 0;
	case ARCH_GET_FS: return put_user(cpu_get_fs_base(), (uint64_t *)addr);
	case ARCH_GET_GS: return put_user(cpu_get_gs_base(), (uint64_t *)addr);
	case ARCH_GET_CPUID: return 1;
	case ARCH_SET_CPUID: return -ENODEV;
	case ARCH_GET_XCOMP_SUPP:
	case ARCH_GET_XCOMP_PERM: return put_user(cpu_fpu_features(), (uint64_t *)addr);
	default: return -EINVAL; /* CET among them: there is none */
	}
}

SYSCALL_DEFINE4(rseq, uintptr_t, addr, uint32_t, len, int, flags, uint32_t, sig)
{
	return rseq_register(addr, len, flags, sig);
}

SYSCALL_DEFINE1(personality, unsigned, persona)
{
	struct task *t = task_current();
	long old = t->personality;

	if (persona != 0xffffffff)
		t->personality = persona;
	return old;
}

#define UNSHARE_KNOWN                                                                              \
	(CLONE_THREAD | CLONE_FS | CLONE_NEW_ANY | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |        \
		CLONE_SYSVSEM)

SYSCALL_DEFINE1(unshare, uint64_t, flags)
{
	if (flags & ~UNSHARE_KNOWN)
		return -EINVAL;
	if (flags & CLONE_NEW_ANY)
		return -EPERM;
	/* With a single thread nothing is shared; with several Linux refuses most, and we all. */
	if (flags && process_current()->task_count > 1)
		return -EINVAL;
	return 0;
}

SYSCALL_DEFINE2(setns, int, fd, int, type)
{
	struct file *f = fd_get(process_current()->fds, fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return -EINVAL;
}

SYSCALL_DEFINE4(ptrace, long, request, long, pid, unsigned long, addr, unsigned long, data)
{
	return request == 0 ? -EPERM : -ESRCH; /* PTRACE_TRACEME: init's parent traces nobody */
}

SYSCALL_DEFINE3(seccomp, unsigned, op, unsigned, flags, void *, args)
{
	return -EINVAL;
}
