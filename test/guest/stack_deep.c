/* SPDX-License-Identifier: BSD-2-Clause */
/* The main stack grows by itself to its limit, and large frames may skip pages. */
#include <alloca.h>
#include <sys/resource.h>
#include "t.h"

static __attribute__((noinline)) unsigned long dig(int depth)
{
	volatile char frame[16 * 1024];
	frame[0] = depth;
	unsigned long below = depth > 0 ? dig(depth - 1) : 0;
	return below + frame[0];
}

static __attribute__((noinline)) int jump(size_t size)
{
	volatile char *p = alloca(size);
	p[0] = 1;
	p[size - 1] = 2;
	return p[0] + p[size - 1];
}

int main(void)
{
	struct rlimit limit;
	RET(getrlimit(RLIMIT_STACK, &limit));
	IS(limit.rlim_cur >= 8 << 20);
	printf("%lu\n", dig(100));
	printf("%d\n", jump(4 << 20));
	printf("%d\n", jump(6 << 20));
	printf("%lu\n", dig(380));
	return 0;
}
