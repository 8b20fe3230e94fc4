/* SPDX-License-Identifier: BSD-2-Clause */
/* patched_libc.c, linked another way. */
/* standalone */
/* build: musl */
/* options: --cpus 2 --memory 512M */
#define STATIC
#include "patched_libc.c"
