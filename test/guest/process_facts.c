/* SPDX-License-Identifier: BSD-2-Clause */
/* What a single process asks about itself and the system; unknown calls. */
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include "t.h"

int main(void)
{
	struct utsname u;
	char name[17] = "";
	IS(getpid() == getpid() && getpid() > 0 && getppid() >= 0);
	IS(getpgid(0) >= 0 && getsid(0) >= 0);
	RET(uname(&u));
	printf("%s %s\n", u.sysname, u.machine);
	IS(u.release[0] >= '4' && u.nodename[0]);
	RET(prctl(PR_SET_NAME, "renamed program too long"));
	RET(prctl(PR_GET_NAME, name));
	printf("%s\n", name);
	RET(prctl(PR_GET_DUMPABLE));
	RET(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	RET(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RET(prctl(123456));
	cpu_set_t set;
	IS(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 1);
	IS(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_NPROCESSORS_CONF) >= 1);
	IS(sysconf(_SC_PAGESIZE) == 4096 && sysconf(_SC_PHYS_PAGES) > 1000);
	unsigned cpu = 9999, node = 9999;
	RET(getcpu(&cpu, &node));
	IS(cpu < 9999 && node < 9999 && CPU_ISSET(cpu, &set));
	RET(sched_setaffinity(0, sizeof(set), &set));
	CPU_ZERO(&set);
	RET(sched_setaffinity(0, sizeof(set), &set));
	RET(sched_yield());
	RET(sched_getscheduler(0));
	RET(sched_get_priority_max(SCHED_FIFO));
	RET(sched_get_priority_min(SCHED_OTHER));
	RET(sched_setscheduler(0, 99, &(struct sched_param){ 0 }));
	errno = 0;
	RET(getpriority(PRIO_PROCESS, 0));
	struct sysinfo si;
	RET(sysinfo(&si));
	IS(si.totalram * si.mem_unit > (10 << 20) && si.freeram <= si.totalram && si.uptime >= 0);
	struct rusage ru, later;
	struct tms tms;
	RET(getrusage(RUSAGE_SELF, &ru));
	for (volatile int i = 0; i < 3000000; i++)
		;
	RET(getrusage(RUSAGE_SELF, &later));
	IS(later.ru_utime.tv_sec * 1000000 + later.ru_utime.tv_usec >=
		ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec);
	IS(later.ru_maxrss > 100);
	RET(getrusage(RUSAGE_THREAD, &ru));
	RET(getrusage(77, &ru));
	IS(times(&tms) != (clock_t)-1);
	IS(getuid() == geteuid() && getgid() == getegid());
	uid_t r, e, s;
	RET(getresuid(&r, &e, &s));
	IS(r == e && e == s && r == getuid());
	IS(getgroups(0, NULL) >= 0);
	RET(setuid(getuid()));
	RET(setgid(getgid()));
	RET(personality(0xffffffff));
	struct statfs fs;
	RET(statfs(".", &fs));
	IS(fs.f_bsize > 0 && fs.f_namelen == 255);
	RET(statfs("absent", &fs));
	RET(fstatfs(999, &fs));
	RET(waitpid(-1, NULL, 0));
	RET(waitpid(-1, NULL, WNOHANG));
	RET(syscall(999));
	RET(syscall(-1l));
	RET(syscall(1 << 20));
	RET(syscall(SYS_membarrier, 0, 0, 0) >= 0);
	RET(getpgid(0x3ffffff));
	IS(sysconf(_SC_CLK_TCK) == 100);
	IS(sysconf(_SC_OPEN_MAX) > 10);
	return 0;
}
