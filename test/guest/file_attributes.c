/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* chmod, chown, umask, access, utimensat, statx: what they change and refuse. */
#include <sys/statfs.h>
#include <sys/time.h>
#include "t.h"

static void mode_of(const char *name)
{
	struct stat st;
	if (lstat(name, &st) == 0)
		printf("%s %o\n", name, st.st_mode);
}

int main(void)
{
	struct stat st;
	struct statx x;
	struct timespec t[2] = { { 1000, 5 }, { 2000, 6 } };
	int fd = t_file("f", "x");
	RET(umask(027));
	RET(mkdir("d", 0777));
	mode_of("d");
	close(open("g", O_CREAT | O_WRONLY, 0666));
	mode_of("g");
	RET(umask(022));
	RET(chmod("f", 04755));
	mode_of("f");
	RET(write(fd, "y", 1));
	mode_of("f");
	RET(fchmod(fd, 0100));
	mode_of("f");
	RET(access("f", X_OK));
	RET(fchmod(fd, 0));
	RET(access("f", R_OK | W_OK));
	RET(access("f", X_OK));
	RET(access("f", F_OK));
	RET(access("f", 8));
	RET(access("absent", F_OK));
	RET(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	RET(chmod("absent", 0));
	RET(fchmod(-1, 0));
	RET(symlink("f", "l"));
	RET(chmod("l", 0644));
	mode_of("f");
	mode_of("l");
	RET(chown("f", 1, 2));
	RET(stat("f", &st));
	printf("%u %u\n", st.st_uid, st.st_gid);
	RET(lchown("l", 3, -1));
	RET(lstat("l", &st));
	printf("%u %u\n", st.st_uid, st.st_gid);
	RET(fchown(fd, 0, 0));
	RET(utimensat(AT_FDCWD, "f", t, 0));
	RET(stat("f", &st));
	printf("%ld %ld %ld %ld\n", (long)st.st_atime, st.st_atim.tv_nsec, (long)st.st_mtime,
		st.st_mtim.tv_nsec);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_sec = 77;
	RET(futimens(fd, t));
	RET(stat("f", &st));
	printf("%ld %ld\n", (long)st.st_atime, (long)st.st_mtime);
	t[1].tv_nsec = 1000000000;
	RET(futimens(fd, t));
	RET(utimensat(AT_FDCWD, "absent", NULL, 0));
	RET(utimensat(AT_FDCWD, "l", NULL, 0x8000));
	RET(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	printf("%o %u %ld %ld %u\n", x.stx_mode, x.stx_nlink, (long)x.stx_size,
		(long)x.stx_mtime.tv_sec, (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	RET(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	RET(statx(fd, "", 0, STATX_SIZE, &x));
	RET(statx(AT_FDCWD, "f", 0x40000, STATX_SIZE, &x));
	RET(statx(AT_FDCWD, "f", 0, 0x80000000u, &x));
	RET(mknod("n", S_IFREG | 0600, 0));
	mode_of("n");
	RET(mknod("n2", S_IFDIR | 0600, 0));
	RET(mknod("s", S_IFSOCK | 0600, 0));
	mode_of("s");
	RET(open("s", O_RDONLY));
	struct statfs fs;
	RET(statfs(".", &fs));
	printf("%ld %ld\n", (long)fs.f_bsize, (long)fs.f_namelen);
	RET(statfs("absent", &fs));
	RET(fstatfs(-1, &fs));
	return 0;
}
