/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/uaccess.h"
#include "abi/errno.h"

/* Pairs written by the instructions below and by uaccess_copy.S; sorted lookup is not worth it. */
struct fixup {
	uintptr_t fault, resume;
};
extern const struct fixup __extable_start[], __extable_end[];

uintptr_t uaccess_fixup(uintptr_t rip)
{
	for (const struct fixup *f = __extable_start; f < __extable_end; f++)
		if (f->fault == rip)
			return f->resume;
	return 0;
}

/* uaccess_copy.S; each returns the bytes that were not done. */
size_t uaccess_copy(void *dst, const void *src, size_t n);
size_t uaccess_clear(void *dst, size_t n);

size_t copy_from_user_partial(void *dst, const void *usrc, size_t n)
{
	return user_range_ok(usrc, n) ? uaccess_copy(dst, usrc, n) : n;
}

size_t copy_to_user_partial(void *udst, const void *src, size_t n)
{
	return user_range_ok(udst, n) ? uaccess_copy(udst, src, n) : n;
}

int copy_from_user(void *dst, const void *usrc, size_t n)
{
	return copy_from_user_partial(dst, usrc, n) ? -EFAULT : 0;
}

int copy_to_user(void *udst, const void *src, size_t n)
{
	return copy_to_user_partial(udst, src, n) ? -EFAULT : 0;
}

int clear_user(void *udst, size_t n)
{
	return !user_range_ok(udst, n) || uaccess_clear(udst, n) ? -EFAULT : 0;
}

static bool load_byte(const char *p, char *c)
{
	int failed = 0;
	char v = 0;

	__asm__ volatile("1: movb %2, %0\n"
			 "2:\n"
			 ".pushsection .text.fixup, \"ax\"\n"
			 "3: movl $1, %1\n"
			 "jmp 2b\n"
			 ".popsection\n"
			 ".pushsection .extable, \"a\"\n"
			 ".quad 1b, 3b\n"
			 ".popsection"
			 : "+q"(v), "+r"(failed)
			 : "m"(*p));
	*c = v;
	return !failed;
}

static bool load_word(const char *p, uint64_t *word)
{
	int failed = 0;
	uint64_t v = 0;

	__asm__ volatile("1: movq %2, %0\n"
			 "2:\n"
			 ".pushsection .text.fixup, \"ax\"\n"
			 "3: movl $1, %1\n"
			 "jmp 2b\n"
			 ".popsection\n"
			 ".pushsection .extable, \"a\"\n"
			 ".quad 1b, 3b\n"
			 ".popsection"
			 : "+r"(v), "+r"(failed)
			 : "m"(*(const uint64_t *)p));
	*word = v;
	return !failed;
}

#define LOW_BITS 0x0101010101010101ull

/* By words where one lies within a page, as its first byte can be read if and only if all can. */
ssize_t copy_string_from_user(char *dst, const char *usrc, size_t size)
{
	size_t n = 0, room;

	if (!user_range_ok(usrc, 0))
		return -EFAULT;
	room = MIN(size, USER_MAX - (uintptr_t)usrc);
	while (n < room) {
		uint64_t word, zeros;

		if (room - n >= 8 && (uintptr_t)(usrc + n) % 4096 <= 4096 - 8) {
			if (!load_word(usrc + n, &word))
				return -EFAULT;
			__builtin_memcpy(dst + n, &word, 8);
			zeros = (word - LOW_BITS) & ~word & LOW_BITS << 7;
			if (zeros)
				return n + __builtin_ctzll(zeros) / 8;
			n += 8;
		} else {
			if (!load_byte(usrc + n, &dst[n]))
				return -EFAULT;
			if (!dst[n])
				return n;
			n++;
		}
	}
	return n == size ? -ENAMETOOLONG : -EFAULT;
}

int user_load_u32(const uint32_t *uaddr, uint32_t *value)
{
	int err = 0;
	uint32_t v = 0;

	if (!user_range_ok(uaddr, 4))
		return -EFAULT;
	__asm__ volatile("1: movl %2, %0\n"
			 "2:\n"
			 ".pushsection .text.fixup, \"ax\"\n"
			 "3: movl %3, %1\n"
			 "jmp 2b\n"
			 ".popsection\n"
			 ".pushsection .extable, \"a\"\n"
			 ".quad 1b, 3b\n"
			 ".popsection"
			 : "+r"(v), "+r"(err)
			 : "m"(*uaddr), "i"(-EFAULT)
			 : "memory");
	*value = v;
	return err;
}

int user_cas_u32(uint32_t *uaddr, uint32_t *expected, uint32_t desired)
{
	int err = 0;
	uint32_t old = *expected;

	if (!user_range_ok(uaddr, 4))
		return -EFAULT;
	__asm__ volatile("1: lock cmpxchgl %3, %2\n"
			 "2:\n"
			 ".pushsection .text.fixup, \"ax\"\n"
			 "3: movl %4, %1\n"
			 "jmp 2b\n"
			 ".popsection\n"
			 ".pushsection .extable, \"a\"\n"
			 ".quad 1b, 3b\n"
			 ".popsection"
			 : "+a"(old), "+r"(err), "+m"(*uaddr)
			 : "r"(desired), "i"(-EFAULT)
			 : "memory", "cc");
	*expected = old;
	return err;
}
