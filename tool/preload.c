/* SPDX-License-Identifier: BSD-2-Clause */
/* Preloading libskiff.so; see preload.h. By /etc/ld.so.preload and not by LD_PRELOAD: so it
 * survives every execve, and the program's environment is what it would be on Linux. */
#include "preload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SKIFF_PREFIX
#define SKIFF_PREFIX "/usr/local"
#endif
#define MAX_LIST (1 << 16)

static char *library_file(void)
{
	static const char *const places[] = { "build", "../lib/skiff" };
	char exe[4096], *dir, *path;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n < 0 ? 0 : n] = 0;
	dir = path_dir(exe);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		path = xasprintf("%s/%s/libskiff.so", dir, places[i]);
		if (!access(path, R_OK)) {
			free(dir);
			return path;
		}
		free(path);
	}
	path = xstrdup(SKIFF_PREFIX "/lib/skiff/libskiff.so");
	if (access(path, R_OK))
		die(EXIT_SKIFF,
			"libskiff.so is not there: neither %s/build/libskiff.so nor %s\n"
			"skiff: run make, or start without it: --no-preload",
			dir, path);
	free(dir);
	return path;
}

/* The runtimes that insist on being the first library, or count on being asked before libc. */
static bool is_sanitizer(const char *soname)
{
	static const char *const names[] = { "libasan.", "libtsan.", "liblsan.", "libhwasan.",
		"libclang_rt." };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_starts(soname, names[i]))
			return true;
	}
	return false;
}

static bool wanted(const struct closure *c)
{
	bool glibc = false;

	for (size_t i = 0; i < c->n; i++) {
		const char *soname = c->object[i]->facts.soname;

		if (soname && is_sanitizer(soname))
			return false;
		glibc |= soname && !strcmp(soname, "libc.so.6");
	}
	return glibc;
}

/* What the image's own list says, if -f brought one. */
static void given_list(struct tree *t, struct buf *b)
{
	struct tree_node *n = tree_find(t, PRELOAD_LIST);
	char *text;
	size_t len;
	int err;

	if (!n || n->kind != TREE_FILE)
		return;
	err = file_read(n->text, MAX_LIST, &text, &len);
	if (err)
		die(EXIT_SKIFF, "%s: %s", n->text, strerror(-err));
	buf_add(b, text, len);
	if (len && text[len - 1] != '\n')
		buf_str(b, "\n");
	free(text);
}

void preload_plan(struct tree *t, const struct closure *c)
{
	struct buf list = {};
	char *file, *real;
	struct stat st;

	if (!wanted(c))
		return;
	file = library_file();
	real = realpath(file, NULL);
	if (!real || stat(real, &st))
		die(EXIT_SKIFF, "%s: %s", file, strerror(errno));
	tree_file(t, PRELOAD_LIBRARY, real, &st);
	given_list(t, &list);
	buf_str(&list, PRELOAD_LIBRARY "\n");
	tree_data(t, PRELOAD_LIST, list.s, list.len, 0644);
	buf_free(&list);
	free(real);
	free(file);
}
