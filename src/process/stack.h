/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The initial stack of a program, from the top down, as Linux builds it:
 *
 *	8 zero bytes | execfn | envp strings | argv strings | random slack | platform | 16 random
 *	bytes | (16-aligned) auxv | NULL envp[] | NULL argv[] | argc  <- stack pointer
 *
 * Pure: bytes leave through 'put', so the same code fills a program's memory and a test's buffer.
 */
#pragma once

#include "lib/types.h"

#define STACK_MAX_STRING (32 * PAGE_SIZE)

struct stack_spec {
	uintptr_t top;			 /* 16-aligned; everything lies below */
	char *const *argv, *const *envp; /* NULL-terminated */
	const char *execfn, *platform;
	uint8_t random[16];
	uint64_t slack; /* ASLR within the page: bytes to leave free, below 8192 */
	size_t limit;	/* strings and pointers together: above it -E2BIG */
	uint64_t *auxv; /* pairs with AT_NULL at the end; AT_RANDOM, AT_EXECFN and
			   AT_PLATFORM are filled in here */
	int (*put)(void *ctx, uintptr_t addr, const void *data, size_t len); /* 0 or -errno */
	void *ctx;
};
struct stack_layout {
	uintptr_t sp, arg_start, arg_end, env_start, env_end;
	unsigned auxv_words;
};

/* Bytes that strings and pointers take, or -E2BIG. For choosing the first mapping's size. */
ssize_t stack_size(const struct stack_spec *spec);
/* 0, -E2BIG, or what put returned. */
int stack_build(const struct stack_spec *spec, struct stack_layout *out);
