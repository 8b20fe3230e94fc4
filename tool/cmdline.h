/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's command line: words key=value with blanks between; in values every byte that is not
 * printable ASCII, and blank and backslash, is written \xHH. The file /.skiff/cmdline of an image
 * holds the same words.
 */
#ifndef TOOL_CMDLINE_H
#define TOOL_CMDLINE_H

#include "util.h"

/* How a program starts. */
struct start {
	struct strv args; /* args.v[0] is also what is executed */
	struct strv env;  /* K=V, each K once */
	char *workdir, *hostname;
	struct strv other; /* words for the kernel, as they are */
};

void cmdline_add(struct buf *b, const char *key, const char *value);
/* A word that is passed on as it is. */
void cmdline_word(struct buf *b, const char *word);

void start_set_env(struct start *s, const char *assignment); /* replaces an older value */
void start_format(const struct start *s, struct buf *b);
/* Decodes what start_format wrote (hostile input is allowed: it decodes to something). */
void start_parse(struct start *s, const char *text, size_t len);
void start_free(struct start *s);

#endif
