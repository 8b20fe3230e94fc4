/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The C library's own call sites, called so often that the kernel patches them: the answers stay,
 * signals interrupt and restart what waits there, and a thread that waits there can be cancelled.
 */
/* standalone */
/* options: --cpus 2 --memory 512M --no-preload */
#include <dlfcn.h>
#include <poll.h>
#include "prod.h"
#include "t.h"

#define HOT 2000 /* calls after which a site has certainly been looked at often enough */

/* Sites patched so far, on a kernel that counts them; -1: Linux. */
static long patches_made(void)
{
	char text[16384], *at;
	int fd = open("/proc/skiff/counters", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd < 0)
		return -1;
	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strstr(text, "patch_made");
	return at ? atol(at + strlen("patch_made")) : 0;
}

static int pipes[2];

static void answers(void)
{
	struct pollfd p = { pipes[0], POLLIN, 0 };
	pid_t parent = getppid();
	int bad[6] = { 0 }, fd = open("/dev/null", O_WRONLY);
	for (int i = 0; i < HOT; i++) {
		bad[0] += getppid() != parent;
		bad[1] += write(fd, "x", 1) != 1;
		bad[2] += poll(&p, 1, 0) != 0;
		errno = 0;
		bad[3] += lseek(-1, 0, SEEK_SET) != -1 || errno != EBADF;
		bad[4] += pread(-1, bad, 1, 0) != -1 || errno != EBADF;
		bad[5] += sched_yield() != 0;
	}
	close(fd);
	printf("wrong: %d %d %d %d %d %d\n", bad[0], bad[1], bad[2], bad[3], bad[4], bad[5]);
}

/* ---- waiting there ---- */

static void interrupted(void)
{
	struct pollfd p = { pipes[0], POLLIN, 0 };
	struct prod prod;
	prod_begin(&prod, false);
	RET(poll(&p, 1, 60000)); /* never restarted */
	IS(prod_end(&prod));
	prod_begin(&prod, true);
	RET(poll(&p, 1, 100));
	IS(prod_end(&prod));
}

static volatile int cleaned, waiting;

static void cleanup(void *arg)
{
	cleaned++;
}

static void *poller(void *arg)
{
	struct pollfd p = { pipes[0], POLLIN, 0 };
	pthread_setcanceltype(arg ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, NULL);
	pthread_cleanup_push(cleanup, NULL);
	for (int i = 0; i < HOT / 4; i++) /* beside another thread libc takes another site */
		poll(&p, 1, 0);
	waiting = 1;
	poll(&p, 1, -1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *busy(void *arg)
{
	struct pollfd p = { pipes[0], POLLIN, 0 };
	pthread_cleanup_push(cleanup, NULL);
	waiting = 1;
	for (;;)
		poll(&p, 1, 0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelled(const char *name, void *(*fn)(void *), void *arg, int times)
{
	int as_should = 0;
	cleaned = 0;
	for (int i = 0; i < times; i++) {
		pthread_t id;
		void *result;
		waiting = 0;
		id = t_thread(fn, arg);
		while (!waiting)
			sched_yield();
		t_sleep_ms(i % 4 * 2);
		pthread_cancel(id);
		pthread_join(id, &result);
		as_should += result == PTHREAD_CANCELED;
	}
	printf("%s: %d cancelled, %d cleaned up\n", name, as_should, cleaned);
}

/* ---- code that comes and goes ---- */

/* Another C library beside ours, mapped anew each time. */
#if defined(__GLIBC__) && !defined(STATIC)
static void loaded(void)
{
	pid_t parent = getppid();
	int bad = 0;
	for (int round = 0; round < 5; round++) {
		void *lib = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
		pid_t (*other)(void) = lib ? (pid_t(*)(void))dlsym(lib, "getppid") : NULL;
		NEED(other && other != getppid);
		for (int i = 0; i < HOT; i++)
			bad += other() != parent;
		dlclose(lib);
	}
	printf("loaded: wrong %d\n", bad);
}
#else
static void loaded(void)
{
}
#endif

int main(void)
{
	long before = patches_made(), after;
	NEED(pipe(pipes) == 0);
	answers();
	after = patches_made();
	IS(before < 0 || after > before);
	interrupted();
	cancelled("waiting", poller, NULL, 8);
	cancelled("waiting, asynchronous", poller, (void *)1, 8);
	cancelled("busy", busy, NULL, 20);
	before = patches_made();
	loaded();
	after = patches_made();
#if defined(__GLIBC__) && !defined(STATIC)
	IS(before < 0 || after > before);
#endif
	answers();
	return 0;
}
