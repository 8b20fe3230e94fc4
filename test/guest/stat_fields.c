/* SPDX-License-Identifier: BSD-2-Clause */
/* stat, fstat, lstat, fstatat and statx agree and tell the truth. */
#include <sys/sysmacros.h>
#include "t.h"

static void show(const char *what, struct stat *st)
{
	printf("%s: mode %o links %ld size %ld blksize>0 %d uid %u gid %u\n", what, st->st_mode,
		(long)st->st_nlink, S_ISDIR(st->st_mode) ? -1 : (long)st->st_size,
		st->st_blksize > 0, st->st_uid == getuid(), st->st_gid == getgid());
}

int main(void)
{
	struct stat a, b, c;
	struct statx x;
	int fd = t_file("f", "some text"), pipes[2];
	NEED(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0 && symlink("f", "l") == 0);
	RET(stat("f", &a));
	RET(fstat(fd, &b));
	RET(lstat("f", &c));
	IS(a.st_ino == b.st_ino && b.st_ino == c.st_ino && a.st_dev == b.st_dev && a.st_ino != 0);
	show("file", &a);
	IS(a.st_blocks > 0 && a.st_rdev == 0);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	IS(a.st_mtim.tv_sec <= now.tv_sec + 1 && a.st_mtim.tv_sec >= now.tv_sec - 100);
	RET(statx(AT_FDCWD, "f", 0, STATX_ALL, &x));
	IS(x.stx_ino == a.st_ino && x.stx_size == 9 && x.stx_mode == a.st_mode && x.stx_nlink == 1);
	IS((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	IS(x.stx_mtime.tv_sec == a.st_mtim.tv_sec && x.stx_mtime.tv_nsec == a.st_mtim.tv_nsec);
	IS(makedev(x.stx_dev_major, x.stx_dev_minor) == a.st_dev);
	RET(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	IS(x.stx_size == 9);
	RET(statx(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x));
	IS(S_ISLNK(x.stx_mode));
	RET(statx(AT_FDCWD, "f", 0x80000000, STATX_ALL, &x));
	RET(statx(AT_FDCWD, "f", 0, 0x80000000, &x));
	RET(lstat("l", &a));
	IS(S_ISLNK(a.st_mode) && a.st_size == 1);
	RET(stat("l", &a));
	IS(a.st_ino == b.st_ino);
	RET(fstatat(AT_FDCWD, "l", &a, AT_SYMLINK_NOFOLLOW));
	IS(S_ISLNK(a.st_mode));
	RET(fstatat(AT_FDCWD, "f", &a, 0x4000000));
	RET(stat("d", &a));
	show("directory", &a);
	NEED(rmdir("d/e") == 0);
	RET(stat("d", &a));
	printf("links %ld\n", (long)a.st_nlink);
	RET(stat("/dev/null", &a));
	printf("null: char %d, %u:%u mode %o\n", S_ISCHR(a.st_mode), major(a.st_rdev),
		minor(a.st_rdev), a.st_mode & 0777);
	NEED(pipe(pipes) == 0);
	RET(fstat(pipes[0], &a));
	IS(S_ISFIFO(a.st_mode));
	RET(stat("absent", &a));
	RET(stat("f/x", &a));
	RET(stat("", &a));
	RET(fstat(999, &a));
	/* times move with what happens */
	RET(stat("f", &a));
	t_sleep_ms(20);
	RET(write(fd, "x", 1));
	RET(stat("f", &b));
	IS(b.st_mtim.tv_sec > a.st_mtim.tv_sec || b.st_mtim.tv_nsec != a.st_mtim.tv_nsec);
	t_sleep_ms(20);
	RET(chmod("f", 0600));
	RET(stat("f", &c));
	IS(c.st_mtim.tv_nsec == b.st_mtim.tv_nsec && c.st_ctim.tv_nsec != b.st_ctim.tv_nsec);
	return 0;
}
