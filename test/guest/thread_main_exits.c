/* SPDX-License-Identifier: BSD-2-Clause */
/* The first thread may leave by pthread_exit; the process ends with the last one. */
/* standalone */
#include "t.h"

static void *last(void *arg)
{
	t_sleep_ms(30);
	printf("the other thread goes on\n");
	return NULL;
}

int main(void)
{
	t_thread(last, NULL);
	printf("main leaves\n");
	pthread_exit((void *)3);
}
