/* SPDX-License-Identifier: BSD-2-Clause */
/* The ELF facts that decide which files a program needs; see elf.h. */
#include "elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DYN_BYTES  (1u << 20)
#define MAX_STR_BYTES  (64u << 20)
#define MAX_PATH_BYTES 4096u

struct dynamic {
	uint64_t strtab, strsz;
	const char *strings;
	size_t entries;
	const GElf_Dyn *table;
};

/* File offset of an address, by the PT_LOAD that holds it. */
static int vaddr_to_offset(Elf *e, size_t phnum, uint64_t vaddr, uint64_t *offset)
{
	for (size_t i = 0; i < phnum; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(e, i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (vaddr < ph.p_vaddr || vaddr - ph.p_vaddr >= ph.p_filesz)
			continue;
		*offset = ph.p_offset + (vaddr - ph.p_vaddr);
		return 0;
	}
	return -EINVAL;
}

/* @size bytes at @offset, or NULL when the file does not have them. */
static const void *chunk(Elf *e, uint64_t offset, uint64_t size, Elf_Type type)
{
	Elf_Data *d;

	if (offset > INT64_MAX || size > INT64_MAX)
		return NULL;
	d = elf_getdata_rawchunk(e, offset, size, type);
	return d && d->d_size >= size ? d->d_buf : NULL;
}

/* A string of the dynamic string table, bounded by it and by what a path can be. */
static int dyn_string(const struct dynamic *d, uint64_t at, char **out)
{
	size_t room;

	if (!d->strings || at >= d->strsz)
		return -EINVAL;
	room = d->strsz - at;
	if (room > MAX_PATH_BYTES)
		room = MAX_PATH_BYTES;
	if (!memchr(d->strings + at, 0, room))
		return -EINVAL;
	free(*out);
	*out = xstrdup(d->strings + at);
	return 0;
}

static int dyn_string_add(const struct dynamic *d, uint64_t at, struct strv *list)
{
	char *s = NULL;
	int err = dyn_string(d, at, &s);

	if (err)
		return err;
	if (list->n > 4096 || !*s) {
		free(s);
		return -EINVAL;
	}
	strv_take(list, s);
	return 0;
}

static int read_entry(struct elf_facts *f, const struct dynamic *d, const GElf_Dyn *dyn)
{
	switch (dyn->d_tag) {
	case DT_NEEDED: return dyn_string_add(d, dyn->d_un.d_val, &f->needed);
	case DT_AUXILIARY:
	case DT_FILTER: return dyn_string_add(d, dyn->d_un.d_val, &f->auxiliary);
	case DT_SONAME: return dyn_string(d, dyn->d_un.d_val, &f->soname);
	case DT_RPATH: return dyn_string(d, dyn->d_un.d_val, &f->rpath);
	case DT_RUNPATH: return dyn_string(d, dyn->d_un.d_val, &f->runpath);
	case DT_FLAGS_1: f->nodeflib = dyn->d_un.d_val & DF_1_NODEFLIB; return 0;
	default: return 0;
	}
}

/* glibc opens libgcc_s.so.1 by itself in pthread_exit, pthread_cancel and backtrace. */
static bool names_threads(const struct dynamic *d)
{
	static const char *const names[] = { "pthread_create", "thrd_create", "pthread_exit",
		"thrd_exit", "pthread_cancel", "backtrace" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *at = d->strings, *end = d->strings + d->strsz;
		size_t len = strlen(names[i]) + 1;

		while ((at = memmem(at, end - at, names[i], len))) {
			if (at > d->strings && !at[-1])
				return true;
			at += len;
		}
	}
	return false;
}

static int read_dynamic(Elf *e, struct elf_facts *f, size_t phnum, const GElf_Phdr *ph)
{
	struct dynamic d = {};
	uint64_t offset;
	int err = 0;

	if (ph->p_filesz > MAX_DYN_BYTES)
		return -EINVAL;
	d.entries = ph->p_filesz / sizeof(GElf_Dyn);
	if (!d.entries)
		return 0;
	d.table = chunk(e, ph->p_offset, d.entries * sizeof(GElf_Dyn), ELF_T_DYN);
	if (!d.table)
		return -EINVAL;
	for (size_t i = 0; i < d.entries && d.table[i].d_tag != DT_NULL; i++) {
		if (d.table[i].d_tag == DT_STRTAB)
			d.strtab = d.table[i].d_un.d_ptr;
		if (d.table[i].d_tag == DT_STRSZ)
			d.strsz = d.table[i].d_un.d_val;
	}
	if (d.strsz && d.strsz <= MAX_STR_BYTES && !vaddr_to_offset(e, phnum, d.strtab, &offset))
		d.strings = chunk(e, offset, d.strsz, ELF_T_BYTE);
	for (size_t i = 0; !err && i < d.entries && d.table[i].d_tag != DT_NULL; i++)
		err = read_entry(f, &d, &d.table[i]);
	if (!err && d.strings)
		f->threads = names_threads(&d);
	return err;
}

static int read_interp(Elf *e, struct elf_facts *f, const GElf_Phdr *ph)
{
	const char *s;

	if (!ph->p_filesz || ph->p_filesz > MAX_PATH_BYTES)
		return -EINVAL;
	s = chunk(e, ph->p_offset, ph->p_filesz, ELF_T_BYTE);
	if (!s || s[ph->p_filesz - 1] || s[0] != '/')
		return -EINVAL;
	free(f->interp);
	f->interp = xstrdup(s);
	return 0;
}

static int read_segments(Elf *e, struct elf_facts *f)
{
	bool loads = false;
	size_t phnum, size;
	int err = 0;

	if (elf_getphdrnum(e, &phnum) < 0 || phnum > 65535 || !elf_rawfile(e, &size))
		return -EINVAL;
	for (size_t i = 0; !err && i < phnum; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(e, i, &ph))
			return -EINVAL;
		if (ph.p_type == PT_LOAD) {
			loads = true;
			if (ph.p_offset > size || ph.p_filesz > size - ph.p_offset)
				return -EINVAL; /* cut off */
		}
		if (ph.p_type == PT_INTERP)
			err = read_interp(e, f, &ph);
		if (ph.p_type == PT_DYNAMIC && !f->dynamic) {
			f->dynamic = true;
			err = read_dynamic(e, f, phnum, &ph);
		}
	}
	if (!loads && (f->type == ET_EXEC || f->type == ET_DYN))
		return -EINVAL;
	return err;
}

int elf_read(int fd, struct elf_facts *f)
{
	GElf_Ehdr eh;
	Elf *e;
	int err = 0;

	*f = (struct elf_facts){};
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -EINVAL;
	e = elf_begin(fd, ELF_C_READ, NULL);
	if (!e || elf_kind(e) != ELF_K_ELF) {
		elf_end(e);
		return -ENOEXEC;
	}
	if (!gelf_getehdr(e, &eh)) {
		err = -EINVAL;
	} else {
		f->class = eh.e_ident[EI_CLASS];
		f->machine = eh.e_machine;
		f->type = eh.e_type;
		/* Of a foreign machine only the name is wanted. */
		if (elf_is_ours(f))
			err = read_segments(e, f);
	}
	elf_end(e);
	if (err)
		elf_facts_free(f);
	return err;
}

void elf_facts_free(struct elf_facts *f)
{
	free(f->interp);
	free(f->soname);
	free(f->rpath);
	free(f->runpath);
	strv_free(&f->needed);
	strv_free(&f->auxiliary);
	*f = (struct elf_facts){};
}

bool elf_is_ours(const struct elf_facts *f)
{
	return f->class == ELFCLASS64 && f->machine == EM_X86_64;
}

const char *elf_describe(const struct elf_facts *f)
{
	switch (f->machine) {
	case EM_X86_64: return f->class == ELFCLASS64 ? "64-bit x86" : "x32 (32-bit x86-64)";
	case EM_386: return "32-bit x86";
	case EM_AARCH64: return "64-bit ARM";
	case EM_ARM: return "32-bit ARM";
	case EM_RISCV: return f->class == ELFCLASS64 ? "64-bit RISC-V" : "32-bit RISC-V";
	case EM_PPC64: return "64-bit PowerPC";
	case EM_PPC: return "32-bit PowerPC";
	case EM_S390: return "IBM S/390";
	case EM_MIPS: return "MIPS";
	case EM_SPARC:
	case EM_SPARCV9: return "SPARC";
	case EM_BPF: return "BPF";
	case EM_LOONGARCH: return "LoongArch";
	default: return "another machine";
	}
}
