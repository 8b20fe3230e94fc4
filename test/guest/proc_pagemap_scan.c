/* SPDX-License-Identifier: BSD-2-Clause */
/* ioctl(PAGEMAP_SCAN) and the userfaultfd that it needs: which pages were written. */
/* root */
#include "pagemap_scan.h"

static int map;
static char *area;

#define PAGES 1024ul /* of the area, which begins at a multiple of 2 MiB */
#define AT(n) (area + (n)*PAGE)

/* Present, swapped and zero pages are how a kernel remembers that it protected nothing. */
static uint64_t portable(uint64_t categories)
{
	return categories & (IS_ALLOWED | IS_WRITTEN | IS_FILE);
}

static void scan(const char *what, struct scan_arg a, unsigned long from, unsigned long to)
{
	static struct region v[64];
	long n;

	a.size = sizeof(a);
	a.start = (uintptr_t)AT(from);
	a.end = (uintptr_t)AT(to);
	a.vec = a.vec_len ? (uintptr_t)v : 0;
	n = ioctl(map, SCAN, &a);
	printf("%s: ", what);
	if (n < 0)
		printf("%s", t_errno(errno));
	for (long i = 0; i < n; i++)
		printf(" [%ld,%ld) %lx", (long)(v[i].start - (uintptr_t)area) / (long)PAGE,
			(long)(v[i].end - (uintptr_t)area) / (long)PAGE,
			(unsigned long)portable(v[i].categories));
	printf(", to %ld\n", (long)(a.walk_end - (uintptr_t)area) / (long)PAGE);
}
/* In order: flags, vec_len, max_pages, inverted, mask, anyof, give. */
#define ARG(f, n, max, inv, m, any, g)                                                             \
	(struct scan_arg)                                                                          \
	{                                                                                          \
		.flags = f, .vec_len = n, .max_pages = max, .inverted = inv, .mask = m,            \
		.anyof = any, .give = g                                                            \
	}
#define WRITTEN(flags) ARG(flags, 64, 0, 0, IS_WRITTEN, 0, IS_WRITTEN)

static void errors(void)
{
	struct scan_arg good = { .size = sizeof(good),
		.start = (uintptr_t)area,
		.end = (uintptr_t)AT(1) },
			a;
	printf("-- errors\n");
	RET(ioctl(map, SCAN, &good));
	RET(ioctl(map, SCAN, BAD_PTR));
	RET(ioctl(map, _IO('f', 99), 0));
#define BAD(field, value)                                                                          \
	a = good;                                                                                  \
	a.field = value;                                                                           \
	printf("%s = %s: ", #field, #value);                                                       \
	RET(ioctl(map, SCAN, &a))
	BAD(size, 8);
	BAD(size, sizeof(a) + 8);
	BAD(flags, 4);
	BAD(mask, 1 << 20);
	BAD(anyof, 1 << 20);
	BAD(inverted, 1 << 20);
	BAD(give, 1 << 20);
	BAD(start, (uintptr_t)area + 1);
	BAD(start, 1ull << 63);
	BAD(end, (uintptr_t)area - PAGE);
	BAD(end, (uintptr_t)area);
	BAD(end, (uintptr_t)area + 1);
	BAD(vec_len, 1);
	BAD(vec, 1ull << 63);
	a = good;
	a.vec = (uintptr_t)BAD_PTR;
	a.vec_len = 1;
	RET(ioctl(map, SCAN, &a));
}

static void calls(void)
{
	struct uffdio_api api = { .api = UFFD_API + 1 };
	struct uffdio_register r = { { (uintptr_t)area, PAGE }, UFFDIO_REGISTER_MODE_WP, 0 };
	char buf[64];
	int fd;
	printf("-- userfaultfd\n");
	RET(syscall(SYS_userfaultfd, 0x10));
	fd = syscall(SYS_userfaultfd, O_NONBLOCK);
	NEED(fd >= 0);
	RET(ioctl(fd, UFFDIO_REGISTER, &r));
	RET(read(fd, buf, sizeof(buf)));
	RET(ioctl(fd, UFFDIO_API, BAD_PTR));
	RET(ioctl(fd, UFFDIO_API, &api));
	IS(api.api == 0);
	api = (struct uffdio_api){ .api = UFFD_API, .features = 1ull << 60 };
	RET(ioctl(fd, UFFDIO_API, &api));
	api = (struct uffdio_api){ .api = UFFD_API, .features = ASYNC };
	RET(ioctl(fd, UFFDIO_API, &api));
	IS((api.features & (ASYNC | UNPOPULATED)) == (ASYNC | UNPOPULATED));
	IS((api.ioctls & 3) == 3);
	RET(ioctl(fd, UFFDIO_API, &api));
	RET(read(fd, buf, sizeof(buf)));
	RET(read(fd, buf, 31));
	RET(ioctl(fd, _IO(0xaa, 0x20), 0));
	RET(ioctl(fd, UFFDIO_REGISTER, &r));
	IS(r.ioctls >> 6 & 1);
	r.mode = 0;
	RET(ioctl(fd, UFFDIO_REGISTER, &r));
	r.mode = 1 << 10;
	RET(ioctl(fd, UFFDIO_REGISTER, &r));
	RET(ioctl(fd, UFFDIO_REGISTER, BAD_PTR));
	RET(scan_watch(fd, area + 1, PAGE));
	RET(scan_watch(fd, area, PAGE + 1));
	RET(scan_watch(fd, area, 0));
	RET(scan_watch(fd, (void *)0x10000, PAGE));
	RET(scan_watch(fd, (void *)(1ul << 62), PAGE));
	RET(scan_protect(fd, AT(1), PAGE, 1));
	RET(scan_protect(fd, area, PAGE, 1));
	RET(scan_protect(fd, area, PAGE, 3));
	RET(scan_protect(fd, area, PAGE, 8));
	RET(scan_protect(fd, area, 0, 1));
	RET(ioctl(fd, UFFDIO_WAKE, &r.range));
	RET(ioctl(fd, UFFDIO_UNREGISTER, &r.range));
	RET(scan_protect(fd, area, PAGE, 1));
	close(fd);
}

static void areas(void)
{
	int one = scan_watcher(), two = scan_watcher();
	printf("-- what is watched\n");
	scan("nothing is", WRITTEN(SCAN_WP), 0, 16);
	scan("and that is an error", WRITTEN(SCAN_CHECK), 0, 16);
	RET(scan_watch(one, AT(4), 4 * PAGE));
	RET(scan_watch(one, AT(4), 8 * PAGE));
	RET(scan_watch(two, AT(8), 8 * PAGE));
	RET(scan_watch(two, AT(12), 2 * PAGE));
	scan("allowed", ARG(0, 8, 0, 0, IS_ALLOWED, 0, IS_ALLOWED), 0, 16);
	scan("checked", WRITTEN(SCAN_CHECK), 4, 14);
	scan("checked", WRITTEN(SCAN_CHECK), 4, 15);
	munmap(AT(6), PAGE);
	RET(scan_protect(one, AT(4), 8 * PAGE, 1));
	scan("a hole", WRITTEN(SCAN_CHECK), 4, 12);
	AT(5)[0] = AT(7)[0] = 1;
	scan("both sides of it", WRITTEN(SCAN_CHECK | SCAN_WP), 4, 12);
	mmap(AT(6), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	AT(6)[0] = 1;
	scan("allowed", ARG(0, 8, 0, 0, IS_ALLOWED, 0, IS_ALLOWED), 0, 16);
	close(one);
	scan("one is closed", ARG(0, 8, 0, 0, IS_ALLOWED, 0, IS_ALLOWED), 0, 16);
	RET(scan_watch(two, AT(0), 16 * PAGE));
	close(two);
	scan("both are", ARG(0, 8, 0, 0, IS_ALLOWED, 0, IS_ALLOWED), 0, 16);
}

/* Bit 57 of pagemap's word. */
static bool protected(unsigned long n)
{
	uint64_t w = 0;
	NEED(pread(map, &w, 8, (uintptr_t)AT(n) / PAGE * 8) == 8);
	return w >> 57 & 1;
}

static void written(void)
{
	int fd = scan_watcher();
	volatile char c;
	char *moved;
	printf("-- written\n");
	c = *AT(3);
	RET(scan_watch(fd, area, PAGES * PAGE));
	RET(scan_protect(fd, area, PAGES * PAGE, 1));
	scan("nothing", WRITTEN(0), 0, PAGES);
	scan("not written", ARG(0, 8, 0, IS_WRITTEN, IS_WRITTEN, 0, 0), 0, PAGES);
	AT(1)[0] = AT(2)[0] = AT(9)[0] = AT(700)[5] = 1;
	c = *AT(4);
	scan("four", WRITTEN(0), 0, PAGES);
	IS(!protected(1) && !protected(9) && protected(3) && protected(4));
	scan("at most two", ARG(SCAN_WP, 8, 2, 0, IS_WRITTEN, 0, IS_WRITTEN), 0, PAGES);
	scan("the others", ARG(SCAN_WP, 1, 0, 0, IS_WRITTEN, 0, IS_WRITTEN), 0, PAGES);
	scan("the last", WRITTEN(SCAN_WP), 0, PAGES);
	scan("none", WRITTEN(SCAN_WP), 0, PAGES);
	IS(protected(1) && protected(9));
	AT(2)[0] = AT(3)[1] = AT(8)[0] = 3;
	scan("any of", ARG(0, 8, 0, 0, 0, IS_WRITTEN, IS_WRITTEN | IS_ALLOWED), 0, PAGES);
	scan("all pages", ARG(0, 8, 0, 0, 0, 0, IS_WRITTEN | IS_ALLOWED), 0, PAGES);
	scan("clear without a list", ARG(SCAN_WP, 0, 0, 0, IS_WRITTEN, 0, 0), 0, PAGES);
	scan("none", WRITTEN(0), 0, PAGES);
	/* What changes by other means. */
	AT(20)[0] = 1;
	scan("clear", ARG(SCAN_WP, 0, 0, 0, IS_WRITTEN, 0, 0), 0, PAGES);
	RET(madvise(AT(20), PAGE, MADV_DONTNEED));
	scan("given back", WRITTEN(SCAN_WP), 0, PAGES);
	RET(mprotect(AT(20), 4 * PAGE, PROT_READ));
	scan("read-only", WRITTEN(SCAN_WP), 0, PAGES);
	RET(mprotect(AT(20), 4 * PAGE, PROT_READ | PROT_WRITE));
	scan("writable again", WRITTEN(0), 0, PAGES);
	AT(21)[0] = 1;
	RET(pread(open("/dev/zero", O_RDONLY), AT(22), PAGE, 0));
	scan("by hand and by a call", WRITTEN(0), 0, PAGES);
	RET(scan_protect(fd, AT(16), 8 * PAGE, 0));
	scan("no longer protected", WRITTEN(SCAN_WP), 0, PAGES);
	moved = mremap(AT(40), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(PAGES + 8));
	IS(moved == AT(PAGES + 8));
	scan("moved away", ARG(0, 8, 0, 0, IS_ALLOWED, 0, IS_ALLOWED), 0, PAGES + 16);
	mmap(AT(40), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	close(fd);
	(void)c;
}

/* A file's page, and memory that has large pages where the kernel wants to. */
static void kinds(void)
{
	int fd = t_file("f", "text"), w = scan_watcher();
	char *keep = area, *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), c;
	printf("-- kinds\n");
	NEED(p != MAP_FAILED);
	c = *(volatile char *)p;
	area = p;
	scan("a file", ARG(0, 8, 0, 0, IS_FILE, 0, IS_FILE), 0, 1);
	area = keep;
	munmap(p, PAGE);
	RET(scan_watch(w, area, PAGES * PAGE));
	madvise(area, PAGES * PAGE, MADV_HUGEPAGE);
	madvise(area, PAGES * PAGE, MADV_DONTNEED);
	memset(area, c, PAGES * PAGE);
	scan("all", WRITTEN(0), 0, PAGES);
	scan("at most 700", ARG(SCAN_WP, 8, 700, 0, IS_WRITTEN, 0, IS_WRITTEN), 0, PAGES);
	scan("the rest", WRITTEN(SCAN_WP), 0, PAGES);
	scan("none", WRITTEN(SCAN_WP), 0, PAGES);
	memset(AT(100), 0, 40 * PAGE);
	RET(madvise(AT(512), 100 * PAGE, MADV_DONTNEED));
	scan("a part, given back", WRITTEN(SCAN_WP), 512, PAGES);
	scan("beginning in the middle", WRITTEN(SCAN_WP), 110, 140);
	close(w);
	close(fd);
}

int main(void)
{
	size_t large = 2 << 20, len = PAGES * PAGE + 2 * large;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map = open("/proc/self/pagemap", O_RDONLY);
	NEED(p != MAP_FAILED && map >= 0);
	area = (char *)(((uintptr_t)p + large - 1) & ~(large - 1));
	madvise(area, PAGES * PAGE + large, MADV_NOHUGEPAGE);
	errors();
	calls();
	areas();
	written();
	kinds();
	munmap(p, len);
	return 0;
}
