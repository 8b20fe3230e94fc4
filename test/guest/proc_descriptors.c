/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/self: descriptors by link and by reopening, comm, maps, limits; devices. */
#include "t.h"

static void link_of(const char *name)
{
	char buf[PATH_MAX], *tail;
	ssize_t n = readlink(name, buf, sizeof(buf) - 1);
	if (n < 0) {
		printf("%s: %s\n", name, t_errno(errno));
		return;
	}
	buf[n] = 0;
	tail = strrchr(buf, '/');
	printf("%s\n", tail ? tail : buf);
}

static int has(const char *file, const char *word)
{
	static char buf[8 << 20]; /* maps with all that the runner loaded: as in proc_self */
	int fd = open(file, O_RDONLY);
	ssize_t n = 0, got;
	while ((got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += got;
	buf[n] = 0;
	close(fd);
	return strstr(buf, word) != NULL;
}

int main(void)
{
	char name[64], buf[64] = "";
	struct stat a, b;
	int fd = t_file("f", "content");
	sprintf(name, "/proc/self/fd/%d", fd);
	link_of(name);
	RET(stat(name, &a));
	RET(fstat(fd, &b));
	IS(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	RET(lstat(name, &a));
	IS(S_ISLNK(a.st_mode));
	int again = open(name, O_RDONLY);
	RET(read(again, buf, 64));
	RET(lseek(fd, 0, SEEK_CUR));
	RET(unlink("f"));
	link_of(name);
	int third = open(name, O_RDWR);
	RET(write(third, "CON", 3));
	RET(pread(fd, buf, 7, 0));
	printf("%s\n", buf);
	RET(open("/proc/self/fd/999", O_RDONLY));
	RET(open("/proc/self/absent", O_RDONLY));
	RET(mkdir("/proc/self/x", 0755));
	RET(open("/proc/x", O_CREAT | O_WRONLY, 0644));
	IS(has("/proc/self/maps", "[stack]"));
	IS(has("/proc/self/maps", "libc.so"));
	IS(has("/proc/self/status", "\nVmRSS:\t"));
	IS(has("/proc/self/limits", "Max open files"));
	IS(has("/proc/self/mounts", " /proc proc "));
	IS(has("/proc/meminfo", "MemTotal: "));
	IS(has("/proc/cpuinfo", "processor\t: 0"));
	IS(has("/proc/stat", "cpu0 "));
	int p[2];
	NEED(pipe(p) == 0);
	sprintf(name, "/proc/self/fd/%d", p[0]);
	ssize_t n = readlink(name, buf, sizeof(buf));
	printf("%.6s %d\n", buf, n > 7);
	RET(stat(name, &a));
	IS(S_ISFIFO(a.st_mode));
	int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR),
	    full = open("/dev/full", O_RDWR);
	RET(read(zero, buf, 10));
	RET(read(null, buf, 10));
	RET(write(full, buf, 10));
	RET(write(null, buf, 10));
	RET(read(open("/dev/urandom", O_RDONLY), buf, 64));
	RET(fstat(null, &a));
	printf("%o %lx\n", a.st_mode, (long)a.st_rdev);
	void *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	IS(m != MAP_FAILED && *(char *)m == 0);
	RET(mmap(NULL, 4096, PROT_READ, MAP_SHARED, null, 0) == MAP_FAILED ? -1 : 0);
	RET(isatty(null));
	RET(ftruncate(null, 0));
	return 0;
}
