/* SPDX-License-Identifier: BSD-2-Clause */
/* A program for static linking, by whatever C library: files, memory, threads, time, errors. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread int mine = 5;
static long shared;

static void *thread(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		shared += mine;
		pthread_mutex_unlock(&mutex);
	}
	mine++;
	return (void *)(long)mine;
}

int main(int argc, char **argv)
{
	pthread_t id[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&id[i], NULL, thread, NULL);
	for (int i = 0; i < 4; i++) {
		void *v;
		pthread_join(id[i], &v);
		printf("thread %d: %ld\n", i, (long)v);
	}
	printf("shared %ld, mine %d\n", shared, mine);
	FILE *f = fopen("/tmp/static-test", "w+");
	if (!f)
		return 1;
	fprintf(f, "%d %s %.3f\n", 42, "text", 2.5);
	rewind(f);
	char line[64];
	printf("%s", fgets(line, sizeof(line), f));
	fclose(f);
	unlink("/tmp/static-test");
	printf("open: %s\n", open("/absent", O_RDONLY) < 0 ? strerror(errno) : "?");
	char *p = malloc(10 << 20);
	memset(p, 1, 10 << 20);
	printf("big %d\n", p[(10 << 20) - 1]);
	free(p);
	struct timespec ts = { 0, 1000000 };
	printf("sleep %d, time %d\n", nanosleep(&ts, NULL), time(NULL) > 1700000000);
	printf("args %d %s\n", argc, argc > 1 ? argv[1] : "");
	return argc > 1 ? atoi(argv[1]) : 9;
}
