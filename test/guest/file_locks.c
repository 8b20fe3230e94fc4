/* SPDX-License-Identifier: BSD-2-Clause */
/* flock, fcntl record locks and open-file-description locks between descriptions of one process. */
#include <sys/file.h>
#include "t.h"

static int lock(int fd, int cmd, int type, long start, long len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	int r = fcntl(fd, cmd, &l);
	if (r == 0 && (cmd == F_GETLK || cmd == F_OFD_GETLK))
		printf("type %d start %ld len %ld mine %d\n", l.l_type, (long)l.l_start,
			(long)l.l_len, l.l_pid == getpid());
	return r;
}

static int second;
static void *wait_flock(void *arg)
{
	return (void *)(long)flock(second, LOCK_EX);
}

int main(void)
{
	int a = t_file("f", "0123456789");
	second = open("f", O_RDWR);
	int ro = open("f", O_RDONLY);
	RET(flock(a, LOCK_SH));
	RET(flock(second, LOCK_SH | LOCK_NB));
	RET(flock(second, LOCK_EX | LOCK_NB));
	RET(flock(a, LOCK_UN));
	RET(flock(second, LOCK_EX | LOCK_NB));
	RET(flock(a, LOCK_SH | LOCK_NB));
	RET(flock(second, LOCK_UN));
	RET(flock(a, LOCK_EX));
	pthread_t id = t_thread(wait_flock, NULL);
	t_sleep_ms(5);
	RET(flock(a, LOCK_UN));
	void *r;
	pthread_join(id, &r);
	printf("waiter %ld\n", (long)r);
	RET(flock(a, 16));
	RET(flock(999, LOCK_SH));
	close(second);
	RET(flock(a, LOCK_EX | LOCK_NB));
	second = open("f", O_RDWR);
	/* record locks belong to the process: no conflict with itself */
	RET(lock(a, F_SETLK, F_WRLCK, 0, 5));
	RET(lock(second, F_SETLK, F_WRLCK, 3, 5));
	RET(lock(second, F_GETLK, F_WRLCK, 0, 0));
	RET(lock(ro, F_SETLK, F_WRLCK, 0, 1));
	RET(lock(a, F_SETLK, 77, 0, 1));
	RET(lock(a, F_SETLK, F_UNLCK, 0, 0));
	/* those of open file descriptions do conflict */
	RET(lock(a, F_OFD_SETLK, F_WRLCK, 2, 4));
	RET(lock(second, F_OFD_SETLK, F_RDLCK, 0, 2));
	RET(lock(second, F_OFD_SETLK, F_RDLCK, 5, 1));
	RET(lock(second, F_OFD_GETLK, F_WRLCK, 0, 0));
	RET(lock(a, F_OFD_SETLK, F_UNLCK, 3, 1));
	RET(lock(second, F_OFD_SETLK, F_WRLCK, 3, 1));
	RET(lock(second, F_OFD_SETLK, F_WRLCK, 2, 1));
	RET(close(a));
	RET(lock(second, F_OFD_SETLK, F_WRLCK, 0, 0));
	return 0;
}
