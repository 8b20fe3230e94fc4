/* SPDX-License-Identifier: BSD-2-Clause */
/* write_tracking.c on 3 CPUs instead of four. */
/* standalone */
/* root */
/* options: --cpus 3 --memory 256M */
#include "write_tracking.c"
