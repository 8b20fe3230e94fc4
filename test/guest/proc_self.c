/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/self as programs read it: exe, maps, status, stat, fd, limits, cmdline, task, mounts. */
#include <dirent.h>
#include "t.h"

/*
 * The runner keeps what it loaded, so that maps has a few lines for every test before this one. No
 * file here is longer: a process has at most 65,530 mappings (vm.max_map_count).
 */
static char text[8 << 20];
static long slurp(const char *name)
{
	int fd = open(name, O_RDONLY);
	long n = 0, r;
	if (fd < 0) {
		printf("%s: %s\n", name, t_errno(errno));
		text[0] = 0;
		return 0;
	}
	while (n < (long)sizeof(text) - 1 && (r = read(fd, text + n, 1000)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
	return n;
}

static void keys(const char *name, const char *const *want)
{
	slurp(name);
	for (; *want; want++) {
		char *at = strstr(text, *want);
		printf("%s %s: %s\n", name, *want,
			at && (at == text || at[-1] == '\n') ? "yes" : "no");
	}
}

int main(void)
{
	char buf[PATH_MAX] = "";
	IS(readlink("/proc/self/exe", buf, sizeof(buf) - 1) > 0);
	printf("%s\n", strrchr(buf, '/'));
	IS(readlink("/proc/self/cwd", buf, sizeof(buf) - 1) > 0);
	/* every line of maps is well formed, ordered, and our things are in it */
	slurp("/proc/self/maps");
	unsigned long last = 0, lo, hi, off, ino, maj, min;
	char prot[8];
	int bad = 0, lines = 0, stack = 0, code = 0, heap = 0, vdso = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		int at = 0;
		lines++;
		if (sscanf(line, "%lx-%lx %4s %lx %lx:%lx %lu %n", &lo, &hi, prot, &off, &maj, &min,
			    &ino, &at) < 7 ||
			lo < last || hi <= lo || lo % PAGE || hi % PAGE)
			bad++;
		last = hi;
		stack += strcmp(line + at, "[stack]") == 0 && (unsigned long)buf >= lo &&
			 (unsigned long)buf < hi;
		heap += strcmp(line + at, "[heap]") == 0;
		vdso += strcmp(line + at, "[vdso]") == 0;
		code += (unsigned long)main >= lo && (unsigned long)main < hi &&
			strcmp(prot, "r-xp") == 0;
	}
	printf("maps: bad %d, enough %d, stack %d, heap %d, vdso %d, code %d\n", bad, lines > 10,
		stack, heap, vdso, code);
	static const char *const status[] = { "Name:", "State:", "Tgid:", "Pid:", "PPid:", "Uid:",
		"Gid:", "VmPeak:", "VmSize:", "VmRSS:", "VmData:", "Threads:", "SigBlk:", "SigIgn:",
		"SigCgt:", NULL };
	keys("/proc/self/status", status);
	slurp("/proc/self/stat");
	char *p = strrchr(text, ')');
	int fields = 2;
	for (char *q = p; q && *q; q++)
		fields += *q == ' ';
	printf("stat fields %d, pid first %d\n", fields, atoi(text) == getpid());
	slurp("/proc/self/statm");
	printf("statm %d\n",
		sscanf(text, "%lu %lu %lu", &lo, &hi, &off) == 3 && lo >= hi && hi > 0);
	static const char *const limits[] = { "Max open files", "Max stack size", "Max processes",
		NULL };
	keys("/proc/self/limits", limits);
	IS(slurp("/proc/self/cmdline") > 0 && text[strlen(text) + 1] != 1);
	IS(slurp("/proc/self/environ") > 0 || 1);
	long n = slurp("/proc/self/auxv");
	IS(n > 0 && n % 16 == 0);
	IS(slurp("/proc/self/comm") > 1);
	IS(slurp("/proc/self/oom_score_adj") > 0);
	IS(slurp("/proc/self/mountinfo") > 10);
	IS(slurp("/proc/mounts") > 10);
	DIR *d = opendir("/proc/self/fd");
	int fds = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		fds += e->d_name[0] != '.';
	printf("fds %d\n", fds);
	if (d)
		closedir(d);
	static const char *const cpu[] = { "processor", "flags", "model name", NULL };
	keys("/proc/cpuinfo", cpu);
	static const char *const mem[] = {
		"MemTotal:", "MemFree:", "MemAvailable:", "Buffers:", "Cached:", "SwapTotal:", NULL
	};
	keys("/proc/meminfo", mem);
	static const char *const stat[] = { "cpu ", "cpu0 ", "btime", "processes", NULL };
	keys("/proc/stat", stat);
	double up, idle;
	slurp("/proc/uptime");
	IS(sscanf(text, "%lf %lf", &up, &idle) == 2 && up >= 0);
	IS(slurp("/proc/loadavg") > 10);
	IS(slurp("/proc/version") > 10 && strncmp(text, "Linux version ", 14) == 0);
	IS(slurp("/proc/sys/kernel/osrelease") > 1);
	IS(slurp("/proc/sys/kernel/pid_max") > 1);
	IS(slurp("/proc/sys/vm/overcommit_memory") == 2);
	IS(slurp("/proc/sys/net/core/somaxconn") > 1);
	IS(slurp("/sys/devices/system/cpu/online") > 1);
	slurp("/proc/self/absent");
	RET(mkdir("/proc/new", 0755) == 0);
	d = opendir("/proc/self/task");
	int tasks = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		tasks += e->d_name[0] != '.';
	IS(tasks >= 1);
	if (d)
		closedir(d);
	return 0;
}
