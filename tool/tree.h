/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image's file tree as a plan, before it is written: which guest path is which host file,
 * made-up text, folder or symbolic link. Guest paths are absolute; symbolic links in the plan are
 * followed in their directories, as the guest would. Impossible plans (a file where a folder is)
 * end in die().
 */
#ifndef TOOL_TREE_H
#define TOOL_TREE_H

#include <sys/stat.h>

#include "util.h"

enum tree_kind { TREE_DIR, TREE_FILE, TREE_DATA, TREE_LINK };

struct tree_node {
	enum tree_kind kind;
	char *name;		  /* last component; "" for the root */
	mode_t mode;		  /* permission bits */
	char *text;		  /* TREE_FILE: host path; TREE_LINK: target; TREE_DATA: bytes */
	size_t len;		  /* TREE_DATA: number of bytes */
	struct stat st;		  /* TREE_FILE: as it was seen; TREE_DIR: mtime */
	struct tree_node **child; /* TREE_DIR: sorted by name */
	size_t n, room;
};

struct tree {
	struct tree_node *root;
	size_t files;	/* regular files */
	uint64_t bytes; /* and their sizes added up */
};

struct tree *tree_new(void);
void tree_free(struct tree *t);

/* Each adds a node and the folders above it (mode 0755); a file or link replaces a file or link. */
struct tree_node *tree_dir(struct tree *t, const char *path, mode_t mode);
void tree_file(struct tree *t, const char *path, const char *host, const struct stat *st);
void tree_data(struct tree *t, const char *path, const void *data, size_t len, mode_t mode);
void tree_link(struct tree *t, const char *path, const char *target);

/* The node at @path or NULL; the last component is followed too. */
struct tree_node *tree_find(struct tree *t, const char *path);

/* Puts the host's @path at the same place in the guest, and the symbolic links on the way to it as
 * symbolic links. Gives the path of what they lead to (the caller's) and its state, or -errno. */
int tree_mirror(struct tree *t, const char *path, char **real, struct stat *st);

/* Puts a host file or folder, with all that is in it, at @guest. Calls seen() for each
 * regular file and symbolic link. Sockets, pipes and devices are left out. -errno of what cannot be
 * read, with
 * *@failed its path (the caller's). */
typedef void tree_seen_fn(void *ctx, const char *host, const char *guest, bool link);
int tree_copy(struct tree *t, const char *host, const char *guest, tree_seen_fn *seen, void *ctx,
	char **failed);

/* One line for each node with all that decides the image's contents. */
void tree_manifest(const struct tree *t, struct buf *out);

/* Writes the plan into the empty folder @dir; progress(ctx, bytes) after each file. Dies if a file
 * cannot be read or written. */
void tree_write(const struct tree *t, const char *dir, void (*progress)(void *ctx, uint64_t bytes),
	void *ctx);

#endif
