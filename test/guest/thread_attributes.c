/* SPDX-License-Identifier: BSD-2-Clause */
/* Stack size, own stack, guard, names, once, concurrency of attributes and threads. */
#include "t.h"

static char own[256 << 10] __attribute__((aligned(4096)));
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;

static void init(void)
{
	t_sleep_ms(2);
	initialised++;
}

static void *run_once(void *arg)
{
	pthread_once(&once, init);
	return (void *)(long)initialised;
}

static void *on_own_stack(void *arg)
{
	char here;
	pthread_attr_t attr;
	void *low;
	size_t size;
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_destroy(&attr);
	printf("on own stack %d, told so %d, size %zu\n", &here >= own && &here < own + sizeof(own),
		low == own, size);
	return NULL;
}

static void *name(void *arg)
{
	char text[16] = "";
	pthread_setname_np(pthread_self(), "worker");
	pthread_getname_np(pthread_self(), text, sizeof(text));
	printf("name %s, too long: %s\n", text,
		t_errno(pthread_setname_np(pthread_self(), "a name of sixteen")));
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", syscall(SYS_gettid));
	FILE *f = fopen(path, "r");
	if (f && fgets(text, sizeof(text), f))
		printf("comm %s", text);
	if (f)
		fclose(f);
	return NULL;
}

int main(void)
{
	pthread_attr_t attr;
	pthread_t id[4];
	size_t size;
	pthread_attr_init(&attr);
	ERR(pthread_attr_setstacksize(&attr, 1000));
	ERR(pthread_attr_setstack(&attr, own, sizeof(own)));
	NEED(pthread_create(&id[0], &attr, on_own_stack, NULL) == 0);
	pthread_join(id[0], NULL);
	pthread_join(t_thread(name, NULL), NULL);
	for (int i = 0; i < 4; i++)
		id[i] = t_thread(run_once, NULL);
	for (int i = 0; i < 4; i++) {
		void *v;
		pthread_join(id[i], &v);
		printf("once %ld\n", (long)v);
	}
	pthread_attr_init(&attr);
	ERR(pthread_attr_setdetachstate(&attr, 99));
	ERR(pthread_attr_setguardsize(&attr, 64 << 10));
	pthread_attr_getguardsize(&attr, &size);
	printf("guard %zu\n", size);
	pthread_getattr_np(pthread_self(), &attr);
	void *low;
	pthread_attr_getstack(&attr, &low, &size);
	char here;
	IS(&here >= (char *)low && &here < (char *)low + size);
	ERR(pthread_setschedprio(pthread_self(), 0));
	ERR(pthread_kill(pthread_self(), 0));
	ERR(pthread_kill(pthread_self(), 99));
	return 0;
}
