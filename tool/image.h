/* SPDX-License-Identifier: BSD-2-Clause */
/* From options to a root image: planning the tree, running mkfs.erofs, and the cache of images. */
#ifndef TOOL_IMAGE_H
#define TOOL_IMAGE_H

#include "cmdline.h"
#include "closure.h"
#include "options.h"

#define IMAGE_CMDLINE "/.skiff/cmdline" /* how the program starts */
#define START_MAX     4096 /* longer starts go into the image: the kernel's line has 8191 bytes */
#define IMAGE_CONTENT "/.skiff/content" /* program= loader= library= words, for skiff inspect */

struct image {
	char *path;
	uint64_t size;
	struct start start;
	int lock;	     /* open while in use, so that the cache is not pruned under it */
	bool temporary;	     /* removed at exit */
	bool start_in_image; /* arguments too long for the kernel's line: the image has them */
};

/* Plans the image of o->args[0]: its tree, and how it starts. Dies with words. */
struct tree *image_plan(const struct options *o, struct start *start);

/* What skiff run boots: o->args[0] if it is an image, else the packed program, from the cache if
 * the same files were packed before. */
void image_for_run(const struct options *o, struct image *img);
/* skiff build. */
void image_build(const struct options *o);

/* skiff inspect; returns the exit status. */
int image_inspect(const char *path);

#endif
