/* SPDX-License-Identifier: BSD-2-Clause */
/* sendfile, copy_file_range, splice, tee, vmsplice. */
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "t.h"

static void content(int fd)
{
	char buf[64] = "";
	ssize_t n = pread(fd, buf, 63, 0);
	printf("%ld \"%s\"\n", (long)n, buf);
}

int main(void)
{
	int in = t_file("in", "the quick brown fox"), out = t_file("out", ""), p[2], q[2], s[2];
	char buf[64] = "";
	off_t off = 4, to = 0;
	RET(sendfile(out, in, &off, 5));
	printf("offset %ld, of the file %ld\n", (long)off, (long)lseek(in, 0, SEEK_CUR));
	RET(sendfile(out, in, NULL, 4));
	RET(sendfile(out, in, NULL, 1000));
	RET(sendfile(out, in, NULL, 1000));
	content(out);
	NEED(pipe(p) == 0 && pipe(q) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	off = 0;
	RET(sendfile(s[0], in, &off, 9));
	RET(read(s[1], buf, 64));
	RET(sendfile(out, p[0], NULL, 1));
	RET(sendfile(in, open("in", O_RDONLY), (off_t *)BAD_PTR, 1));
	RET(ftruncate(out, 0));
	off = 4;
	RET(copy_file_range(in, &off, out, &to, 11, 0));
	content(out);
	RET(copy_file_range(in, &off, out, &to, 11, 1));
	RET(copy_file_range(in, &off, p[1], NULL, 11, 0));
	off = 100;
	RET(copy_file_range(in, &off, out, &to, 11, 0));
	off = 0;
	RET(splice(in, &off, p[1], NULL, 9, 0));
	RET(tee(p[0], q[1], 5, 0));
	RET(read(q[0], buf, 64));
	printf("%.5s\n", buf);
	to = 2;
	RET(splice(p[0], NULL, out, &to, 100, 0));
	content(out);
	RET(splice(p[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK));
	RET(splice(in, NULL, out, NULL, 10, 0));
	RET(splice(in, NULL, p[1], &off, 10, 0));
	RET(tee(in, p[1], 5, 0));
	struct iovec iov = { "from memory", 11 };
	RET(vmsplice(p[1], &iov, 1, 0));
	RET(splice(p[0], NULL, s[0], NULL, 11, 0));
	RET(read(s[1], buf, 64));
	printf("%.11s\n", buf);
	return 0;
}
