/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/self/pagemap and clear_refs: what is present, and soft-dirty where the kernel has it. */
#include "t.h"

static uint64_t word(int fd, void *p)
{
	uint64_t w = 0;
	NEED(pread(fd, &w, 8, (uintptr_t)p / PAGE * 8) == 8);
	return w;
}
#define PRESENT(w) ((w) >> 63 & 1)
#define SOFT(w)	   ((w) >> 55 & 1)

int main(void)
{
	int map = open("/proc/self/pagemap", O_RDONLY),
	    clear = open("/proc/self/clear_refs", O_WRONLY);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     c;
	NEED(map >= 0 && clear >= 0 && p != MAP_FAILED);
	p[0] = 1;
	c = ((volatile char *)p)[PAGE];
	IS(c == 0);
	IS(PRESENT(word(map, p)));
	IS(PRESENT(word(map, p + PAGE)));
	IS(PRESENT(word(map, p + 2 * PAGE)));
	RET(pread(map, p + 3 * PAGE, 7, 0));
	RET(pread(map, p + 3 * PAGE, 8, 4));
	RET(pread(map, BAD_PTR, 8, 0));
	RET(write(clear, "9", 1));
	RET(write(clear, "1", 1));
	RET(write(clear, "4\n", 2));
	bool skiff = access("/proc/skiff", F_OK) == 0, soft = SOFT(word(map, p));
	/* Not every Linux is built with soft-dirty: there it reads as never written. */
	printf("clean after clearing: %s\n", soft ? "no" : "yes");
	p[1] = 2;
	soft = SOFT(word(map, p));
	printf("written is seen: %s\n", soft || !skiff ? "yes" : "no");
	printf("only that: %s\n", SOFT(word(map, p + PAGE)) ? "no" : "yes");
	IS(p[0] == 1 && p[1] == 2);
	return 0;
}
