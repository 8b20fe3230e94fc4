/* SPDX-License-Identifier: BSD-2-Clause */
/* mremap: shrink, grow in place, grow by moving, to a fixed place, and its errors. */
#include "t.h"

static void fill(char *p, int pages)
{
	for (int i = 0; i < pages; i++)
		sprintf(p + i * PAGE, "page %d", i);
}

static int check(char *p, int pages)
{
	char want[16];
	int good = 0;
	for (int i = 0; i < pages; i++) {
		sprintf(want, "page %d", i);
		good += strcmp(p + i * PAGE, want) == 0;
	}
	return good;
}

int main(void)
{
	int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
	char *base = mmap(NULL, 64 * PAGE, PROT_NONE, anon, -1, 0);
	NEED(base != MAP_FAILED);
	char *p = mmap(base, 8 * PAGE, rw, anon | MAP_FIXED, -1, 0);
	fill(p, 8);
	IS(mremap(p, 8 * PAGE, 4 * PAGE, 0) == p);
	printf("kept %d\n", check(p, 4));
	TOUCH(p + 4 * PAGE, 'r');
	IS(mremap(p, 4 * PAGE, 8 * PAGE, 0) == p);
	TOUCH(p + 4 * PAGE, 'w');
	printf("kept %d, new byte %d\n", check(p, 4), p[5 * PAGE]);
	/* no room in place */
	GET(mremap(p, 8 * PAGE, 9 * PAGE, 0));
	fill(p, 8);
	char *q = mremap(p, 8 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
	IS(q != MAP_FAILED && q != p);
	printf("moved %d, tail %d\n", check(q, 8), q[99 * PAGE]);
	TOUCH(p, 'r');
	char *r = mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 20 * PAGE);
	IS(r == base + 20 * PAGE);
	printf("fixed %d\n", check(r, 4));
	TOUCH(q, 'r');
	TOUCH(q + 4 * PAGE, 'r');
	IS(strcmp(q + 4 * PAGE, "page 4") == 0);
	GET(mremap(r, 4 * PAGE, 4 * PAGE, MREMAP_FIXED, base));
	GET(mremap(r, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r + PAGE));
	GET(mremap(r + 1, PAGE, PAGE, 0));
	GET(mremap(r, PAGE, 0, 0));
	GET(mremap(r, PAGE, PAGE, 64));
	GET(mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	GET(mremap(r, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE));
	printf("still %d\n", check(r, 4));

	int fd = t_file("f", "");
	NEED(ftruncate(fd, 8 * PAGE) == 0);
	char *s = mmap(NULL, 2 * PAGE, rw, MAP_SHARED, fd, 0);
	fill(s, 2);
	char *t = mremap(s, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	NEED(t != MAP_FAILED);
	strcpy(t + 7 * PAGE, "last");
	char buf[8] = "";
	RET(pread(fd, buf, 5, 7 * PAGE));
	printf("%s, kept %d\n", buf, check(t, 2));
	/* old size 0 on a shared mapping makes a second one */
	char *u = mremap(t, 0, 2 * PAGE, MREMAP_MAYMOVE);
	IS(u != MAP_FAILED && u != t && check(u, 2) == 2 && check(t, 2) == 2);
	char *d = mmap(NULL, 2 * PAGE, rw, anon, -1, 0);
	fill(d, 2);
	char *e = mremap(d, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	IS(e != MAP_FAILED && check(e, 2) == 2);
	TOUCH(d, 'r');
	IS(d[0] == 0);
	return 0;
}
