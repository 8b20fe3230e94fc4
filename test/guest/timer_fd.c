/* SPDX-License-Identifier: BSD-2-Clause */
/* timerfd: counts expirations, blocks, polls, absolute and relative, reset while waiting. */
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include "t.h"

static int fd;
static void *arm_later(void *arg)
{
	struct itimerspec set = { { 0, 0 }, { 0, 1000000 } };
	t_sleep_ms(10);
	timerfd_settime(fd, 0, &set, NULL);
	return NULL;
}

int main(void)
{
	uint64_t n = 0;
	struct itimerspec set = { { 0, 0 }, { 0, 3000000 } }, got;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	NEED(fd >= 0);
	struct pollfd pfd = { fd, POLLIN, 0 };
	RET(read(fd, &n, 8));
	RET(poll(&pfd, 1, 0));
	RET(timerfd_settime(fd, 0, &set, NULL));
	RET(poll(&pfd, 1, 10000));
	RET(read(fd, &n, 8));
	printf("expired %lu\n", (unsigned long)n);
	RET(read(fd, &n, 8));
	RET(read(fd, &n, 4));
	set.it_interval.tv_nsec = 1000000;
	RET(timerfd_settime(fd, 0, &set, NULL));
	t_sleep_ms(30);
	RET(read(fd, &n, 8));
	IS(n >= 10);
	RET(timerfd_gettime(fd, &got));
	printf("interval %ld\n", got.it_interval.tv_nsec);
	/* stop; the old setting is told */
	struct itimerspec none = { { 0, 0 }, { 0, 0 } };
	RET(timerfd_settime(fd, 0, &none, &got));
	printf("interval %ld\n", got.it_interval.tv_nsec);
	RET(read(fd, &n, 8));
	RET(timerfd_gettime(fd, &got));
	IS(got.it_value.tv_sec == 0 && got.it_value.tv_nsec == 0);
	/* absolute, in the past */
	struct itimerspec past = { { 0, 0 }, { 0, 1 } };
	RET(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL));
	RET(poll(&pfd, 1, 1000));
	RET(read(fd, &n, 8));
	printf("expired %lu\n", (unsigned long)n);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	past.it_value = now;
	past.it_value.tv_sec += 100;
	RET(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL));
	RET(timerfd_gettime(fd, &got));
	IS(got.it_value.tv_sec >= 98 && got.it_value.tv_sec <= 100);
	/* a blocked reader wakes when it is armed anew */
	fcntl(fd, F_SETFL, 0);
	pthread_t id = t_thread(arm_later, NULL);
	RET(read(fd, &n, 8));
	pthread_join(id, NULL);
	printf("expired %lu\n", (unsigned long)n);
	int real = timerfd_create(CLOCK_REALTIME, 0), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 7 };
	RET(epoll_ctl(ep, EPOLL_CTL_ADD, real, &ev));
	RET(timerfd_settime(real, 0, &set, NULL));
	RET(epoll_wait(ep, &ev, 1, 10000));
	printf("data %lu\n", (unsigned long)ev.data.u64);
	RET(write(fd, &n, 8));
	RET(timerfd_create(99, 0));
	RET(timerfd_create(CLOCK_MONOTONIC, 0x1));
	RET(timerfd_settime(0x7fff, 0, &set, NULL));
	RET(timerfd_settime(ep, 0, &set, NULL));
	set.it_value.tv_nsec = -1;
	RET(timerfd_settime(fd, 0, &set, NULL));
	RET(timerfd_settime(fd, 0x100, &none, NULL));
	return 0;
}
