/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net_fuzz_test's lives once more, where not a seed chooses but a script, which libFuzzer writes:
 * it keeps what reaches code that nothing reached before, and varies that (make fuzz-guided).
 *
 * A life needs a process of its own. What it covers is counted there, so the child hands its
 * counters back through shared memory; libFuzzer sees them as if all had happened here.
 */
#define main t_main /* libFuzzer has one */
#include "fuzz_life.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* One counter for each edge of the program (Clang's inline-8bit-counters). */
extern uint8_t __start___sancov_cntrs[], __stop___sancov_cntrs[];
static uint8_t *counted;

static size_t counters(void)
{
	return (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs);
}

static void nobody(void *arg)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	counted = mmap(NULL, counters(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	BUG_ON(counted == MAP_FAILED);
	kthread_create("nobody", nobody, NULL, THREAD_NORMAL);
	fuzz_run_threads(); /* ASan has its word about swapcontext once, here */
	fuzz_thread_count = 0;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *script, size_t n)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		setrlimit(RLIMIT_CPU, &(struct rlimit){ 20, 25 });
		fuzz_script = script;
		fuzz_script_end = script + n;
		live_once(1);
		memcpy(counted, __start___sancov_cntrs, counters());
		_exit(atomic_load(&t_failures) != 0);
	}
	waitpid(child, &status, 0);
	if (status) /* the child has said why */
		abort();
	memcpy(__start___sancov_cntrs, counted, counters());
	return 0;
}
