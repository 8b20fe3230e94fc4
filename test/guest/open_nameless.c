/* SPDX-License-Identifier: BSD-2-Clause */
/* O_TMPFILE: files without a name, which O_EXCL keeps from ever getting one. */
#include "t.h"

static int name_it(int fd, const char *name)
{
	char from[40];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, from, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static void show(int fd)
{
	struct stat st;

	NEED(fstat(fd, &st) == 0);
	printf("mode %o links %ld size %ld flags %x\n", st.st_mode, (long)st.st_nlink,
		(long)st.st_size, fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_TMPFILE | O_EXCL));
}

int main(void)
{
	char text[10] = "";
	int fd, other;

	umask(022);
	NEED(mkdir("d", 0755) == 0);
	close(t_file("f", ""));
	RET(open("d", O_TMPFILE, 0600));
	RET(open("d", O_TMPFILE | O_RDONLY, 0600));
	RET(open("d", O_TMPFILE | O_CREAT | O_RDWR, 0600));
	RET(open("f", O_TMPFILE | O_RDWR, 0600));
	RET(open("absent", O_TMPFILE | O_RDWR, 0600));
	RET(open("d", O_RDWR | (O_TMPFILE & ~O_DIRECTORY), 0600));
	RET(open("d", O_RDWR | O_DIRECTORY));

	fd = open("d", O_TMPFILE | O_RDWR, 0666);
	NEED(fd >= 0);
	show(fd);
	RET(write(fd, "text", 4));
	RET(name_it(fd, "d/named"));
	show(fd);
	RET(name_it(fd, "d/again"));
	show(fd);
	RET(name_it(fd, "f"));
	RET(unlink("d/again"));
	RET(unlink("d/named"));
	show(fd);
	RET(name_it(fd, "d/late")); /* it had names: none comes back */
	close(fd);

	fd = open("d", O_TMPFILE | O_WRONLY | O_EXCL | O_APPEND, 0600);
	NEED(fd >= 0);
	show(fd);
	RET(name_it(fd, "d/never"));
	RET(access("d/never", F_OK));
	RET(write(fd, "text", 4));
	RET(ftruncate(fd, 100));
	show(fd);
	close(fd);

	fd = open("d", O_TMPFILE | O_RDWR, 0400);
	NEED(fd >= 0);
	show(fd);
	RET(write(fd, "mine", 4));
	char path[40];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = GET(open(path, O_RDONLY));
	RET(read(other, text, 9));
	printf("%s\n", text);
	RET(linkat(fd, "", AT_FDCWD, "d/bare", 0));
	RET(rmdir("d"));
	show(fd);
	RET(name_it(fd, "d/gone"));
	RET(name_it(fd, "g"));
	show(fd);
	return 0;
}
