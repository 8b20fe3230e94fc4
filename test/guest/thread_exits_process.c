/* SPDX-License-Identifier: BSD-2-Clause */
/* exit() from any thread ends the process, whatever the others wait for. */
/* standalone */
#include "t.h"

static int pipes[2];

static void *sleeper(void *arg)
{
	pause();
	return NULL;
}

static void *reader(void *arg)
{
	char c;
	(void)!read(pipes[0], &c, 1);
	return NULL;
}

static void *spinner(void *arg)
{
	for (;;)
		__asm__ volatile("");
	return NULL;
}

static void *ender(void *arg)
{
	t_sleep_ms(10);
	printf("leaving\n");
	exit(41);
}

int main(void)
{
	NEED(pipe(pipes) == 0);
	t_thread(sleeper, NULL);
	t_thread(reader, NULL);
	t_thread(spinner, NULL);
	pthread_t id = t_thread(ender, NULL);
	pthread_join(id, NULL);
	return 1;
}
