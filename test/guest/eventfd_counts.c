/* SPDX-License-Identifier: BSD-2-Clause */
/* eventfd: counter and semaphore mode, overflow, blocking, poll. */
#include <poll.h>
#include <sys/eventfd.h>
#include "t.h"

static int fd;
static void *add_later(void *arg)
{
	uint64_t v = 5;
	t_sleep_ms(5);
	return (void *)(long)write(fd, &v, 8);
}

int main(void)
{
	uint64_t v = 0;
	fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	NEED(fd >= 0);
	RET(read(fd, &v, 8));
	printf("%lu\n", v);
	RET(read(fd, &v, 8));
	RET(read(fd, &v, 4));
	v = 7;
	RET(write(fd, &v, 8));
	RET(write(fd, &v, 8));
	poll(&p, 1, 0);
	printf("bits %x\n", p.revents);
	RET(read(fd, &v, 100));
	printf("%lu\n", v);
	v = UINT64_MAX;
	RET(write(fd, &v, 8));
	v = UINT64_MAX - 1;
	RET(write(fd, &v, 8));
	poll(&p, 1, 0);
	printf("bits %x\n", p.revents);
	v = 1;
	RET(write(fd, &v, 8));
	RET(write(fd, &v, 7));
	RET(read(fd, &v, 8));
	IS(v == UINT64_MAX - 1);
	fcntl(fd, F_SETFL, 0);
	pthread_t id = t_thread(add_later, NULL);
	RET(read(fd, &v, 8));
	printf("%lu\n", v);
	pthread_join(id, NULL);
	int sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	RET(read(sem, &v, 8));
	RET(read(sem, &v, 8));
	printf("%lu\n", v);
	RET(read(sem, &v, 8));
	RET(eventfd(0, 0x1234));
	return 0;
}
