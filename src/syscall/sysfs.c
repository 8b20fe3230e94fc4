/* SPDX-License-Identifier: BSD-2-Clause */
/* /sys: what libcs, JVMs and allocators ask about CPUs and memory. One package, one node, no SMT.
 */

#include "syscall/procfs.h"

#include "abi/errno.h"
#include "abi/stat.h"
#include "cpu/percpu.h"
#include "fs/vnode.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/page.h"

static int show_constant(struct text *t, void *arg)
{
	text_write(t, arg, strlen(arg));
	return 0;
}

static int show_online(struct text *t, void *arg)
{
	text_printf(t, cpu_count() > 1 ? "0-%u\n" : "0\n", cpu_count() - 1);
	return 0;
}

/* A mask in groups of 32 bits, the highest first. */
static void print_mask(struct text *t, unsigned first, unsigned last)
{
	for (int word = (int)(cpu_count() - 1) / 32; word >= 0; word--) {
		uint32_t bits = 0;

		for (unsigned i = 0; i < 32; i++)
			if (word * 32 + i >= first && word * 32 + i <= last)
				bits |= 1u << i;
		text_printf(t, word ? "%08x," : "%08x", bits);
	}
	text_printf(t, "\n");
}

enum topology { CORE_ID, ZERO, OWN_MASK, OWN_LIST, ALL_MASK, ALL_LIST };
static const struct {
	const char *name;
	enum topology what;
} topology_files[] = {
	{ "core_id", CORE_ID },
	{ "physical_package_id", ZERO },
	{ "die_id", ZERO },
	{ "cluster_id", ZERO },
	{ "thread_siblings", OWN_MASK },
	{ "thread_siblings_list", OWN_LIST },
	{ "core_cpus", OWN_MASK },
	{ "core_cpus_list", OWN_LIST },
	{ "core_siblings", ALL_MASK },
	{ "core_siblings_list", ALL_LIST },
	{ "package_cpus", ALL_MASK },
	{ "package_cpus_list", ALL_LIST },
	{ "die_cpus", ALL_MASK },
	{ "die_cpus_list", ALL_LIST },
};

/* arg: CPU, and which file in the lower byte. */
static int show_topology(struct text *t, void *arg)
{
	unsigned cpu = (uintptr_t)arg >> 8;

	switch (topology_files[(uintptr_t)arg & 255].what) {
	case CORE_ID:
	case OWN_LIST: text_printf(t, "%u\n", cpu); return 0;
	case ZERO: text_printf(t, "0\n"); return 0;
	case OWN_MASK: print_mask(t, cpu, cpu); return 0;
	case ALL_MASK: print_mask(t, 0, cpu_count() - 1); return 0;
	case ALL_LIST: return show_online(t, NULL);
	}
	return 0;
}

static int topology_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(topology_files); i++)
		if (!strcmp(name, topology_files[i].name)) {
			*out = (struct procfs_entry){ .mode = S_IFREG | 0444,
				.show = show_topology,
				.arg = (void *)((uintptr_t)arg << 8 | i) };
			return 0;
		}
	return -ENOENT;
}

static int topology_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	if (n >= ARRAY_SIZE(topology_files))
		return -ENOENT;
	str_copy(buf, topology_files[n].name, size);
	*type = DT_REG;
	return 0;
}

static const struct procfs_dir_ops topology_ops = { topology_lookup, topology_list };

static int one_cpu_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	if (strcmp(name, "topology"))
		return -ENOENT;
	*out = (struct procfs_entry){ .mode = S_IFDIR | 0755, .dir = &topology_ops, .arg = arg };
	return 0;
}

static int one_cpu_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	if (n)
		return -ENOENT;
	str_copy(buf, "topology", size);
	*type = DT_DIR;
	return 0;
}

static const struct procfs_dir_ops one_cpu_ops = { one_cpu_lookup, one_cpu_list };

/* The CPUs are not all up when the tree is made: so their names are given when asked for. */
static int cpu_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	const char *end;
	uint64_t cpu;

	if (strncmp(name, "cpu", 3) || !(end = str_to_u64(name + 3, 10, &cpu)) || *end ||
		cpu >= cpu_count() || (name[3] == '0' && name[4]))
		return -ENOENT;
	*out = (struct procfs_entry){
		.mode = S_IFDIR | 0755, .dir = &one_cpu_ops, .arg = (void *)(uintptr_t)cpu
	};
	return 0;
}

static int cpu_list(void *arg, unsigned n, char *buf, size_t size, uint8_t *type)
{
	if (n >= cpu_count())
		return -ENOENT;
	format(buf, size, "cpu%u", n);
	*type = DT_DIR;
	return 0;
}

static const struct procfs_dir_ops cpu_ops = { cpu_lookup, cpu_list };

static int nothing_lookup(void *arg, const char *name, struct procfs_entry *out)
{
	return -ENOENT;
}

static const struct procfs_dir_ops empty_ops = { .lookup = nothing_lookup };

static int show_node_cpumap(struct text *t, void *arg)
{
	print_mask(t, 0, cpu_count() - 1);
	return 0;
}

static int show_node_meminfo(struct text *t, void *arg)
{
	struct page_stats p = page_stats();

	text_printf(t,
		"Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\nNode 0 MemUsed:        %8lu kB\n",
		p.total * 4, p.free * 4, (p.total - p.free) * 4);
	return 0;
}

void sysfs_init(void)
{
	static const struct {
		const char *path, *text;
	} constants[] = {
		{ "devices/system/cpu/kernel_max", "255\n" },
		{ "devices/system/cpu/offline", "\n" },
		{ "devices/system/cpu/isolated", "\n" },
		{ "devices/system/cpu/smt/active", "0\n" },
		{ "devices/system/cpu/smt/control", "notsupported\n" },
		{ "devices/system/node/online", "0\n" },
		{ "devices/system/node/possible", "0\n" },
		{ "devices/system/node/has_cpu", "0\n" },
		{ "devices/system/node/has_memory", "0\n" },
		{ "devices/system/node/has_normal_memory", "0\n" },
		{ "devices/system/node/node0/distance", "10\n" },
		{ "devices/system/clocksource/clocksource0/current_clocksource", "tsc\n" },
		{ "devices/system/clocksource/clocksource0/available_clocksource", "tsc\n" },
		{ "kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n" },
		{ "kernel/mm/transparent_hugepage/defrag",
			"always defer defer+madvise [madvise] never\n" },
		{ "kernel/mm/transparent_hugepage/shmem_enabled",
			"always within_size advise [never] deny force\n" },
		{ "kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n" },
		{ "kernel/mm/transparent_hugepage/use_zero_page", "0\n" },
	};

	sysfs_add_dir("devices/system/cpu", &cpu_ops, NULL);
	sysfs_add("devices/system/cpu/online", 0444, show_online, NULL, NULL);
	sysfs_add("devices/system/cpu/possible", 0444, show_online, NULL, NULL);
	sysfs_add("devices/system/cpu/present", 0444, show_online, NULL, NULL);
	sysfs_add("devices/system/node/node0/cpulist", 0444, show_online, NULL, NULL);
	sysfs_add("devices/system/node/node0/cpumap", 0444, show_node_cpumap, NULL, NULL);
	sysfs_add("devices/system/node/node0/meminfo", 0444, show_node_meminfo, NULL, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(constants); i++)
		sysfs_add(constants[i].path, 0444, show_constant, NULL,
			(void *)(uintptr_t)constants[i].text);
	sysfs_add_dir("fs/cgroup", &empty_ops, NULL);
	sysfs_add_dir("kernel/mm/hugepages", &empty_ops, NULL);
	sysfs_add_dir("class", &empty_ops, NULL);
	sysfs_add_dir("block", &empty_ops, NULL);
}
