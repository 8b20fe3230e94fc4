/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/<pid>, /proc/self and /proc/thread-self. An entry's argument is its process and thread, or
 * descriptor, as numbers: nothing is held while a directory is only looked at.
 */

#include "syscall/procfs.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "abi/stat.h"
#include "cpu/uaccess.h"
#include "fs/vnode.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "process/process.h"
#include "sched/clock.h"

#define TICK_NS (NSEC_PER_SEC / 100)

/* An argument: pid, then a thread id (0: the process) or a descriptor, then which file it is. */
static void *pack(uint32_t pid, uint32_t low, uint32_t file)
{
	return (void *)((uintptr_t)pid << 40 | (uintptr_t)low << 16 | file);
}
static uint32_t pid_of(const void *arg)
{
	return (uint32_t)((uintptr_t)arg >> 40);
}
static uint32_t low_of(const void *arg)
{
	return (uintptr_t)arg >> 16 & 0xffffff;
}
static uint32_t file_of(const void *arg)
{
	return (uintptr_t)arg & 0xffff;
}

/* --- texts; each runs with the process referenced --- */

typedef int show_process(struct text *t, struct process *p, struct task *task);

static void print_user_range(struct text *t, struct process *p, uintptr_t start, uintptr_t end)
{
	char buf[512];

	if (p != process_current()) /* another address space: not readable from here */
		return;
	while (start < end) {
		size_t n = MIN(sizeof(buf), end - start);

		if (copy_from_user(buf, (void *)start, n))
			return;
		text_write(t, buf, n);
		start += n;
	}
}

static int show_cmdline(struct text *t, struct process *p, struct task *task)
{
	print_user_range(t, p, p->arg_start, p->arg_end);
	return 0;
}

static int show_environ(struct text *t, struct process *p, struct task *task)
{
	print_user_range(t, p, p->env_start, p->env_end);
	return 0;
}

static int show_auxv(struct text *t, struct process *p, struct task *task)
{
	text_write(
		t, p->auxv, MIN(p->auxv_count, (unsigned)ARRAY_SIZE(p->auxv)) * sizeof(uint64_t));
	return 0;
}

static int show_comm(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%.15s\n", task->thread.name);
	return 0;
}

/* proc_pid_stat(5) */
static char state_of(const struct process *p, const struct task *task)
{
	char letter = thread_state_letter(&task->thread);

	return letter == 'D' && load_acquire(&p->stopped) ? 'T' : letter;
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	default: return "X (dead)";
	}
}

static int show_stat(struct text *t, struct process *p, struct task *task)
{
	struct vm_stats vm;
	struct cputime cpu = process_cputime(p);

	vm_stats(p->vm, &vm);
	text_printf(t,
		"%u (%.15s) %c %u %u %u %d -1 4194304 %lu 0 %lu 0 %lu %lu 0 0 %d %d %u 0 %lu ",
		task->thread.id, task->thread.name, state_of(p, task), 0u, p->pgid, p->sid, 0,
		vm.minor_faults, vm.major_faults, cpu.user / TICK_NS, cpu.system / TICK_NS,
		20 + task->thread.nice, task->thread.nice, p->task_count, p->start_time / TICK_NS);
	text_printf(t, "%lu %lu %lu %lu %lu %lu 0 0 0 0 0 0 0 0 0 17 %u %u %u 0 0 0 ",
		vm.total * PAGE_SIZE, vm.resident, p->rlimit[RLIMIT_RSS].soft, p->code_start,
		p->code_end, p->stack_start, task->thread.cpu, task->thread.rt_priority,
		task->thread.policy);
	text_printf(t, "%lu %lu %lu %lu %lu %lu %lu %d\n", p->data_start, p->data_end, p->data_end,
		p->arg_start, p->arg_end, p->env_start, p->env_end, p->exit_code);
	return 0;
}

static int show_statm(struct text *t, struct process *p, struct task *task)
{
	struct vm_stats vm;

	vm_stats(p->vm, &vm);
	text_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", vm.total, vm.resident, vm.shared, vm.text,
		vm.data + vm.stack);
	return 0;
}

static void print_signal_sets(struct text *t, struct process *p, struct task *task)
{
	uint64_t ignored = 0, caught = 0;

	mutex_lock(&p->signal_lock);
	for (int i = 0; i < 64; i++) {
		uintptr_t handler = (uintptr_t)p->action[i].handler;

		if (handler == 1)
			ignored |= 1ull << i;
		else if (handler)
			caught |= 1ull << i;
	}
	text_printf(t, "SigQ:\t%u/%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
		p->queued, p->rlimit[RLIMIT_SIGPENDING].soft, task->pending.mask, p->pending.mask,
		task->blocked);
	mutex_unlock(&p->signal_lock);
	text_printf(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", ignored, caught);
}

/* Groups of 32 bits, the last CPUs first, as many digits as there are CPUs. */
static void print_cpu_mask(struct text *t, const uint64_t *mask)
{
	unsigned n = cpu_count();

	for (unsigned first = (n - 1) / 32 * 32, left = n - first;; first -= 32, left = 32) {
		uint32_t word = mask[first / 64] >> (first % 64);

		if (left < 32)
			word &= (1u << left) - 1;
		text_printf(t, "%0*x", (int)DIV_ROUND_UP(left, 4), word);
		if (!first)
			break;
		text_printf(t, ",");
	}
}

static void print_cpu_list(struct text *t, const uint64_t *mask)
{
	bool first = true;

	for (unsigned i = 0; i < cpu_count(); i++) {
		unsigned j = i;

		if (!(mask[i / 64] >> (i % 64) & 1))
			continue;
		while (j + 1 < cpu_count() && (mask[(j + 1) / 64] >> ((j + 1) % 64) & 1))
			j++;
		text_printf(t, j > i ? "%s%u-%u" : "%s%u", first ? "" : ",", i, j);
		first = false;
		i = j;
	}
	text_printf(t, "\n");
}

static int show_status(struct text *t, struct process *p, struct task *task)
{
	const struct credentials *c = &p->cred;
	struct vm_stats vm;

	vm_stats(p->vm, &vm);
	text_printf(t,
		"Name:\t%.15s\nUmask:\t%04o\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t0\n"
		"TracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t256\nGroups:\t",
		task->thread.name, p->umask, state_name(state_of(p, task)), p->pid, task->thread.id,
		c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	for (unsigned i = 0; i < c->group_count; i++)
		text_printf(t, "%u ", c->groups[i]);
	text_printf(t, "%s\nNStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\n",
		c->group_count ? "" : " ", p->pid, task->thread.id, p->pgid, p->sid);
	text_printf(t,
		"VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n"
		"VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\n"
		"RssShmem:\t       0 kB\nVmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n"
		"VmLib:\t       0 kB\nVmPTE:\t       0 kB\nVmSwap:\t       0 kB\n",
		vm.peak * 4, vm.total * 4, vm.resident_peak * 4, vm.resident * 4,
		(vm.resident - vm.shared) * 4, vm.shared * 4, vm.data * 4, vm.stack * 4,
		vm.text * 4);
	text_printf(t,
		"HugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t%u\n",
		p->task_count);
	print_signal_sets(t, p, task);
	text_printf(t,
		"CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016x\n"
		"NoNewPrivs:\t%u\nSeccomp:\t0\nSeccomp_filters:\t0\n",
		p->cap_inheritable, p->cap_permitted, p->cap_effective, 0x1fffffffffful, 0,
		p->no_new_privs);
	text_printf(t, "Cpus_allowed:\t");
	print_cpu_mask(t, task->thread.affinity);
	text_printf(t, "\nCpus_allowed_list:\t");
	print_cpu_list(t, task->thread.affinity);
	text_printf(t,
		"Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%lu\n"
		"nonvoluntary_ctxt_switches:\t%lu\n",
		task->thread.voluntary_switches, task->thread.involuntary_switches);
	return 0;
}

static int show_limits(struct text *t, struct process *p, struct task *task)
{
	static const struct {
		const char *name, *unit;
	} names[RLIMIT_COUNT] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", "" },
		[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};
	char soft[24], hard[24];

	text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIMIT_COUNT; i++) {
		format(soft, sizeof(soft), p->rlimit[i].soft == RLIM_INFINITY ? "unlimited" : "%lu",
			p->rlimit[i].soft);
		format(hard, sizeof(hard), p->rlimit[i].hard == RLIM_INFINITY ? "unlimited" : "%lu",
			p->rlimit[i].hard);
		text_printf(
			t, "%-25s %-20s %-20s %-10s\n", names[i].name, soft, hard, names[i].unit);
	}
	return 0;
}

static size_t print_area(char *line, size_t size, const struct vm_area_info *a)
{
	int n = format(line, size, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", a->start, a->end,
		a->prot & 1 ? 'r' : '-', a->prot & 2 ? 'w' : '-', a->prot & 4 ? 'x' : '-',
		a->flags & 1 ? 's' : 'p', a->offset, DEV_MAJOR(a->device), DEV_MINOR(a->device),
		a->inode);

	while (a->name[0] && n < 73)
		line[n++] = ' ';
	n += format(line + n, size - n, "%s\n", a->name);
	return (size_t)n;
}

static int show_areas(struct text *t, struct process *p, bool details)
{
	struct vm_area_info *a = heap_alloc(sizeof(*a));
	char *line = heap_alloc(512);
	uintptr_t at = 0;

	if (!a || !line) {
		heap_free(a);
		heap_free(line);
		return -ENOMEM;
	}
	while (vm_area_next(p->vm, at, details, a) == 0) {
		bool anonymous = !a->inode;

		text_write(t, line, print_area(line, 512, a));
		if (details) {
			uint64_t kb = a->resident * 4;

			text_printf(t,
				"Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
				"Rss:            %8lu kB\nPss:            %8lu kB\nShared_Clean:          0 kB\n"
				"Shared_Dirty:          0 kB\nPrivate_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n",
				(a->end - a->start) / 1024, kb, kb, anonymous ? 0 : kb,
				anonymous ? kb : 0);
			text_printf(t,
				"Referenced:     %8lu kB\nAnonymous:      %8lu kB\nLazyFree:              0 kB\n"
				"AnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
				"Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\nSwap:                  0 kB\n"
				"SwapPss:               0 kB\nLocked:                0 kB\nTHPeligible:    %8u\n"
				"VmFlags:%s%s%s mr mw me\n",
				kb, anonymous ? kb : 0, anonymous, a->prot & 1 ? " rd" : "",
				a->prot & 2 ? " wr" : "", a->prot & 4 ? " ex" : "");
		}
		at = a->end;
	}
	heap_free(a);
	heap_free(line);
	return 0;
}

static int show_maps(struct text *t, struct process *p, struct task *task)
{
	return show_areas(t, p, false);
}

static int show_smaps(struct text *t, struct process *p, struct task *task)
{
	return show_areas(t, p, true);
}

static int show_smaps_rollup(struct text *t, struct process *p, struct task *task)
{
	struct vm_stats vm;

	vm_stats(p->vm, &vm);
	text_printf(t,
		"%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n"
		"Rss:            %8lu kB\nPss:            %8lu kB\nShared_Clean:   %8lu kB\n"
		"Shared_Dirty:          0 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:  %8lu kB\n"
		"Referenced:     %8lu kB\nAnonymous:      %8lu kB\nSwap:                  0 kB\n"
		"SwapPss:               0 kB\nLocked:                0 kB\n",
		p->code_start, p->stack_start, vm.resident * 4, vm.resident * 4, vm.shared * 4,
		(vm.resident - vm.shared) * 4, vm.resident * 4, (vm.resident - vm.shared) * 4);
	return 0;
}

static int show_mounts(struct text *t, struct process *p, struct task *task)
{
	struct mount_info m;

	for (unsigned i = 0; fs_mount_info(i, &m); i++)
		text_printf(t, "%s %s %s %s,relatime 0 0\n", m.source, m.path, m.type, m.options);
	return 0;
}

static int show_mountinfo(struct text *t, struct process *p, struct task *task)
{
	struct mount_info m;

	for (unsigned i = 0; fs_mount_info(i, &m); i++)
		text_printf(t, "%u %u %u:%u / %s %s,relatime - %s %s rw\n", m.id, m.parent_id,
			DEV_MAJOR(m.dev), DEV_MINOR(m.dev), m.path, m.options, m.type, m.source);
	return 0;
}

static int show_mountstats(struct text *t, struct process *p, struct task *task)
{
	struct mount_info m;

	for (unsigned i = 0; fs_mount_info(i, &m); i++)
		text_printf(
			t, "device %s mounted on %s with fstype %s\n", m.source, m.path, m.type);
	return 0;
}

static int32_t oom_score_adj; /* there is one process to choose from */

static int show_oom_score_adj(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%d\n", oom_score_adj);
	return 0;
}

static ssize_t store_oom_score_adj(const char *data, size_t n, void *arg)
{
	bool negative = *data == '-';
	uint64_t v;

	if (!str_to_u64(data + negative, 10, &v) || v > 1000)
		return -EINVAL;
	oom_score_adj = negative ? -(int32_t)v : (int32_t)v;
	return (ssize_t)n;
}

static int show_oom_score(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%d\n", 666 + oom_score_adj * 2 / 3);
	return 0;
}

static ssize_t store_comm(const char *data, size_t n, void *arg)
{
	struct task *t = task_find(low_of(arg) ? low_of(arg) : pid_of(arg));
	size_t len = 0;

	if (!t)
		return -ESRCH;
	while (len < n && len < 15 && data[len] && data[len] != '\n')
		len++;
	memcpy(t->thread.name, data, len);
	t->thread.name[len] = 0;
	task_put(t);
	return (ssize_t)n;
}

static int show_io(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
		       "cancelled_write_bytes: 0\n");
	return 0;
}

static int show_schedstat(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%lu 0 %lu\n", thread_cpu_time(&task->thread),
		task->thread.voluntary_switches + task->thread.involuntary_switches);
	return 0;
}

#define FIXED(name, value)                                                                         \
	static int show_##name(struct text *t, struct process *p, struct task *task)               \
	{                                                                                          \
		text_printf(t, value);                                                             \
		return 0;                                                                          \
	}
FIXED(cgroup, "0::/\n")
FIXED(wchan, "0")
FIXED(zero, "0\n")
FIXED(no_id, "4294967295")
FIXED(id_map, "         0          0 4294967295\n")
FIXED(allow, "allow\n")
FIXED(personality, "00000000\n")
FIXED(coredump, "00000033\n")
FIXED(cpuset, "/\n")

/* --- the directory of a process or thread --- */

static ssize_t store_clear_refs(const char *data, size_t n, void *arg)
{
	return procfs_clear_refs(pid_of(arg), data, n);
}

static struct file *open_pagemap(void *arg, uint32_t flags)
{
	return procfs_open_pagemap(pid_of(arg), flags);
}

static const struct process_file {
	const char *name;
	uint32_t mode;
	show_process *show;
	ssize_t (*store)(const char *data, size_t n, void *arg);
	struct file *(*open)(void *arg, uint32_t flags);
} process_files[] = {
	{ "auxv", 0400, show_auxv },
	{ "cgroup", 0444, show_cgroup },
	{ "clear_refs", 0200, NULL, store_clear_refs },
	{ "cmdline", 0444, show_cmdline },
	{ "comm", 0644, show_comm, store_comm },
	{ "coredump_filter", 0444, show_coredump },
	{ "cpuset", 0444, show_cpuset },
	{ "environ", 0400, show_environ },
	{ "gid_map", 0444, show_id_map },
	{ "io", 0400, show_io },
	{ "limits", 0444, show_limits },
	{ "loginuid", 0444, show_no_id },
	{ "maps", 0444, show_maps },
	{ "mountinfo", 0444, show_mountinfo },
	{ "mounts", 0444, show_mounts },
	{ "mountstats", 0400, show_mountstats },
	{ "oom_adj", 0444, show_zero },
	{ "oom_score", 0444, show_oom_score },
	{ "oom_score_adj", 0644, show_oom_score_adj, store_oom_score_adj },
	{ "pagemap", 0400, NULL, NULL, open_pagemap },
	{ "personality", 0400, show_personality },
	{ "schedstat", 0444, show_schedstat },
	{ "sessionid", 0444, show_no_id },
	{ "setgroups", 0444, show_allow },
	{ "smaps", 0444, show_smaps },
	{ "smaps_rollup", 0444, show_smaps_rollup },
	{ "stat", 0444, show_stat },
	{ "statm", 0444, show_statm },
	{ "status", 0444, show_status },
	{ "uid_map", 0444, show_id_map },
	{ "wchan", 0444, show_wchan },
};

/* The process and thread that arg names, referenced. -ESRCH. */
static int find(void *arg, struct process **p, struct task **t)
{
	*p = process_find(pid_of(arg));
	*t = task_find(low_of(arg) ? low_of(arg) : pid_of(arg));
	if (!*t && *p && *p == process_current()) /* the first thread ended before the others */
		*t = task_find(thread_current()->id);
	if (*p && *t)
		return 0;
	if (*t)
		task_put(*t);
	if (*p)
		process_put(*p);
	return -ESRCH;
}

static int show_file(struct text *t, void *arg)
{
	struct process *p;
	struct task *task;
	int err = find(arg, &p, &task);

	if (err)
		return err;
	err = process_files[file_of(arg)].show(t, p, task);
	task_put(task);
	process_put(p);
	return err;
}

/* --- links --- */

enum link { LINK_EXE, LINK_CWD, LINK_ROOT };

static struct dentry *link_target(void *arg)
{
	struct process *p = process_find(pid_of(arg));
	struct dentry *d = NULL;

	if (!p)
		return ERR_PTR(-ESRCH);
	mutex_lock(&p->lock);
	switch (file_of(arg)) {
	case LINK_EXE: d = p->exe; break;
	case LINK_CWD: d = p->cwd; break;
	case LINK_ROOT: d = p->root; break;
	}
	if (d)
		dentry_get(d);
	mutex_unlock(&p->lock);
	process_put(p);
	return d ? d : ERR_PTR(-ENOENT);
}

static ssize_t path_of(struct dentry *d, char *buf, size_t size)
{
	char *path = heap_alloc(4096);
	ssize_t n = -ENOMEM;

	if (path) {
		n = dentry_path(d, path, 4096);
		if (n > 0) {
			n = MIN(n, (ssize_t)size);
			memcpy(buf, path, (size_t)n);
		}
	}
	heap_free(path);
	return n;
}

static ssize_t link_read(void *arg, char *buf, size_t size)
{
	struct dentry *d = link_target(arg);
	ssize_t n;

	if (IS_ERR(d))
		return PTR_ERR(d);
	n = path_of(d, buf, size);
	dentry_put(d);
	return n;
}

/* --- fd and fdinfo --- */

static struct file *file_of_arg(void *arg)
{
	struct process *p = process_find(pid_of(arg));
	struct file *f = NULL;

	if (p) {
		f = fd_get(p->fds, (int)low_of(arg));
		process_put(p);
	}
	return f;
}

static struct dentry *fd_follow(void *arg)
{
	struct file *f = file_of_arg(arg);
	struct dentry *d;

	if (!f)
		return ERR_PTR(-ENOENT);
	d = dentry_for_file(f);
	file_put(f);
	return d;
}

static ssize_t fd_readlink(void *arg, char *buf, size_t size)
{
	struct file *f = file_of_arg(arg);
	char text[64];
	ssize_t n;

	if (!f)
		return -ENOENT;
	if (file_dentry(f)) {
		n = path_of(file_dentry(f), buf, size);
	} else {
		if (f->ops->describe)
			f->ops->describe(f, text, sizeof(text));
		else
			str_copy(text, f->ops->kind ? f->ops->kind : "anon_inode:[file]",
				sizeof(text));
		n = (ssize_t)MIN(strlen(text), size);
		memcpy(buf, text, (size_t)n);
	}
	file_put(f);
	return n;
}

static int show_fdinfo(struct text *t, void *arg)
{
	struct file *f = file_of_arg(arg);
	struct stat st = { 0 };

	if (!f)
		return -ENOENT;
	if (f->ops->stat)
		f->ops->stat(f, &st);
	text_printf(t, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->pos, f->flags, 21u,
		st.st_ino);
	file_put(f);
	return 0;
}

static int fd_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	struct process *p = process_find(pid_of(arg));
	bool info = file_of(arg);
	const char *end;
	struct file *f = NULL;
	uint64_t fd;

	if (!p)
		return -ENOENT;
	end = str_to_u64(name, 10, &fd);
	if (end && !*end && fd < 0x1000000 && (name[0] != '0' || !name[1]))
		f = fd_get(p->fds, (int)fd);
	process_put(p);
	if (!f)
		return -ENOENT;
	*out = (struct procfs_entry){ .arg = pack(pid_of(arg), (uint32_t)fd, 0) };
	if (info) {
		out->mode = S_IFREG | 0444;
		out->show = show_fdinfo;
	} else {
		uint32_t mode = f->flags & O_ACCMODE;

		out->mode = S_IFLNK | 0100 | (mode != O_WRONLY ? 0400 : 0) |
			    (mode != O_RDONLY ? 0200 : 0);
		out->readlink = fd_readlink;
		out->follow = fd_follow;
	}
	file_put(f);
	return 0;
}

static int fd_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	struct process *p = process_find(pid_of(arg));
	int fd = -1;

	if (!p)
		return -ENOENT;
	do
		fd = fd_next(p->fds, fd + 1);
	while (fd >= 0 && n--);
	process_put(p);
	if (fd < 0)
		return -ENOENT;
	format(buf, size, "%d", fd);
	*type = file_of(arg) ? DT_REG : DT_LNK;
	return 0;
}

static const struct procfs_dir_ops fd_ops = { .lookup = fd_lookup, .list = fd_list };

/* --- task --- */

static const struct procfs_dir_ops process_ops;

static bool parse_id(const char *name, uint32_t *id)
{
	uint64_t v;
	const char *end = str_to_u64(name, 10, &v);

	if (!end || *end || !v || v > 0x3fffff || name[0] == '0')
		return false;
	*id = (uint32_t)v;
	return true;
}

static int task_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	struct task *t;
	uint32_t tid;
	bool ours;

	if (!parse_id(name, &tid))
		return -ENOENT;
	t = task_find(tid);
	if (!t)
		return -ENOENT;
	ours = t->process->pid == pid_of(arg);
	task_put(t);
	if (!ours)
		return -ENOENT;
	*out = (struct procfs_entry){
		.mode = S_IFDIR | 0555, .dir = &process_ops, .arg = pack(pid_of(arg), tid, 0)
	};
	return 0;
}

static int task_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	struct process *p = process_find(pid_of(arg));
	struct task *t;
	int err = -ENOENT;

	if (!p)
		return -ENOENT;
	mutex_lock(&p->lock);
	list_for_each_entry (t, &p->tasks, link) {
		if (n-- == 0) {
			format(buf, size, "%u", t->thread.id);
			*type = DT_DIR;
			err = 0;
			break;
		}
	}
	mutex_unlock(&p->lock);
	process_put(p);
	return err;
}

static const struct procfs_dir_ops task_ops = { .lookup = task_lookup, .list = task_list };

/* --- the directory of a process or thread --- */

static const struct {
	const char *name;
	uint32_t mode;
	const struct procfs_dir_ops *dir;
	unsigned file; /* for the argument */
} process_dirs[] = {
	{ "exe", S_IFLNK | 0777, NULL, LINK_EXE }, { "cwd", S_IFLNK | 0777, NULL, LINK_CWD },
	{ "root", S_IFLNK | 0777, NULL, LINK_ROOT }, { "fd", S_IFDIR | 0500, &fd_ops, 0 },
	{ "fdinfo", S_IFDIR | 0555, &fd_ops, 1 },
	{ "task", S_IFDIR | 0555, &task_ops, 0 }, /* the last: threads have none */
};

static int process_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	uint32_t pid = pid_of(arg), tid = low_of(arg);

	for (unsigned i = 0; i < ARRAY_SIZE(process_dirs) - (tid != 0); i++) {
		if (strcmp(name, process_dirs[i].name))
			continue;
		*out = (struct procfs_entry){ .mode = process_dirs[i].mode,
			.dir = process_dirs[i].dir,
			.arg = pack(pid, 0, process_dirs[i].file) };
		if (!out->dir) {
			out->readlink = link_read;
			out->follow = link_target;
		}
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(process_files); i++) {
		if (strcmp(name, process_files[i].name))
			continue;
		*out = (struct procfs_entry){ .mode = S_IFREG | process_files[i].mode,
			.show = process_files[i].show ? show_file : NULL,
			.store = process_files[i].store,
			.open = process_files[i].open,
			.arg = pack(pid, tid, i) };
		return 0;
	}
	return -ENOENT;
}

static int process_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	unsigned dirs = ARRAY_SIZE(process_dirs) - (low_of(arg) != 0);

	if (n < dirs) {
		str_copy(buf, process_dirs[n].name, size);
		*type = (process_dirs[n].mode & S_IFMT) >> 12;
		return 0;
	}
	n -= dirs;
	if (n >= ARRAY_SIZE(process_files))
		return -ENOENT;
	str_copy(buf, process_files[n].name, size);
	*type = DT_REG;
	return 0;
}

static const struct procfs_dir_ops process_ops = { .lookup = process_lookup, .list = process_list };

/* --- /proc itself --- */

static ssize_t self_readlink(void *arg, char *buf, size_t size)
{
	uint32_t pid = process_current()->pid;
	char text[40];
	int n = arg ? format(text, sizeof(text), "%u/task/%u", pid, thread_current()->id)
		    : format(text, sizeof(text), "%u", pid);

	n = MIN(n, (int)size);
	memcpy(buf, text, (size_t)n);
	return n;
}

static int root_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	struct task *t;
	uint32_t id;

	if (!strcmp(name, "self") || !strcmp(name, "thread-self")) {
		*out = (struct procfs_entry){ .mode = S_IFLNK | 0777,
			.readlink = self_readlink,
			.arg = name[0] == 't' ? (void *)1 : NULL };
		return 0;
	}
	if (!parse_id(name, &id))
		return -ENOENT;
	t = task_find(id);
	if (!t)
		return process_current()->pid == id ? -ESRCH : -ENOENT;
	*out = (struct procfs_entry){
		.mode = S_IFDIR | 0555, .dir = &process_ops, .arg = pack(t->process->pid, 0, 0)
	};
	task_put(t);
	return 0;
}

static int root_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	static const char *const links[] = { "self", "thread-self" };

	if (n < ARRAY_SIZE(links)) {
		str_copy(buf, links[n], size);
		*type = DT_LNK;
		return 0;
	}
	if (n > ARRAY_SIZE(links))
		return -ENOENT;
	format(buf, size, "%u", process_current()->pid);
	*type = DT_DIR;
	return 0;
}

static const struct procfs_dir_ops root_ops = { .lookup = root_lookup, .list = root_list };

void procfs_process_init(void)
{
	procfs_add_dir("", &root_ops, NULL);
}
