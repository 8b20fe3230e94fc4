/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole network stack and its card's driver under a hail of frames, from the card's used ring
 * up: sound conversations, spoiled ones, a card that lies, memory that is not there, and a program
 * that uses sockets meanwhile. Each seed is a life of a machine of its own, in a process of its own
 * (the stack's statics begin as at boot); whatever the frames were, when all is over nothing may be
 * left: no packet, no socket, no connection, and a new handshake must work.
 *
 *	NET_FUZZ_SEED=K		one seed
 *	NET_FUZZ_RUNS=N		seeds 1..N instead of what "make test" takes
 *	NET_FUZZ_SECONDS=S	as many as fit, from NET_FUZZ_FIRST or the time of day on
 *				(make fuzz)
 *	NET_FUZZ_SCRIPT=FILE	with NET_FUZZ_SEED: what the seed chose, for net_fuzz_guided.c
 */
/* sources: $(HOST_NET) $(HOST_VIRTIO_NET) */
/* flags: -D_GNU_SOURCE */
#include "fuzz_life.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool in_child(unsigned long seed)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		atomic_store(&t_failures, 0);
		setrlimit(RLIMIT_CPU, &(struct rlimit){ 20, 25 });
		live_once(seed);
		exit(atomic_load(&t_failures) != 0);
	}
	waitpid(child, &status, 0);
	if (status)
		T_FAIL("status %x: run again with NET_FUZZ_SEED=%lu", status, seed);
	return !status;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 10) : otherwise;
}

static void nobody(void *arg)
{
}

TEST(many_lives)
{
	unsigned long one = setting("NET_FUZZ_SEED", 0), seconds = setting("NET_FUZZ_SECONDS", 0);
	unsigned long first =
		setting("NET_FUZZ_FIRST", seconds ? (unsigned long)time(NULL) * 1000 : 1);
	unsigned long last = seconds ? ~0ul : setting("NET_FUZZ_RUNS", 400), seed, bad = 0;
	time_t end = time(NULL) + (time_t)seconds;

	kthread_create("nobody", nobody, NULL, THREAD_NORMAL);
	fuzz_run_threads(); /* ASan has its word about swapcontext once, here */
	fuzz_thread_count = 0;
	if (one) {
		const char *script = getenv("NET_FUZZ_SCRIPT");

		fuzz_record = script ? fopen(script, "w") : NULL;
		live_once(one);
		if (fuzz_record)
			fclose(fuzz_record);
		printf("# seed %lu: %.3f s, %lu frames in, %lu out, most memory %zu\n", one,
			(double)env_now / 1e9, card.received, card.sent, fuzz_bytes_most);
		return;
	}
	for (seed = first; seed <= last && bad < 20; seed++) {
		bad += !in_child(seed);
		if (seconds && time(NULL) >= end)
			break;
	}
	if (seconds)
		printf("# %lu lives from seed %lu\n", seed - first, first);
}
