/* SPDX-License-Identifier: BSD-2-Clause */
/* Says that it is ready, then waits for SIGTERM or SIGINT and says which came. */
#include <signal.h>
#include <stdio.h>

int main(void)
{
	sigset_t set;
	int sig = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&set, &sig);
	printf("signal %d\n", sig);
	return 7;
}
