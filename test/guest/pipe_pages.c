/* SPDX-License-Identifier: BSD-2-Clause */
/* How writes lie in a pipe's pages: what fits, what joins the last page, packets, sizes, faults. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include "t.h"

static char big[1 << 18];
static int p[2];

static void new_pipe(int flags)
{
	NEED(pipe2(p, O_NONBLOCK | flags) == 0);
}

static void end_pipe(void)
{
	close(p[0]);
	close(p[1]);
}

static int available(void)
{
	int n = -1;

	ioctl(p[0], FIONREAD, &n);
	return n;
}

static bool has_room(void)
{
	struct pollfd f = { p[1], POLLOUT, 0 };

	return poll(&f, 1, 0) == 1;
}

/* Writes of n bytes until one does not go in whole. */
static void fill(size_t n)
{
	int count = 0;
	ssize_t w;

	while ((w = write(p[1], big, n)) == (ssize_t)n)
		count++;
	printf("of %zu: %d fit, then %zd %s, %d bytes, room %d\n", n, count, w,
		w < 0 ? t_errno(errno) : "-", available(), has_room());
}

static void sizes(void)
{
	static const size_t n[] = { 1, 7, 100, 1000, 2047, 2048, 2049, 3000, 4095, 4096, 4097, 5000,
		6000, 8191, 8192, 12000, 65536, 65537, 100000 };

	for (unsigned i = 0; i < LENGTH(n); i++) {
		new_pipe(0);
		fill(n[i]);
		RET(read(p[0], big, 1));
		printf("room %d\n", has_room());
		RET(write(p[1], big, 1));
		RET(write(p[1], big, 4096));
		RET(read(p[0], big, 4096));
		printf("room %d\n", has_room());
		fill(n[i]);
		end_pipe();
	}
}

/* What goes to the last page and what to a new one shows in how much a pipe of two pages takes. */
static void joins(void)
{
	static const size_t first[] = { 1, 1000, 4000, 4096, 5000 },
			    then[] = { 96, 97, 3096, 4096, 4192, 5000, 8192 };

	for (unsigned i = 0; i < LENGTH(first); i++)
		for (unsigned k = 0; k < LENGTH(then); k++) {
			ssize_t a, b, c;

			new_pipe(0);
			fcntl(p[0], F_SETPIPE_SZ, 8192);
			a = write(p[1], big, first[i]);
			b = write(p[1], big, then[k]);
			c = write(p[1], big, 10);
			printf("%zu %zu: %zd %zd %zd, %d\n", first[i], then[k], a, b, c,
				available());
			end_pipe();
		}
	/* a page that was read from in part is still joined, behind what is left in it */
	new_pipe(0);
	fcntl(p[0], F_SETPIPE_SZ, 4096);
	RET(write(p[1], big, 3000));
	RET(read(p[0], big, 2999));
	RET(write(p[1], big, 1096));
	RET(write(p[1], big, 1));
	RET(read(p[0], big, 4096));
	RET(write(p[1], big, 4096));
	end_pipe();
}

static void packets(void)
{
	char buf[6000];

	new_pipe(O_DIRECT);
	RET(write(p[1], "one", 3));
	RET(write(p[1], "second", 6));
	RET(write(p[1], "", 0));
	RET(write(p[1], big, 5000)); /* two packets */
	RET(available());
	RET(read(p[0], buf, 100));
	RET(read(p[0], buf, 2)); /* the rest of it is lost */
	RET(available());
	RET(read(p[0], buf, 6000));
	RET(read(p[0], buf, 6000));
	RET(read(p[0], buf, 6000));
	fill(1);
	end_pipe();
	/* the mode belongs to the descriptor and to the moment */
	new_pipe(0);
	RET(write(p[1], "abc", 3));
	RET(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
	RET(fcntl(p[1], F_GETFL) & O_DIRECT ? 1 : 0);
	RET(write(p[1], "def", 3));
	RET(fcntl(p[1], F_SETFL, O_NONBLOCK));
	RET(write(p[1], "ghi", 3));
	RET(read(p[0], buf, 100));
	RET(read(p[0], buf, 100));
	end_pipe();
}

static void resizing(void)
{
	static const long n[] = { 0, 1, 4096, 4097, 8192, 10000, 65536, 100000, 1048576, 2147483648,
		2147483649, 4294967295, 4294967296, -1 };

	new_pipe(0);
	RET(fcntl(p[1], F_GETPIPE_SZ));
	for (unsigned i = 0; i < LENGTH(n); i++)
		if (n[i] <= 1048576 && n[i] >= 0)
			printf("size %ld: %d\n", n[i], fcntl(p[1], F_SETPIPE_SZ, n[i]));
		else /* with CAP_SYS_RESOURCE, some are only too large for the memory */
			printf("size %ld: %s\n", n[i],
				fcntl(p[1], F_SETPIPE_SZ, n[i]) < 0 ? "no" : "yes");
	fcntl(p[1], F_SETPIPE_SZ, 65536);
	RET(write(p[1], big, 4096 * 3 + 1));
	RET(fcntl(p[1], F_SETPIPE_SZ, 8192));
	RET(fcntl(p[1], F_SETPIPE_SZ, 4096 * 4));
	RET(write(p[1], big, 4096));
	RET(write(p[1], big, 4095));
	RET(read(p[0], big, 4096));
	RET(fcntl(p[1], F_SETPIPE_SZ, 8192));
	RET(read(p[0], big, 4096));
	RET(fcntl(p[1], F_SETPIPE_SZ, 8192));
	RET(available());
	RET(fcntl(p[1], F_SETPIPE_SZ, 65536));
	fill(4096);
	end_pipe();
}

/* Two pages of which the second cannot be touched. */
static void faults(void)
{
	char *half = mmap(
		     NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     buf[200];

	NEED(half != MAP_FAILED && mprotect(half + PAGE, PAGE, PROT_NONE) == 0);
	new_pipe(0);
	RET(write(p[1], half + PAGE - 10, 20));
	RET(available());
	RET(write(p[1], "0123456789", 10));
	RET(write(p[1], half + PAGE - 10, 20)); /* would join */
	RET(available());
	RET(write(p[1], half, 5000));
	RET(available());
	RET(write(p[1], half, 8192)); /* a whole page first */
	RET(available());
	RET(write(p[1], "abc", 3));
	RET(read(p[0], half + PAGE - 4, 8));
	RET(available());
	RET(read(p[0], half + PAGE - 10, 20)); /* ends with the first page's bytes */
	RET(available());
	RET(read(p[0], buf, 5));
	end_pipe();
	munmap(half, 2 * PAGE);
}

static void copies(void)
{
	int q[2], n = 0;

	new_pipe(0);
	NEED(pipe2(q, O_NONBLOCK) == 0);
	RET(write(p[1], "abc", 3));
	while (tee(p[0], q[1], 100, SPLICE_F_NONBLOCK) == 3)
		n++;
	printf("tee %d, then %s\n", n, t_errno(errno));
	RET(read(q[0], big, 2));
	RET(write(q[1], "x", 1));
	RET(read(q[0], big, 1));
	RET(write(q[1], "x", 1));
	RET(write(q[1], "y", 1));
	RET(read(q[0], big, 100));
	close(q[0]);
	close(q[1]);
	end_pipe();
}

static void show_edges(const char *when, int ep)
{
	struct epoll_event e[2];
	int n = epoll_wait(ep, e, 2, 0);

	printf("%s:", when);
	for (int i = 0; i < n; i++)
		printf(" %s %x", e[i].data.fd == p[0] ? "reader" : "writer", e[i].events);
	printf("\n");
}

static void edges(void)
{
	struct epoll_event r = { .events = EPOLLIN | EPOLLET },
			   w = { .events = EPOLLOUT | EPOLLET };
	int ep = epoll_create1(0);

	new_pipe(0);
	r.data.fd = p[0];
	w.data.fd = p[1];
	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &r) == 0);
	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &w) == 0);
	show_edges("start", ep);
	write(p[1], big, 100);
	show_edges("written", ep);
	write(p[1], big, 100);
	show_edges("written again", ep);
	read(p[0], big, 50);
	show_edges("read in part", ep);
	read(p[0], big, 5000);
	show_edges("read", ep);
	write(p[1], big, 65536);
	show_edges("full", ep);
	read(p[0], big, 4095);
	show_edges("a byte less than a page", ep);
	read(p[0], big, 1);
	show_edges("a page", ep);
	read(p[0], big, 4096);
	show_edges("another", ep);
	close(p[1]);
	show_edges("writer gone", ep);
	close(p[0]);
	close(ep);
}

/* Blocks of PIPE_BUF from several threads stay whole, whatever the reader asks for. */
static void *write_blocks(void *arg)
{
	char block[PIPE_BUF];

	memset(block, 'a' + (int)(long)arg, sizeof(block));
	for (int i = 0; i < 200; i++)
		if (write(p[1], block, sizeof(block)) != sizeof(block))
			return "short";
	return NULL;
}

static void atomicity(void)
{
	pthread_t id[3];
	size_t got = 0, torn = 0;
	char buf[1777], block = 0;

	NEED(pipe(p) == 0);
	for (long i = 0; i < 3; i++)
		id[i] = t_thread(write_blocks, (void *)i);
	while (got < 600 * PIPE_BUF) {
		ssize_t n = read(p[0], buf, sizeof(buf));

		NEED(n > 0);
		for (ssize_t i = 0; i < n; i++, got++) {
			if (got % PIPE_BUF == 0)
				block = buf[i];
			torn += buf[i] != block;
		}
	}
	for (int i = 0; i < 3; i++) {
		void *r;

		pthread_join(id[i], &r);
		IS(r == NULL);
	}
	printf("%zu bytes, torn %zu\n", got, torn);
	end_pipe();
}

/* The reader goes while a write waits for room: the write tells what it has done, and SIGPIPE
 * comes. */
static volatile int broken;
static void on_pipe(int sig)
{
	broken++;
}

static void *read_some(void *arg)
{
	char buf[4096];

	NEED(read(p[0], buf, sizeof(buf)) == sizeof(buf));
	while (available() != 65536) /* the writer fills that page, and waits again */
		t_sleep_ms(1);
	close(p[0]);
	return NULL;
}

static void reader_goes(void)
{
	int q[2];

	NEED(pipe(p) == 0 && pipe(q) == 0);
	signal(SIGPIPE, on_pipe);
	pthread_t id = t_thread(read_some, NULL);
	RET(write(p[1], big, 100000));
	pthread_join(id, NULL);
	printf("SIGPIPE %d\n", broken);
	RET(write(p[1], big, 1));
	printf("SIGPIPE %d\n", broken);
	NEED(write(q[1], "abc", 3) == 3);
	RET(tee(q[0], p[1], 3, 0));
	RET(splice(q[0], NULL, p[1], NULL, 3, 0));
	printf("SIGPIPE %d\n", broken);
	close(p[1]);
	close(q[0]);
	close(q[1]);
	signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
	sizes();
	joins();
	packets();
	resizing();
	faults();
	copies();
	edges();
	atomicity();
	reader_goes();
	return 0;
}
