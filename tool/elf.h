/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the dynamic loader reads in an ELF file, found with libelf. The file is foreign: every
 * offset in it is checked, and a broken file is an error, never a crash.
 */
#ifndef TOOL_ELF_H
#define TOOL_ELF_H

#include "util.h"

struct elf_facts {
	int class, machine, type;      /* ELFCLASS64, EM_X86_64, ET_DYN ... */
	bool dynamic;		       /* has PT_DYNAMIC */
	bool nodeflib;		       /* linked with -z nodeflib: no cache, no default folders */
	bool threads;		       /* names pthread_create or another user of libgcc_s.so.1 */
	char *interp, *soname;	       /* NULL if absent */
	char *rpath, *runpath;	       /* as written, NULL if absent */
	struct strv needed, auxiliary; /* DT_NEEDED; DT_AUXILIARY and DT_FILTER (may be missing) */
};

/* Reads @fd. 0; -ENOEXEC when it is no ELF file; -EINVAL when it is one but broken or cut off. */
int elf_read(int fd, struct elf_facts *f);
void elf_facts_free(struct elf_facts *f);

/* Whether this is code for 64-bit x86: what the loader accepts. */
bool elf_is_ours(const struct elf_facts *f);
/* "a 32-bit x86 program", "a program for 64-bit ARM": for messages; a static string. */
const char *elf_describe(const struct elf_facts *f);

#endif
