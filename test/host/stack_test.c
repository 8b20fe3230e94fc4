/* SPDX-License-Identifier: BSD-2-Clause */
/* The initial stack, read back as a C library's start code reads it. */
/* sources: src/process/stack.c */

#include "t.h"
#include "abi/auxv.h"
#include "abi/errno.h"
#include "process/stack.h"

static char memory[1 << 20] __attribute__((aligned(4096)));
static long fail_after = -1;

static int put(void *ctx, uintptr_t addr, const void *data, size_t len)
{
	char *at = (char *)addr;

	if (fail_after >= 0 && fail_after-- == 0)
		return -EFAULT;
	if (at < memory || at + len > memory + sizeof(memory))
		return -EFAULT;
	memcpy(at, data, len);
	return 0;
}

static struct stack_spec spec(char *const *argv, char *const *envp, uint64_t *auxv)
{
	return (struct stack_spec){
		.top = (uintptr_t)memory + sizeof(memory),
		.argv = argv,
		.envp = envp,
		.execfn = "/bin/prog",
		.platform = "x86_64",
		.random = "0123456789abcde",
		.limit = 1 << 19,
		.auxv = auxv,
		.put = put,
	};
}

TEST(stack_as_libc_reads_it)
{
	char *const argv[] = { "prog", "one", "", NULL }, *const envp[] = { "A=1", "B=", NULL };

	for (uint64_t slack = 0; slack < 8192; slack += 17) {
		uint64_t auxv[] = { AT_PAGESZ, 4096, AT_RANDOM, 0, AT_EXECFN, 0, AT_PLATFORM, 0,
			AT_NULL, 0 };
		struct stack_spec s = spec(argv, envp, auxv);
		struct stack_layout l;
		uint64_t *sp;

		s.slack = slack;
		REQUIRE(stack_build(&s, &l) == 0);
		sp = (uint64_t *)l.sp;
		CHECK_EQ(l.sp % 16, 0);
		CHECK_EQ(*sp++, 3);
		CHECK_EQ(*sp, l.arg_start);
		for (int i = 0; i < 3; i++)
			CHECK_STR((char *)*sp++, argv[i]);
		CHECK_EQ(*sp++, 0);
		CHECK_EQ(*sp, l.env_start);
		for (int i = 0; i < 2; i++)
			CHECK_STR((char *)*sp++, envp[i]);
		CHECK_EQ(*sp++, 0);
		CHECK_EQ(l.auxv_words, 10);
		CHECK_EQ(sp[0], AT_PAGESZ);
		CHECK_EQ(sp[1], 4096);
		CHECK_MEM((char *)sp[3], s.random, 16);
		CHECK_STR((char *)sp[5], "/bin/prog");
		CHECK_STR((char *)sp[7], "x86_64");
		CHECK_EQ(sp[8], AT_NULL);
		CHECK_EQ(l.arg_end, l.env_start);
		CHECK_EQ(l.arg_end - l.arg_start, 5 + 4 + 1);
		CHECK_EQ(l.env_end - l.env_start, 4 + 3);
		CHECK_EQ(*(uint64_t *)(memory + sizeof(memory) - 8), 0);
	}
}

TEST(stack_without_arguments)
{
	char *const none[] = { NULL };
	uint64_t auxv[] = { AT_NULL, 0 };
	struct stack_spec s = spec(none, none, auxv);
	struct stack_layout l;
	uint64_t *sp;

	REQUIRE(stack_build(&s, &l) == 0);
	sp = (uint64_t *)l.sp;
	CHECK_EQ(sp[0] | sp[1] | sp[2] | sp[3], 0);
	CHECK_EQ(l.sp % 16, 0);
}

TEST(stack_refuses_too_much)
{
	char *big = malloc(STACK_MAX_STRING + 1);
	char *const argv[] = { big, NULL }, *const none[] = { NULL };
	char *many[101];
	uint64_t auxv[] = { AT_NULL, 0 };
	struct stack_spec s = spec(argv, none, auxv);
	struct stack_layout l;

	memset(big, 'x', STACK_MAX_STRING);
	big[STACK_MAX_STRING] = '\0';
	CHECK_EQ(stack_size(&s), -E2BIG);
	CHECK_EQ(stack_build(&s, &l), -E2BIG);
	big[STACK_MAX_STRING - 1] = '\0'; /* the longest that goes */
	CHECK(stack_size(&s) > 0);
	CHECK_EQ(stack_build(&s, &l), 0);
	for (int i = 0; i < 100; i++)
		many[i] = big;
	many[100] = NULL;
	s = spec(argv, many, auxv);
	CHECK_EQ(stack_build(&s, &l), -E2BIG);
	free(big);
}

TEST(stack_passes_faults_on)
{
	char *const argv[] = { "a", "b", NULL };
	uint64_t auxv[] = { AT_NULL, 0 };
	struct stack_spec s = spec(argv, argv, auxv);
	struct stack_layout l;
	int err, n = 0;

	do {
		fail_after = n++;
		err = stack_build(&s, &l);
	} while (err == -EFAULT && n < 100);
	fail_after = -1;
	CHECK_EQ(err, 0);
	CHECK(n > 10 && n < 100);
}
