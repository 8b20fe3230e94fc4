/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's memory is the test's own: every copy succeeds. */
#ifndef TEST_HOST_UACCESS_HOST_H
#define TEST_HOST_UACCESS_HOST_H

#include "cpu/uaccess.h"
#include "lib/string.h"

int copy_from_user(void *dst, const void *usrc, size_t n)
{
	memcpy(dst, usrc, n);
	return 0;
}
int copy_to_user(void *udst, const void *src, size_t n)
{
	memcpy(udst, src, n);
	return 0;
}
size_t copy_from_user_partial(void *dst, const void *usrc, size_t n)
{
	memcpy(dst, usrc, n);
	return 0;
}
size_t copy_to_user_partial(void *udst, const void *src, size_t n)
{
	memcpy(udst, src, n);
	return 0;
}
int clear_user(void *udst, size_t n)
{
	memset(udst, 0, n);
	return 0;
}
#endif
