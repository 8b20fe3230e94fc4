/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify: what a directory's and a file's watch tell, in which order; errors. */
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include "t.h"

static void drain(int fd)
{
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n = read(fd, buf, sizeof(buf));
	if (n < 0)
		printf("read: %s\n", t_errno(errno));
	for (char *p = buf; n > 0 && p < buf + n;) {
		struct inotify_event *e = (void *)p;
		printf("wd %d mask %x cookie %d name %s\n", e->wd, e->mask, e->cookie != 0,
			e->len ? e->name : "-");
		p += sizeof(*e) + e->len;
	}
}

int main(void)
{
	int in = inotify_init1(IN_NONBLOCK), fd;
	char small[8];
	RET(mkdir("d", 0755));
	RET(inotify_add_watch(in, "d", IN_ALL_EVENTS & ~(IN_ACCESS | IN_OPEN | IN_CLOSE_NOWRITE)));
	drain(in);
	fd = open("d/f", O_CREAT | O_WRONLY, 0644);
	RET(write(fd, "1", 1));
	RET(write(fd, "2", 1));
	close(fd);
	drain(in);
	RET(mkdir("d/sub", 0755));
	RET(symlink("f", "d/l"));
	RET(link("d/f", "d/g"));
	RET(chmod("d/f", 0600));
	RET(truncate("d/f", 0));
	drain(in);
	RET(rename("d/f", "d/h"));
	RET(rename("d/h", "out"));
	RET(unlink("d/g"));
	RET(rmdir("d/sub"));
	drain(in);
	int wf = RET(inotify_add_watch(
		in, "out", IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF));
	RET(rename("out", "out2"));
	RET(chmod("out2", 0644));
	RET(unlink("out2"));
	drain(in);
	RET(inotify_rm_watch(in, wf));
	RET(inotify_rm_watch(in, 1));
	drain(in);
	RET(inotify_add_watch(in, "absent", IN_MODIFY));
	RET(inotify_add_watch(in, "d", 0));
	RET(inotify_add_watch(0, "d", IN_MODIFY));
	RET(inotify_add_watch(-1, "d", IN_MODIFY));
	RET(inotify_add_watch(in, "d/l", IN_MODIFY | IN_ONLYDIR | IN_DONT_FOLLOW));
	int w = RET(inotify_add_watch(in, "d", IN_CREATE | IN_ONESHOT));
	RET(inotify_add_watch(in, "d", IN_CREATE | IN_ONESHOT) == w);
	close(open("d/x", O_CREAT | O_WRONLY, 0644));
	close(open("d/y", O_CREAT | O_WRONLY, 0644));
	int bytes = 0;
	RET(ioctl(in, FIONREAD, &bytes));
	printf("%d bytes\n", bytes);
	RET(read(in, small, sizeof(small)));
	drain(in);
	RET(inotify_init1(0x123));
	return 0;
}
