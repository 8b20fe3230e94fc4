/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose time was it: of the program, or of the kernel? Neither part ever goes back. */
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/times.h>
#include "t.h"

static char buf[1 << 20];

struct parts {
	double user, system;
};

static struct parts used(int who)
{
	struct rusage r;
	NEED(getrusage(who, &r) == 0);
	return (struct parts){ r.ru_utime.tv_sec + r.ru_utime.tv_usec / 1e6,
		r.ru_stime.tv_sec + r.ru_stime.tv_usec / 1e6 };
}

static void computes(void)
{
	for (volatile int i = 0; i < 200000; i++)
		;
}

static void reads(void)
{
	static int fd = -1;
	if (fd < 0)
		NEED((fd = open("/dev/zero", O_RDONLY)) >= 0);
	NEED(read(fd, buf, sizeof(buf)) == sizeof(buf));
}

static void asks_random(void)
{
	NEED(getrandom(buf, 65536 * 2, 0) == 65536 * 2);
}

static void calls(void)
{
	struct rlimit l;
	for (int i = 0; i < 2000; i++)
		prlimit(0, RLIMIT_NOFILE, NULL, &l);
}

static void touches(void)
{
	char *p =
		mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	madvise(p, 256 * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < 256; i++)
		p[i * PAGE] = 1;
	munmap(p, 256 * PAGE);
}

static int by_length(const void *a, const void *b)
{
	const struct parts *x = a, *y = b;
	double d = x->user + x->system - y->user - y->system;
	return (d > 0) - (d < 0);
}

/*
 * For 0.3 seconds of CPU time: some 75 ticks of a Linux, whose parts are as rough as that. When a
 * hypervisor takes the CPU away, that is somebody's time as well, and neither part is to blame: the
 * longer half of the bursts does not count.
 */
static void measure(const char *what, void (*fn)(void), double least, double most)
{
	static struct parts bursts[100000];
	for (int who = RUSAGE_SELF; who <= RUSAGE_THREAD; who += RUSAGE_THREAD - RUSAGE_SELF) {
		struct parts b = used(who), c;
		double user = 0, system = 0, sum = 0;
		int back = 0, n = 0;
		for (; sum < 0.6 && n < (int)LENGTH(bursts); b = c, n++) {
			fn();
			c = used(who);
			back += c.user < b.user || c.system < b.system;
			bursts[n] = (struct parts){ c.user - b.user, c.system - b.system };
			sum += bursts[n].user + bursts[n].system;
		}
		qsort(bursts, (size_t)n, sizeof(bursts[0]), by_length);
		for (int i = 0; i < (n + 1) / 2; i++) {
			user += bursts[i].user;
			system += bursts[i].system;
		}
		double part = system / (user + system);
		printf("%s, %s: the kernel's part is %s, back %d\n", what,
			who == RUSAGE_SELF ? "process" : "thread",
			part < least  ? "too small"
			: part > most ? "too large"
				      : "right",
			back);
		if (part < least || part > most)
			fprintf(stderr, "%s: %.2f\n", what, part);
	}
}

int main(void)
{
	struct tms t;
	measure("computes", computes, 0, 0.4);
	measure("reads", reads, 0.5, 1.01);
	measure("getrandom", asks_random, 0.5, 1.01);
	measure("calls", calls, 0.2, 1.01);
	measure("touches", touches, 0.4, 1.01);
	times(&t);
	printf("times: %d %d\n", t.tms_utime > 0, t.tms_stime > 0);
	return 0;
}
