/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: src/fs/erofs.c src/lib/string.c */
/* flags: -D_GNU_SOURCE */
/*
 * The EROFS reader on images made by mkfs.erofs in each layout we read, against what the files
 * hold; and on the same images with bytes changed at random, where nothing may be read outside the
 * image (each lies at the end of a mapping with nothing behind it).
 */
#include "t.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "fs/erofs.h"
#include <sys/mman.h>
#include <unistd.h>

struct image {
	struct erofs_image erofs;
	uint8_t *bytes, *map;
	size_t size, map_size;
	const char *why;
	int err;
};

/* Makes an image of a small tree; options: mkfs.erofs's. False: mkfs.erofs cannot do that. */
static bool make(struct image *im, const char *options)
{
	char cmd[900], dir[] = "/tmp/skiff-erofs-XXXXXX";
	FILE *f;
	long size;
	int status;

	if (!mkdtemp(dir))
		return false;
	snprintf(cmd, sizeof(cmd),
		"cd %s && mkdir -p t/a/b && printf 0123456789 > t/a/small && "
		"seq 20000 > t/a/b/numbers && truncate -s 100000 t/sparse && echo end >> t/sparse && "
		"ln -s ../a/small t/a/link && ln t/a/small t/hard && : > t/empty && mkfifo t/fifo && "
		"for i in $(seq 400); do : > t/a/b/name-$i; done && "
		"mkfs.erofs -T1000 %s i t >/dev/null 2>&1",
		dir, options);
	status = system(cmd);
	snprintf(cmd, sizeof(cmd), "%s/i", dir);
	f = status ? NULL : fopen(cmd, "r");
	if (f) {
		fseek(f, 0, SEEK_END);
		size = ftell(f);
		rewind(f);
		im->size = (size_t)size;
		im->map_size = ALIGN_UP(im->size, 4096ul) + 4096;
		im->map = mmap(NULL, im->map_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(im->map + im->map_size - 4096, 4096, PROT_NONE);
		im->bytes = im->map; /* images are whole blocks: the guard page follows at once */
		status = fread(im->bytes, 1, im->size, f) != im->size;
		fclose(f);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd) || !f || status)
		return false;
	im->err = erofs_open(&im->erofs, im->bytes, im->size, &im->why);
	return true;
}

static void drop(struct image *im)
{
	munmap(im->map, im->map_size);
}

struct search {
	const char *name;
	uint64_t nid;
	unsigned count;
	uint8_t type;
};

static int match(void *arg, const char *name, size_t len, uint64_t nid, uint8_t type)
{
	struct search *s = arg;

	s->count++;
	if (s->name && strlen(s->name) == len && !memcmp(s->name, name, len)) {
		s->nid = nid;
		s->type = type;
		return 1;
	}
	return 0;
}

static int look(struct image *im, const char *path, struct erofs_inode *out)
{
	char copy[100], *part, *save = NULL;
	uint64_t nid = im->erofs.root;
	int err = erofs_read_inode(&im->erofs, nid, out);

	strcpy(copy, path);
	for (part = strtok_r(copy, "/", &save); part && !err; part = strtok_r(NULL, "/", &save)) {
		struct search s = { .name = part };

		err = erofs_list(&im->erofs, out, match, &s);
		if (err != 1)
			return err ? err : -ENOENT;
		err = erofs_read_inode(&im->erofs, s.nid, out);
	}
	return err;
}

static void check_tree(struct image *im)
{
	static char want[200000], got[200000];
	struct erofs_inode inode, other;
	struct search all = { 0 };
	size_t len = 0;

	CHECK_EQ(look(im, "a/small", &inode), 0);
	CHECK(S_ISREG(inode.mode));
	CHECK_EQ(inode.nlink, 2);
	CHECK_EQ(inode.mtime, 1000 * 1000000000ll);
	CHECK_EQ(erofs_read(&im->erofs, &inode, 0, got, sizeof(got)), 10);
	CHECK_MEM(got, "0123456789", 10);
	CHECK_EQ(erofs_read(&im->erofs, &inode, 7, got, 100), 3);
	CHECK_EQ(look(im, "hard", &other), 0);
	CHECK_EQ(other.nid, inode.nid);
	CHECK_EQ(look(im, "a/b/numbers", &inode), 0);
	for (int i = 1; i <= 20000; i++)
		len += (size_t)sprintf(want + len, "%d\n", i);
	CHECK_EQ(erofs_read(&im->erofs, &inode, 0, got, sizeof(got)), len);
	CHECK_MEM(got, want, len);
	CHECK_EQ(look(im, "sparse", &inode), 0);
	CHECK_EQ(erofs_read(&im->erofs, &inode, 99990, got, 100), 14);
	CHECK_MEM(got, "\0\0\0\0\0\0\0\0\0\0end\n", 14);
	CHECK_EQ(look(im, "a/link", &inode), 0);
	CHECK(S_ISLNK(inode.mode));
	CHECK_EQ(erofs_read(&im->erofs, &inode, 0, got, 100), 10);
	CHECK_MEM(got, "../a/small", 10);
	CHECK_EQ(look(im, "fifo", &inode), 0);
	CHECK(S_ISFIFO(inode.mode));
	CHECK_EQ(look(im, "empty", &inode), 0);
	CHECK_EQ(inode.size, 0);
	CHECK_EQ(look(im, "nothing", &inode), -ENOENT);
	CHECK_EQ(look(im, "a/b", &inode), 0);
	CHECK_EQ(erofs_list(&im->erofs, &inode, match, &all), 0);
	CHECK_EQ(all.count, 401);
}

static const char *const layouts[] = {
	"",			   /* compact inodes, tails inline */
	"-E force-inode-extended", /* as skiff packs */
	"-E force-inode-compact,noinline_data",
	"--chunksize=4096", /* block map or chunk indexes */
	"-E force-chunk-indexes --chunksize=8192",
};

TEST(reads_every_layout)
{
	unsigned made = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		struct image im;

		if (!make(&im, layouts[i]))
			continue; /* this mkfs.erofs does not know the option */
		made++;
		CHECK_EQ(im.err, 0);
		if (!im.err)
			check_tree(&im);
		drop(&im);
	}
	CHECK(made >= 2);
}

TEST(refuses_what_it_cannot_read)
{
	struct erofs_image im;
	static uint8_t zeros[8192];
	struct image z;
	const char *why = "";

	CHECK_EQ(erofs_open(&im, zeros, 100, &why), -EINVAL);
	CHECK_EQ(erofs_open(&im, zeros, sizeof(zeros), &why), -EINVAL);
	if (make(&z, "-zlz4")) {
		struct erofs_inode inode;

		if (!z.err) /* without feature bits that say so: the inode is refused */
			z.err = look(&z, "a/b/numbers", &inode);
		CHECK_EQ(z.err, -EOPNOTSUPP);
		drop(&z);
	}
}

struct crawl {
	struct image *im;
	unsigned left;
	unsigned depth;
};

static int crawl_name(void *arg, const char *name, size_t len, uint64_t nid, uint8_t type);

/* Reads all there is, as far as it goes; only memory errors count. */
static void crawl(struct crawl *c, uint64_t nid)
{
	static char buf[70000];
	struct erofs_inode inode;

	if (!c->left || erofs_read_inode(&c->im->erofs, nid, &inode))
		return;
	c->left--;
	erofs_read(&c->im->erofs, &inode, 0, buf, sizeof(buf));
	if (inode.size > sizeof(buf))
		erofs_read(&c->im->erofs, &inode, inode.size - 100, buf, 200);
	if (S_ISDIR(inode.mode) && c->depth < 8 && inode.size < (1 << 20)) {
		c->depth++;
		erofs_list(&c->im->erofs, &inode, crawl_name, c);
		c->depth--;
	}
}

static int crawl_name(void *arg, const char *name, size_t len, uint64_t nid, uint8_t type)
{
	struct crawl *c = arg;

	CHECK(len > 0 && len <= 255);
	CHECK(memchr(name, 0, len) == NULL);
	crawl(c, nid);
	return c->left ? 0 : 1;
}

TEST(hostile_images_stay_inside)
{
	unsigned long seed = 20261123;

	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		struct image im;
		uint8_t *good;

		if (!make(&im, layouts[i]))
			continue;
		good = malloc(im.size);
		memcpy(good, im.bytes, im.size);
		for (int round = 0; round < 400; round++) {
			struct crawl c = { .im = &im, .left = 60 };
			unsigned changes = 1 + t_random(&seed) % 16;

			memcpy(im.bytes, good, im.size);
			for (unsigned n = 0; n < changes; n++) {
				/* half of them in the superblock and the first inodes, where they
				 * matter most */
				size_t at = t_random(&seed) % 2 ? 1024 + t_random(&seed) % 4096
								: t_random(&seed) % im.size;

				if (at < im.size)
					im.bytes[at] = t_random(&seed) % 3
							       ? (uint8_t)t_random(&seed)
						       : t_random(&seed) % 2 ? 0xff
									     : 0;
			}
			memcpy(im.bytes + 1024, good + 1024,
				4); /* the magic stays, or nothing would be read */
			if (erofs_open(&im.erofs, im.bytes, im.size, &im.why) == 0)
				crawl(&c, im.erofs.root);
		}
		free(good);
		drop(&im);
	}
}
