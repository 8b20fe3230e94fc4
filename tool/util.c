/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory, strings, paths and child processes for the skiff command; see util.h. */
#include "util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *kind, const char *fmt, va_list ap)
{
	struct buf b = {};
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	buf_fmt(&b, "skiff: %s%s\n", kind, text);
	/* One write, so that lines of several processes do not mix. */
	(void)!write(STDERR_FILENO, b.s, b.len);
	buf_free(&b);
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	exit(status);
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

static void *check(void *p)
{
	static const char text[] = "skiff: out of memory\n";

	if (!p) {
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(EXIT_SKIFF);
	}
	return p;
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size));
}

void *xrealloc(void *p, size_t size)
{
	return check(realloc(p, size));
}

char *xstrdup(const char *s)
{
	return check(strdup(s));
}

char *xstrndup(const char *s, size_t len)
{
	return check(strndup(s, len));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return check(s);
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (b->len + len + 1 > b->room) {
		b->room = (b->len + len + 1) * 2;
		b->s = xrealloc(b->s, b->room);
	}
	if (len)
		memcpy(b->s + b->len, bytes, len);
	b->len += len;
	b->s[b->len] = 0;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	check(n < 0 ? NULL : s);
	buf_add(b, s, n);
	free(s);
}

void buf_free(struct buf *b)
{
	free(b->s);
	*b = (struct buf){};
}

void strv_take(struct strv *l, char *s)
{
	if (l->n + 2 > l->room) {
		l->room = (l->n + 2) * 2;
		l->v = xrealloc(l->v, l->room * sizeof(*l->v));
	}
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

void strv_add(struct strv *l, const char *s)
{
	strv_take(l, xstrdup(s));
}

bool strv_has(const struct strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!strcmp(l->v[i], s))
			return true;
	}
	return false;
}

void strv_free(struct strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strv){};
}

bool str_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

char *path_clean(const char *base, const char *path)
{
	char *in = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", base, path);
	char *out = xmalloc(strlen(in) + 2), *save = NULL;
	size_t len = 0;

	for (char *c = strtok_r(in, "/", &save); c; c = strtok_r(NULL, "/", &save)) {
		if (!strcmp(c, "."))
			continue;
		if (!strcmp(c, "..")) {
			while (len && out[--len] != '/')
				;
			continue;
		}
		out[len++] = '/';
		memcpy(out + len, c, strlen(c));
		len += strlen(c);
	}
	if (!len)
		out[len++] = '/';
	out[len] = 0;
	free(in);
	return out;
}

char *path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, slash - path);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

int file_read(const char *path, size_t max, char **data, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct buf b = {};
	char part[16384];

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		if (b.len + n > max) {
			err = -EFBIG;
			break;
		}
		buf_add(&b, part, n);
	}
	close(fd);
	if (err) {
		buf_free(&b);
		return err;
	}
	buf_add(&b, "", 0);
	*data = b.s;
	*len = b.len;
	return 0;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode), err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, data, len);
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

int dir_make(const char *path, mode_t mode)
{
	char *copy = xstrdup(path);
	int err = 0;

	for (char *p = copy + 1; !err; p++) {
		char was = *p;

		if (was != '/' && was)
			continue;
		*p = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			err = -errno;
		*p = was;
		if (!was)
			break;
	}
	free(copy);
	return err;
}

static void dir_remove_at(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *d;
	DIR *dir;

	if (fd < 0)
		return;
	fchmod(fd, 0700);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (unlinkat(fd, d->d_name, 0) == 0)
			continue;
		dir_remove_at(fd, d->d_name);
		unlinkat(fd, d->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

void dir_remove(const char *path)
{
	dir_remove_at(AT_FDCWD, path);
	rmdir(path);
}

void shell_quote(struct buf *b, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-+=./:,@%^";

	if (*word && strspn(word, plain) == strlen(word)) {
		buf_str(b, word);
		return;
	}
	buf_str(b, "'");
	for (; *word; word++) {
		if (*word == '\'')
			buf_str(b, "'\\''");
		else
			buf_add(b, word, 1);
	}
	buf_str(b, "'");
}

int run_command(char *const argv[], struct buf *out)
{
	int p[2], status;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		close(p[0]);
		close(p[1]);
		return -errno;
	}
	if (!pid) {
		if (out) {
			dup2(p[1], STDOUT_FILENO);
			dup2(p[1], STDERR_FILENO);
		}
		execvp(argv[0], argv);
		_exit(127);
	}
	close(p[1]);
	for (;;) {
		char part[4096];
		ssize_t n = read(p[0], part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (out)
			buf_add(out, part, n);
	}
	close(p[0]);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return status;
}

char *path_search(const char *name)
{
	const char *path = getenv("PATH");
	char *copy, *rest, *dir, *found = NULL;

	copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
	rest = copy;
	while (!found && (dir = strsep(&rest, ":"))) {
		char *full = xasprintf("%s/%s", *dir ? dir : ".", name);
		struct stat st;

		if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && access(full, X_OK) == 0)
			found = full;
		else
			free(full);
	}
	free(copy);
	return found;
}

uint64_t fnv1a(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}
