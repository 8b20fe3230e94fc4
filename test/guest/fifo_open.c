/* SPDX-License-Identifier: BSD-2-Clause */
/* FIFOs: opening waits for the other side, ENXIO, end of file, what stat says. */
#include <poll.h>
#include "t.h"

static void *writer(void *arg)
{
	int fd = open("ff", O_WRONLY);
	if (write(fd, "through", 7) != 7)
		return arg;
	close(fd);
	return NULL;
}

/* What poll says of two ends for reading. */
static void polls(const char *when, int a, int b)
{
	struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };

	poll(p, 2, 0);
	printf("%s: %x %x\n", when, p[0].revents, p[1].revents);
}

/* Writers who had gone before an end was opened are not its hangup. */
static void hangups(void)
{
	int first = open("ff", O_RDONLY | O_NONBLOCK), second, w;

	polls("no writer yet", first, -1);
	w = open("ff", O_WRONLY);
	polls("a writer", first, -1);
	close(w);
	second = open("ff", O_RDONLY | O_NONBLOCK);
	polls("he is gone", first, second);
	w = open("ff", O_WRONLY);
	polls("another one", first, second);
	close(first);
	first = open("ff", O_RDONLY | O_NONBLOCK);
	close(w);
	polls("gone too", first, second);
	close(first);
	close(second);
}

int main(void)
{
	struct stat st, st2;
	char buf[32] = "";
	RET(mkfifo("ff", 0640));
	RET(mkfifo("ff", 0640));
	RET(open("ff", O_WRONLY | O_NONBLOCK));
	int r = open("ff", O_RDONLY | O_NONBLOCK);
	IS(r >= 0);
	RET(read(r, buf, 10));
	int w = open("ff", O_WRONLY | O_NONBLOCK);
	IS(w >= 0);
	RET(read(r, buf, 10));
	RET(write(w, "abc", 3));
	RET(read(r, buf, 10));
	RET(lseek(r, 0, SEEK_SET));
	RET(fstat(r, &st));
	RET(stat("ff", &st2));
	IS(st.st_ino == st2.st_ino);
	printf("%o %ld\n", st.st_mode, (long)st.st_size);
	RET(ftruncate(w, 0));
	close(w);
	RET(read(r, buf, 10));
	struct pollfd p = { .fd = r, .events = POLLIN };
	RET(poll(&p, 1, 0));
	printf("%x\n", p.revents);
	close(r);
	hangups();
	pthread_t t = t_thread(writer, NULL);
	r = open("ff", O_RDONLY);
	int n = 0, got;
	while ((got = read(r, buf + n, sizeof(buf) - n)) > 0)
		n += got;
	printf("%.*s\n", n, buf);
	pthread_join(t, NULL);
	close(r);
	int both = open("ff", O_RDWR);
	RET(write(both, "self", 4));
	RET(read(both, buf, 4));
	RET(unlink("ff"));
	RET(write(both, "gone", 4));
	RET(read(both, buf, 4));
	return 0;
}
