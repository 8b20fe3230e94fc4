/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * widen PORTS COMMAND...: runs a QEMU whose published ports get a longer backlog as soon as it
 * listens on so many of them, as `skiff run` does for its own: the user network's is 1, so the
 * host's kernel drops what 20 connections at a time send first.
 */
#include "../tool/backlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#define LOOKS 200 /* 50 ms each */

static void widen(pid_t qemu, int ports)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (int i = 0; i < LOOKS && getppid() == qemu; i++) {
		if (backlog_widen(qemu) >= ports)
			return;
		usleep(50000); /* nobody tells when QEMU listens */
	}
	if (getppid() == qemu)
		fprintf(stderr,
			"widen: QEMU does not listen on %d ports, or may not be looked at: "
			"run as root\n",
			ports);
}

int main(int argc, char **argv)
{
	pid_t self = getpid(), watcher;

	if (argc < 3) {
		fprintf(stderr, "usage: widen PORTS COMMAND...\n");
		return 2;
	}
	watcher = fork();
	if (watcher < 0) {
		perror("widen: fork");
		return 1;
	}
	if (!watcher) {
		widen(self, atoi(argv[1]));
		_exit(0);
	}
	execvp(argv[2], argv + 2);
	fprintf(stderr, "widen: %s: %s\n", argv[2], strerror(errno));
	return 1;
}
