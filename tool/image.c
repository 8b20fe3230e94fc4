/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing images and keeping them; see image.h. */
#include "image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "erofs.h"

#define CACHE_VERSION	"skiff image 1\n" /* changes when the same plan gives another image */
#define CACHE_MAX_BYTES (4ull << 30)
#define CACHE_MAX_FILES 256

/* ---- temporary things, removed however the command ends ---- */

static char *stage_dir, *unfinished;
static pid_t owner;
static volatile sig_atomic_t interrupted;

static void clean_up(void)
{
	if (getpid() != owner)
		return;
	if (stage_dir)
		dir_remove(stage_dir);
	if (unfinished)
		unlink(unfinished);
}

static void on_interrupt(int sig)
{
	interrupted = sig;
}

static void check_interrupt(void)
{
	if (interrupted)
		exit(128 + interrupted);
}

static void catch_interrupts(bool on)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on ? on_interrupt : SIG_DFL, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

/* ---- progress ---- */

struct progress {
	uint64_t total;
	double next; /* when to print again */
	bool shown;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void show_progress(void *ctx, uint64_t bytes)
{
	struct progress *p = ctx;
	double t = now();

	check_interrupt();
	if (t < p->next || !isatty(STDERR_FILENO))
		return;
	p->next = t + 0.2;
	p->shown = true;
	fprintf(stderr, "\rskiff: packing, %llu of %llu MiB ", (unsigned long long)bytes >> 20,
		(unsigned long long)p->total >> 20);
}

/* ---- writing ---- */

/* Runs mkfs.erofs. No compression and no inlined file ends: the kernel maps the blocks as they are.
 * Long inodes: real times, which python compares with those in its .pyc files. */
static void make_erofs(const char *path, const char *dir)
{
	char *argv[] = { "mkfs.erofs", "--quiet", "-x-1", "--all-root", "--preserve-mtime",
		"-Enoinline_data,force-inode-extended", "-U00000000-0000-0000-0000-000000000000",
		(char *)path, (char *)dir, NULL };
	struct buf out = {};
	int status, err;
	char *program = path_search("mkfs.erofs");

	if (!program && access("/usr/sbin/mkfs.erofs", X_OK) == 0)
		program = xstrdup("/usr/sbin/mkfs.erofs");
	if (!program)
		die(EXIT_SKIFF, "mkfs.erofs is not installed: apt install erofs-utils");
	argv[0] = program;
	status = run_command(argv, &out);
	check_interrupt();
	if (status)
		die(EXIT_SKIFF, "mkfs.erofs failed: %s", out.s ? out.s : strerror(-status));
	err = erofs_clear_time(path);
	if (err)
		die(EXIT_SKIFF, "%s: %s", path, strerror(-err));
	free(program);
	buf_free(&out);
}

/* Writes the plan as the image @path, which appears whole or not at all. */
static void write_image(const struct tree *t, const char *path, bool verbose)
{
	struct progress p = { .total = t->bytes, .next = now() + 0.5 };
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/skiff-pack-XXXXXX", tmp && *tmp ? tmp : "/tmp"), *root;

	owner = getpid();
	atexit(clean_up);
	catch_interrupts(true);
	if (!mkdtemp(dir))
		die(EXIT_SKIFF, "cannot make a folder %s: %s", dir, strerror(errno));
	stage_dir = dir;
	unfinished = xasprintf("%s.%d.new", path, (int)owner);
	if (verbose)
		fprintf(stderr, "skiff: packing %zu files, %llu KiB\n", t->files,
			(unsigned long long)t->bytes >> 10);
	root = xasprintf("%s/root", dir);
	tree_write(t, root, show_progress, &p);
	if (p.shown)
		fprintf(stderr, "\rskiff: packing, writing the image   ");
	make_erofs(unfinished, root);
	if (rename(unfinished, path) < 0)
		die(EXIT_SKIFF, "cannot write %s: %s", path, strerror(errno));
	if (p.shown)
		fprintf(stderr, "\r\033[K");
	dir_remove(dir);
	free(root);
	free(dir);
	free(unfinished);
	stage_dir = unfinished = NULL;
	catch_interrupts(false);
}

static void store_cmdline(struct tree *t, const struct start *s)
{
	struct buf b = {};

	start_format(s, &b);
	buf_str(&b, "\n");
	tree_data(t, IMAGE_CMDLINE, b.s, b.len, 0644);
	buf_free(&b);
}

void image_build(const struct options *o)
{
	struct start start;
	struct tree *t = image_plan(o, &start);
	char *dir = path_dir(o->output);
	struct stat st;

	if (access(dir, W_OK) < 0)
		die(EXIT_SKIFF, "cannot write %s: %s", o->output, strerror(errno));
	if (stat(o->output, &st) == 0 && !S_ISREG(st.st_mode))
		die(EXIT_SKIFF, "%s is there and not a file", o->output);
	store_cmdline(t, &start);
	write_image(t, o->output, o->verbose);
	free(dir);
	tree_free(t);
	start_free(&start);
}

/* ---- the cache ---- */

static char *cache_dir(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *dir;

	if (base && base[0] == '/')
		dir = xasprintf("%s/skiff", base);
	else if (home && home[0] == '/')
		dir = xasprintf("%s/.cache/skiff", home);
	else
		return NULL;
	if (dir_make(dir, 0700) || access(dir, W_OK | X_OK) < 0) {
		free(dir);
		return NULL;
	}
	return dir;
}

struct cached {
	char *path;
	off_t size;
	struct timespec used;
};

static int newest_first(const void *a, const void *b)
{
	const struct cached *x = a, *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec < y->used.tv_sec ? 1 : -1;
	return x->used.tv_nsec < y->used.tv_nsec ? 1 : x->used.tv_nsec > y->used.tv_nsec ? -1 : 0;
}

static void prune_one(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *key;

	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		key = xasprintf("%.*s.key", (int)strlen(path) - 4, path);
		unlink(key);
		unlink(path);
		free(key);
	}
	close(fd);
}

/* Removes the images used longest ago once there are too many, and what a killed skiff left. */
static void prune(const char *dir)
{
	struct cached *list = NULL;
	size_t n = 0;
	uint64_t total = 0;
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);
		char *path = xasprintf("%s/%s", dir, e->d_name);
		bool img = len > 4 && !strcmp(e->d_name + len - 4, ".img");
		bool left = len > 4 && !strcmp(e->d_name + len - 4, ".new");
		struct stat st;

		if ((!img && !left) || stat(path, &st) < 0) {
			free(path);
			continue;
		}
		if (left) {
			if (time(NULL) - st.st_mtim.tv_sec > 3600)
				unlink(path);
			free(path);
			continue;
		}
		list = xrealloc(list, (n + 1) * sizeof(*list));
		list[n++] = (struct cached){ path, st.st_size, st.st_mtim };
	}
	closedir(d);
	if (n)
		qsort(list, n, sizeof(*list), newest_first);
	for (size_t i = 0; i < n; i++) {
		total += list[i].size;
		if (i && (total > CACHE_MAX_BYTES || i >= CACHE_MAX_FILES))
			prune_one(list[i].path);
		free(list[i].path);
	}
	free(list);
}

/* Opens and locks a kept image if it is the one of this plan. */
static bool cache_hit(
	const char *path, const char *key_path, const struct buf *key, struct image *img)
{
	struct stat a, b;
	size_t len;
	char *old;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (flock(fd, LOCK_SH) < 0 || fstat(fd, &a) < 0 || stat(path, &b) < 0 ||
		a.st_ino != b.st_ino || file_read(key_path, key->len, &old, &len)) {
		close(fd);
		return false;
	}
	if (len != key->len || memcmp(old, key->s, len)) {
		free(old);
		close(fd);
		return false;
	}
	free(old);
	futimens(fd, NULL); /* used now: pruned last */
	img->lock = fd;
	img->size = a.st_size;
	return true;
}

static void remove_temporary(void)
{
	clean_up();
}

static void pack_uncached(const struct tree *t, struct image *img, bool verbose)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/skiff-image-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	struct stat st;
	int fd = mkstemp(path);

	if (fd < 0)
		die(EXIT_SKIFF, "cannot write %s: %s", path, strerror(errno));
	close(fd);
	write_image(t, path, verbose);
	if (stat(path, &st) < 0)
		die(EXIT_SKIFF, "%s: %s", path, strerror(errno));
	unfinished = xstrdup(path);
	atexit(remove_temporary);
	img->path = path;
	img->size = st.st_size;
	img->temporary = true;
	img->lock = -1;
}

static void pack_cached(const struct tree *t, struct image *img, bool verbose)
{
	char *dir = cache_dir(), *key_path, *key_new;
	struct buf key = {};

	if (!dir) {
		pack_uncached(t, img, verbose);
		return;
	}
	buf_str(&key, CACHE_VERSION);
	tree_manifest(t, &key);
	img->path = xasprintf(
		"%s/%016llx.img", dir, (unsigned long long)fnv1a(FNV_START, key.s, key.len));
	key_path = xasprintf("%.*s.key", (int)strlen(img->path) - 4, img->path);
	key_new = xasprintf("%s.%d.new", key_path, (int)getpid());
	while (!cache_hit(img->path, key_path, &key, img)) {
		int err;

		/* The key goes first and comes last: with a key, the image is its. */
		unlink(key_path);
		write_image(t, img->path, verbose);
		err = file_write(key_new, key.s, key.len, 0600);
		if (err || rename(key_new, key_path) < 0)
			die(EXIT_SKIFF, "cannot write %s: %s", key_path,
				strerror(err ? -err : errno));
		prune(dir);
	}
	if (verbose)
		fprintf(stderr, "skiff: image %s, %llu KiB\n", img->path,
			(unsigned long long)img->size >> 10);
	free(dir);
	free(key_path);
	free(key_new);
	buf_free(&key);
}

/* ---- a given image ---- */

/* What an image says about its start, with the options of this run on top. */
static void open_image(const struct options *o, struct image *img)
{
	struct erofs fs;
	struct erofs_inode in;
	size_t len;
	char *text;
	int err;

	img->path = xstrdup(o->args[0]);
	img->lock = -1;
	err = erofs_open(img->path, &fs);
	if (err)
		die(EXIT_SKIFF, "%s: %s", img->path,
			err == -EINVAL ? "broken or cut off image" : strerror(-err));
	if (o->nfile)
		die(EXIT_SKIFF, "-f and -v work when packing: give them to skiff build");
	if (erofs_lookup(&fs, IMAGE_CMDLINE, &in) || erofs_read(&fs, &in, 1 << 20, &text, &len))
		die(EXIT_SKIFF,
			"%s is an EROFS image, but not one that starts: it holds no %s\n"
			"skiff: make it with skiff build",
			img->path, IMAGE_CMDLINE);
	img->size = fs.size;
	start_parse(&img->start, text, len);
	free(text);
	erofs_close(&fs);
	img->start_in_image =
		len > START_MAX && o->nargs == 1 && !o->env.n && !o->workdir && !o->hostname;
	if (!img->start.args.n)
		die(EXIT_SKIFF, "%s: %s names no program", img->path, IMAGE_CMDLINE);
	for (int i = 1; i < o->nargs; i++)
		strv_add(&img->start.args, o->args[i]);
	for (size_t i = 0; i < o->env.n; i++)
		start_set_env(&img->start, o->env.v[i]);
	if (o->workdir) {
		free(img->start.workdir);
		img->start.workdir = xstrdup(o->workdir);
	}
	if (o->hostname) {
		free(img->start.hostname);
		img->start.hostname = xstrdup(o->hostname);
	}
	for (size_t i = 0; i < o->kernel_args.n; i++)
		strv_add(&img->start.other, o->kernel_args.v[i]);
}

void image_for_run(const struct options *o, struct image *img)
{
	struct buf text = {};
	struct tree *t;

	*img = (struct image){};
	if (erofs_probe(o->args[0])) {
		open_image(o, img);
		return;
	}
	t = image_plan(o, &img->start);
	start_format(&img->start, &text);
	img->start_in_image = text.len > START_MAX;
	buf_free(&text);
	if (img->start_in_image)
		store_cmdline(t, &img->start);
	pack_cached(t, img, o->verbose);
	tree_free(t);
}
