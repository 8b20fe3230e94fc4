/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that come and go: joins, cancellation in bad places, keys, once, detached ones. */
#include "stress.h"
#include <semaphore.h>

/* --- Cancelled while they wait: the mutex is theirs in the handler, nothing is left locked --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static int pipe_fds[2];
static int inside, waiting; /* guarded by mutex */
static int cleaned;	    /* atomic */

static void clean_locked(void *arg)
{
	HOLDS(inside++ == 0);
	waiting--;
	HOLDS(--inside == 0);
	pthread_mutex_unlock(&mutex);
	__atomic_fetch_add(&cleaned, 1, __ATOMIC_RELAXED);
}

static void clean(void *arg)
{
	__atomic_fetch_add(&cleaned, 1, __ATOMIC_RELAXED);
}

static void *wait_cond(void *arg)
{
	struct stress *s = arg;

	pthread_mutex_lock(&mutex);
	waiting++;
	pthread_cleanup_push(clean_locked, NULL);
	for (;;) {
		struct timespec ts = stress_deadline(s, CLOCK_REALTIME);

		if (stress_random(s) % 2)
			pthread_cond_wait(&cond, &mutex);
		else
			pthread_cond_timedwait(&cond, &mutex, &ts);
	}
	pthread_cleanup_pop(0);
	return NULL;
}

static void *wait_call(void *arg)
{
	struct stress *s = arg;
	char c;

	pthread_cleanup_push(clean, NULL);
	for (;;) {
		struct timespec ts = { 0, stress_random(s) % 100000 };

		switch (s->index % 4) {
		case 0: sem_wait(&sem); break;
		case 1: (void)!read(pipe_fds[0], &c, 1); break;
		case 2: nanosleep(&ts, NULL); break;
		default: pthread_testcancel();
		}
	}
	pthread_cleanup_pop(0);
	return NULL;
}

static void *wait_asynchronous(void *arg)
{
	volatile unsigned long turns = 0;

	pthread_cleanup_push(clean, NULL);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		turns++;
	pthread_cleanup_pop(0);
	return NULL;
}

/* Cancels only where it is allowed: what is counted between is complete. */
static void *wait_disabled(void *arg)
{
	struct stress *s = arg;

	for (;;) {
		int old;

		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
		pthread_mutex_lock(&mutex);
		HOLDS(inside++ == 0);
		stress_pause(s); /* nanosleep would be a cancellation point */
		HOLDS(--inside == 0);
		pthread_mutex_unlock(&mutex);
		pthread_setcancelstate(old, NULL);
		pthread_testcancel();
	}
	return NULL;
}

static void cancel_all(const char *part, void *(*fn)(void *), int rounds, bool signals)
{
	struct stress s[STRESS_THREADS], self = { .seed = 99 };
	long cancelled = 0;

	cleaned = waiting = 0;
	for (int r = 0; r < rounds; r++) {
		stress_start(s, STRESS_THREADS, fn);
		for (int i = 0; i < STRESS_THREADS; i++) {
			void *v;

			stress_pause(&self);
			if (signals)
				pthread_cond_signal(&cond);
			HOLDS(pthread_cancel(s[i].id) == 0);
			if (stress_random(&self) % 2)
				pthread_cond_broadcast(&cond);
			if (r % 2) {
				pthread_join(s[i].id, &v);
				cancelled += v == PTHREAD_CANCELED;
			}
		}
		for (int i = 0; i < STRESS_THREADS && r % 2 == 0; i++) {
			void *v;

			pthread_join(s[i].id, &v);
			cancelled += v == PTHREAD_CANCELED;
		}
	}
	HOLDS(waiting == 0);
	HOLDS(pthread_mutex_trylock(&mutex) == 0);
	pthread_mutex_unlock(&mutex);
	stress_report(part, cancelled);
}

/* --- Keys: destructors run for each thread, again for who sets the key again --- */

static pthread_key_t keys[4];
static int destroyed[4]; /* atomic */
static int again;	 /* atomic */

static void destroy_key(void *arg)
{
	long v = (long)arg;

	__atomic_fetch_add(&destroyed[v % 4], 1, __ATOMIC_RELAXED);
	if (v >= 4) {
		__atomic_fetch_add(&again, 1, __ATOMIC_RELAXED);
		pthread_setspecific(keys[v % 4], (void *)(v % 4));
	}
}

static void *key_user(void *arg)
{
	struct stress *s = arg;

	for (long k = 1; k < 4; k++) {
		HOLDS(pthread_getspecific(keys[k]) == NULL);
		pthread_setspecific(keys[k], (void *)(s->index % 2 ? k + 4 : k));
		stress_pause(s);
		HOLDS(pthread_getspecific(keys[k]) == (void *)(s->index % 2 ? k + 4 : k));
	}
	s->done = 1;
	if (s->index % 3 == 0)
		pthread_exit(NULL);
	return NULL;
}

static void key_rounds(void)
{
	long done = 0;

	for (int k = 1; k < 4; k++)
		pthread_key_create(&keys[k], destroy_key);
	for (int r = 0; r < 60; r++)
		done += stress_run(STRESS_THREADS, key_user);
	for (int k = 1; k < 4; k++)
		pthread_key_delete(keys[k]);
	printf("destroyed %d %d %d, again %d\n", destroyed[1], destroyed[2], destroyed[3], again);
	stress_report("keys", done);
}

/* --- Once: one runs it, the others wait for its end; a cancelled one does not count --- */

static pthread_once_t once;
static int once_begun, once_done; /* atomic */
static bool once_cancelled;

static void initialise(void)
{
	if (__atomic_fetch_add(&once_begun, 1, __ATOMIC_RELAXED) == 0 && once_cancelled) {
		pthread_cancel(pthread_self());
		pthread_testcancel();
	}
	sched_yield();
	__atomic_store_n(&once_done, 1, __ATOMIC_RELAXED);
}

static void *once_user(void *arg)
{
	pthread_once(&once, initialise);
	HOLDS(__atomic_load_n(&once_done, __ATOMIC_RELAXED) == 1);
	((struct stress *)arg)->done = 1;
	return NULL;
}

static void once_rounds(bool cancelled)
{
	long done = 0, begun = 0;

	once_cancelled = cancelled;
	for (int r = 0; r < 100; r++) {
		static const pthread_once_t fresh = PTHREAD_ONCE_INIT;

		once = fresh;
		once_begun = once_done = 0;
		done += stress_run(STRESS_THREADS, once_user);
		begun += once_begun;
	}
	printf("initialised %ld times\n", begun);
	stress_report(cancelled ? "once, first cancelled" : "once", done);
}

/* --- Joins from several threads, timed ones, detached threads --- */

static void *value(void *arg)
{
	if ((long)arg % 5 == 0)
		sched_yield();
	return (void *)((long)arg * 3);
}

static void *last_words(void *arg)
{
	sem_post(&sem);
	return NULL;
}

static void *join_user(void *arg)
{
	struct stress *s = arg;

	for (long i = 0; i < 40; i++) {
		pthread_t id = t_thread(value, (void *)i), other;
		void *v = NULL;
		int err;

		if (i % 4 == 0) {
			other = t_thread(last_words, NULL);
			pthread_detach(other);
		}
		switch (i % 3) {
		case 0: err = pthread_join(id, &v); break;
		case 1:
			while ((err = pthread_tryjoin_np(id, &v)) == EBUSY)
				sched_yield();
			break;
		default:
			do {
				struct timespec ts = stress_deadline(s, CLOCK_REALTIME);

				err = pthread_timedjoin_np(id, &v, &ts);
			} while (err == ETIMEDOUT);
		}
		HOLDS(err == 0);
		HOLDS(v == (void *)(i * 3));
		s->done++;
	}
	return NULL;
}

static void joins(void)
{
	long done = stress_run(STRESS_THREADS, join_user);

	for (int i = 0; i < STRESS_THREADS * 10; i++)
		while (sem_wait(&sem) != 0)
			;
	HOLDS(sem_trywait(&sem) != 0);
	stress_report("joins", done);
}

int main(void)
{
	NEED(pipe(pipe_fds) == 0);
	sem_init(&sem, 0, 0);
	cancel_all("cancel in a condition wait", wait_cond, 40, true);
	cancel_all("cancel in calls", wait_call, 40, false);
	cancel_all("cancel a computation", wait_asynchronous, 16, false);
	cancel_all("cancel disabled", wait_disabled, 20, false);
	key_rounds();
	once_rounds(false);
	once_rounds(true);
	joins();
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}
