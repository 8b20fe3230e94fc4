/* SPDX-License-Identifier: BSD-2-Clause */
/* How many CPUs there are, each of which runs a thread pinned to it. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static void *thread(void *arg)
{
	return (void *)(long)(sched_getcpu() + 1);
}

int main(void)
{
	int n = sysconf(_SC_NPROCESSORS_ONLN), right = 0;
	for (int i = 0; i < n; i++) {
		pthread_attr_t attr;
		pthread_t id;
		cpu_set_t set;
		void *cpu = NULL;
		CPU_ZERO(&set);
		CPU_SET(i, &set);
		pthread_attr_init(&attr);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
		if (pthread_create(&id, &attr, thread, NULL) == 0 && pthread_join(id, &cpu) == 0)
			right += (long)cpu == i + 1;
	}
	printf("%d CPUs, %d ran a thread\n", n, right);
	return 0;
}
