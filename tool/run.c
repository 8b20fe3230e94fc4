/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skiff run. QEMU is a child in a session of its own; each channel of the guest is a socket pair,
 * one end handed to QEMU. One loop moves bytes between those and the real standard input, output
 * and error, reads the kernel's lines from the console, and turns signals into lines on the control
 * port.
 *
 *   started --exit line--> ending --QEMU gone, sockets empty--> done
 *      |--panic line-----> crashed --QEMU gone, sockets empty--> done (status 125)
 *      |--second SIGINT, SIGTERM not obeyed--> killed ---------> done (status 128 + signal)
 *      |--QEMU gone------> crashed
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backlog.h"
#include "image.h"
#include "qemu.h"
#include "terminal.h"

#define RELAY_SIZE	 65536
#define PIPE_CHUNK	 4096  /* PIPE_BUF: a pipe that polls writable takes this much at once */
#define MARK		 0x1e  /* starts the kernel's lines for skiff */
#define LOG_WARNING	 4     /* kernel messages up to this level are always shown */
#define MAX_KEPT	 65536 /* of text that is shown only after a crash */
#define SIGINT_WINDOW_MS 2000
#define SIGTERM_LIMIT_MS 10000
#define END_LIMIT_MS	 10000 /* from the exit line to the end of QEMU */
#define CRASH_LIMIT_MS	 3000
#define CTRL_BACKSLASH	 0x1c

enum state { STARTED, ENDING, CRASHED, KILLED };

/* Bytes on their way from one descriptor to another. -1: closed. */
struct relay {
	int from, to;
	char data[RELAY_SIZE];
	size_t off, len;
	bool socket_to; /* "to" is ours: closed after the last byte */
	bool discard;	/* the reader is gone */
	int error;	/* of writing */
};

struct run {
	enum state state;
	pid_t qemu;
	int qemu_status;
	int status; /* of the program, once known */
	bool verbose, tty, slow_end;
	struct relay in, out, err;
	int console, control, qemu_err, signals;
	struct buf line, kept, to_control, qemu_text;
	int64_t kill_at; /* ms of the monotonic clock; 0: never */
	int64_t last_int, last_quit;
	int quits, kill_signal;
	int ports;	     /* published TCP ports whose backlog is not widened yet */
	int64_t ports_until; /* ms: then we leave it at that */
};

#define PORTS_INTERVAL 20   /* ms */
#define PORTS_LIMIT    5000 /* ms */

static struct run run;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- relays ---- */

static void control_line(const char *fmt, int a, int b)
{
	if (run.control >= 0)
		buf_fmt(&run.to_control, fmt, a, b);
}

static void relay_end(struct relay *r)
{
	if (r->from >= 0 && r->socket_to)
		r->from = -1; /* the real standard input stays open */
	else
		close_fd(&r->from);
}

static void relay_read(struct relay *r)
{
	ssize_t n = read(r->from, r->data, sizeof(r->data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		relay_end(r);
		if (r->socket_to && r->to >= 0)
			close_fd(&r->to); /* end of file for the guest */
		return;
	}
	r->off = 0;
	r->len = r->discard ? 0 : n;
}

static void relay_write(struct relay *r)
{
	size_t size = r->len;
	ssize_t n;

	if (!r->socket_to && size > PIPE_CHUNK)
		size = PIPE_CHUNK;
	n = write(r->to, r->data + r->off, size);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		r->error = errno;
		r->discard = true;
		r->len = 0;
		if (r->socket_to) {
			relay_end(r);
			close_fd(&r->to);
		} else if (errno == EPIPE) {
			/* What a program gets that writes to a pipe without a reader. */
			control_line("signal %d\n", SIGPIPE, 0);
		}
		return;
	}
	r->off += n;
	r->len -= n;
}

/* ---- the console ---- */

static void keep(const char *text, size_t len)
{
	if (run.kept.len + len < MAX_KEPT) {
		buf_add(&run.kept, text, len);
		buf_str(&run.kept, terminal_newline());
	}
}

static void show(const char *text, size_t len)
{
	struct buf b = {};

	buf_add(&b, text, len);
	buf_str(&b, terminal_newline());
	write_all(STDERR_FILENO, b.s, b.len);
	buf_free(&b);
}

static void limit_to(int64_t ms)
{
	run.kill_at = now_ms() + ms;
}

static void mark_line(const char *text)
{
	int status;

	if (sscanf(text, "skiff-exit %d", &status) == 1) {
		if (run.state == STARTED) {
			run.state = ENDING;
			run.status = status & 255;
			limit_to(END_LIMIT_MS);
		}
	} else if (str_starts(text, "skiff-panic")) {
		run.state = CRASHED;
		limit_to(CRASH_LIMIT_MS);
	}
}

static void console_line(char *s, size_t len)
{
	int level = LOG_WARNING;

	while (len && (s[len - 1] == '\r' || s[len - 1] == '\n'))
		len--;
	s[len] = 0;
	if (len && s[0] == MARK) {
		mark_line(s + 1);
		return;
	}
	if (len > 3 && s[0] == '<' && s[1] >= '0' && s[1] <= '7' && s[2] == '>') {
		level = s[1] - '0';
		s += 3;
		len -= 3;
	}
	if (run.verbose || level <= LOG_WARNING)
		show(s, len);
	else
		keep(s, len);
}

static void console_read(void)
{
	char part[4096];
	ssize_t n = read(run.console, part, sizeof(part));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		if (run.line.len)
			console_line(run.line.s, run.line.len);
		run.line.len = 0;
		close_fd(&run.console);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (part[i])
			buf_add(&run.line, &part[i], 1);
		if (part[i] != '\n' && run.line.len < 8192)
			continue;
		console_line(run.line.s, run.line.len);
		run.line.len = 0;
	}
}

static void qemu_err_read(void)
{
	char part[4096];
	ssize_t n = read(run.qemu_err, part, sizeof(part));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close_fd(&run.qemu_err);
		return;
	}
	if (run.verbose)
		write_all(STDERR_FILENO, part, n);
	else if (run.qemu_text.len < MAX_KEPT)
		buf_add(&run.qemu_text, part, n);
}

/* ---- signals and keys ---- */

static void kill_qemu(int sig)
{
	if (run.state == STARTED)
		run.kill_signal = sig;
	if (run.state == STARTED)
		run.state = KILLED;
	if (run.qemu > 0)
		kill(run.qemu, SIGKILL);
	run.kill_at = 0;
}

static void forward(int sig)
{
	int64_t t = now_ms();

	if (sig == SIGINT && run.last_int && t - run.last_int < SIGINT_WINDOW_MS) {
		warn("interrupted twice: the machine is ended");
		kill_qemu(sig);
		return;
	}
	if (sig == SIGINT)
		run.last_int = t;
	if (sig == SIGTERM && run.state == STARTED && !run.kill_at) {
		run.kill_signal = sig;
		limit_to(SIGTERM_LIMIT_MS);
	}
	control_line("signal %d\n", sig, 0);
}

static void signal_read(void)
{
	struct signalfd_siginfo info;
	unsigned short rows, cols;
	int status;

	if (read(run.signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		if (run.qemu > 0 && waitpid(run.qemu, &status, WNOHANG) == run.qemu) {
			run.qemu_status = status;
			run.qemu = -1;
		}
		break;
	case SIGWINCH:
		terminal_size(&rows, &cols);
		if (run.tty)
			control_line("winsize %d %d\n", rows, cols);
		break;
	default: forward(info.ssi_signo);
	}
}

/* Ctrl-\ goes to the guest as every key does; three in a row are for skiff. */
static void watch_keys(const struct relay *r)
{
	int64_t t = now_ms();

	for (size_t i = 0; i < r->len; i++) {
		if (r->data[r->off + i] != CTRL_BACKSLASH || t - run.last_quit > SIGINT_WINDOW_MS)
			run.quits = 0;
		if (r->data[r->off + i] != CTRL_BACKSLASH)
			continue;
		run.last_quit = t;
		if (++run.quits == 3)
			kill_qemu(SIGQUIT);
	}
}

/* ---- the loop ---- */

static struct pollfd *want(struct pollfd *list, int *n, int fd, short events)
{
	list[*n] = (struct pollfd){ .fd = fd, .events = events };
	return &list[(*n)++];
}

/* One direction at a time: what was read is written before more is read. */
static struct pollfd *want_relay(struct pollfd *list, int *n, struct relay *r)
{
	if (r->len)
		return want(list, n, r->to, POLLOUT);
	return want(list, n, r->from, POLLIN);
}

static void serve_relay(struct relay *r, const struct pollfd *p)
{
	if (!p->revents || p->fd < 0)
		return;
	if (r->len) {
		relay_write(r);
		return;
	}
	relay_read(r);
	if (r == &run.in && run.tty)
		watch_keys(r);
}

/* QEMU opens the published ports some milliseconds after its start; look until they are there. */
static void watch_ports(void)
{
	if (!run.ports || run.qemu < 0)
		return;
	if (backlog_widen(run.qemu) >= run.ports || now_ms() >= run.ports_until)
		run.ports = 0;
}

static int poll_timeout(void)
{
	int64_t left;

	if (run.ports)
		return PORTS_INTERVAL;
	if (!run.kill_at)
		return -1;
	left = run.kill_at - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : left;
}

static void control_write(void)
{
	ssize_t n = write(run.control, run.to_control.s, run.to_control.len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		close_fd(&run.control);
		return;
	}
	memmove(run.to_control.s, run.to_control.s + n, run.to_control.len - n);
	run.to_control.len -= n;
}

static bool finished(void)
{
	return run.qemu < 0 && run.out.from < 0 && !run.out.len && run.err.from < 0 &&
	       !run.err.len && run.console < 0 && run.qemu_err < 0;
}

static void supervise(void)
{
	while (!finished()) {
		struct pollfd list[8];
		struct pollfd *in, *out, *err, *console, *control, *qerr, *sig;
		int n = 0;

		if (run.qemu < 0)
			run.in.from = -1, run.in.len = 0;
		in = want_relay(list, &n, &run.in);
		out = want_relay(list, &n, &run.out);
		err = want_relay(list, &n, &run.err);
		console = want(list, &n, run.console, POLLIN);
		control = want(list, &n, run.to_control.len ? run.control : -1, POLLOUT);
		qerr = want(list, &n, run.qemu_err, POLLIN);
		sig = want(list, &n, run.signals, POLLIN);
		if (poll(list, n, poll_timeout()) < 0 && errno != EINTR)
			die(EXIT_SKIFF, "poll: %s", strerror(errno));
		watch_ports();
		if (run.kill_at && now_ms() >= run.kill_at)
			kill_qemu(run.kill_signal ? run.kill_signal : SIGKILL);
		if (sig->revents)
			signal_read();
		serve_relay(&run.in, in);
		serve_relay(&run.out, out);
		serve_relay(&run.err, err);
		if (console->revents && console->fd >= 0)
			console_read();
		if (qerr->revents && qerr->fd >= 0)
			qemu_err_read();
		if (control->revents && control->fd >= 0)
			control_write();
	}
}

/* ---- starting ---- */

/* A socket pair: our end does not block, QEMU's end is inherited by it. */
static int make_channel(int *ours)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		die(EXIT_SKIFF, "cannot make a socket: %s", strerror(errno));
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	*ours = s[0];
	return s[1];
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void make_channels(struct channels *ch)
{
	run.tty = ch->tty = terminal_usable();
	if (ch->tty)
		terminal_size(&ch->rows, &ch->cols);
	ch->console = make_channel(&run.console);
	ch->in = make_channel(&run.in.to);
	ch->out = make_channel(&run.out.from);
	ch->control = make_channel(&run.control);
	ch->err = -1;
	run.err.from = -1;
	/* One file for both: through one port, so that the order of the writes is kept. */
	if (!same_file(STDOUT_FILENO, STDERR_FILENO))
		ch->err = make_channel(&run.err.from);
	run.in.from = STDIN_FILENO;
	run.in.socket_to = true;
	run.out.to = STDOUT_FILENO;
	run.err.to = STDERR_FILENO;
}

static void take_signals(sigset_t *old)
{
	static const int list[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
		SIGCHLD };
	struct sigaction was;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		/* nohup stays nohup; only SIGCHLD is always wanted. */
		if (list[i] != SIGCHLD && !sigaction(list[i], NULL, &was) &&
			was.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, list[i]);
	}
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTIN, SIG_IGN); /* in the background, reading fails and is end of file */
	sigprocmask(SIG_BLOCK, &set, old);
	run.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run.signals < 0)
		die(EXIT_SKIFF, "signalfd: %s", strerror(errno));
}

static void kill_at_exit(void)
{
	if (run.qemu > 0)
		kill(run.qemu, SIGKILL);
}

static void exec_qemu(char **argv, const struct channels *ch, int err, const sigset_t *mask)
{
	const int fds[] = { ch->console, ch->in, ch->out, ch->err, ch->control };
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid(); /* the terminal's Ctrl-C is for the program, not for QEMU */
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			fcntl(fds[i], F_SETFD, 0);
	}
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTTIN, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void start_qemu(const struct options *o, const struct image *img)
{
	struct channels ch = {};
	struct strv argv = {};
	sigset_t mask;
	int err[2];

	make_channels(&ch);
	qemu_command(o, img, &ch, &argv);
	if (pipe2(err, O_CLOEXEC) < 0)
		die(EXIT_SKIFF, "pipe: %s", strerror(errno));
	run.qemu_err = err[0];
	take_signals(&mask);
	run.qemu = fork();
	if (run.qemu < 0)
		die(EXIT_SKIFF, "fork: %s", strerror(errno));
	if (!run.qemu)
		exec_qemu(argv.v, &ch, err[1], &mask);
	atexit(kill_at_exit);
	close(err[1]);
	close_fd(&ch.console);
	close_fd(&ch.in);
	close_fd(&ch.out);
	close_fd(&ch.err);
	close_fd(&ch.control);
	strv_free(&argv);
	if (run.tty)
		terminal_raw();
}

/* ---- the end ---- */

static void report_crash(void)
{
	if (run.kept.len) {
		fprintf(stderr, "skiff: what the kernel said before:\n");
		fwrite(run.kept.s, 1, run.kept.len, stderr);
	}
	if (run.qemu_text.len) {
		fprintf(stderr, "skiff: what QEMU said:\n");
		fwrite(run.qemu_text.s, 1, run.qemu_text.len, stderr);
	}
	if (run.state == CRASHED)
		fprintf(stderr, "skiff: the kernel crashed; the report is above\n");
	else if (WIFSIGNALED(run.qemu_status))
		fprintf(stderr, "skiff: QEMU was killed by signal %d\n", WTERMSIG(run.qemu_status));
	else if (WEXITSTATUS(run.qemu_status))
		fprintf(stderr, "skiff: QEMU failed with status %d\n",
			WEXITSTATUS(run.qemu_status));
	else
		fprintf(stderr, "skiff: the machine stopped without the program's exit status%s\n",
			run.verbose ? "" : "; -V shows more");
}

static int final_status(void)
{
	const struct relay *bad = run.out.error && run.out.error != EPIPE ? &run.out : NULL;

	terminal_restore();
	if (run.state == KILLED)
		return 128 + run.kill_signal;
	if (run.state != ENDING) {
		report_crash();
		return EXIT_SKIFF;
	}
	if (bad) {
		warn("writing standard output: %s", strerror(bad->error));
		return run.status ? run.status : EXIT_SKIFF;
	}
	return run.status;
}

static void dry_run(const struct options *o, const struct image *img)
{
	struct channels ch = { -1, -1, -1, -1, -1, false, 0, 0 };
	struct strv argv = {};
	struct buf line = {};

	qemu_command(o, img, &ch, &argv);
	for (size_t i = 0; i < argv.n; i++) {
		buf_str(&line, i ? " " : "");
		shell_quote(&line, argv.v[i]);
	}
	puts(line.s);
	strv_free(&argv);
	buf_free(&line);
}

int run_program(struct options *o)
{
	struct image img;

	run.verbose = o->verbose;
	run.in.from = run.in.to = run.out.from = run.err.from = -1;
	qemu_check_installed();
	image_for_run(o, &img);
	qemu_check(o);
	if (o->dry_run) {
		dry_run(o, &img);
		return fflush(stdout) ? EXIT_SKIFF : 0;
	}
	start_qemu(o, &img);
	for (size_t i = 0; i < o->npublish; i++)
		run.ports += !o->publish[i].udp;
	run.ports_until = now_ms() + PORTS_LIMIT;
	supervise();
	return final_status();
}
