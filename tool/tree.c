/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan of an image's files; see tree.h. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINKS 40

struct tree *tree_new(void)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	t->root = xcalloc(1, sizeof(*t->root));
	t->root->kind = TREE_DIR;
	t->root->mode = 0755;
	t->root->name = xstrdup("");
	return t;
}

static void node_free(struct tree_node *n)
{
	for (size_t i = 0; i < n->n; i++)
		node_free(n->child[i]);
	free(n->child);
	free(n->name);
	free(n->text);
	free(n);
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	node_free(t->root);
	free(t);
}

/* Where @name is in the sorted children, or where it belongs (*found tells). */
static size_t child_index(const struct tree_node *dir, const char *name, size_t len, bool *found)
{
	size_t low = 0, high = dir->n;

	*found = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		const char *other = dir->child[mid]->name;
		int order = strncmp(other, name, len);

		if (!order && other[len])
			order = 1;
		if (!order) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct tree_node *child_get(const struct tree_node *dir, const char *name, size_t len)
{
	bool found;
	size_t i = child_index(dir, name, len, &found);

	return found ? dir->child[i] : NULL;
}

static struct tree_node *child_add(struct tree_node *dir, const char *name, size_t len)
{
	struct tree_node *n = xcalloc(1, sizeof(*n));
	bool found;
	size_t i = child_index(dir, name, len, &found);

	n->name = xstrndup(name, len);
	if (dir->n == dir->room) {
		dir->room = dir->room * 2 + 8;
		dir->child = xrealloc(dir->child, dir->room * sizeof(*dir->child));
	}
	memmove(dir->child + i + 1, dir->child + i, (dir->n - i) * sizeof(*dir->child));
	dir->child[i] = n;
	dir->n++;
	return n;
}

/*
 * The folder that holds the last component of @path, and that component in *last ("" for the root).
 * Follows the plan's symbolic links. Missing folders are made if @make, else NULL is returned.
 */
static struct tree_node *walk(struct tree *t, const char *path, bool make, char **last)
{
	struct tree_node *stack[256], *dir = t->root;
	char *rest = path_clean("/", path), *p = rest;
	int links = 0, depth = 0;

	*last = NULL;
	for (;;) {
		size_t len;
		struct tree_node *n;
		bool final;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		final = !p[len + strspn(p + len, "/")];
		if (!len || (len == 1 && p[0] == '.')) {
			if (final) {
				*last = xstrdup("");
				break;
			}
			p += len;
			continue;
		}
		if (len == 2 && p[0] == '.' && p[1] == '.') {
			dir = depth ? stack[--depth] : t->root;
			p += len;
			if (final) {
				*last = xstrdup("");
				break;
			}
			continue;
		}
		if (final) {
			*last = xstrndup(p, len);
			break;
		}
		n = child_get(dir, p, len);
		if (n && n->kind == TREE_LINK) {
			char *next;

			if (++links > MAX_LINKS)
				die(EXIT_SKIFF, "%s: too many symbolic links in the image", path);
			next = xasprintf("%s/%s", n->text, p + len);
			if (n->text[0] == '/') {
				dir = t->root;
				depth = 0;
			}
			free(rest);
			p = rest = next;
			continue;
		}
		if (!n && make) {
			n = child_add(dir, p, len);
			n->kind = TREE_DIR;
			n->mode = 0755;
		}
		if (!n || n->kind != TREE_DIR) {
			if (make)
				die(EXIT_SKIFF,
					"%s: a folder is needed in the image where a file is",
					path);
			dir = NULL;
			break;
		}
		if (depth == 256)
			die(EXIT_SKIFF, "%s: too many folders deep", path);
		stack[depth++] = dir;
		dir = n;
		p += len;
	}
	free(rest);
	return dir;
}

struct tree_node *tree_find(struct tree *t, const char *path)
{
	char *at = path_clean("/", path), *last;
	struct tree_node *dir, *n = NULL;

	for (int links = 0; links <= MAX_LINKS; links++) {
		char *next, *base;

		dir = walk(t, at, false, &last);
		n = !dir ? NULL : *last ? child_get(dir, last, strlen(last)) : dir;
		free(last);
		if (!n || n->kind != TREE_LINK)
			break;
		base = path_dir(at);
		/* ".." of a link in a linked folder is rare enough to be taken by its name. */
		next = path_clean(base, n->text);
		free(base);
		free(at);
		at = next;
		n = NULL;
	}
	free(at);
	return n;
}

struct tree_node *tree_dir(struct tree *t, const char *path, mode_t mode)
{
	struct tree_node *n = tree_find(t, path), *dir;
	char *last;

	if (!n) {
		dir = walk(t, path, true, &last);
		n = *last ? child_get(dir, last, strlen(last)) : dir;
		if (!n)
			n = child_add(dir, last, strlen(last));
		free(last);
	}
	if (n->kind == TREE_LINK) {
		char *base = path_dir(path), *target = path_clean(base, n->text);

		n = tree_dir(t, target, mode);
		free(base);
		free(target);
		return n;
	}
	if (n->kind != TREE_DIR || n->text)
		die(EXIT_SKIFF, "%s: both a file and a folder in the image", path);
	n->mode = mode;
	return n;
}

/* The node for a file or link at @path, emptied of what it was. */
static struct tree_node *place(struct tree *t, const char *path)
{
	struct tree_node *dir, *n;
	char *last;

	dir = walk(t, path, true, &last);
	if (!*last)
		die(EXIT_SKIFF, "%s: both a file and a folder in the image", path);
	n = child_get(dir, last, strlen(last));
	if (n && n->kind == TREE_DIR)
		die(EXIT_SKIFF, "%s: both a file and a folder in the image", path);
	if (!n)
		n = child_add(dir, last, strlen(last));
	free(last);
	if (n->kind == TREE_FILE) {
		t->files--;
		t->bytes -= n->st.st_size;
	}
	free(n->text);
	n->text = NULL;
	n->len = 0;
	return n;
}

void tree_file(struct tree *t, const char *path, const char *host, const struct stat *st)
{
	struct tree_node *n = place(t, path);

	n->kind = TREE_FILE;
	n->mode = st->st_mode & 07777;
	n->text = xstrdup(host);
	n->st = *st;
	t->files++;
	t->bytes += st->st_size;
}

void tree_data(struct tree *t, const char *path, const void *data, size_t len, mode_t mode)
{
	struct tree_node *n = place(t, path);

	n->kind = TREE_DATA;
	n->mode = mode;
	n->text = xmalloc(len + 1);
	if (len)
		memcpy(n->text, data, len);
	n->text[len] = 0;
	n->len = len;
}

void tree_link(struct tree *t, const char *path, const char *target)
{
	struct tree_node *n = place(t, path);

	n->kind = TREE_LINK;
	n->mode = 0777;
	n->text = xstrdup(target);
}

static char *read_link(const char *path)
{
	char text[4096];
	ssize_t n = readlink(path, text, sizeof(text));

	if (n <= 0 || n == sizeof(text))
		return NULL;
	return xstrndup(text, n);
}

static void mirror_dir(struct tree *t, const char *path, const struct stat *st)
{
	struct tree_node *n = tree_find(t, path);

	if (!n) {
		n = tree_dir(t, path, st->st_mode & 07777);
		n->st = *st;
	} else if (n->kind != TREE_DIR) {
		die(EXIT_SKIFF, "%s: both a file and a folder in the image", path);
	}
}

int tree_mirror(struct tree *t, const char *path, char **real, struct stat *st)
{
	char *done = xstrdup(""), *rest = path_clean("/", path);
	int links = 0, err = 0;

	if (stat("/", st) < 0)
		err = -errno;
	while (!err) {
		char *p = rest + strspn(rest, "/"), *full, *next, *target;
		size_t len = strcspn(p, "/");

		if (!len)
			break;
		full = xasprintf("%s/%.*s", done, (int)len, p);
		if (lstat(full, st) < 0) {
			err = -errno;
			free(full);
			break;
		}
		if (!S_ISLNK(st->st_mode)) {
			next = xstrdup(p + len);
			free(done);
			done = full;
			if (S_ISDIR(st->st_mode))
				mirror_dir(t, full, st);
			else if (S_ISREG(st->st_mode))
				tree_file(t, full, full, st);
			if (!S_ISDIR(st->st_mode) && next[strspn(next, "/")])
				err = -ENOTDIR;
		} else {
			target = read_link(full);
			if (!target || ++links > MAX_LINKS) {
				err = -ELOOP;
				next = xstrdup("");
			} else {
				char *whole = xasprintf("%s/%s", target, p + len);

				tree_link(t, full, target);
				/* The folders done so far hold no links, so ".." may go by name. */
				next = path_clean(*done ? done : "/", whole);
				free(whole);
				free(done);
				done = xstrdup("");
			}
			free(target);
			free(full);
		}
		free(rest);
		rest = next;
	}
	free(rest);
	if (err) {
		free(done);
		return err;
	}
	if (!*done) {
		free(done);
		done = xstrdup("/");
	}
	*real = done;
	return 0;
}

static int copy_dir(struct tree *t, const char *host, const char *guest, tree_seen_fn *seen,
	void *ctx, char **failed)
{
	DIR *dir = opendir(host);
	struct dirent *d;
	int err = 0;

	if (!dir) {
		*failed = xstrdup(host);
		return -errno;
	}
	while (!err && (d = readdir(dir))) {
		char *from, *to;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		from = xasprintf("%s/%s", strcmp(host, "/") ? host : "", d->d_name);
		to = xasprintf("%s/%s", strcmp(guest, "/") ? guest : "", d->d_name);
		err = tree_copy(t, from, to, seen, ctx, failed);
		free(from);
		free(to);
	}
	closedir(dir);
	return err;
}

int tree_copy(struct tree *t, const char *host, const char *guest, tree_seen_fn *seen, void *ctx,
	char **failed)
{
	struct stat st;

	if (lstat(host, &st) < 0) {
		int err = -errno;

		*failed = xstrdup(host);
		return err;
	}
	if (S_ISDIR(st.st_mode)) {
		tree_dir(t, guest, st.st_mode & 07777)->st = st;
		return copy_dir(t, host, guest, seen, ctx, failed);
	}
	if (S_ISLNK(st.st_mode)) {
		char *target = read_link(host);

		/* A link that would hide a folder of the plan (/lib/x -> ...) gives way to it. */
		if (target && !(tree_find(t, guest) && tree_find(t, guest)->kind == TREE_DIR))
			tree_link(t, guest, target);
		free(target);
		if (seen)
			seen(ctx, host, guest, true);
	} else if (S_ISREG(st.st_mode)) {
		tree_file(t, guest, host, &st);
		if (seen)
			seen(ctx, host, guest, false);
	}
	return 0;
}

static void manifest_node(const struct tree_node *n, const char *path, struct buf *out)
{
	static const char kinds[] = "dfDl";

	buf_fmt(out, "%c %o %s", kinds[n->kind], (unsigned int)n->mode, path);
	buf_add(out, "", 1); /* NUL ends every name: no file name holds one */
	if (n->kind == TREE_FILE) {
		buf_str(out, n->text);
		buf_add(out, "", 1);
		buf_fmt(out, " %llu:%llu %llu", (unsigned long long)n->st.st_dev,
			(unsigned long long)n->st.st_ino, (unsigned long long)n->st.st_size);
	}
	if (n->kind == TREE_FILE || n->kind == TREE_DIR)
		buf_fmt(out, " %lld.%09ld", (long long)n->st.st_mtim.tv_sec, n->st.st_mtim.tv_nsec);
	if (n->kind == TREE_DATA) {
		buf_fmt(out, " %zu ", n->len);
		buf_add(out, n->text, n->len);
	}
	if (n->kind == TREE_LINK)
		buf_str(out, n->text);
	buf_str(out, "\n");
	for (size_t i = 0; i < n->n; i++) {
		char *full = xasprintf("%s/%s", path, n->child[i]->name);

		manifest_node(n->child[i], full, out);
		free(full);
	}
}

void tree_manifest(const struct tree *t, struct buf *out)
{
	manifest_node(t->root, "", out);
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char *part = xmalloc(1 << 20);

	if (in < 0)
		die(EXIT_SKIFF, "cannot read %s: %s%s", from, strerror(errno),
			errno == EACCES ? " (run skiff as root, or leave the file out)" : "");
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		die(EXIT_SKIFF, "cannot write %s: %s", to, strerror(errno));
	for (;;) {
		ssize_t n = read(in, part, 1 << 20);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die(EXIT_SKIFF, "cannot read %s: %s", from, strerror(errno));
		if (!n)
			break;
		if (write_all(out, part, n) < 0)
			die(EXIT_SKIFF, "cannot write %s: %s", to, strerror(errno));
	}
	free(part);
	close(in);
	close(out);
}

struct writer {
	void (*progress)(void *ctx, uint64_t bytes);
	void *ctx;
	uint64_t bytes;
};

static void write_node(const struct tree_node *n, const char *path, struct writer *w)
{
	struct timespec times[2] = { n->st.st_mtim, n->st.st_mtim };

	switch (n->kind) {
	case TREE_DIR:
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			die(EXIT_SKIFF, "cannot make %s: %s", path, strerror(errno));
		for (size_t i = 0; i < n->n; i++) {
			char *full = xasprintf("%s/%s", path, n->child[i]->name);

			write_node(n->child[i], full, w);
			free(full);
		}
		break;
	case TREE_FILE:
		copy_file(n->text, path);
		w->bytes += n->st.st_size;
		if (w->progress)
			w->progress(w->ctx, w->bytes);
		break;
	case TREE_DATA:
		if (file_write(path, n->text, n->len, 0600) < 0)
			die(EXIT_SKIFF, "cannot write %s: %s", path, strerror(errno));
		break;
	case TREE_LINK:
		if (symlink(n->text, path) < 0)
			die(EXIT_SKIFF, "cannot make %s: %s", path, strerror(errno));
		break;
	}
	if (n->kind != TREE_LINK && chmod(path, n->mode) < 0)
		die(EXIT_SKIFF, "cannot set the mode of %s: %s", path, strerror(errno));
	utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

void tree_write(const struct tree *t, const char *dir, void (*progress)(void *ctx, uint64_t bytes),
	void *ctx)
{
	struct writer w = { .progress = progress, .ctx = ctx };

	write_node(t->root, dir, &w);
}
