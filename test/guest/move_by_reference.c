/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendfile, splice, tee: what comes out, in part, from offsets, without waiting, at the end of the
 * file, after the file has changed; and in the guest, that nothing was copied on the way.
 */
#include <sys/sendfile.h>
#include "net.h"

#define SIZE (1 << 20)

static unsigned char text[SIZE], got[SIZE + PAGE];

static int pattern_file(const char *name, size_t n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	for (size_t i = 0; i < n; i++)
		text[i] = (unsigned char)(i * 31 + (i >> 12) * 7);
	NEED(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static size_t read_all(int fd, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = read(fd, got + done, n - done);

		if (k <= 0)
			break;
		done += (size_t)k;
	}
	return done;
}

/* n bytes arrive, and are these. */
static void same(int fd, size_t n, const void *as)
{
	size_t k = read_all(fd, n);

	printf("%zu, the same: %d\n", k, k == n && !memcmp(got, as, n));
}

/* The guest counts copies of what moves by reference; Linux has nothing to show. */
static long copies(void)
{
	static const char *const names[] = { "splice_bytes_copied", "net_pieces_copied",
		"tcp_bytes_copied_tx", "tcp_bytes_copied_out", "net_tx_copied" };
	FILE *f = fopen("/proc/skiff/counters", "r");
	char name[100];
	long value, sum = 0;

	if (!f)
		return 0;
	while (fscanf(f, "%99s %ld", name, &value) == 2)
		for (size_t i = 0; i < LENGTH(names); i++)
			if (!strcmp(name, names[i]))
				sum += value;
	fclose(f);
	return sum;
}

struct sink {
	int fd;
	size_t n;
};

static void *reader(void *arg)
{
	struct sink *s = arg;

	s->n = read_all(s->fd, s->n);
	return NULL;
}

static void whole_file(int file)
{
	int s[2];
	off_t off = 0;
	long before;

	printf("-- a file into a connection\n");
	net_pair(s);
	struct sink sink = { s[1], SIZE };
	pthread_t t = t_thread(reader, &sink);

	before = copies();
	while (off < SIZE)
		NEED(sendfile(s[0], file, &off, SIZE) > 0);
	pthread_join(t, NULL);
	printf("%zu bytes, the same: %d, copied: %ld\n", sink.n, !memcmp(got, text, SIZE),
		copies() - before);
	RET(sendfile(s[0], file, &off, 10));
	off = SIZE - 5000;
	RET(sendfile(s[0], file, &off, SIZE));
	printf("offset at the end: %d\n", off == SIZE);
	same(s[1], 5000, text + SIZE - 5000);

	/* The file ends where more was to come: what there is goes all the same. */
	char info[300];
	uint32_t not_sent;
	socklen_t len = sizeof(info);
	int one = 1;

	NEED(setsockopt(s[0], SOL_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	off = SIZE - 65536;
	RET(sendfile(s[0], file, &off, SIZE));
	/* What waits for an ACK goes soon, what waited for more would after 200 ms. */
	for (int ms = 0; ms < 100; ms++) {
		NEED(getsockopt(s[0], SOL_TCP, TCP_INFO, info, &len) == 0 && len > 148);
		memcpy(&not_sent, info + 144, 4); /* tcpi_notsent_bytes, which libc does not have */
		if (!not_sent)
			break;
		t_sleep_ms(1);
	}
	printf("not sent: %u\n", not_sent);
	same(s[1], 65536, text + SIZE - 65536);

	printf("-- many small parts\n");
	before = copies();
	off = 4000;
	for (int i = 0; i < 300; i++)
		NEED(sendfile(s[0], file, &off, 97) == 97);
	same(s[1], 29100, text + 4000);
	printf("copied: %ld\n", copies() - before);

	printf("-- behind a header\n");
	off = 100;
	NEED(send(s[0], "header", 6, MSG_MORE) == 6);
	NEED(sendfile(s[0], file, &off, 9000) == 9000);
	NEED(send(s[0], "trailer", 7, 0) == 7);
	NEED(read_all(s[1], 9013) == 9013);
	IS(!memcmp(got, "header", 6) && !memcmp(got + 6, text + 100, 9000));
	IS(!memcmp(got + 9006, "trailer", 7));

	printf("-- the file's own position\n");
	lseek(file, 1000, SEEK_SET);
	RET(sendfile(s[0], file, NULL, 500));
	RET(lseek(file, 0, SEEK_CUR));
	same(s[1], 500, text + 1000);

	printf("-- nobody reads\n");
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	off = 0;
	size_t sent = 0;

	for (int i = 0; i < 200; i++) { /* until all buffers are full */
		off_t at = 0;
		ssize_t n = sendfile(s[0], file, &at, SIZE);

		if (n < 0) {
			printf("full: %s, position %ld\n", t_errno(errno), (long)at);
			break;
		}
		NEED(n == at);
		sent += (size_t)n;
		if (n < SIZE)
			NEED(sent > 0);
	}
	IS(sent > 0);
	close(s[1]);
	NEED(net_poll(s[0], POLLERR) & (POLLERR | POLLHUP));
	off = 0;
	signal(SIGPIPE, SIG_IGN);
	sendfile(s[0], file, &off, 10); /* the reset */
	RET(sendfile(s[0], file, &off, 10));
	signal(SIGPIPE, SIG_DFL);
	close(s[0]);
}

/* What is in flight stays what it was when the file goes away, shrinks or is unlinked. */
static void file_changes(void)
{
	int s[2], file = pattern_file("going", 100000);
	off_t off = 0;

	printf("-- the file goes\n");
	net_pair(s);
	NEED(sendfile(s[0], file, &off, 60000) == 60000);
	off = 90000;
	NEED(sendfile(s[0], file, &off, 10000) == 10000);
	RET(ftruncate(file, 0));
	RET(unlink("going"));
	close(file);
	/* Other files take the memory that came free. */
	int other = open("other", O_RDWR | O_CREAT | O_TRUNC, 0644);

	memset(got, 'z', SIZE);
	NEED(write(other, got, SIZE) == SIZE);
	NEED(read_all(s[1], 70000) == 70000);
	IS(!memcmp(got, text, 60000) && !memcmp(got + 60000, text + 90000, 10000));
	close(other);
	unlink("other");

	printf("-- holes\n");
	file = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0644);
	NEED(ftruncate(file, 30000) == 0 && pwrite(file, "middle", 6, 15000) == 6);
	off = 0;
	RET(sendfile(s[0], file, &off, 40000));
	size_t n = read_all(s[1], 30000), zeroes = 0;

	for (size_t i = 0; i < n; i++)
		zeroes += !got[i];
	printf("%zu, zeroes %zu, %.6s\n", n, zeroes, got + 15000);
	close(file);
	unlink("holes");
	close(s[0]);
	close(s[1]);
}

static void through_pipes(int file)
{
	int p[2], q[2], s[2], out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0644), n;
	off_t off = 0, to = 0;
	long before = copies();

	printf("-- file, pipe, connection\n");
	NEED(pipe(p) == 0 && pipe(q) == 0 && out >= 0);
	net_pair(s);
	RET(splice(file, &off, p[1], NULL, SIZE, 0)); /* what the pipe has room for */
	printf("offset %ld\n", (long)off);
	RET(splice(file, &off, p[1], NULL, SIZE, SPLICE_F_NONBLOCK));
	RET(splice(p[0], NULL, s[0], NULL, 10000, 0));
	NEED(ioctl(p[0], FIONREAD, &n) == 0);
	printf("left: %d\n", n);
	same(s[1], 10000, text);
	RET(tee(p[0], q[1], 20000, 0));
	RET(splice(p[0], NULL, s[0], NULL, 1 << 20, 0));
	same(s[1], 55536, text + 10000);
	RET(splice(p[0], NULL, s[0], NULL, 1, SPLICE_F_NONBLOCK));
	RET(splice(q[0], NULL, p[1], NULL, 1000, 0));
	RET(splice(q[0], NULL, p[1], NULL, 19000, 0));
	printf("copied: %ld\n", copies() - before);
	RET(splice(p[0], NULL, out, &to, 5, 0));
	RET(splice(p[0], NULL, out, &to, 1 << 20, 0));
	printf("%zd\n", pread(out, got, SIZE, 0));
	printf("the same: %d\n", !memcmp(got, text + 10000, 20000));

	printf("-- what is appended to a shared page does not show in the other pipe\n");
	NEED(write(p[1], "first", 5) == 5);
	RET(tee(p[0], q[1], 100, 0));
	NEED(write(p[1], "second", 6) == 6);
	n = (int)read(q[0], got, 100);
	printf("%d \"%.*s\"\n", n, n, got);
	n = (int)read(p[0], got, 100);
	printf("%d \"%.*s\"\n", n, n, got);

	printf("-- connection, pipe, file\n");
	before = copies();
	off = 5000;
	NEED(sendfile(s[0], file, &off, 30000) == 30000);
	size_t moved = 0;

	while (moved < 30000) {
		ssize_t k = splice(s[1], NULL, p[1], NULL, 30000 - moved, 0);

		NEED(k > 0);
		/* All the way by reference; into the file it is copied. */
		NEED(splice(p[0], NULL, q[1], NULL, (size_t)k, 0) == k);
		NEED(read_all(q[0], (size_t)k) == (size_t)k &&
			!memcmp(got, text + 5000 + moved, (size_t)k));
		moved += (size_t)k;
	}
	printf("%zu, copied: %ld\n", moved, copies() - before);
	fcntl(s[1], F_SETFL, O_NONBLOCK);
	RET(splice(s[1], NULL, p[1], NULL, 100, 0));
	NEED(send(s[0], "0123456789", 10, 0) == 10);
	NEED(net_poll(s[1], POLLIN) & POLLIN);
	RET(splice(s[1], NULL, p[1], NULL, 4, 0));
	RET(splice(s[1], NULL, p[1], NULL, 4, 0));
	RET(recv(s[1], got, 100, 0));
	n = (int)read(p[0], got + 2, 100);
	printf("%d %.*s\n", n, n, got + 2);
	shutdown(s[0], SHUT_WR);
	NEED(net_poll(s[1], POLLIN) & POLLIN);
	RET(splice(s[1], NULL, p[1], NULL, 100, 0));

	printf("-- a pipe that takes less, and one whose reader is gone\n");
	RET(fcntl(q[1], F_SETPIPE_SZ, 4096));
	off = 0;
	RET(splice(file, &off, p[1], NULL, 10000, 0));
	RET(splice(p[0], NULL, q[1], NULL, 10000, 0));
	RET(splice(p[0], NULL, q[1], NULL, 10000, SPLICE_F_NONBLOCK));
	NEED(ioctl(p[0], FIONREAD, &n) == 0);
	printf("left: %d\n", n);
	same(p[0], 10000 - 4096, text + 4096);
	close(q[0]);
	signal(SIGPIPE, SIG_IGN);
	NEED(write(p[1], "x", 1) == 1);
	RET(splice(p[0], NULL, q[1], NULL, 1, 0));
	RET(tee(p[0], q[1], 1, 0));
	RET(read(p[0], got, 10));
	signal(SIGPIPE, SIG_DFL);
	close(p[1]);
	RET(splice(p[0], NULL, s[0], NULL, 1, 0));
	close(p[0]);
	close(q[1]);
	close(s[0]);
	close(s[1]);
	close(out);
	unlink("copy");
}

/* Where a copy is needed it is right all the same. */
static void by_copy(int file)
{
	int u[2], p[2], out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0644), zero;
	off_t off = 3000;

	printf("-- by copy\n");
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, u) == 0 && pipe(p) == 0);
	RET(sendfile(u[0], file, &off, 20000));
	same(u[1], 20000, text + 3000);
	NEED(send(u[0], "from a socket", 13, 0) == 13);
	RET(splice(u[1], NULL, p[1], NULL, 100, 0));
	RET(splice(p[0], NULL, out, NULL, 100, 0));
	off = 0;
	RET(sendfile(out, file, &off, 100000));
	printf("%zd\n", pread(out, got, SIZE, 0));
	printf("the same: %d\n",
		!memcmp(got, "from a socket", 13) && !memcmp(got + 13, text, 100000));
	zero = open("/dev/zero", O_RDONLY);
	RET(splice(zero, NULL, p[1], NULL, 5000, 0) > 0);
	NEED(read(p[0], got, 10) == 10);
	close(zero);
	close(u[0]);
	close(u[1]);
	close(p[0]);
	close(p[1]);
	close(out);
	unlink("copy");
}

int main(void)
{
	int file = pattern_file("data", SIZE);

	whole_file(file);
	file_changes();
	pattern_file("data", SIZE);
	through_pipes(file);
	by_copy(file);
	return 0;
}
