/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminal modes; see terminal.h. */
#include "terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static volatile sig_atomic_t raw;
static pid_t owner;

bool terminal_usable(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	       tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void terminal_size(unsigned short *rows, unsigned short *cols)
{
	struct winsize w = {};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0)
		w = (struct winsize){};
	*rows = w.ws_row;
	*cols = w.ws_col;
}

void terminal_restore(void)
{
	/* Async-signal-safe: the crash handler calls it. */
	if (raw && getpid() == owner) {
		raw = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	}
}

static void on_crash(int sig)
{
	terminal_restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

void terminal_raw(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	owner = getpid();
	atexit(terminal_restore);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], on_crash);
	t = saved;
	cfmakeraw(&t);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0)
		raw = 1;
}

const char *terminal_newline(void)
{
	return raw ? "\r\n" : "\n";
}
