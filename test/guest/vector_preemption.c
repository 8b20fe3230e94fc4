/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that compute in vector registers on few CPUs do not see each other's values. */
#include "t.h"

static void *thread(void *arg)
{
	unsigned long me = (unsigned long)arg, bad = 0;
	double d = me;
	long end = t_now_ms() + 150;
	while (t_now_ms() < end) {
		unsigned long got, got15;
		__asm__ volatile("movq %2, %%xmm5; movq %2, %%xmm15;"
				 "mov $20000, %%ecx;"
				 "1: dec %%ecx; jnz 1b;"
				 "movq %%xmm5, %0; movq %%xmm15, %1"
				 : "=r"(got), "=r"(got15)
				 : "r"(me * 0x0101010101010101)
				 : "ecx", "xmm5", "xmm15");
		bad += got != me * 0x0101010101010101 || got15 != got;
		double before = d;
		for (int i = 0; i < 200; i++)
			d = d * 1.0000001 + me;
		for (int i = 0; i < 200; i++)
			d = (d - me) / 1.0000001;
		bad += d < before - 0.01 || d > before + 0.01;
		d = me;
	}
	return (void *)bad;
}

int main(void)
{
	pthread_t id[6];
	for (long i = 0; i < 6; i++)
		id[i] = t_thread(thread, (void *)(i + 1));
	for (int i = 0; i < 6; i++) {
		void *bad;
		pthread_join(id[i], &bad);
		printf("thread %d: bad %ld\n", i, (long)bad);
	}
	return 0;
}
