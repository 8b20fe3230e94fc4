/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF headers and #! lines: the good, the odd and the hostile. */
/* sources: src/process/elf.c */

#include "t.h"
#include "abi/errno.h"
#include "cpu/layout.h"
#include "process/elf.h"

#define MAX_PH 8

struct image {
	struct elf64_ehdr h;
	struct elf64_phdr p[MAX_PH];
};

static struct image good(void)
{
	struct image m = { 0 };

	memcpy(m.h.e_ident, ELFMAG, 4);
	m.h.e_ident[EI_CLASS] = ELFCLASS64;
	m.h.e_ident[EI_DATA] = ELFDATA2LSB;
	m.h.e_ident[EI_VERSION] = EV_CURRENT;
	m.h.e_type = ET_DYN;
	m.h.e_machine = EM_X86_64;
	m.h.e_version = EV_CURRENT;
	m.h.e_entry = 0x1040;
	m.h.e_phoff = 64;
	m.h.e_ehsize = 64;
	m.h.e_phentsize = sizeof(struct elf64_phdr);
	m.h.e_phnum = 4;
	m.p[0] = (struct elf64_phdr){ PT_INTERP, PF_R, 0x318, 0x318, 0x318, 28, 28, 1 };
	m.p[1] = (struct elf64_phdr){ PT_LOAD, PF_R | PF_X, 0, 0, 0, 0x1234, 0x1234, 0x1000 };
	m.p[2] = (struct elf64_phdr){ PT_LOAD, PF_R | PF_W, 0x2db8, 0x3db8, 0x3db8, 0x258, 0x2260,
		0x1000 };
	m.p[3] = (struct elf64_phdr){ PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16 };
	return m;
}

TEST(elf_accepts_pie)
{
	struct image m = good();
	struct elf_image i;
	struct elf_segment s;

	CHECK_EQ(elf_check_header(&m.h, sizeof(m.h)), 0);
	REQUIRE(elf_parse(&m.h, m.p, &i) == 0);
	CHECK(i.position_independent);
	CHECK_EQ(i.start, 0);
	CHECK_EQ(i.end, 0x7000);
	CHECK_EQ(i.brk, 0x3db8 + 0x2260);
	CHECK_EQ(i.phdr, 64);
	CHECK_EQ(i.interp_offset, 0x318);
	CHECK_EQ(i.interp_size, 28);
	CHECK_EQ(i.stack, ELF_STACK_NOEXEC);
	CHECK(!elf_segment(&m.p[0], &s));
	REQUIRE(elf_segment(&m.p[2], &s));
	CHECK_EQ(s.start, 0x3000);
	CHECK_EQ(s.offset, 0x2000);
	CHECK_EQ(s.file_end, 0x3db8 + 0x258);
	CHECK_EQ(s.end, 0x3db8 + 0x2260);
	CHECK_EQ(s.prot, 3);
}

TEST(elf_refuses_other_kinds)
{
	struct image m = good();

	CHECK_EQ(elf_check_header(&m.h, 63), -ENOEXEC);
	m.h.e_ident[1] = 'X';
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
	m = good(), m.h.e_ident[EI_CLASS] = 1;
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
	m = good(), m.h.e_machine = 183; /* aarch64 */
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
	m = good(), m.h.e_type = 1; /* relocatable */
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
	m = good(), m.h.e_phnum = 0;
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
	m = good(), m.h.e_phnum = 0xffff;
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
	m = good(), m.h.e_phentsize = 32;
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
	m = good(), m.h.e_phoff = UINT64_MAX - 8;
	CHECK_EQ(elf_check_header(&m.h, 64), -ENOEXEC);
}

TEST(elf_refuses_impossible_segments)
{
	struct image m = good();
	struct elf_image i;

	m.p[1].p_filesz = m.p[1].p_memsz + 1;
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -EINVAL);
	m = good(), m.p[1].p_vaddr = UINT64_MAX - 16;
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -EINVAL);
	m = good(), m.p[1].p_memsz = USER_MAX, m.p[1].p_vaddr = 0x1000;
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -EINVAL);
	m = good(), m.p[1].p_vaddr = 0xffffffff80000000; /* the kernel's half */
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -EINVAL);
	m = good(), m.p[2].p_offset += 8; /* not congruent */
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -EINVAL);
	m = good(), m.p[2].p_offset = UINT64_MAX & ~0xfffull, m.p[2].p_vaddr = 0x3000;
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -EINVAL);
	m = good(), m.p[0].p_filesz = 1;
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -ENOEXEC);
	m = good(), m.p[0].p_filesz = 5000;
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -ENOEXEC);
	m = good(), m.p[1].p_type = m.p[2].p_type = PT_NOTE;
	CHECK_EQ(elf_parse(&m.h, m.p, &i), -EINVAL);
}

/* Whatever the bytes: no crash, and what is accepted keeps the promises that exec.c builds on. */
TEST(elf_fuzz)
{
	unsigned long seed = 42;

	for (unsigned round = 0; round < 300000; round++) {
		struct image m = good();
		struct elf_image i;
		unsigned hits = 1 + t_random(&seed) % 6;

		while (hits--) {
			uint8_t *b = (uint8_t *)&m;
			size_t at = t_random(&seed) % sizeof(m);
			static const uint64_t nasty[] = { 0, 1, 0xfff, 0x1000, INT64_MAX,
				UINT64_MAX, USER_MAX, 1ull << 63 };

			if (t_random(&seed) & 1)
				b[at] = t_random(&seed);
			else
				memcpy(b + (at & ~7ul), &nasty[t_random(&seed) % 8], 8);
		}
		m.h.e_phnum = MIN(m.h.e_phnum, MAX_PH);
		if (elf_check_header(&m.h, sizeof(m.h)) || elf_parse(&m.h, m.p, &i))
			continue;
		CHECK(i.start < i.end && i.end <= ALIGN_UP(USER_MAX, PAGE_SIZE));
		CHECK(IS_ALIGNED(i.start, PAGE_SIZE) && IS_ALIGNED(i.end, PAGE_SIZE));
		CHECK((i.align & (i.align - 1)) == 0 && i.align >= PAGE_SIZE);
		CHECK(i.interp_size == 0 ||
			(i.interp_size >= 2 && i.interp_size <= ELF_MAX_INTERP));
		for (unsigned n = 0; n < m.h.e_phnum; n++) {
			struct elf_segment s;

			if (!elf_segment(&m.p[n], &s))
				continue;
			CHECK(s.start >= i.start && s.end <= i.end && s.start < s.end);
			CHECK(s.file_end <= s.end && s.file_end >= s.start);
			CHECK(s.file_end == s.start || IS_ALIGNED(s.offset, PAGE_SIZE));
			CHECK((int64_t)s.offset >= 0 || s.file_end == s.start);
		}
		if (atomic_load(&t_failures))
			return;
	}
}

static int script(const char *text, char **interp, char **arg)
{
	static char buf[257];
	size_t len = strlen(text);

	memset(buf, 0, sizeof(buf));
	memcpy(buf, text, MIN(len, 256ul));
	return script_parse(buf, 256, interp, arg);
}

TEST(script_lines)
{
	char *interp, *arg, longline[300];

	REQUIRE(script("#!/bin/sh\necho", &interp, &arg) == 0);
	CHECK_STR(interp, "/bin/sh");
	CHECK(!arg);
	REQUIRE(script("#! \t/usr/bin/env  python3 -u \t\nx", &interp, &arg) == 0);
	CHECK_STR(interp, "/usr/bin/env");
	CHECK_STR(arg, "python3 -u");
	CHECK_EQ(script("#!\n", &interp, &arg), -ENOEXEC);
	CHECK_EQ(script("#!   \n", &interp, &arg), -ENOEXEC);
	CHECK_EQ(script("#", &interp, &arg), -ENOEXEC);
	CHECK_EQ(script("\177ELF", &interp, &arg), -ENOEXEC);
	memset(longline, 'a', sizeof(longline));
	memcpy(longline, "#!/", 3);
	longline[299] = 0;
	CHECK_EQ(script(longline, &interp, &arg), -ENOEXEC);
	REQUIRE(script("#!/bin/cat", &interp, &arg) == 0);
	CHECK_STR(interp, "/bin/cat");
}

TEST(script_fuzz)
{
	unsigned long seed = 7;

	for (unsigned round = 0; round < 200000; round++) {
		size_t len = t_random(&seed) % 40;
		char *buf = malloc(len + 1), *interp,
		     *arg; /* exact, so that ASan sees an overrun */

		for (size_t i = 0; i < len; i++)
			buf[i] = "#! \t\n/ab\0c"[t_random(&seed) % 10];
		if (len >= 2 && (t_random(&seed) & 3))
			memcpy(buf, "#!", 2);
		if (script_parse(buf, len, &interp, &arg) == 0) {
			CHECK(*interp && interp + strlen(interp) <= buf + len);
			CHECK(!arg || (*arg && arg + strlen(arg) <= buf + len));
		}
		free(buf);
	}
}
