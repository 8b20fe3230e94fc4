/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What MSG_ZEROCOPY and vmsplice do with the program's pages: bytes that wait to be sent, or to be
 * read, stay what they were when the memory is unmapped, forgotten, moved or mapped anew, and show
 * what is written to it; memory that is not there; RLIMIT_MEMLOCK; senders beside a thread that
 * unmaps.
 */
/* root */
#include "t.h"
#include "net.h"
#include <linux/errqueue.h>
#include <sys/resource.h>

#define SIZE (64 * PAGE)

static char got[SIZE];

static void fill(char *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 13 + i / 251 + seed);
}

static bool as_filled(const char *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != (char)(i * 13 + i / 251 + seed))
			return false;
	return true;
}

static void read_all(int fd, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = read(fd, got + done, n - done);

		NEED(k > 0);
		done += (size_t)k;
	}
}

static void want_notes(int fd)
{
	int one = 1;

	NEED(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0);
}

/* Waits for the notifications up to number 'last'. */
static void notified(int fd, unsigned last)
{
	unsigned next = 0;

	do {
		char control[200];
		struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
		struct sock_extended_err e;

		NEED(net_poll(fd, 0) & POLLERR && recvmsg(fd, &m, MSG_ERRQUEUE) == 0);
		memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(e));
		if (e.ee_info != next || e.ee_code != SO_EE_CODE_ZEROCOPY_COPIED)
			printf("WRONG: %u to %u, code %d\n", e.ee_info, e.ee_data, e.ee_code);
		next = e.ee_data + 1;
	} while (next <= last);
	printf("notified up to %u\n", next - 1);
	RET(recv(fd, got, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
}

/* A connection whose receiver has little room: what is sent waits. */
static void narrow_pair(int s[2])
{
	int l = net_bound(SOCK_STREAM), little = 4096, much = 4 << 20;

	NEED(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)) == 0 &&
		listen(l, 1) == 0);
	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	NEED(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &much, sizeof(much)) == 0);
	NEED(net_connect(s[0], net_port(l)) == 0);
	s[1] = accept(l, NULL, NULL);
	NEED(s[1] >= 0);
	close(l);
	want_notes(s[0]);
}

static void end_pair(int s[2])
{
	close(s[0]);
	close(s[1]);
}

/* ---- memory of each kind that goes away in each way ---- */

static char *anonymous(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED);
	return p;
}

/* What was read where nothing had been written yet, and c was afterwards. Most kernels lend the
 * page of zeroes then, some have none and lend the page itself. */
static const char *fresh(char read, char c)
{
	return read == 0 || read == c ? "right" : "wrong";
}

static const char *const kinds[] = { "private", "shared", "of a file, private", "of a file, shared",
	"of a file, not written", "inside of 2 MiB" };

/* SIZE bytes of it, filled; *map and *len are to be unmapped. */
static char *make(unsigned kind, char **map, size_t *len)
{
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
	bool shared = kind == 1 || kind == 3;
	char *p;

	*len = kind == 5 ? 6 << 20 : SIZE;
	fill(got, SIZE, 1);
	NEED(fd >= 0 && write(fd, got, SIZE) == SIZE);
	*map = mmap(NULL, *len, PROT_READ | PROT_WRITE,
		(shared ? MAP_SHARED : MAP_PRIVATE) | (kind < 2 || kind == 5 ? MAP_ANONYMOUS : 0),
		kind < 2 || kind == 5 ? -1 : fd, 0);
	NEED(*map != MAP_FAILED);
	close(fd);
	p = kind == 5 ? *map + (2 << 20) - 3 * PAGE : *map;
	if (kind == 5)
		memset(*map, 'x', *len);
	if (kind != 4)
		fill(p, SIZE, 1);
	return p;
}

static const char *const ways[] = { "unmapped", "unmapped and used again", "forgotten",
	"another mapping", "moved" };

static void take_away(unsigned way, char *p, char *map, size_t len)
{
	int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;

	switch (way) {
	case 0: NEED(munmap(map, len) == 0); return;
	case 1:
		NEED(munmap(map, len) == 0);
		map = anonymous(len);
		memset(map, 'z', len);
		break;
	case 2:
		NEED(madvise(p, SIZE, MADV_DONTNEED) == 0);
		if (p == map)
			(void)!truncate("data", 0);
		break;
	case 3:
		NEED(mmap(p, SIZE, rw, anon | MAP_FIXED, -1, 0) == p);
		memset(p, 'z', SIZE);
		break;
	case 4: {
		char *to = anonymous(SIZE);

		NEED(mremap(p, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		munmap(to, SIZE);
	}
	}
	munmap(map, len);
}

static void gone(void)
{
	for (unsigned kind = 0; kind < LENGTH(kinds); kind++)
		for (unsigned way = 0; way < LENGTH(ways); way++) {
			int s[2];
			size_t len;
			char *map, *p = make(kind, &map, &len), *other = anonymous(SIZE);

			printf("-- %s, %s\n", kinds[kind], ways[way]);
			narrow_pair(s);
			NEED(send(s[0], p, SIZE, MSG_ZEROCOPY) == SIZE);
			take_away(way, p, map, len);
			memset(other, 'z', SIZE);
			read_all(s[1], SIZE);
			IS(as_filled(got, SIZE, 1));
			notified(s[0], 0);
			end_pair(s);
			munmap(other, SIZE);
			unlink("data");
		}
}

/* ---- what is written later ---- */

static void written(void)
{
	int s[2], one = 1, zero = 0;
	char *p = anonymous(2 * PAGE);

	printf("-- written before it goes\n");
	net_pair(s);
	want_notes(s[0]);
	memset(p, 'a', PAGE);
	NEED(setsockopt(s[0], SOL_TCP, TCP_CORK, &one, sizeof(one)) == 0);
	NEED(send(s[0], p, 100, MSG_ZEROCOPY) == 100);
	NEED(send(s[0], p + PAGE, 100, MSG_ZEROCOPY) == 100);
	NEED(send(s[0], p + 100, 100, 0) == 100);
	p[1] = p[PAGE + 1] = p[101] = 'b'; /* only the first one's page is there already */
	NEED(setsockopt(s[0], SOL_TCP, TCP_CORK, &zero, sizeof(zero)) == 0);
	read_all(s[1], 300);
	printf("%.3s %d %s %d %.3s\n", got, got[100], fresh(got[101], 'b'), got[102], got + 200);
	notified(s[0], 1);
	end_pair(s);
	munmap(p, 2 * PAGE);
}

/* ---- what is not there ---- */

static void faults(int type)
{
	int s[2];
	char *p = anonymous(8 * PAGE);
	struct iovec v[2] = { { p, 100 }, { p + 4 * PAGE, 100 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

	printf("-- faults, %s\n", type == SOCK_STREAM ? "TCP" : "UDP");
	memset(p, 'p', 8 * PAGE);
	NEED(mprotect(p + 3 * PAGE, PAGE, PROT_READ) == 0);
	NEED(mprotect(p + 4 * PAGE, PAGE, PROT_NONE) == 0);
	NEED(munmap(p + 7 * PAGE, PAGE) == 0);
	if (type == SOCK_STREAM) {
		net_pair(s);
	} else {
		s[1] = net_bound(type);
		s[0] = socket(AF_INET, type, 0);
		NEED(net_connect(s[0], net_port(s[1])) == 0);
	}
	want_notes(s[0]);
	RET(send(s[0], BAD_PTR, 1, MSG_ZEROCOPY));
	RET(send(s[0], p, 5 * PAGE, MSG_ZEROCOPY));
	RET(send(s[0], p + 4 * PAGE, 1, MSG_ZEROCOPY));
	RET(send(s[0], p + 4 * PAGE - 1, 2, MSG_ZEROCOPY));
	RET(send(s[0], p + 7 * PAGE - 1, 2, MSG_ZEROCOPY));
	RET(sendmsg(s[0], &m, MSG_ZEROCOPY));
	RET(send(s[0], (void *)0xffff800000000000ul, 10, MSG_ZEROCOPY));
	RET(send(s[0], (void *)0xffffffff80000000ul, 10, MSG_ZEROCOPY));
	RET(send(s[0], (void *)-5, 10, MSG_ZEROCOPY));
	RET(send(s[0], (void *)0x7fffffffefff, 10, MSG_ZEROCOPY));
	v[1].iov_base = p + 7 * PAGE;
	v[1].iov_len = 0;
	RET(sendmsg(s[0], &m, MSG_ZEROCOPY));
	read_all(s[1], 100);
	RET(send(s[0], p + 3 * PAGE, PAGE, MSG_ZEROCOPY));
	read_all(s[1], PAGE);
	RET(send(s[0], "text of the program", 19, MSG_ZEROCOPY));
	read_all(s[1], 19);
	printf("%.19s\n", got);
	notified(s[0], 2);
	end_pair(s);
	munmap(p, 8 * PAGE);
}

/* ---- RLIMIT_MEMLOCK ---- */

static void limits(void)
{
	struct rlimit old, sixteen = { 16 * PAGE, 16 * PAGE }, none = { 0, 0 };
	char *p = anonymous(16 * PAGE);
	int s[2];

	printf("-- limits\n");
	NEED(getrlimit(RLIMIT_MEMLOCK, &old) == 0);
	sixteen.rlim_max = none.rlim_max = old.rlim_max;
	net_pair(s);
	want_notes(s[0]);
	NEED(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	RET(send(s[0], p, PAGE, MSG_ZEROCOPY)); /* root's */
	NEED(seteuid(65534) == 0);
	RET(send(s[0], p, 1, MSG_ZEROCOPY));
	RET(send(s[0], p, 1, 0));
	NEED(setrlimit(RLIMIT_MEMLOCK, &sixteen) == 0);
	read_all(s[1], PAGE + 1);
	notified(s[0], 0);
	RET(send(s[0], p, 15 * PAGE, MSG_ZEROCOPY));
	RET(send(s[0], p, 15 * PAGE - 1, MSG_ZEROCOPY));
	NEED(seteuid(0) == 0);
	NEED(setrlimit(RLIMIT_MEMLOCK, &old) == 0);
	end_pair(s);
	munmap(p, 16 * PAGE);
}

/* ---- threads ---- */

#define ROUNDS 40
#define CHUNK  (24 * PAGE)

static volatile bool stop;
static char *volatile arena;

static void *unmapper(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !stop; i++) {
		char *p = arena + i % 8 * PAGE;

		if (i % 3 == 0)
			madvise(p, 4 * PAGE, MADV_DONTNEED);
		else if (i % 3 == 1)
			mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		else
			memset(p, 0, 4 * PAGE);
		if (i % 16 == 0)
			t_sleep_ms(1);
	}
	return NULL;
}

struct stream {
	int s[2];
	unsigned seed;
	bool same;
};

static void *receiver(void *arg)
{
	struct stream *t = arg;
	static __thread char part[CHUNK];

	t->same = true;
	for (unsigned r = 0; r < ROUNDS; r++) {
		for (size_t done = 0; done < CHUNK;) {
			ssize_t k = recv(t->s[1], part + done, CHUNK - done, 0);

			NEED(k > 0);
			done += (size_t)k;
		}
		t->same &= as_filled(part, CHUNK, t->seed + r);
	}
	return NULL;
}

static void send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_ZEROCOPY);

		if (k < 0 && errno == ENOBUFS) { /* too many are out */
			char control[200];
			struct msghdr m = { .msg_control = control,
				.msg_controllen = sizeof(control) };

			(void)net_poll(fd, 0);
			(void)recvmsg(fd, &m, MSG_ERRQUEUE);
			continue;
		}
		NEED(k > 0);
		p += k;
		n -= (size_t)k;
	}
}

static void *sender(void *arg)
{
	struct stream *t = arg;

	for (unsigned r = 0; r < ROUNDS; r++) {
		char *p = anonymous(CHUNK);
		struct iovec junk = { arena, 8 * PAGE };
		int pipes[2];

		fill(p, CHUNK, t->seed + r);
		send_all(t->s[0], p, CHUNK);
		munmap(p, CHUNK);
		/* And what others take away: anything but a crash. */
		if (r % 4 == 0 && pipe(pipes) == 0) {
			(void)vmsplice(pipes[1], &junk, 1, SPLICE_F_NONBLOCK);
			close(pipes[0]);
			close(pipes[1]);
		}
	}
	return NULL;
}

static void threads(void)
{
	struct stream t[3];
	pthread_t send_thread[3], receive_thread[3], u;

	printf("-- threads\n");
	stop = false;
	arena = anonymous(16 * PAGE);
	u = t_thread(unmapper, NULL);
	for (unsigned i = 0; i < 3; i++) {
		net_pair(t[i].s);
		want_notes(t[i].s[0]);
		t[i].seed = i * 100;
		send_thread[i] = t_thread(sender, &t[i]);
		receive_thread[i] = t_thread(receiver, &t[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(send_thread[i], NULL);
		pthread_join(receive_thread[i], NULL);
		IS(t[i].same);
		end_pair(t[i].s);
	}
	stop = true;
	pthread_join(u, NULL);
	munmap(arena, 16 * PAGE);
}

/* ---- vmsplice ---- */

static void alarmed(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
}

static void pages_in_a_pipe(void)
{
	int p[2], s[2], n;
	char *m = anonymous(40 * PAGE);
	struct iovec v[2] = { { m + 100, 5000 }, { m + 2 * PAGE, 100 } };

	printf("-- vmsplice\n");
	NEED(pipe(p) == 0 && munmap(m + 39 * PAGE, PAGE) == 0);
	memset(m, 'a', 39 * PAGE);
	RET(vmsplice(p[1], v, 2, 0));
	m[101] = 'b'; /* shows */
	NEED(munmap(m, PAGE) == 0);
	NEED(madvise(m + PAGE, PAGE, MADV_DONTNEED) == 0);
	m[2 * PAGE + 1] = 'c';
	NEED(ioctl(p[0], FIONREAD, &n) == 0);
	RET(n);
	read_all(p[0], 5100);
	printf("%.3s %.3s %.3s\n", got, got + 4990, got + 5000);

	printf("-- a gift, and what was never written\n");
	RET(vmsplice(p[1], &(struct iovec){ m + PAGE, PAGE }, 1, SPLICE_F_GIFT));
	m[PAGE] = 'd';
	RET(vmsplice(p[1], &(struct iovec){ m + PAGE, PAGE }, 1, SPLICE_F_GIFT));
	m[PAGE + 1] = 'e';
	read_all(p[0], 2 * PAGE);
	printf("%s %s %c%c\n", fresh(got[0], 'd'), fresh(got[1], 'e'), got[PAGE], got[PAGE + 1]);

	printf("-- more than there is room for\n");
	v[0] = (struct iovec){ m + 2 * PAGE + 100, 30 * PAGE };
	RET(vmsplice(p[1], v, 1, 0));
	RET(vmsplice(p[1], v, 1, SPLICE_F_NONBLOCK));
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	t_handle(SIGALRM, alarmed, 0);
	alarm(1);
	RET(vmsplice(p[1], v, 1, 0)); /* waits all the same */
	fcntl(p[1], F_SETFL, 0);

	printf("-- from there into a connection\n");
	net_pair(s);
	RET(splice(p[0], NULL, s[0], NULL, 1 << 20, 0));
	read_all(s[1], 16 * PAGE - 100);
	IS(got[0] == 'a' && got[16 * PAGE - 101] == 'a');
	end_pair(s);

	printf("-- faults\n");
	v[0] = (struct iovec){ m + 38 * PAGE + 4000, PAGE };
	RET(vmsplice(p[1], v, 1, 0));
	read_all(p[0], 96);
	v[0] = (struct iovec){ m + 39 * PAGE, 10 };
	RET(vmsplice(p[1], v, 1, 0));
	v[0] = (struct iovec){ (void *)0xffff800000000000ul, 10 };
	RET(vmsplice(p[1], v, 1, 0));
	v[0] = (struct iovec){ m + 39 * PAGE, 0 };
	RET(vmsplice(p[1], v, 1, 0));
	RET(vmsplice(p[1], BAD_PTR, 1, 0));
	RET(vmsplice(p[1], v, 1, 16));
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	v[0] = (struct iovec){ m + 39 * PAGE, 10 };
	RET(vmsplice(p[1], v, 1, 0));
	v[0].iov_len = 0;
	RET(vmsplice(p[1], v, 1, 0));
	signal(SIGPIPE, SIG_DFL);
	close(p[1]);
	munmap(m, 40 * PAGE);
}

/* ---- many pieces in a datagram ---- */

static void many_pieces(void)
{
	struct iovec v[20];
	struct msghdr m = { .msg_iov = v };
	int s[2] = { socket(AF_INET, SOCK_DGRAM, 0), net_bound(SOCK_DGRAM) };
	char *p = anonymous(80 * PAGE);

	printf("-- pieces\n");
	memset(p, 'm', 80 * PAGE);
	NEED(net_connect(s[0], net_port(s[1])) == 0);
	want_notes(s[0]);
	for (unsigned i = 0; i < 20; i++)
		v[i] = (struct iovec){ p + 2 * i * PAGE, 50 };
	m.msg_iovlen = 17;
	RET(sendmsg(s[0], &m, MSG_ZEROCOPY));
	m.msg_iovlen = 18;
	RET(sendmsg(s[0], &m, MSG_ZEROCOPY));
	RET(send(s[0], p + 4000, 65507, MSG_ZEROCOPY));
	RET(recv(s[1], got, SIZE, 0));
	RET(recv(s[1], got, SIZE, 0));
	notified(s[0], 1);
	end_pair(s);
	munmap(p, 80 * PAGE);
}

int main(void)
{
	gone();
	written();
	faults(SOCK_STREAM);
	faults(SOCK_DGRAM);
	limits();
	many_pieces();
	threads();
	pages_in_a_pipe();
	return 0;
}
