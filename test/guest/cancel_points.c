/* SPDX-License-Identifier: BSD-2-Clause */
/* Cancellation: deferred in blocking calls, disabled, asynchronous; clean-up handlers run. */
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include "t.h"

static int pipes[2], sockets[2], state;
static sem_t started;
static char trail[64];

static void clean(void *arg)
{
	strcat(trail, arg);
}

static void blocking(int which)
{
	char c;
	sem_t sem;
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	struct pollfd pfd = { pipes[0], POLLIN, 0 };
	switch (which) {
	case 0: (void)!read(pipes[0], &c, 1); break;
	case 1: pause(); break;
	case 2: sleep(100); break;
	case 3: recv(sockets[0], &c, 1, 0); break;
	case 4: poll(&pfd, 1, -1); break;
	case 5:
		sem_init(&sem, 0, 0);
		sem_wait(&sem);
		break;
	case 6:
		pthread_mutex_lock(&mutex);
		pthread_cond_wait(&cond, &mutex);
		break;
	case 7:
		for (;;)
			pthread_testcancel();
	case 8:
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
		for (;;)
			__asm__ volatile("" ::: "memory");
	}
}

static void *thread(void *arg)
{
	pthread_cleanup_push(clean, "outer ");
	pthread_cleanup_push(clean, "inner ");
	sem_post(&started);
	blocking((int)(long)arg);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *disabled(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	sem_post(&started);
	while (!__atomic_load_n(&state, __ATOMIC_ACQUIRE))
		t_sleep_ms(1);
	strcat(trail, "survived ");
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	strcat(trail, "not reached ");
	return NULL;
}

int main(void)
{
	static const char *names[] = { "read", "pause", "sleep", "recv", "poll", "sem_wait",
		"cond_wait", "testcancel", "asynchronous" };
	void *value;
	NEED(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	sem_init(&started, 0, 0);
	for (long i = 0; i < (long)LENGTH(names); i++) {
		trail[0] = 0;
		pthread_t id = t_thread(thread, (void *)i);
		sem_wait(&started);
		t_sleep_ms(i & 1 ? 3 : 0);
		pthread_cancel(id);
		pthread_join(id, &value);
		printf("%s: %s, %s\n", names[i], trail,
			value == PTHREAD_CANCELED ? "canceled" : "not canceled");
	}
	trail[0] = 0;
	pthread_t id = t_thread(disabled, NULL);
	sem_wait(&started);
	pthread_cancel(id);
	__atomic_store_n(&state, 1, __ATOMIC_RELEASE);
	pthread_join(id, &value);
	printf("disabled: %s, %s\n", trail,
		value == PTHREAD_CANCELED ? "canceled" : "not canceled");
	return 0;
}
