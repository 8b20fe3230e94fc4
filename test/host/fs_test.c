/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: src/fs/erofs.c src/fs/ramfs.c src/fs/dentry.c src/fs/children.c src/fs/walk.c */
/* sources: src/fs/ops.c src/fs/open.c src/fs/pagecache.c src/fs/regular.c src/fs/vnode.c */
/* sources: src/fs/mount.c src/fs/devfs.c src/fs/pseudo.c src/fs/special.c src/fs/inotify.c */
/* sources: src/file/iter.c src/file/piece.c src/lib/rbtree.c src/lib/format.c src/lib/string.c */
/* flags: -D_GNU_SOURCE */
/* The whole file tree, over an image made by mkfs.erofs and without one. */
#include "t.h"
#include "fs_host.h"

static struct path_context root_context;

static void boot(const void *image, size_t size)
{
	list_init(&mounts);
	fs_init(image, size);
	root_context = (struct path_context){ .root = fs_root(), .cwd = fs_root(), .umask = 022 };
}

static void boot_empty(void)
{
	host_memory_init(0);
	boot(NULL, 0);
}

static bool boot_image(void)
{
	size_t n;
	char cmd[512], dir[] = "/tmp/skiff-fs-XXXXXX";

	if (!mkdtemp(dir))
		return false;
	snprintf(cmd, sizeof(cmd),
		"cd %s && mkdir -p t/usr/lib t/etc t/empty && head -c 10000 /dev/zero | tr '\\0' a > t/usr/lib/big && "
		"printf hello > t/etc/small && ln t/etc/small t/etc/hard && ln -s ../etc/small t/usr/link && "
		"ln -s /usr t/abs && for i in $(seq 300); do echo $i > t/usr/lib/f$i; done && "
		"mkfs.erofs -T1000 i t >/dev/null 2>&1",
		dir);
	if (system(cmd))
		return false;
	snprintf(cmd, sizeof(cmd), "%s/i", dir);
	n = host_load_image(cmd);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd) || !n)
		return false;
	boot(host_physmap, n);
	return true;
}

static struct file *open_at(const char *path, uint32_t flags)
{
	return fs_open(&root_context, NULL, path, flags, 0644);
}

static int open_err(const char *path, uint32_t flags)
{
	struct file *f = open_at(path, flags);

	if (IS_ERR(f))
		return (int)-PTR_ERR(f);
	file_put(f);
	return 0;
}

static ssize_t slurp(const char *path, char *buf, size_t n)
{
	struct file *f = open_at(path, O_RDONLY);
	ssize_t got;

	if (IS_ERR(f))
		return PTR_ERR(f);
	got = host_read(f, buf, n - 1, 0);
	buf[got > 0 ? got : 0] = 0;
	file_put(f);
	return got;
}

static int spit(const char *path, const char *text)
{
	struct file *f = open_at(path, O_WRONLY | O_CREAT | O_TRUNC);
	ssize_t n;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	n = host_write(f, text, strlen(text), 0);
	file_put(f);
	return (int)n;
}

struct names {
	struct dirent_sink sink;
	unsigned count, limit;
	char last[256], all[8192];
};
static bool names_emit(struct dirent_sink *s, const char *name, size_t len, uint64_t ino,
	uint8_t type, int64_t next)
{
	struct names *n = container_of(s, struct names, sink);

	if (n->count == n->limit)
		return false;
	n->count++;
	CHECK(ino != 0);
	strncat(n->all, name, len);
	strcat(n->all, " ");
	return true;
}
static unsigned count_names(const char *path, unsigned per_call)
{
	struct names n = { .sink.emit = names_emit };
	struct file *f = open_at(path, O_RDONLY | O_DIRECTORY);
	unsigned total = 0;

	if (IS_ERR(f))
		return 0;
	do {
		n.count = 0;
		n.limit = per_call;
		n.all[0] = 0;
		CHECK_EQ(f->ops->readdir(f, &n.sink), 0);
		total += n.count;
	} while (n.count);
	file_put(f);
	return total;
}

TEST(empty_root_has_its_mounts)
{
	struct stat st;

	boot_empty();
	CHECK_EQ(fs_stat(&root_context, NULL, "/dev/null", WALK_FOLLOW, &st), 0);
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, DEV_MAKE(1, 3));
	CHECK_EQ(fs_stat(&root_context, NULL, "/tmp", WALK_FOLLOW, &st), 0);
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	CHECK_EQ(fs_stat(&root_context, NULL, "/dev/../proc/./../sys", WALK_FOLLOW, &st), 0);
	CHECK_EQ(open_err("/nothing", O_RDONLY), ENOENT);
	CHECK_EQ(open_err("/dev/null/x", O_RDONLY), ENOTDIR);
	CHECK_EQ(open_err("/dev/ptmx", O_RDWR), ENXIO);
}

TEST(files_read_write_truncate)
{
	char buf[20000];
	struct file *f;

	boot_empty();
	CHECK_EQ(spit("/tmp/a", "hello"), 5);
	CHECK_EQ(slurp("/tmp/a", buf, sizeof(buf)), 5);
	CHECK_STR(buf, "hello");
	f = open_at("/tmp/a", O_RDWR);
	REQUIRE(!IS_ERR(f));
	CHECK_EQ(host_write(f, "X", 1, 9999), 1);
	CHECK_EQ(f->ops->seek(f, 0, SEEK_END), 10000);
	memset(buf, 1, sizeof(buf));
	CHECK_EQ(host_read(f, buf, sizeof(buf), 0), 10000);
	CHECK(buf[4] == 'o' && buf[5] == 0 && buf[9998] == 0 && buf[9999] == 'X');
	CHECK_EQ(f->ops->seek(f, 0, SEEK_HOLE), 4096);
	CHECK_EQ(f->ops->seek(f, 5000, SEEK_DATA), 8192);
	CHECK_EQ(f->ops->seek(f, 10000, SEEK_DATA), -ENXIO);
	CHECK_EQ(f->ops->truncate(f, 3), 0);
	CHECK_EQ(f->ops->truncate(f, 6), 0);
	CHECK_EQ(host_read(f, buf, sizeof(buf), 0), 6);
	CHECK_MEM(buf, "hel\0\0\0", 6);
	CHECK_EQ(f->ops->allocate(f, 0, 0, 20000), 0);
	CHECK_EQ(f->ops->seek(f, 0, SEEK_HOLE), 20000);
	CHECK_EQ(f->ops->allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 9000), 0);
	CHECK_EQ(f->ops->seek(f, 0, SEEK_HOLE), 4096);
	CHECK_EQ(f->ops->seek(f, 4096, SEEK_DATA), 8192);
	CHECK_EQ(host_read(f, buf, 3, 0), 3);
	CHECK_MEM(buf, "h\0\0", 3);
	CHECK_EQ(f->ops->allocate(f, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -EOPNOTSUPP);
	file_put(f);
	CHECK_EQ(fs_unlink(&root_context, NULL, "/tmp/a", false), 0);
	CHECK_EQ(host_pages_used, 0);
}

TEST(big_sparse_file)
{
	struct file *f;
	char c[2];
	int64_t at[] = { 0, 1ll << 20, 1ll << 33, 1ll << 45, 0x7fffffffffff0000 };

	boot_empty();
	f = open_at("/tmp/s", O_RDWR | O_CREAT);
	REQUIRE(!IS_ERR(f));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(host_write(f, "ab" + i % 2, 1, at[i]), 1);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(host_read(f, c, 1, at[i]), 1);
		CHECK_EQ(c[0], "ab"[i % 2]);
	}
	CHECK_EQ(host_write(f, "x", 1, INT64_MAX - 5), -EFBIG);
	CHECK_EQ(host_pages_used, 5);
	CHECK_EQ(f->ops->truncate(f, (1ll << 33) + 1), 0);
	CHECK_EQ(host_pages_used, 3);
	file_put(f);
	CHECK_EQ(fs_unlink(&root_context, NULL, "/tmp/s", false), 0);
	CHECK_EQ(host_pages_used, 0);
}

TEST(names_links_renames)
{
	struct path_context *c = &root_context;
	struct stat st;
	char buf[64];

	boot_empty();
	CHECK_EQ(fs_mkdir(c, NULL, "/tmp/d/", 0777), 0);
	CHECK_EQ(fs_mkdir(c, NULL, "/tmp/d", 0777), -EEXIST);
	CHECK_EQ(fs_mkdir(c, NULL, "/tmp/d/e", 0777), 0);
	CHECK_EQ(spit("/tmp/d/f", "1"), 1);
	CHECK_EQ(fs_unlink(c, NULL, "/tmp/d", true), -ENOTEMPTY);
	CHECK_EQ(fs_unlink(c, NULL, "/tmp/d", false), -EISDIR);
	CHECK_EQ(fs_unlink(c, NULL, "/tmp/d/f", true), -ENOTDIR);
	CHECK_EQ(fs_unlink(c, NULL, "/tmp/d/.", true), -EINVAL);
	CHECK_EQ(fs_unlink(c, NULL, "/tmp/d/e/..", true), -ENOTEMPTY);
	CHECK_EQ(fs_unlink(c, NULL, "/", true), -EBUSY);
	CHECK_EQ(fs_unlink(c, NULL, "/dev", true), -EBUSY);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/d", NULL, "/tmp/d/e/x", 0), -EINVAL);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/d/e", NULL, "/tmp/d", 0), -ENOTEMPTY);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/d/f", NULL, "/tmp/d/e", 0), -EISDIR);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/d/e", NULL, "/tmp/d/f", 0), -ENOTDIR);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/d", NULL, "/tmp/g", 0), 0);
	CHECK_EQ(slurp("/tmp/g/f", buf, sizeof(buf)), 1);
	CHECK_EQ(open_err("/tmp/d", O_RDONLY), ENOENT);
	CHECK_EQ(spit("/tmp/h", "22"), 2);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/h", NULL, "/tmp/g/f", RENAME_NOREPLACE), -EEXIST);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/h", NULL, "/tmp/g", RENAME_EXCHANGE), 0);
	CHECK_EQ(slurp("/tmp/h/f", buf, sizeof(buf)), 1);
	CHECK_EQ(slurp("/tmp/g", buf, sizeof(buf)), 2);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/g", NULL, "/tmp/h/f", 0), 0);
	CHECK_EQ(slurp("/tmp/h/f", buf, sizeof(buf)), 2);
	CHECK_EQ(fs_symlink(c, "h", NULL, "/tmp/l"), 0);
	CHECK_EQ(slurp("/tmp/l/f", buf, sizeof(buf)), 2);
	CHECK_EQ(fs_symlink(c, "loop", NULL, "/tmp/loop"), 0);
	CHECK_EQ(open_err("/tmp/loop", O_RDONLY), ELOOP);
	CHECK_EQ(open_err("/tmp/l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_EQ(open_err("/tmp/l", O_PATH | O_NOFOLLOW), 0);
	CHECK_EQ(open_err("/tmp/l/", O_RDONLY | O_NOFOLLOW), 0);
	CHECK_EQ(open_err("/tmp/h/f/", O_RDONLY), ENOTDIR);
	CHECK_EQ(open_err("/tmp/new/", O_CREAT | O_WRONLY), EISDIR);
	CHECK_EQ(fs_symlink(c, "/tmp/made", NULL, "/tmp/dangle"), 0);
	CHECK_EQ(open_err("/tmp/dangle", O_CREAT | O_EXCL | O_WRONLY), EEXIST);
	CHECK_EQ(open_err("/tmp/dangle", O_CREAT | O_WRONLY), 0);
	CHECK_EQ(fs_stat(c, NULL, "/tmp/made", 0, &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	struct dentry *d;
	CHECK_EQ(path_walk(c, NULL, "/tmp/made", 0, &d), 0);
	CHECK_EQ(fs_link(c, d, NULL, "/tmp/made2"), 0);
	CHECK_EQ(fs_link(c, d, NULL, "/tmp/made2"), -EEXIST);
	CHECK_EQ(fs_link(c, d, NULL, "/dev/made2"), -EXDEV);
	CHECK_EQ(fs_stat(c, NULL, "/tmp/made2", 0, &st), 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_EQ(fs_rename(c, NULL, "/tmp/made", NULL, "/tmp/made2", 0), 0);
	CHECK_EQ(fs_stat(c, NULL, "/tmp/made", 0, &st), 0);
	char path[100];
	CHECK_EQ(dentry_path(d, path, sizeof(path)), 9);
	CHECK_STR(path, "/tmp/made");
	CHECK_EQ(fs_unlink(c, NULL, "/tmp/made", false), 0);
	CHECK(dentry_path(d, path, sizeof(path)) > 0);
	CHECK_STR(path, "/tmp/made (deleted)");
	dentry_put(d);
	CHECK_EQ(path_walk(c, NULL, "/dev/shm", 0, &d), 0);
	CHECK_EQ(dentry_path(d, path, sizeof(path)), 8);
	CHECK_STR(path, "/dev/shm");
	dentry_put(d);
}

TEST(open_variants)
{
	struct file *f, *g;
	struct dentry *d;
	char longname[300], buf[16];

	boot_empty();
	memset(longname, 'x', sizeof(longname));
	memcpy(longname, "/tmp/", 5);
	longname[5 + 256] = 0;
	CHECK_EQ(open_err(longname, O_CREAT | O_WRONLY), ENAMETOOLONG);
	longname[5 + 255] = 0;
	CHECK_EQ(open_err(longname, O_CREAT | O_WRONLY), 0);
	CHECK_EQ(open_err("", O_RDONLY), ENOENT);
	CHECK_EQ(open_err("/tmp", O_WRONLY), EISDIR);
	CHECK_EQ(open_err("/tmp", O_CREAT), EISDIR);
	CHECK_EQ(open_err("/tmp/..", O_RDONLY), 0);
	f = open_at("/tmp", O_TMPFILE | O_RDWR);
	REQUIRE(!IS_ERR(f));
	CHECK_EQ(host_write(f, "tmp", 3, 0), 3);
	d = f->path;
	CHECK_EQ(fs_link(&root_context, d, NULL, "/tmp/named"), 0);
	CHECK_EQ(slurp("/tmp/named", buf, sizeof(buf)), 3);
	file_put(f);
	f = open_at("/tmp/app", O_WRONLY | O_CREAT | O_APPEND);
	g = open_at("/tmp/app", O_WRONLY | O_APPEND);
	CHECK_EQ(host_write(f, "1", 1, 0), 1);
	CHECK_EQ(host_write(g, "2", 1, 0), 1);
	CHECK_EQ(host_write(f, "3", 1, 0), 1);
	file_put(f);
	file_put(g);
	CHECK_EQ(slurp("/tmp/app", buf, sizeof(buf)), 3);
	CHECK_STR(buf, "123");
	f = memfd_create_file("m", 2);
	REQUIRE(!IS_ERR(f));
	CHECK_EQ(f->ops->fcntl(f, F_GET_SEALS, 0), 0);
	CHECK_EQ(host_write(f, "abc", 3, 0), 3);
	CHECK_EQ(f->ops->fcntl(f, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
	CHECK_EQ(host_write(f, "abcd", 4, 0), -EPERM);
	CHECK_EQ(f->ops->truncate(f, 1), -EPERM);
	CHECK_EQ(f->ops->fcntl(f, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_EQ(host_write(f, "a", 1, 0), -EPERM);
	file_put(f);
}

TEST(permissions)
{
	struct path_context user = root_context;

	boot_empty();
	user = root_context;
	user.uid = user.gid = 1000;
	CHECK_EQ(spit("/tmp/r", "x"), 1);
	struct file *f = fs_open(&user, NULL, "/tmp/r", O_WRONLY, 0);
	CHECK_EQ(PTR_ERR(f), -EACCES);
	CHECK_EQ(fs_unlink(&user, NULL, "/tmp/r", false), -EPERM); /* sticky */
	CHECK_EQ(fs_mkdir(&user, NULL, "/tmp/mine", 0700), 0);
	CHECK_EQ(fs_mkdir(&user, NULL, "/etc/mine", 0700), -EACCES);
	user.uid = 1001;
	CHECK_EQ(fs_mkdir(&user, NULL, "/tmp/mine/x", 0700), -EACCES);
	CHECK_EQ(fs_rename(&user, NULL, "/tmp/mine", NULL, "/tmp/yours", 0), -EPERM);
	CHECK_EQ(fs_access(&root_context, NULL, "/tmp/r", X_OK, WALK_FOLLOW), -EACCES);
}

TEST(image_is_read_in_place)
{
	struct stat st, before;
	char buf[20000];
	struct page *page;
	struct file *f;

	if (!boot_image()) {
		T_FAIL("mkfs.erofs does not work");
		return;
	}
	CHECK_EQ(slurp("/etc/small", buf, sizeof(buf)), 5);
	CHECK_STR(buf, "hello");
	CHECK_EQ(slurp("/usr/link", buf, sizeof(buf)), 5);
	CHECK_EQ(slurp("/abs/lib/big", buf, sizeof(buf)), 10000);
	CHECK(buf[0] == 'a' && buf[9999] == 'a');
	CHECK_EQ(fs_stat(&root_context, NULL, "/etc/hard", 0, &before), 0);
	CHECK_EQ(before.st_nlink, 2);
	CHECK_EQ(before.st_mtim.tv_sec, 1000);
	CHECK_EQ(count_names("/usr/lib", 7), 303);
	CHECK_EQ(count_names("/usr/lib", 10000), 303);
	f = open_at("/usr/lib/big", O_RDONLY);
	unsigned long used = host_pages_used;
	CHECK_EQ(f->vnode->cache->backing.ops->get_page(&f->vnode->cache->backing, 0, false, &page),
		0);
	CHECK(page->flags & PAGE_RESERVED);
	CHECK_EQ(f->vnode->cache->backing.ops->get_page(&f->vnode->cache->backing, 3, false, &page),
		-EFAULT);
	CHECK_EQ(host_pages_used, used);
	file_put(f);
	/* writes: copied page by page, the rest stays in place; hard links see it; the inode number
	 * stays */
	CHECK_EQ(spit("/etc/hard", "HELLO!"), 6);
	CHECK_EQ(slurp("/etc/small", buf, sizeof(buf)), 6);
	CHECK_STR(buf, "HELLO!");
	CHECK_EQ(fs_stat(&root_context, NULL, "/etc/small", 0, &st), 0);
	CHECK_EQ(st.st_ino, before.st_ino);
	f = open_at("/usr/lib/big", O_RDWR);
	CHECK_EQ(host_write(f, "bbb", 3, 5000), 3);
	CHECK_EQ(host_pages_used, used + 1);
	CHECK_EQ(host_read(f, buf, sizeof(buf), 0), 10000);
	CHECK(buf[4999] == 'a' && buf[5000] == 'b' && buf[5003] == 'a' && buf[9999] == 'a');
	CHECK_EQ(f->ops->truncate(f, 9000), 0);
	CHECK_EQ(f->ops->truncate(f, 12000), 0);
	CHECK_EQ(host_read(f, buf, sizeof(buf), 0), 12000);
	CHECK(buf[8999] == 'a' && buf[9000] == 0 && buf[11999] == 0);
	CHECK_EQ(f->ops->allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
	CHECK_EQ(host_read(f, buf, sizeof(buf), 0), 12000);
	CHECK(buf[0] == 0 && buf[4095] == 0 && buf[4096] == 'a' && buf[5000] == 'b');
	file_put(f);
}

TEST(image_names_can_be_changed)
{
	struct path_context *c = &root_context;
	char buf[64];
	struct stat st;

	REQUIRE(boot_image());
	CHECK_EQ(fs_unlink(c, NULL, "/usr/lib/f7", false), 0);
	CHECK_EQ(open_err("/usr/lib/f7", O_RDONLY), ENOENT);
	CHECK_EQ(count_names("/usr/lib", 50), 302);
	CHECK_EQ(fs_rename(c, NULL, "/usr/lib", NULL, "/usr/lib64", 0), 0);
	CHECK_EQ(slurp("/usr/lib64/f8", buf, sizeof(buf)), 2);
	CHECK_EQ(fs_unlink(c, NULL, "/empty", true), 0);
	CHECK_EQ(fs_unlink(c, NULL, "/etc", true), -ENOTEMPTY);
	CHECK_EQ(fs_mkdir(c, NULL, "/empty", 0755), 0);
	CHECK_EQ(count_names("/empty", 50), 2);
	CHECK_EQ(fs_unlink(c, NULL, "/etc/small", false), 0);
	CHECK_EQ(fs_stat(c, NULL, "/etc/hard", 0, &st), 0);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(fs_rename(c, NULL, "/etc/hard", NULL, "/tmp/hard", 0), 0);
	CHECK_EQ(slurp("/tmp/hard", buf, sizeof(buf)), 5);
}

static int show(struct text *t, void *arg)
{
	text_printf(t, "%s %d\n", (char *)arg, 42);
	for (int i = 0; i < 1000; i++)
		text_write(t, "0123456789", 10);
	return 0;
}

TEST(proc_files)
{
	char buf[20000];
	struct stat st;

	boot_empty();
	CHECK_EQ(procfs_add("sys/kernel/test", 0444, show, NULL, (void *)(uintptr_t) "hello"), 0);
	CHECK_EQ(procfs_add_link("mounts", "self/mounts"), 0);
	CHECK_EQ(slurp("/proc/sys/kernel/test", buf, sizeof(buf)), 10009);
	CHECK_MEM(buf, "hello 42\n0123", 13);
	CHECK_EQ(fs_stat(&root_context, NULL, "/proc/sys/kernel/test", 0, &st), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(open_err("/proc/sys/kernel/nope", O_RDONLY), ENOENT);
	CHECK_EQ(open_err("/proc/new", O_WRONLY | O_CREAT), ENOENT);
	CHECK_EQ(count_names("/proc/sys", 1), 3);
}

TEST(watches)
{
	struct file *in, *f;
	struct dentry *d;
	char buf[1024];
	struct inotify_event *e = (void *)buf;
	ssize_t n;

	boot_empty();
	extern struct file *inotify_create(uint32_t flags);
	extern int inotify_add(struct file * f, struct dentry * d, uint32_t mask);
	in = inotify_create(O_NONBLOCK);
	CHECK_EQ(path_walk(&root_context, NULL, "/tmp", 0, &d), 0);
	CHECK_EQ(inotify_add(in, d, IN_ALL_EVENTS), 1);
	dentry_put(d);
	CHECK_EQ(host_read(in, buf, sizeof(buf), 0), -EAGAIN);
	f = open_at("/tmp/w", O_CREAT | O_WRONLY);
	n = host_read(in, buf, sizeof(buf), 0);
	CHECK_EQ(n, 2 * 32);
	CHECK_EQ(e->mask, IN_CREATE);
	CHECK_STR(buf + 16, "w");
	CHECK_EQ(((struct inotify_event *)(buf + 32))->mask, IN_OPEN);
	CHECK_EQ(host_write(f, "1", 1, 0), 1);
	file_put(f);
	n = host_read(in, buf, sizeof(buf), 0);
	CHECK_EQ(n, 2 * 32);
	CHECK_EQ(e->mask, IN_MODIFY);
	CHECK_EQ(((struct inotify_event *)(buf + 32))->mask, IN_CLOSE_WRITE);
	CHECK_EQ(fs_rename(&root_context, NULL, "/tmp/w", NULL, "/tmp/v", 0), 0);
	CHECK_EQ(fs_unlink(&root_context, NULL, "/tmp/v", false), 0);
	n = host_read(in, buf, sizeof(buf), 0);
	CHECK_EQ(n, 3 * 32);
	CHECK_EQ(e->mask, IN_MOVED_FROM);
	CHECK_EQ(((struct inotify_event *)(buf + 64))->mask, IN_DELETE);
	file_put(in);
}

TEST(no_memory_is_an_error)
{
	boot_empty();
	T_EACH_ALLOC_FAILS({
		struct file *f = open_at("/tmp/oom", O_CREAT | O_RDWR);
		if (!IS_ERR(f)) {
			if (host_write(f, "abcdefgh", 8, 4092) == 8)
				CHECK(!t_failing() || true);
			file_put(f);
		}
		fs_mkdir(&root_context, NULL, "/tmp/oomdir", 0755);
		fs_symlink(&root_context, "oomdir", NULL, "/tmp/oomlink");
		fs_rename(&root_context, NULL, "/tmp/oom", NULL,
			"/tmp/oomlink/a-name-that-needs-memory-of-its-own", 0);
		fs_unlink(&root_context, NULL, "/tmp/oomdir/a-name-that-needs-memory-of-its-own",
			false);
		fs_unlink(&root_context, NULL, "/tmp/oomlink", false);
		fs_unlink(&root_context, NULL, "/tmp/oom", false);
		fs_unlink(&root_context, NULL, "/tmp/oomdir", true);
	});
	/* whatever was left behind can be removed now */
	fs_unlink(&root_context, NULL, "/tmp/oomdir/a-name-that-needs-memory-of-its-own", false);
	fs_unlink(&root_context, NULL, "/tmp/oom", false);
	fs_unlink(&root_context, NULL, "/tmp/oomlink", false);
	fs_unlink(&root_context, NULL, "/tmp/oomdir", true);
	CHECK_EQ(count_names("/tmp", 100), 2);
	CHECK_EQ(host_pages_used, 0);
}
