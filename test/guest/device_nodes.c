/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/null, zero, full, random, urandom, fd, stdin; their nature. */
#include "t.h"

int main(void)
{
	static unsigned char a[5000], b[5000];
	struct stat st;
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
	int full = open("/dev/full", O_RDWR), random = open("/dev/urandom", O_RDONLY);
	NEED(null >= 0 && zero >= 0 && full >= 0 && random >= 0);
	RET(read(null, a, 10));
	RET(write(null, a, 5000));
	RET(lseek(null, 1234, SEEK_SET));
	memset(a, 1, sizeof(a));
	RET(read(zero, a, 5000));
	IS(memcmp(a, b, 5000) == 0);
	RET(write(zero, a, 100));
	RET(write(full, a, 1));
	RET(read(full, a, 10));
	RET(read(random, a, 5000));
	RET(read(random, b, 5000));
	IS(memcmp(a, b, 5000) != 0);
	int blocking = open("/dev/random", O_RDONLY);
	RET(read(blocking, a, 16));
	RET(getentropy(a, 16));
	RET(syscall(SYS_getrandom, a, 100, 1));
	RET(syscall(SYS_getrandom, a, 100, 0x100));
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	IS(p != MAP_FAILED && p[PAGE] == 0);
	strcpy(p + PAGE, "private");
	char *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
	IS(s != MAP_FAILED && s[0] == 0);
	RET(stat("/dev/fd", &st));
	RET(stat("/dev/stdin", &st));
	RET(stat("/dev/tty", &st));
	RET(stat("/dev/zero", &st));
	IS(S_ISCHR(st.st_mode) && st.st_rdev == 0x105);
	RET(isatty(null));
	printf("%s\n", t_errno(errno));
	char name[32];
	int p2[2];
	NEED(pipe(p2) == 0);
	sprintf(name, "/dev/fd/%d", p2[1]);
	int again = open(name, O_WRONLY);
	RET(write(again, "via", 3));
	RET(read(p2[0], a, 10));
	RET(open("/dev/absent", O_RDONLY));
	return 0;
}
