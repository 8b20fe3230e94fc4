/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP against a scripted peer: one rule of an RFC each. The cases lie in headers by theme, because
 * building the stack takes longer than all of them.
 */
/* sources: $(HOST_NET) */
/* flags: -D_GNU_SOURCE */
#include "tcp_cases_open.h"
#include "tcp_cases_listen.h"
#include "tcp_cases_data.h"
#include "tcp_cases_window.h"
#include "tcp_cases_loss.h"
#include "tcp_cases_cong.h"
#include "tcp_cases_spurious.h"
#include "tcp_cases_path.h"
#include "tcp_cases_close.h"
#include "tcp_cases_option.h"
#include "tcp_cases_hostile.h"
