/* SPDX-License-Identifier: BSD-2-Clause */
/* getrlimit, setrlimit, prlimit, getrusage, times, sysinfo, uname, personality. */
#include "t.h"
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>

int main(void)
{
	struct rlimit r, old;
	struct rusage u, t;
	struct utsname name;
	struct sysinfo info;

	RET(getrlimit(RLIMIT_STACK, &r));
	RET(getrlimit(16, &r));
	RET(getrlimit(-1, &r));
	RET(syscall(SYS_getrlimit, RLIMIT_CORE, BAD_PTR));
	RET(syscall(SYS_setrlimit, RLIMIT_CORE, BAD_PTR));
	r = (struct rlimit){ 10, 5 };
	RET(setrlimit(RLIMIT_CORE, &r));
	NEED(getrlimit(RLIMIT_NOFILE, &old) == 0);
	r = (struct rlimit){ 20, old.rlim_max };
	RET(setrlimit(RLIMIT_NOFILE, &r));
	RET(fcntl(1, F_DUPFD, 20));
	RET(dup2(1, 20));
	RET(dup2(1, 19));
	RET(prlimit(0, RLIMIT_NOFILE, &old, &r));
	IS(r.rlim_cur == 20);
	RET(dup2(1, 20));
	r = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	RET(setrlimit(RLIMIT_NOFILE, &r));
	RET(prlimit(0x3ffffff, RLIMIT_CORE, NULL, &r));
	RET(prlimit(0, RLIMIT_CORE, BAD_PTR, NULL));

	RET(getrusage(RUSAGE_SELF, &u));
	RET(getrusage(RUSAGE_THREAD, &t));
	IS(u.ru_maxrss > 100 && u.ru_minflt > 10);
	IS(t.ru_utime.tv_sec <= u.ru_utime.tv_sec + 1);
	RET(getrusage(RUSAGE_CHILDREN, &u));
	RET(getrusage(5, &u));
	RET(getrusage(RUSAGE_SELF, BAD_PTR));
	IS(times(NULL) != -1);
	RET(sysinfo(&info));
	IS(info.totalram > info.freeram && info.mem_unit == 1 && info.procs > 0);
	RET(sysinfo(BAD_PTR));
	RET(uname(&name));
	printf("%s %s %d\n", name.sysname, name.machine, atoi(name.release) >= 5);
	RET(uname(BAD_PTR));
	RET(personality(0xffffffff));
	return 0;
}
