/* SPDX-License-Identifier: BSD-2-Clause */
/* Mutexes of all kinds, rwlocks, semaphores and barriers under threads: exclusion, counts. */
#include "stress.h"
#include <semaphore.h>

#define ROUNDS 300

/* What all share lies in memory that is shared between processes, for those parts that say so. */
struct shared {
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
	pthread_barrier_t barrier;
	sem_t full, empty, mutual;
	int inside;
	long count, a, b;
};
static struct shared *sh;
static int type;

static int take(struct stress *s)
{
	struct timespec ts;
	int err;

	switch (stress_random(s) % 4) {
	case 0:
		while ((err = pthread_mutex_trylock(&sh->mutex)) == EBUSY)
			sched_yield();
		return err;
	case 1:
		do {
			ts = stress_deadline(s, CLOCK_REALTIME);
			err = pthread_mutex_timedlock(&sh->mutex, &ts);
			HOLDS(err == 0 || err == ETIMEDOUT);
		} while (err == ETIMEDOUT);
		return err;
	default: return pthread_mutex_lock(&sh->mutex);
	}
}

static void *mutex_user(void *arg)
{
	struct stress *s = arg;
	long done = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int depth = type == PTHREAD_MUTEX_RECURSIVE ? 1 + stress_random(s) % 3 : 1;

		for (int d = 0; d < depth; d++)
			HOLDS(take(s) == 0);
		HOLDS(sh->inside++ == 0);
		stress_pause(s);
		sh->count++;
		if (type == PTHREAD_MUTEX_ERRORCHECK && i % 16 == 0)
			HOLDS(pthread_mutex_lock(&sh->mutex) == EDEADLK);
		HOLDS(--sh->inside == 0);
		for (int d = 0; d < depth; d++)
			HOLDS(pthread_mutex_unlock(&sh->mutex) == 0);
		if (type == PTHREAD_MUTEX_ERRORCHECK && i % 16 == 0)
			HOLDS(pthread_mutex_unlock(&sh->mutex) == EPERM);
		stress_pause(s);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

static void make_mutex(int protocol, int robust, int pshared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutexattr_setrobust(&attr, robust);
	pthread_mutexattr_setpshared(&attr, pshared);
	NEED((errno = pthread_mutex_init(&sh->mutex, &attr)) == 0);
	sh->count = 0;
}

static void mutexes(void)
{
	static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
		PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP };

	for (unsigned v = 0; v < 8 * LENGTH(types); v++) {
		int protocol = v & 8 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE;
		int robust = v & 16 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED;
		int pshared = v & 4 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE;
		char name[64];
		long done;

		type = types[v % 4];
		make_mutex(protocol, robust, pshared);
		done = v % 3 == 0 ? stress_run_signalled(mutex_user, v & 1 ? SA_RESTART : 0)
				  : stress_run(STRESS_THREADS, mutex_user);
		HOLDS(sh->count == done);
		HOLDS(pthread_mutex_destroy(&sh->mutex) == 0);
		snprintf(name, sizeof(name), "mutex type %d%s%s%s", type, v & 4 ? " shared" : "",
			v & 8 ? " pi" : "", v & 16 ? " robust" : "");
		stress_report(name, done);
	}
}

/* --- Robust: every few rounds a thread ends that holds the lock --- */

static void *dies_with_lock(void *arg)
{
	struct stress *s = arg;

	for (int i = 0; i < 5; i++) {
		int err = pthread_mutex_lock(&sh->mutex);

		HOLDS(err == 0 || err == EOWNERDEAD);
		if (err == EOWNERDEAD) {
			HOLDS(sh->inside == 1);
			sh->inside = 0;
			sh->b++;
			HOLDS(pthread_mutex_consistent(&sh->mutex) == 0);
		}
		HOLDS(sh->inside++ == 0);
		sh->count++;
		stress_pause(s);
		if (i == 4)
			break; /* ends here, with the lock */
		HOLDS(--sh->inside == 0);
		HOLDS(pthread_mutex_unlock(&sh->mutex) == 0);
	}
	s->done = 1;
	return NULL;
}

static void robust_deaths(int protocol)
{
	type = PTHREAD_MUTEX_NORMAL;
	make_mutex(protocol, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
	sh->inside = 0;
	sh->b = 0;
	for (int round = 0; round < 12; round++)
		stress_run(STRESS_THREADS, dies_with_lock);
	HOLDS(pthread_mutex_lock(&sh->mutex) == EOWNERDEAD);
	HOLDS(pthread_mutex_consistent(&sh->mutex) == 0);
	HOLDS(pthread_mutex_unlock(&sh->mutex) == 0);
	sh->inside = 0;
	printf("owners found dead: %ld\n", sh->b + 1);
	stress_report(protocol ? "robust pi deaths" : "robust deaths", sh->count);
}

/* --- Rwlocks: readers see a == b, writers change both --- */

static int rd(struct stress *s)
{
	struct timespec ts;
	int err;

	switch (stress_random(s) % 4) {
	case 0:
		while ((err = pthread_rwlock_tryrdlock(&sh->rwlock)) == EBUSY)
			sched_yield();
		return err;
	case 1:
		do {
			ts = stress_deadline(s, CLOCK_REALTIME);
			err = pthread_rwlock_timedrdlock(&sh->rwlock, &ts);
		} while (err == ETIMEDOUT);
		return err;
	default: return pthread_rwlock_rdlock(&sh->rwlock);
	}
}

static int wr(struct stress *s)
{
	struct timespec ts;
	int err;

	switch (stress_random(s) % 4) {
	case 0:
		while ((err = pthread_rwlock_trywrlock(&sh->rwlock)) == EBUSY)
			sched_yield();
		return err;
	case 1:
		do {
			ts = stress_deadline(s, CLOCK_REALTIME);
			err = pthread_rwlock_timedwrlock(&sh->rwlock, &ts);
		} while (err == ETIMEDOUT);
		return err;
	default: return pthread_rwlock_wrlock(&sh->rwlock);
	}
}

static void *rwlock_user(void *arg)
{
	struct stress *s = arg;
	long done = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (stress_random(s) % 4 == 0) {
			HOLDS(wr(s) == 0);
			HOLDS(sh->inside++ == 0);
			sh->a++;
			stress_pause(s);
			sh->b++;
			HOLDS(--sh->inside == 0);
		} else {
			HOLDS(rd(s) == 0);
			HOLDS(sh->inside == 0);
			HOLDS(sh->a == sh->b);
			stress_pause(s);
			HOLDS(sh->a == sh->b);
		}
		HOLDS(pthread_rwlock_unlock(&sh->rwlock) == 0);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

static void rwlocks(void)
{
	for (int v = 0; v < 4; v++) {
		pthread_rwlockattr_t attr;
		char name[64];
		long done;

		pthread_rwlockattr_init(&attr);
		pthread_rwlockattr_setkind_np(
			&attr, v & 1 ? PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
				     : PTHREAD_RWLOCK_PREFER_READER_NP);
		pthread_rwlockattr_setpshared(
			&attr, v & 2 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
		NEED((errno = pthread_rwlock_init(&sh->rwlock, &attr)) == 0);
		sh->a = sh->b = sh->inside = 0;
		done = v & 1 ? stress_run_signalled(rwlock_user, SA_RESTART)
			     : stress_run(STRESS_THREADS, rwlock_user);
		HOLDS(pthread_rwlock_destroy(&sh->rwlock) == 0);
		snprintf(name, sizeof(name), "rwlock %s%s",
			v & 1 ? "writers first" : "readers first", v & 2 ? " shared" : "");
		stress_report(name, done);
	}
}

/* --- Semaphores: a ring of 4 places, half the threads fill it, half empty it --- */

static void down(struct stress *s, sem_t *sem)
{
	struct timespec ts;
	int err;

	switch (stress_random(s) % 4) {
	case 0:
		while (sem_trywait(sem) != 0) {
			HOLDS(errno == EAGAIN);
			sched_yield();
		}
		break;
	case 1:
		do {
			ts = stress_deadline(s, CLOCK_REALTIME);
			err = sem_timedwait(sem, &ts);
			HOLDS(err == 0 || errno == ETIMEDOUT || errno == EINTR);
		} while (err != 0);
		break;
	default:
		while (sem_wait(sem) != 0)
			HOLDS(errno == EINTR);
	}
}

static long ring[4];

static void *ring_user(void *arg)
{
	struct stress *s = arg;
	long done = 0;

	for (int i = 1; i <= ROUNDS; i++) {
		bool fill = s->index % 2;

		down(s, fill ? &sh->empty : &sh->full);
		down(s, &sh->mutual);
		HOLDS(sh->inside++ == 0);
		if (fill) {
			HOLDS(ring[sh->a % 4] == 0);
			ring[sh->a++ % 4] = i;
		} else {
			HOLDS(ring[sh->b % 4] != 0);
			sh->count += ring[sh->b % 4];
			ring[sh->b++ % 4] = 0;
		}
		stress_pause(s);
		HOLDS(--sh->inside == 0);
		sem_post(&sh->mutual);
		sem_post(fill ? &sh->full : &sh->empty);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

static void semaphores(void)
{
	for (int pshared = 0; pshared < 2; pshared++) {
		int value;
		long done;

		sem_init(&sh->full, pshared, 0);
		sem_init(&sh->empty, pshared, 4);
		sem_init(&sh->mutual, pshared, 1);
		sh->a = sh->b = sh->count = sh->inside = 0;
		done = stress_run_signalled(ring_user, pshared ? SA_RESTART : 0);
		HOLDS(sh->count == STRESS_THREADS / 2 * (ROUNDS * (ROUNDS + 1) / 2));
		sem_getvalue(&sh->empty, &value);
		HOLDS(value == 4);
		stress_report(pshared ? "semaphores shared" : "semaphores", done);
	}
}

/* --- Barriers: nobody is ahead, one is told that it is the last --- */

static int arrived[STRESS_THREADS];
static int serial; /* atomic */

static void *barrier_user(void *arg)
{
	struct stress *s = arg;
	long done = 0;

	for (int i = 1; i <= ROUNDS; i++) {
		int r;

		arrived[s->index] = i;
		stress_pause(s);
		r = pthread_barrier_wait(&sh->barrier);
		HOLDS(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
		if (r)
			__atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
		for (int k = 0; k < STRESS_THREADS; k++)
			HOLDS(arrived[k] == i);
		pthread_barrier_wait(&sh->barrier);
		done++;
	}
	__atomic_store_n(&s->done, done, __ATOMIC_RELEASE);
	return NULL;
}

static void barriers(void)
{
	for (int pshared = 0; pshared < 2; pshared++) {
		pthread_barrierattr_t attr;
		long done;

		pthread_barrierattr_init(&attr);
		pthread_barrierattr_setpshared(&attr, pshared);
		NEED((errno = pthread_barrier_init(&sh->barrier, &attr, STRESS_THREADS)) == 0);
		serial = 0;
		done = pshared ? stress_run_signalled(barrier_user, 0)
			       : stress_run(STRESS_THREADS, barrier_user);
		HOLDS(serial == ROUNDS);
		HOLDS(pthread_barrier_destroy(&sh->barrier) == 0);
		stress_report(pshared ? "barrier shared" : "barrier", done);
	}
}

int main(void)
{
	sh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(sh != MAP_FAILED);
	mutexes();
	robust_deaths(PTHREAD_PRIO_NONE);
	robust_deaths(PTHREAD_PRIO_INHERIT);
	rwlocks();
	semaphores();
	barriers();
	munmap(sh, PAGE);
	return 0;
}
