/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal of the program, when skiff run has one (tty=1): the line discipline of termios(3)
 * between the stdio port and the descriptors 0 to 2, /dev/console and /dev/tty. The host's terminal
 * is raw, so echo, editing, end of file and the keys for signals are here.
 *
 *	port > input thread > edit (the line being typed) > ring (what can be read) > tty_read
 *
 * One thread takes what arrives, so that Ctrl-C works while nobody reads. Without ICANON there is
 * no editing and characters go to the ring at once. In the ring, LINE_END marks the last character
 * of a line, so that a read never gives more than one; NO_CHAR with it is an end of file typed on
 *an empty line.
 */
#include "abi/ioctl.h"
#include "abi/signal.h"
#include "abi/termios.h"
#include "cpu/boot_info.h"
#include "cpu/uaccess.h"
#include "diag/log.h"
#include "file/poll.h"
#include "fs/stdio.h"
#include "lib/cmdline.h"
#include "lib/format.h"
#include "sched/clock.h"
#include "sched/thread.h"

enum {
	RING_SIZE = 4096, /* power of two */
	EDIT_SIZE = 4095, /* as Linux: the longest line that can be typed */
	LINE_END = 0x100,
	NO_CHAR = 0x200,
	DELETE = 0x7f,
};

static struct tty {
	struct mutex lock; /* guards everything below but the queue */
	struct wait_queue wait;
	struct mutex read_lock; /* one reader at a time takes a line */
	struct mutex write_lock;
	struct kernel_termios mode;
	struct winsize size;
	uint16_t ring[RING_SIZE];
	uint32_t head, tail; /* written and read up to; they grow for ever */
	uint8_t edit[EDIT_SIZE];
	uint32_t edit_len;
	bool literal; /* the next character is taken as it is (Ctrl-V) */
	bool hangup;  /* the host's input has ended */
	bool started;
} tty = {
	.mode = {
		.c_iflag = ICRNL | IUTF8,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = TERMIOS_CFLAG_DEFAULT,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_cc = { [VINTR] = 3, [VQUIT] = 0x1c, [VERASE] = DELETE, [VKILL] = 0x15, [VEOF] = 4,
			[VMIN] = 1, [VSTART] = 0x11, [VSTOP] = 0x13, [VSUSP] = 0x1a,
			[VREPRINT] = 0x12, [VDISCARD] = 0xf, [VWERASE] = 0x17, [VLNEXT] = 0x16 },
	},
};

int fs_tty_group; /* foreground process group; set when the first process is made */

static bool local(uint32_t flag)
{
	return tty.mode.c_lflag & flag;
}

/* Character number 'which' of c_cc; 0 stands for none. */
static bool is_key(uint8_t c, int which)
{
	return c && tty.mode.c_cc[which] == c;
}

/* ---- output ---- */

static void put(const void *bytes, size_t n)
{
	(void)stdio_in_out->write(stdio_in_out, bytes, n, false);
}

static bool is_control(uint8_t c)
{
	return (c < ' ' && c != '\t' && c != '\n') || c == DELETE;
}

static void echo_char(uint8_t c)
{
	char text[2] = { '^', c == DELETE ? '?' : (char)(c + '@') };

	if (c == '\n')
		put("\r\n", 2);
	else if (is_control(c) && local(ECHOCTL))
		put(text, 2);
	else
		put(&c, 1);
}

static void echo(uint8_t c)
{
	if (local(ECHO) || (c == '\n' && local(ECHONL) && local(ICANON)))
		echo_char(c);
}

/* ---- input: all with tty.lock held ---- */

static void ring_add(uint16_t c)
{
	if (tty.head - tty.tail < RING_SIZE)
		tty.ring[tty.head++ % RING_SIZE] = c;
}

/* The edited line can be read from now on. With 'end' it is complete. */
static void edit_commit(bool end)
{
	for (uint32_t i = 0; i < tty.edit_len; i++)
		ring_add(tty.edit[i] | (end && i + 1 == tty.edit_len ? LINE_END : 0));
	if (end && !tty.edit_len)
		ring_add(NO_CHAR | LINE_END);
	tty.edit_len = 0;
}

static void input_flush(void)
{
	tty.tail = tty.head;
	tty.edit_len = 0;
	tty.literal = false;
}

static bool continues(uint8_t c)
{
	return (tty.mode.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

static void edit_erase(void)
{
	uint8_t c;

	if (!tty.edit_len)
		return;
	do
		c = tty.edit[--tty.edit_len];
	while (tty.edit_len && continues(c));
	if (!local(ECHO))
		return;
	if (!local(ECHOE))
		echo_char(tty.mode.c_cc[VERASE]);
	else if (is_control(c) && local(ECHOCTL))
		put("\b \b\b \b", 6);
	else
		put("\b \b", 3);
}

static void edit_erase_word(void)
{
	while (tty.edit_len && tty.edit[tty.edit_len - 1] == ' ')
		edit_erase();
	while (tty.edit_len && tty.edit[tty.edit_len - 1] != ' ')
		edit_erase();
}

static void edit_kill(void)
{
	if (local(ECHOKE) && local(ECHOE)) {
		while (tty.edit_len)
			edit_erase();
		return;
	}
	tty.edit_len = 0;
	echo(tty.mode.c_cc[VKILL]);
	if (local(ECHOK))
		echo('\n');
}

static void edit_reprint(void)
{
	echo(tty.mode.c_cc[VREPRINT]);
	echo('\n');
	for (uint32_t i = 0; i < tty.edit_len; i++)
		echo(tty.edit[i]);
}

static void edit_add(uint8_t c)
{
	if (tty.edit_len < EDIT_SIZE) {
		tty.edit[tty.edit_len++] = c;
		echo(c);
	}
}

static void send_signal(int sig)
{
	void (*control)(const char *line) = load_acquire(&stdio_control);
	char line[16];

	format(line, sizeof(line), "signal %d", sig);
	if (control)
		control(line);
}

/* The signal of a key, or 0. No VSUSP: nobody would wake the program again. */
static int key_signal(uint8_t c)
{
	if (!local(ISIG))
		return 0;
	return is_key(c, VINTR) ? SIGINT : is_key(c, VQUIT) ? SIGQUIT : 0;
}

static void canonical_char(uint8_t c)
{
	if (is_key(c, VERASE)) {
		edit_erase();
	} else if (is_key(c, VKILL)) {
		edit_kill();
	} else if (is_key(c, VWERASE) && local(IEXTEN)) {
		edit_erase_word();
	} else if (is_key(c, VREPRINT) && local(IEXTEN)) {
		edit_reprint();
	} else if (is_key(c, VEOF)) {
		edit_commit(true);
	} else if (c == '\n' || is_key(c, VEOL) || is_key(c, VEOL2)) {
		if (tty.edit_len < EDIT_SIZE)
			tty.edit[tty.edit_len++] = c;
		echo(c);
		edit_commit(true);
	} else {
		edit_add(c);
	}
}

/* Returns a signal to send once the lock is free. */
static int input_char(uint8_t c)
{
	int sig;

	if (tty.literal) {
		tty.literal = false;
		edit_add(c);
		return 0;
	}
	if (c == '\r') {
		if (tty.mode.c_iflag & IGNCR)
			return 0;
		if (tty.mode.c_iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (tty.mode.c_iflag & INLCR)) {
		c = '\r';
	}
	sig = key_signal(c);
	if (sig) {
		if (!local(NOFLSH))
			input_flush();
		echo(c);
		return sig;
	}
	if (!local(ICANON)) {
		ring_add(c);
		echo(c);
	} else if (is_key(c, VLNEXT) && local(IEXTEN)) {
		tty.literal = true;
	} else {
		canonical_char(c);
	}
	return 0;
}

static void input_thread(void *arg)
{
	uint8_t bytes[256];
	ssize_t n;

	do {
		n = stdio_in_out->read(stdio_in_out, bytes, sizeof(bytes), false);
		for (ssize_t i = 0; i < n; i++) {
			int sig;

			mutex_lock(&tty.lock);
			sig = input_char(bytes[i]);
			mutex_unlock(&tty.lock);
			if (sig)
				send_signal(sig);
		}
		if (n <= 0) {
			mutex_lock(&tty.lock);
			edit_commit(false);
			tty.hangup = true;
			mutex_unlock(&tty.lock);
		}
		wait_wake_all(&tty.wait, POLLIN);
	} while (n > 0);
}

/* "winsize ROWS COLUMNS" from skiff run; process/ hands on what it does not know. */
static void control_line(const char *line)
{
	unsigned long rows = 0, cols = 0;

	if (strncmp(line, "winsize ", 8))
		return;
	for (line += 8; *line >= '0' && *line <= '9'; line++)
		rows = rows * 10 + (*line - '0');
	for (line += *line == ' '; *line >= '0' && *line <= '9'; line++)
		cols = cols * 10 + (*line - '0');
	mutex_lock(&tty.lock);
	tty.size.ws_row = rows;
	tty.size.ws_col = cols;
	mutex_unlock(&tty.lock);
	send_signal(SIGWINCH);
}

/* ---- the file ---- */

static uint32_t ring_count(void)
{
	return load_acquire(&tty.head) - load_acquire(&tty.tail);
}

static bool readable(void)
{
	return ring_count() || load_acquire(&tty.hangup);
}

/* Takes up to a line, or up to n characters that are there. */
static size_t take(uint8_t *to, size_t n)
{
	size_t done = 0;
	bool end = false;

	mutex_lock(&tty.lock);
	while (done < n && !end && tty.tail != tty.head) {
		uint16_t c = tty.ring[tty.tail % RING_SIZE];

		if ((c & NO_CHAR) && done)
			break; /* the next read is the end of file */
		tty.tail++;
		if (!(c & NO_CHAR))
			to[done++] = (uint8_t)c;
		end = (c & LINE_END) && local(ICANON);
	}
	mutex_unlock(&tty.lock);
	return done;
}

/* Until there is something to read; 0 or -errno. *gone_by: VTIME has passed without. */
static int await_input(struct file *f, bool *gone_by)
{
	bool timed = !local(ICANON) && !tty.mode.c_cc[VMIN];
	uint64_t limit = tty.mode.c_cc[VTIME] * (NSEC_PER_SEC / 10);
	int err;

	*gone_by = false;
	if (readable())
		return 0;
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	if (!timed)
		return wait_event_interruptible(&tty.wait, readable());
	if (limit) {
		err = wait_event_interruptible_timeout(&tty.wait, readable(), clock_now() + limit);
		if (err && err != -ETIMEDOUT)
			return err;
	}
	*gone_by = !readable();
	return 0;
}

static ssize_t tty_read(struct file *f, struct iter *to, int64_t *pos)
{
	size_t n = MIN(to->left, (size_t)RING_SIZE), got;
	uint8_t *bytes;
	bool gone_by;
	int err;

	if (!n)
		return 0;
	bytes = heap_alloc(n);
	if (!bytes)
		return -ENOMEM;
	err = await_input(f, &gone_by);
	if (!err && !gone_by) {
		got = take(bytes, n);
		if (got && iter_copy_to(to, bytes, got) < got)
			err = -EFAULT;
	} else {
		got = 0;
	}
	heap_free(bytes);
	return err ? err : (ssize_t)got;
}

/* Copies with a carriage return before each newline; returns how much of 'from' it took. */
static size_t post_process(const char *from, size_t n, char *to, size_t room, size_t *len)
{
	bool on = (tty.mode.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR);
	size_t i;

	*len = 0;
	for (i = 0; i < n && *len + 2 <= room; i++) {
		if (on && from[i] == '\n')
			to[(*len)++] = '\r';
		to[(*len)++] = from[i];
	}
	return i;
}

static ssize_t tty_write(struct file *f, struct iter *from, int64_t *pos)
{
	char bytes[256], cooked[512];
	ssize_t done = 0;

	while (from->left && !from->fault) {
		size_t n = iter_copy_from(from, bytes, MIN(from->left, sizeof(bytes))), len;
		ssize_t err = 0;

		post_process(bytes, n, cooked, sizeof(cooked), &len); /* has room for all */
		mutex_lock(&tty.write_lock);
		for (size_t out = 0; out < len && err >= 0; out += (size_t)MAX(err, (ssize_t)0))
			err = stdio_in_out->write(stdio_in_out, cooked + out, len - out, false);
		mutex_unlock(&tty.write_lock);
		if (err < 0)
			return done ? done : err;
		done += (ssize_t)n;
	}
	return done || !from->fault ? done : -EFAULT;
}

static uint32_t tty_poll(struct file *f, struct poll_table *table)
{
	uint32_t ready = POLLOUT | POLLWRNORM;

	poll_wait(table, &tty.wait);
	if (readable())
		ready |= POLLIN | POLLRDNORM;
	if (load_acquire(&tty.hangup) && !ring_count())
		ready |= POLLHUP;
	return ready;
}

static long set_mode(unsigned cmd, const void *user)
{
	struct kernel_termios mode;

	if (copy_from_user(&mode, user, sizeof(mode)))
		return -EFAULT;
	if (cmd != TCSETS)
		stdio_in_out->drain(stdio_in_out);
	mutex_lock(&tty.lock);
	if (cmd == TCSETSF)
		input_flush();
	if (local(ICANON) && !(mode.c_lflag & ICANON))
		edit_commit(false); /* what was typed so far can be read */
	tty.mode = mode;
	mutex_unlock(&tty.lock);
	wait_wake_all(&tty.wait, POLLIN);
	return 0;
}

static long set_size(const void *user)
{
	struct winsize size;
	bool changed;

	if (copy_from_user(&size, user, sizeof(size)))
		return -EFAULT;
	mutex_lock(&tty.lock);
	changed = memcmp(&tty.size, &size, sizeof(size)) != 0;
	tty.size = size;
	mutex_unlock(&tty.lock);
	if (changed)
		send_signal(SIGWINCH);
	return 0;
}

static long flush(unsigned long which)
{
	if (which > TCIOFLUSH)
		return -EINVAL;
	mutex_lock(&tty.lock);
	if (which == TCIFLUSH || which == TCIOFLUSH)
		input_flush();
	mutex_unlock(&tty.lock);
	return 0;
}

static long tty_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct kernel_termios mode;
	struct winsize size;
	int group;

	switch (cmd) {
	case TCGETS:
		mutex_lock(&tty.lock);
		mode = tty.mode;
		mutex_unlock(&tty.lock);
		return copy_to_user((void *)arg, &mode, sizeof(mode)) ? -EFAULT : 0;
	case TCSETS:
	case TCSETSW:
	case TCSETSF: return set_mode(cmd, (const void *)arg);
	case TIOCGWINSZ:
		mutex_lock(&tty.lock);
		size = tty.size;
		mutex_unlock(&tty.lock);
		return copy_to_user((void *)arg, &size, sizeof(size)) ? -EFAULT : 0;
	case TIOCSWINSZ: return set_size((const void *)arg);
	case TCFLSH: return flush(arg);
	case TCSBRK: stdio_in_out->drain(stdio_in_out); return 0;
	case TCXONC:
	case TIOCSCTTY:
	case TIOCNOTTY: return 0;
	case TIOCGPGRP:
	case TIOCGSID: return put_user(load_acquire(&fs_tty_group), (int *)arg);
	case TIOCSPGRP:
		if (get_user(group, (const int *)arg))
			return -EFAULT;
		if (group <= 0)
			return -EINVAL;
		store_release(&fs_tty_group, group);
		return 0;
	case TIOCOUTQ: return put_user(0, (int *)arg);
	case FIONREAD: return put_user((int)ring_count(), (int *)arg);
	default: return -ENOTTY;
	}
}

static int tty_stat(struct file *f, struct stat *st)
{
	return f->vnode ? vnode_getattr(f->vnode, st) : -EIO;
}

static const struct file_ops tty_ops = {
	.kind = "tty",
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.stat = tty_stat,
	.release = file_detach,
};

struct file *tty_open(void *arg, uint32_t flags)
{
	return stdio_is_tty() ? file_create(&tty_ops, &tty, flags) : ERR_PTR(-ENXIO);
}

void tty_start(void)
{
	char text[32];

	if (tty.started || !stdio_is_tty())
		return;
	tty.started = true;
	if (cmdline_get(boot_info.cmdline, "winsize", 0, text, sizeof(text)) > 0) {
		const char *p = text;

		for (; *p >= '0' && *p <= '9'; p++)
			tty.size.ws_row = tty.size.ws_row * 10 + (*p - '0');
		for (p += *p == 'x'; *p >= '0' && *p <= '9'; p++)
			tty.size.ws_col = tty.size.ws_col * 10 + (*p - '0');
	}
	if (!kthread_create("tty", input_thread, NULL, THREAD_REALTIME))
		log_err("no memory for the terminal's thread");
}

void tty_init(void)
{
	mutex_init(&tty.lock, "tty.lock");
	mutex_init(&tty.read_lock, "tty.read_lock");
	mutex_init(&tty.write_lock, "tty.write_lock");
	wait_init(&tty.wait);
	if (stdio_is_tty())
		stdio_control = control_line; /* process/ goes in front of it */
}
