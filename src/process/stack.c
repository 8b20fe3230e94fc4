/* SPDX-License-Identifier: BSD-2-Clause */
/* The initial stack; the picture is in stack.h. */

#include "process/stack.h"
#include "abi/auxv.h"
#include "abi/errno.h"
#include "lib/string.h"

static ssize_t strings_size(char *const *v, size_t limit)
{
	size_t total = 0;

	for (; *v; v++) {
		size_t len = strnlen(*v, STACK_MAX_STRING) + 1;

		if (len > STACK_MAX_STRING)
			return -E2BIG;
		total += len + sizeof(char *);
		if (total > limit)
			return -E2BIG;
	}
	return total;
}

ssize_t stack_size(const struct stack_spec *s)
{
	ssize_t args = strings_size(s->argv, s->limit), env = strings_size(s->envp, s->limit);
	size_t total;

	if (args < 0 || env < 0)
		return -E2BIG;
	total = args + env + strlen(s->execfn) + 1;
	return total > s->limit ? -E2BIG : (ssize_t)total;
}

static unsigned vector_count(char *const *v)
{
	unsigned n = 0;

	while (v[n])
		n++;
	return n;
}

/* Copies the strings so that they end at *p, in order, and moves *p down to the first. */
static int put_strings(const struct stack_spec *s, char *const *v, uintptr_t *p)
{
	for (unsigned i = vector_count(v); i-- > 0;) {
		size_t len = strlen(v[i]) + 1;
		int err;

		*p -= len;
		err = s->put(s->ctx, *p, v[i], len);
		if (err)
			return err;
	}
	return 0;
}

/* The pointers to the strings that put_strings left at 'at', and the NULL behind them. */
static int put_pointers(const struct stack_spec *s, char *const *v, uintptr_t at, uintptr_t *p)
{
	uint64_t pointer;
	int err;

	for (; *v; v++) {
		pointer = at;
		err = s->put(s->ctx, *p, &pointer, sizeof(pointer));
		if (err)
			return err;
		at += strlen(*v) + 1;
		*p += sizeof(pointer);
	}
	pointer = 0;
	err = s->put(s->ctx, *p, &pointer, sizeof(pointer));
	*p += sizeof(pointer);
	return err;
}

static unsigned auxv_fill(uint64_t *auxv, uintptr_t random, uintptr_t execfn, uintptr_t platform)
{
	unsigned n = 0;

	for (; auxv[n] != AT_NULL; n += 2) {
		if (auxv[n] == AT_RANDOM)
			auxv[n + 1] = random;
		else if (auxv[n] == AT_EXECFN)
			auxv[n + 1] = execfn;
		else if (auxv[n] == AT_PLATFORM)
			auxv[n + 1] = platform;
	}
	return n + 2;
}

int stack_build(const struct stack_spec *s, struct stack_layout *out)
{
	char *const execfn[] = { (char *)s->execfn, NULL };
	char *const platform[] = { (char *)s->platform, NULL };
	uintptr_t p = s->top - sizeof(uint64_t), execfn_at, platform_at, random_at;
	uint64_t zero = 0, argc = vector_count(s->argv);
	size_t words;
	int err;

	if (stack_size(s) < 0)
		return -E2BIG;
	err = s->put(s->ctx, p, &zero, sizeof(zero));
	if (!err)
		err = put_strings(s, execfn, &p);
	execfn_at = out->env_end = p;
	if (!err)
		err = put_strings(s, s->envp, &p);
	out->env_start = out->arg_end = p;
	if (!err)
		err = put_strings(s, s->argv, &p);
	out->arg_start = p;
	p = ALIGN_DOWN(p - s->slack, 16);
	if (!err)
		err = put_strings(s, platform, &p);
	platform_at = p;
	p -= sizeof(s->random);
	random_at = p;
	if (!err)
		err = s->put(s->ctx, p, s->random, sizeof(s->random));
	if (err)
		return err;
	out->auxv_words = auxv_fill(s->auxv, random_at, execfn_at, platform_at);
	words = 1 + argc + 1 + vector_count(s->envp) + 1 + out->auxv_words;
	p = ALIGN_DOWN(p - words * sizeof(uint64_t), 16);
	out->sp = p;
	err = s->put(s->ctx, p, &argc, sizeof(argc));
	p += sizeof(argc);
	if (!err)
		err = put_pointers(s, s->argv, out->arg_start, &p);
	if (!err)
		err = put_pointers(s, s->envp, out->env_start, &p);
	if (!err)
		err = s->put(s->ctx, p, s->auxv, out->auxv_words * sizeof(uint64_t));
	return err;
}
