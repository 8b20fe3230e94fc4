/* SPDX-License-Identifier: BSD-2-Clause */
/* What uname(2) and /proc/version say. Programs and libcs compare the release with the oldest
 * kernel they support. */
#pragma once

#define RELEASE "6.1.0-skiff"
#define VERSION "#1 SMP PREEMPT Skiff"
