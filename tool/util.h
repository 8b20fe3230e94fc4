/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every part of the skiff command uses.
 *
 * Errors: a function that can fail for a reason which its caller handles returns -errno. Everything
 * that ends the command goes through die(), which prints one sentence that says what to do.
 * Memory: the x...() functions never return NULL; a command line tool has nothing better to do
 * without memory than to say so. Strings returned are the caller's unless a comment says otherwise.
 */
#ifndef TOOL_UTIL_H
#define TOOL_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit statuses of the command itself, as docker has them. */
enum {
	EXIT_SKIFF = 125,	/* skiff, QEMU or the kernel failed, not the program */
	EXIT_CANNOT_EXEC = 126, /* the program is there but cannot be executed */
	EXIT_NOT_FOUND = 127,	/* there is no such program */
};

/* Prints "skiff: ..." on standard error and exits with @status, running what was registered with
 * atexit (terminal, temporary files, QEMU). */
void die(int status, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A growing string; always NUL terminated once something was added. Starts as {}. */
struct buf {
	char *s;
	size_t len, room;
};

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

/* A growing list of strings that it owns; v[n] is NULL once something was added. Starts as {}. */
struct strv {
	char **v;
	size_t n, room;
};

void strv_add(struct strv *l, const char *s); /* copies */
void strv_take(struct strv *l, char *s);      /* takes over */
bool strv_has(const struct strv *l, const char *s);
void strv_free(struct strv *l);

bool str_starts(const char *s, const char *prefix);

/* The path without "", "." and doubled slashes; ".." is removed with the component before it (no
 * symbolic link is looked at). A relative path is taken from @base, which is absolute. */
char *path_clean(const char *base, const char *path);
char *path_dir(const char *path);	 /* "/a/b" -> "/a", "/a" -> "/" */
const char *path_base(const char *path); /* points into @path */

/* Reads a whole file of at most @max bytes; appends a NUL that *@len does not count.
 * 0, or -errno (-EFBIG when longer). */
int file_read(const char *path, size_t max, char **data, size_t *len);
int file_write(const char *path, const void *data, size_t len, mode_t mode);
int write_all(int fd, const void *data, size_t len);

/* Makes the directory and those above it. 0 or -errno. */
int dir_make(const char *path, mode_t mode);
/* Removes a tree that this command made. */
void dir_remove(const char *path);

/* A word as a POSIX shell reads it back; unquoted when that is safe. */
void shell_quote(struct buf *b, const char *word);

/* Runs a program to its end and returns its wait status, or -errno if it could not be started.
 * With @out, its standard output and error are collected there. */
int run_command(char *const argv[], struct buf *out);
/* Full path of a program in $PATH, or NULL. */
char *path_search(const char *name);

/* FNV-1a; start with FNV_START. */
#define FNV_START 0xcbf29ce484222325ull
uint64_t fnv1a(uint64_t h, const void *data, size_t len);

#endif
