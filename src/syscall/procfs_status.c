/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process does and may: stat, statm, status, limits and schedstat of /proc/<pid>. */

#include "syscall/procfs.h"

#include "abi/resource.h"
#include "lib/format.h"
#include "process/process.h"
#include "sched/clock.h"

#define TICK_NS (NSEC_PER_SEC / 100)

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

int procfs_show_stat(struct text *t, struct process *p, struct task *task)
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

int procfs_show_statm(struct text *t, struct process *p, struct task *task)
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

int procfs_show_status(struct text *t, struct process *p, struct task *task)
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

int procfs_show_limits(struct text *t, struct process *p, struct task *task)
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

int procfs_show_schedstat(struct text *t, struct process *p, struct task *task)
{
	text_printf(t, "%lu 0 %lu\n", thread_cpu_time(&task->thread),
		task->thread.voluntary_switches + task->thread.involuntary_switches);
	return 0;
}
