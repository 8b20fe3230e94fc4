/* SPDX-License-Identifier: BSD-2-Clause */
/* patched_calls.c on a kernel that patches nothing. */
/* standalone */
/* options: --cpus 2 --memory 512M --kernel-arg nopatch */
#define PATCHED 0
#include "patched_calls.c"
