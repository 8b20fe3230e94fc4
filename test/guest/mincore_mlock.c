/* SPDX-License-Identifier: BSD-2-Clause */
/* mincore says what is resident; mlock makes it so. */
#include "t.h"

int main(void)
{
	unsigned char vec[8] = { 0 };
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED);
	p[0] = p[3 * PAGE] = 1;
	RET(mincore(p, 8 * PAGE, vec));
	IS((vec[0] & 1) && (vec[3] & 1));
	RET(mincore(p + 1, PAGE, vec));
	RET(mincore(p, 8 * PAGE, BAD_PTR));
	RET(mlock(p, 8 * PAGE));
	RET(mincore(p, 8 * PAGE, vec));
	int resident = 0;
	for (int i = 0; i < 8; i++)
		resident += vec[i] & 1;
	printf("resident %d\n", resident);
	RET(munlock(p, 8 * PAGE));
	RET(munmap(p + 4 * PAGE, PAGE));
	RET(mincore(p, 8 * PAGE, vec));
	RET(mlock(p, 8 * PAGE));
	RET(munlock(p, 8 * PAGE));
	RET(mlockall(MCL_CURRENT | 64));
	RET(mlockall(0));
	RET(munlockall());
	return 0;
}
