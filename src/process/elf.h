/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the headers of an ELF program. Pure: it sees only bytes that the caller has read and treats
 * every one of them as hostile; nothing here maps or allocates.
 *
 * Legal order: elf_check_header, then elf_parse with all program headers, then elf_segment on
 * any of them. Errors: -ENOEXEC (no program for this machine), -EINVAL (segments that cannot be).
 */
#pragma once

#include "abi/elf.h"
#include "lib/types.h"

#define ELF_MAX_PHNUM  (65536 / sizeof(struct elf64_phdr))
#define ELF_MAX_INTERP 4096

enum elf_stack { ELF_STACK_DEFAULT, ELF_STACK_EXEC, ELF_STACK_NOEXEC };

struct elf_image {
	bool position_independent; /* ET_DYN: add a base to every address below */
	uint64_t entry;
	uint64_t start, end; /* of all segments, page aligned, half-open */
	uint64_t align;	     /* the largest p_align, at least a page; a power of two */
	uint64_t phdr;	     /* address of the program headers in memory, 0: not mapped */
	uint64_t brk;	     /* end of the highest segment, not aligned */
	uint64_t code_start, code_end, data_start, data_end;
	uint64_t interp_offset; /* of the interpreter's path in the file */
	uint64_t interp_size;	/* with its terminator; 0: none */
	enum elf_stack stack;
};

/* A PT_LOAD in terms of mmap. */
struct elf_segment {
	uint64_t start;	   /* page aligned address */
	uint64_t offset;   /* in the file; page aligned */
	uint64_t file_end; /* address where the file's bytes end (start: there are none) */
	uint64_t end;	   /* address where the zeroes after them end */
	int prot;	   /* PROT_ bits */
};

/* 0, or -ENOEXEC. 'len' bytes of the file's start are at h. */
int elf_check_header(const struct elf64_ehdr *h, size_t len);
/* h has passed elf_check_header; p holds its h->e_phnum headers. */
int elf_parse(const struct elf64_ehdr *h, const struct elf64_phdr *p, struct elf_image *out);
/* Decodes one header: true if it is a PT_LOAD that maps anything. p passed elf_parse. */
bool elf_segment(const struct elf64_phdr *p, struct elf_segment *out);

/*
 * "#! interpreter [argument]" in the first len bytes of a file, filled up with zeroes. On 0 *interp
 * and *arg (NULL: none) point into buf, which is cut into strings; -ENOEXEC: not a script, or the
 * line is cut off.
 */
int script_parse(char *buf, size_t len, char **interp, char **arg);
