/* SPDX-License-Identifier: BSD-2-Clause */
/* Asynchronous signals do not touch the 128 bytes below the stack pointer of what they interrupt.
 */
#include <sys/time.h>
#include "t.h"

static volatile int handled;

static void handler(int sig)
{
	volatile char noise[512];
	memset((char *)noise, 0xee, sizeof(noise));
	handled++;
}

/* Keeps a value at each word of the red zone while it counts. */
static unsigned long leaf(unsigned long seed)
{
	unsigned long bad = 0;
	__asm__ volatile("mov %1, -8(%%rsp); mov %1, -64(%%rsp); mov %1, -128(%%rsp);"
			 "mov $30000, %%ecx;"
			 "1: dec %%ecx; jnz 1b;"
			 "cmp %1, -8(%%rsp); jne 2f; cmp %1, -64(%%rsp); jne 2f;"
			 "cmp %1, -128(%%rsp); je 3f;"
			 "2: mov $1, %0;"
			 "3:"
			 : "+r"(bad)
			 : "r"(seed)
			 : "ecx", "memory", "cc");
	return bad;
}

int main(void)
{
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } }, none = { { 0, 0 }, { 0, 0 } };
	unsigned long bad = 0, rounds = 0;
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	sigaction(SIGALRM, &sa, NULL);
	RET(setitimer(ITIMER_REAL, &every, NULL));
	while (handled < 30)
		bad += leaf(++rounds * 0x9e3779b97f4a7c15);
	RET(setitimer(ITIMER_REAL, &none, NULL));
	printf("bad %lu\n", bad);
	return 0;
}
