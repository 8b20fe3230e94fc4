/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify: the events of one directory and one file, in order, and its errors. */
#include <poll.h>
#include <sys/inotify.h>
#include "t.h"

int main(void)
{
	char buf[4096] __attribute__((aligned(8)));
	NEED(mkdir("d", 0755) == 0);
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	NEED(fd >= 0);
	int wd = inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE);
	printf("watch %d\n", wd);
	RET(read(fd, buf, sizeof(buf)));
	int f = t_file("d/f", "x");
	close(f);
	NEED(rename("d/f", "d/g") == 0 && unlink("d/g") == 0);
	struct pollfd p = { fd, POLLIN, 0 };
	RET(poll(&p, 1, 1000));
	ssize_t n = read(fd, buf, sizeof(buf));
	for (char *at = buf; at < buf + n;) {
		struct inotify_event *e = (void *)at;
		printf("%x %s\n", e->mask, e->len ? e->name : "");
		at += sizeof(*e) + e->len;
	}
	RET(inotify_rm_watch(fd, wd));
	RET(read(fd, buf, sizeof(buf)));
	RET(inotify_rm_watch(fd, 99));
	RET(inotify_add_watch(fd, "absent", IN_CREATE));
	RET(inotify_add_watch(fd, "d", 0));
	RET(inotify_add_watch(999, "d", IN_CREATE));
	RET(inotify_init1(0x33));
	return 0;
}
