/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* chmod, chown, utimensat, umask, access as root sees them. */
#include "t.h"

static void mode(const char *name)
{
	struct stat st;
	NEED(lstat(name, &st) == 0);
	printf("%s %o %u:%u\n", name, st.st_mode, st.st_uid, st.st_gid);
}

int main(void)
{
	struct stat st;
	int fd = t_file("f", "");
	NEED(symlink("f", "l") == 0);
	RET(chmod("f", 04751));
	mode("f");
	RET(fchmod(fd, 0600));
	RET(chmod("l", 0640));
	mode("f");
	RET(fchmodat(AT_FDCWD, "f", 0444, 0));
	RET(chmod("absent", 0644));
	RET(fchmod(999, 0644));
	printf("umask %o %o\n", umask(0077), umask(0022));
	struct timespec t[2] = { { 1000000, 5 }, { 2000000, 7 } };
	RET(utimensat(AT_FDCWD, "f", t, 0));
	RET(stat("f", &st));
	printf("%ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
		(long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	RET(utimensat(AT_FDCWD, "f", t, 0));
	RET(stat("f", &st));
	IS(st.st_atim.tv_sec == 1000000 && st.st_mtim.tv_sec > 1700000000);
	t[0].tv_nsec = 0;
	t[1].tv_nsec = 1000000000;
	RET(utimensat(AT_FDCWD, "f", t, 0));
	t[1] = (struct timespec){ 55, 0 };
	RET(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
	RET(lstat("l", &st));
	IS(st.st_mtim.tv_sec == 55);
	RET(futimens(fd, t));
	RET(fstat(fd, &st));
	IS(st.st_mtim.tv_sec == 55);
	RET(utimensat(AT_FDCWD, "absent", t, 0));
	RET(utimensat(AT_FDCWD, "f", NULL, 0));
	RET(access("f", R_OK));
	RET(access("f", 99));
	RET(faccessat(AT_FDCWD, "f", F_OK, AT_EACCESS));
	RET(access("f/x", F_OK));
	return 0;
}
