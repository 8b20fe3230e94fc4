/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc: the machine, the settings below sys/. Texts have Linux's shapes. */

#include "syscall/procfs.h"

#include "abi/resource.h"
#include "cpu/boot_info.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "cpu/percpu.h"
#include "diag/log.h"
#include "fs/vnode.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "mem/page.h"
#include "process/process.h"
#include "sched/clock.h"
#include "sched/random.h"
#include "syscall/version.h"

#define TICK_NS (NSEC_PER_SEC / 100) /* USER_HZ */

static unsigned task_total(void)
{
	return process_current()->task_count;
}

/* --- the machine --- */

struct feature_word {
	uint32_t leaf, subleaf;
	unsigned reg;	   /* 0 eax to 3 edx */
	const char *names; /* one a bit, blank separated; '-': none */
};
static const struct feature_word feature_words[] = {
	{ 1, 0, 3,
		"fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi "
		"mmx fxsr sse sse2 ss ht tm ia64 pbe" },
	{ 0x80000001, 0, 3,
		"- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm "
		"3dnowext 3dnow" },
	{ 1, 0, 2,
		"pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca "
		"sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor" },
	{ 0x80000001, 0, 2,
		"lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop "
		"skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc "
		"perfctr_llc mwaitx - -" },
	{ 7, 0, 1,
		"fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f "
		"avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd "
		"sha_ni avx512bw avx512vl" },
	{ 0xd, 1, 0, "xsaveopt xsavec xgetbv1 xsaves" },
	{ 7, 0, 2,
		"- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni "
		"avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - - cldemote - movdiri movdir64b" },
	{ 7, 0, 3, "- - avx512_4vnniw avx512_4fmaps fsrm" },
};

static void print_features(struct text *t)
{
	for (unsigned i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *w = &feature_words[i];
		struct cpuid r, max = cpuid(w->leaf & 0x80000000u, 0);
		uint32_t bits;
		const char *p = w->names;

		if (w->leaf > max.eax)
			continue;
		r = cpuid(w->leaf, w->subleaf);
		bits = w->reg == 0 ? r.eax : w->reg == 1 ? r.ebx : w->reg == 2 ? r.ecx : r.edx;
		for (; *p; bits >>= 1) {
			size_t len = 0;

			while (p[len] && p[len] != ' ')
				len++;
			if ((bits & 1) && *p != '-') {
				text_write(t, " ", 1);
				text_write(t, p, len);
			}
			p += len + (p[len] == ' ');
		}
	}
}

static uint64_t tsc_khz(void)
{
	const struct clock_vdso_data *d = &clock_vdso_page.data;

	return d->mode && d->mult ? (1000000ul << CLOCK_VDSO_SHIFT) / d->mult : 2000000;
}

static int show_cpuinfo(struct text *t, void *arg)
{
	struct cpuid v = cpuid(0, 0), f = cpuid(1, 0), r;
	unsigned family = f.eax >> 8 & 15, model = f.eax >> 4 & 15;
	uint32_t name[12] = { 0 }, vendor[4] = { v.ebx, v.edx, v.ecx, 0 };
	uint64_t khz = tsc_khz();
	const char *brand = (const char *)name;

	if (family == 6 || family == 15)
		model |= f.eax >> 12 & 0xf0;
	if (family == 15)
		family += f.eax >> 20 & 0xff;
	if (cpuid(0x80000000u, 0).eax >= 0x80000004u)
		for (unsigned i = 0; i < 3; i++) {
			r = cpuid(0x80000002u + i, 0);
			memcpy(&name[i * 4], &r, 16);
		}
	((char *)name)[47] = 0;
	while (*brand == ' ')
		brand++;
	r = cpuid(0x80000008u, 0);
	for_each_cpu (cpu) {
		text_printf(t,
			"processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
			"model name\t: %s\nstepping\t: %u\n",
			cpu, (char *)vendor, family, model, brand, f.eax & 15);
		text_printf(t,
			"cpu MHz\t\t: %lu.%03lu\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n"
			"cpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\n"
			"fpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
			khz / 1000, khz % 1000, cpu_count(), cpu, cpu_count(), cpu, cpu, v.eax);
		print_features(t);
		text_printf(t,
			"\nbugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: 64\n"
			"address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
			khz / 500, khz / 5 % 100, (f.ebx >> 8 & 255) * 8, r.eax & 255,
			r.eax >> 8 & 255);
	}
	return 0;
}

static int show_meminfo(struct text *t, void *arg)
{
	struct page_stats p = page_stats();
	uint64_t heap = heap_bytes_in_use() / 1024, total = p.total * 4, free = p.free * 4;
	const struct {
		const char *name;
		uint64_t kb;
	} lines[] = {
		{ "MemTotal:", total },
		{ "MemFree:", free },
		{ "MemAvailable:", free },
		{ "Buffers:", 0 },
		{ "Cached:", 0 },
		{ "SwapCached:", 0 },
		{ "Active:", total - free },
		{ "Inactive:", 0 },
		{ "SwapTotal:", 0 },
		{ "SwapFree:", 0 },
		{ "Dirty:", 0 },
		{ "Writeback:", 0 },
		{ "AnonPages:", total - free > heap ? total - free - heap : 0 },
		{ "Mapped:", 0 },
		{ "Shmem:", 0 },
		{ "KReclaimable:", 0 },
		{ "Slab:", heap },
		{ "SReclaimable:", 0 },
		{ "SUnreclaim:", heap },
		{ "KernelStack:", task_total() * (KSTACK_SIZE / 1024) },
		{ "PageTables:", 0 },
		{ "CommitLimit:", total },
		{ "Committed_AS:", total - free },
		{ "VmallocTotal:", 34359738367 },
		{ "VmallocUsed:", 0 },
		{ "VmallocChunk:", 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		text_printf(t, "%-15s %8lu kB\n", lines[i].name, lines[i].kb);
	text_printf(t,
		"HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
		"HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n");
	return 0;
}

static int show_stat(struct text *t, void *arg)
{
	uint64_t now = clock_now(), busy = 0, idle = 0, switches = 0;
	struct sched_stats s;

	for_each_cpu (cpu) {
		sched_stats(cpu, &s);
		idle += s.idle_ns;
		busy += now > s.idle_ns ? now - s.idle_ns : 0;
		switches += s.switches;
	}
	text_printf(t, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\n", busy / TICK_NS, idle / TICK_NS);
	for_each_cpu (cpu) {
		sched_stats(cpu, &s);
		text_printf(t, "cpu%u %lu 0 0 %lu 0 0 0 0 0 0\n", cpu,
			(now > s.idle_ns ? now - s.idle_ns : 0) / TICK_NS, s.idle_ns / TICK_NS);
	}
	text_printf(t,
		"intr 0\nctxt %lu\nbtime %lu\nprocesses %u\nprocs_running %u\nprocs_blocked 0\n",
		switches, (clock_realtime() - now) / NSEC_PER_SEC, task_total(),
		sched_runnable_count());
	text_printf(t, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

static int show_uptime(struct text *t, void *arg)
{
	uint64_t up = clock_now() / (NSEC_PER_SEC / 100), idle = 0;
	struct sched_stats s;

	for_each_cpu (cpu) {
		sched_stats(cpu, &s);
		idle += s.idle_ns / (NSEC_PER_SEC / 100);
	}
	text_printf(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}

static int show_loadavg(struct text *t, void *arg)
{
	unsigned running = sched_runnable_count();

	text_printf(t, "%u.00 %u.00 %u.00 %u/%u %u\n", running, running, running, running,
		task_total(), thread_current()->id);
	return 0;
}

static int show_version(struct text *t, void *arg)
{
	text_printf(t, "Linux version %s (skiff@skiff) (%s) %s\n", RELEASE, __VERSION__, VERSION);
	return 0;
}

static int show_cmdline(struct text *t, void *arg)
{
	text_printf(t, "%s\n", boot_info.cmdline);
	return 0;
}

/* Two handlers share a vector nowhere, so a row is a vector: those of devices count from 24. */
static void print_interrupt(struct text *t, const char *name, unsigned vector, const char *what)
{
	text_printf(t, "%s:", name);
	for_each_cpu (cpu)
		text_printf(t, " %10u", irq_count(cpu, vector));
	text_printf(t, "   %s\n", what);
}

static int show_interrupts(struct text *t, void *arg)
{
	char name[8];

	text_printf(t, "    ");
	for_each_cpu (cpu)
		text_printf(t, "       CPU%-*u", cpu < 10 ? 1 : cpu < 100 ? 2 : 3, cpu);
	text_printf(t, "\n");
	for (unsigned v = IRQ_VECTOR_FIRST; v <= IRQ_VECTOR_LAST; v++)
		if (irq_vector_used(v)) {
			format(name, sizeof(name), "%3u", v - IRQ_VECTOR_FIRST + 24);
			print_interrupt(t, name, v, "device");
		}
	print_interrupt(t, "LOC", IRQ_VECTOR_TIMER, "Local timer interrupts");
	print_interrupt(t, "SPU", IRQ_VECTOR_SPURIOUS, "Spurious interrupts");
	print_interrupt(t, "RES", IRQ_VECTOR_WAKE, "Rescheduling interrupts");
	print_interrupt(t, "TLB", IRQ_VECTOR_TLB, "TLB shootdowns");
	return 0;
}

static int show_vmstat(struct text *t, void *arg)
{
	struct page_stats p = page_stats();
	struct vm_stats s;

	vm_stats(process_current()->vm, &s);
	text_printf(t,
		"nr_free_pages %lu\npgfault %lu\npgmajfault %lu\npswpin 0\npswpout 0\noom_kill 0\n",
		p.free, s.minor_faults + s.major_faults, s.major_faults);
	return 0;
}

static int show_kmsg(struct text *t, void *arg)
{
	size_t size = KIB(64);
	char *buf = heap_alloc(size);

	if (!buf)
		return -ENOMEM;
	text_write(t, buf, log_read(buf, size));
	heap_free(buf);
	return 0;
}

/* --- constants --- */

static int show_constant(struct text *t, void *arg)
{
	text_write(t, arg, strlen(arg));
	return 0;
}

struct constant {
	const char *path, *text;
};

/* What is written here is how this kernel behaves; none of these can be changed. */
static const struct constant constants[] = {
	{ "devices",
		"Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n\nBlock devices:\n" },
	{ "filesystems",
		"nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\trootfs\n\terofs\n" },
	{ "swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" },
	{ "modules", "" },
	{ "diskstats", "" },
	{ "partitions", "major minor  #blocks  name\n\n" },
	{ "locks", "" },
	{ "cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\n" },
	{ "misc", "" },
	{ "consoles", "ttyS0                -W- (EC    )    4:64\n" },
	{ "sys/kernel/osrelease", RELEASE "\n" },
	{ "sys/kernel/ostype", "Linux\n" },
	{ "sys/kernel/version", VERSION "\n" },
	{ "sys/kernel/pid_max", "4194304\n" },
	{ "sys/kernel/threads-max", "65536\n" },
	{ "sys/kernel/cap_last_cap", "40\n" },
	{ "sys/kernel/ngroups_max", "65536\n" },
	{ "sys/kernel/overflowuid", "65534\n" },
	{ "sys/kernel/overflowgid", "65534\n" },
	{ "sys/kernel/core_pattern", "core\n" },
	{ "sys/kernel/core_uses_pid", "0\n" },
	{ "sys/kernel/randomize_va_space", "2\n" },
	{ "sys/kernel/printk", "4\t4\t1\t7\n" },
	{ "sys/kernel/dmesg_restrict", "0\n" },
	{ "sys/kernel/kptr_restrict", "0\n" },
	{ "sys/kernel/perf_event_paranoid", "4\n" },
	{ "sys/kernel/tainted", "0\n" },
	{ "sys/kernel/panic", "0\n" },
	{ "sys/kernel/numa_balancing", "0\n" },
	{ "sys/kernel/sched_rt_period_us", "1000000\n" },
	{ "sys/kernel/sched_rt_runtime_us", "950000\n" },
	{ "sys/kernel/unprivileged_bpf_disabled", "2\n" },
	{ "sys/kernel/shmmax", "18446744073692774399\n" },
	{ "sys/kernel/shmall", "18446744073692774399\n" },
	{ "sys/kernel/shmmni", "4096\n" },
	{ "sys/kernel/random/poolsize", "256\n" },
	{ "sys/kernel/random/entropy_avail", "256\n" },
	{ "sys/vm/overcommit_memory", "1\n" },
	{ "sys/vm/overcommit_ratio", "50\n" },
	{ "sys/vm/overcommit_kbytes", "0\n" },
	{ "sys/vm/max_map_count", "65530\n" },
	{ "sys/vm/swappiness", "0\n" },
	{ "sys/vm/nr_hugepages", "0\n" },
	{ "sys/vm/min_free_kbytes", "0\n" },
	{ "sys/vm/mmap_min_addr", "4096\n" },
	{ "sys/vm/dirty_ratio", "20\n" },
	{ "sys/vm/dirty_background_ratio", "10\n" },
	{ "sys/vm/vfs_cache_pressure", "100\n" },
	{ "sys/vm/zone_reclaim_mode", "0\n" },
	{ "sys/vm/panic_on_oom", "0\n" },
	{ "sys/fs/file-max", "9223372036854775807\n" },
	{ "sys/fs/file-nr", "0\t0\t9223372036854775807\n" },
	{ "sys/fs/nr_open", "1048576\n" },
	{ "sys/fs/pipe-max-size", "1048576\n" },
	{ "sys/fs/pipe-user-pages-soft", "16384\n" },
	{ "sys/fs/pipe-user-pages-hard", "0\n" },
	{ "sys/fs/protected_hardlinks", "0\n" },
	{ "sys/fs/protected_symlinks", "0\n" },
	{ "sys/fs/suid_dumpable", "0\n" },
	{ "sys/fs/aio-max-nr", "65536\n" },
	{ "sys/fs/aio-nr", "0\n" },
	{ "sys/fs/inotify/max_queued_events", "16384\n" },
	{ "sys/fs/inotify/max_user_instances", "1048576\n" },
	{ "sys/fs/inotify/max_user_watches", "65536\n" },
	{ "sys/fs/epoll/max_user_watches", "1048576\n" },
	{ "sys/net/core/somaxconn", "4096\n" },
	{ "sys/net/core/rmem_max", "212992\n" },
	{ "sys/net/core/wmem_max", "212992\n" },
	{ "sys/net/core/rmem_default", "212992\n" },
	{ "sys/net/core/wmem_default", "212992\n" },
	{ "sys/net/ipv4/ip_local_port_range", "32768\t60999\n" },
	{ "sys/net/ipv4/tcp_max_syn_backlog", "4096\n" },
	{ "sys/net/ipv4/tcp_fin_timeout", "60\n" },
	{ "sys/net/ipv4/tcp_keepalive_time", "7200\n" },
	{ "sys/net/ipv4/tcp_keepalive_intvl", "75\n" },
	{ "sys/net/ipv4/tcp_keepalive_probes", "9\n" },
	{ "sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n" },
	{ "sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304\n" },
	{ "sys/net/ipv4/tcp_window_scaling", "1\n" },
	{ "sys/net/ipv4/ip_forward", "0\n" },
	{ "sys/net/ipv4/ip_default_ttl", "64\n" },
	{ "sys/net/ipv4/ping_group_range", "0\t2147483647\n" },
	{ "sys/net/ipv4/ip_unprivileged_port_start", "1024\n" },
};

/* --- what can be asked or changed --- */

static int show_name(struct text *t, void *arg)
{
	text_printf(t, "%s\n", (char *)arg);
	return 0;
}

static ssize_t store_name(const char *data, size_t n, void *arg)
{
	char name[65] = { 0 };
	size_t len = 0;

	while (len < n && data[len] && data[len] != '\n')
		len++;
	if (len > 64)
		return -EINVAL;
	memcpy(name, data, len);
	memcpy(arg, name, sizeof(name));
	return (ssize_t)n;
}

static void print_uuid(struct text *t, uint8_t *u)
{
	u[6] = (u[6] & 15) | 0x40;
	u[8] = (u[8] & 63) | 0x80;
	for (int i = 0; i < 16; i++)
		text_printf(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
	text_write(t, "\n", 1);
}

static int show_uuid(struct text *t, void *arg)
{
	uint8_t fresh[16];

	random_bytes(fresh, sizeof(fresh));
	print_uuid(t, fresh);
	return 0;
}

static int show_boot_id(struct text *t, void *arg)
{
	static uint8_t id[16];
	uint8_t copy[16];

	if (!id[15]) {
		random_bytes(id, sizeof(id));
		id[15] |= 1;
	}
	memcpy(copy, id, sizeof(copy));
	print_uuid(t, copy);
	return 0;
}

void procfs_system_init(void)
{
	static const struct {
		const char *path;
		int (*show)(struct text *t, void *arg);
		uint32_t mode;
	} files[] = {
		{ "cpuinfo", show_cpuinfo, 0444 },
		{ "meminfo", show_meminfo, 0444 },
		{ "stat", show_stat, 0444 },
		{ "uptime", show_uptime, 0444 },
		{ "interrupts", show_interrupts, 0444 },
		{ "loadavg", show_loadavg, 0444 },
		{ "version", show_version, 0444 },
		{ "cmdline", show_cmdline, 0444 },
		{ "vmstat", show_vmstat, 0444 },
		{ "kmsg", show_kmsg, 0400 },
		{ "sys/kernel/random/uuid", show_uuid, 0444 },
		{ "sys/kernel/random/boot_id", show_boot_id, 0444 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		procfs_add(files[i].path, files[i].mode, files[i].show, NULL, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(constants); i++)
		procfs_add(constants[i].path, 0444, show_constant, NULL,
			(void *)(uintptr_t)constants[i].text);
	procfs_add("sys/kernel/hostname", 0644, show_name, store_name, process_hostname);
	procfs_add("sys/kernel/domainname", 0644, show_name, store_name, process_domainname);
	procfs_add_link("mounts", "self/mounts");
}
