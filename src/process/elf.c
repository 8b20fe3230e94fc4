/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF headers and script lines; see elf.h. The checks are Linux's (fs/binfmt_elf, binfmt_script).
 */

#include "process/elf.h"
#include "abi/errno.h"
#include "cpu/layout.h"
#include "lib/string.h"

/* PROT_ bits as mmap(2) has them. */
enum { READ = 1, WRITE = 2, EXEC = 4 };

int elf_check_header(const struct elf64_ehdr *h, size_t len)
{
	if (len < sizeof(*h) || memcmp(h->e_ident, ELFMAG, 4) != 0)
		return -ENOEXEC;
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return -ENOEXEC;
	if (h->e_machine != EM_X86_64 || h->e_phentsize != sizeof(struct elf64_phdr))
		return -ENOEXEC;
	if (h->e_phnum == 0 || h->e_phnum > ELF_MAX_PHNUM)
		return -ENOEXEC;
	if (h->e_phoff > INT64_MAX - h->e_phnum * sizeof(struct elf64_phdr))
		return -ENOEXEC;
	return 0;
}

static bool load_is_valid(const struct elf64_phdr *p)
{
	uint64_t in_page = p->p_vaddr & (PAGE_SIZE - 1);

	if (p->p_filesz > p->p_memsz || p->p_memsz > USER_MAX || p->p_vaddr > USER_MAX - p->p_memsz)
		return false;
	/* The page's offset in the file must be one that mmap can take. */
	if (p->p_filesz && (p->p_offset < in_page || !IS_ALIGNED(p->p_offset - in_page, PAGE_SIZE)))
		return false;
	return p->p_offset <= (uint64_t)INT64_MAX - p->p_filesz - PAGE_SIZE;
}

bool elf_segment(const struct elf64_phdr *p, struct elf_segment *out)
{
	uint64_t in_page = p->p_vaddr & (PAGE_SIZE - 1);

	if (p->p_type != PT_LOAD || p->p_memsz == 0)
		return false;
	out->start = p->p_vaddr - in_page;
	out->offset = p->p_offset - in_page;
	out->file_end = p->p_filesz ? p->p_vaddr + p->p_filesz : out->start;
	out->end = p->p_vaddr + p->p_memsz;
	out->prot = (p->p_flags & PF_R ? READ : 0) | (p->p_flags & PF_W ? WRITE : 0) |
		    (p->p_flags & PF_X ? EXEC : 0);
	return true;
}

static void add_load(const struct elf64_ehdr *h, const struct elf64_phdr *p, struct elf_image *out)
{
	uint64_t file_end = p->p_vaddr + p->p_filesz, end = p->p_vaddr + p->p_memsz;

	out->start = MIN(out->start, ALIGN_DOWN(p->p_vaddr, PAGE_SIZE));
	out->end = MAX(out->end, ALIGN_UP(end, PAGE_SIZE));
	if (p->p_align > out->align && (p->p_align & (p->p_align - 1)) == 0 && p->p_align <= GIB(1))
		out->align = p->p_align;
	if (h->e_phoff >= p->p_offset && h->e_phoff - p->p_offset < p->p_filesz)
		out->phdr = h->e_phoff - p->p_offset + p->p_vaddr;
	out->brk = MAX(out->brk, end);
	if (p->p_flags & PF_X) {
		out->code_start = MIN(out->code_start, p->p_vaddr);
		out->code_end = MAX(out->code_end, file_end);
	}
	out->data_start = MAX(out->data_start, p->p_vaddr);
	out->data_end = MAX(out->data_end, file_end);
}

int elf_parse(const struct elf64_ehdr *h, const struct elf64_phdr *p, struct elf_image *out)
{
	bool any = false;

	memset(out, 0, sizeof(*out));
	out->position_independent = h->e_type == ET_DYN;
	out->entry = h->e_entry;
	out->start = out->code_start = UINT64_MAX;
	out->align = PAGE_SIZE;
	for (unsigned i = 0; i < h->e_phnum; i++, p++) {
		switch (p->p_type) {
		case PT_LOAD:
			if (!load_is_valid(p))
				return -EINVAL;
			if (p->p_memsz == 0)
				break;
			add_load(h, p, out);
			any = true;
			break;
		case PT_INTERP:
			if (out->interp_size)
				break; /* the first counts */
			if (p->p_filesz < 2 || p->p_filesz > ELF_MAX_INTERP ||
				p->p_offset > INT64_MAX - p->p_filesz)
				return -ENOEXEC;
			out->interp_offset = p->p_offset;
			out->interp_size = p->p_filesz;
			break;
		case PT_GNU_STACK:
			out->stack = p->p_flags & PF_X ? ELF_STACK_EXEC : ELF_STACK_NOEXEC;
			break;
		}
	}
	if (!any)
		return -EINVAL;
	if (out->code_start == UINT64_MAX)
		out->code_start = 0;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int script_parse(char *buf, size_t len, char **interp, char **arg)
{
	char *end, *p = buf + 2, *limit = buf + len;

	if (len < 3 || buf[0] != '#' || buf[1] != '!')
		return -ENOEXEC;
	end = memchr(buf, '\n', len);
	while (p < limit && is_blank(*p))
		p++;
	if (!end) {
		/* Without a newline the line may be cut; only the argument may be, not the name. */
		char *q = p;

		while (q < limit && !is_blank(*q) && *q)
			q++;
		if (q == limit)
			return -ENOEXEC;
		end = limit - 1;
	}
	while (end > p && is_blank(end[-1]))
		end--;
	*end = '\0';
	if (p >= end || *p == '\0')
		return -ENOEXEC;
	*interp = p;
	while (*p && !is_blank(*p))
		p++;
	while (is_blank(*p))
		*p++ = '\0';
	*arg = *p ? p : NULL;
	return 0;
}
