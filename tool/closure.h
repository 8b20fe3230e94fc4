/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which files a program needs to start: its interpreter and, by the rules of that interpreter
 * (glibc's ld.so(8) or musl's), the libraries it names, those that they name, and so on. Everything
 * found goes into a tree at its own path. A program that cannot work ends in die() with the reason.
 */
#ifndef TOOL_CLOSURE_H
#define TOOL_CLOSURE_H

#include "elf.h"
#include "ldcache.h"
#include "tree.h"

struct object {
	char *path, *origin; /* as the loader opened it; $ORIGIN */
	struct elf_facts facts;
	struct object *loader; /* who needed it first */
	struct strv names;     /* by which it was asked for */
	dev_t dev;
	ino_t ino;
};

struct closure {
	struct tree *tree;
	struct ldcache cache;
	struct strv library_path; /* $LD_LIBRARY_PATH */
	struct strv default_dirs, musl_dirs;
	struct object **object; /* loaded in the address space of the current program */
	size_t n, room;
	bool musl;		/* which rules hold for the current program */
	bool used_library_path; /* the guest needs $LD_LIBRARY_PATH too */
	struct strv libraries;	/* paths of all libraries found */
	struct strv warnings;	/* "x needs y" of files that are not the program */
};

void closure_init(struct closure *c, struct tree *tree);
void closure_free(struct closure *c);

/* Packs an executable: ELF or a script with a #! line. @path is absolute. Dies with words, status
 * 126 or 127, if it cannot run. Gives what the ELF (of the script's interpreter) said. */
void closure_add_program(struct closure *c, const char *path);

/* Looks at a file packed for other reasons: an ELF file's libraries come along, and what is missing
 * becomes a warning. Other files are left alone. */
void closure_add_file(struct closure *c, const char *host);

/* After everything was added: libraries that glibc opens by itself, and the image's ld.so.cache. */
void closure_finish(struct closure *c);

#endif
