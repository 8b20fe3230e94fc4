/* SPDX-License-Identifier: BSD-2-Clause */
/* patched_calls.c where threads and the sampler share one CPU. */
/* standalone */
/* options: --memory 512M */
#include "patched_calls.c"
