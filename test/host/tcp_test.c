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
#include "tcp_cases_early.h"
#include "tcp_cases_place.h"
#include "tcp_cases_window.h"
#include "tcp_cases_loss.h"
#include "tcp_cases_cong.h"
#include "tcp_cases_spurious.h"
#include "tcp_cases_path.h"
#include "tcp_cases_close.h"
#include "tcp_cases_option.h"
#include "tcp_cases_hostile.h"
#include "tcp_cases_edge.h"

TEST(connection_to_itself)
{
	char text[10];

	peer_setup();
	l = c = socket_create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	file_get(c);
	CHECK_EQ(env_bind(c, IP4(127, 0, 0, 1), 5555), 0);
	(void)env_dial(c, IP4(127, 0, 0, 1), 5555);
	for (int k = 0; k < 5; k++)
		net_thread_work(); /* it would be busy for ever */
	CHECK(!me.net.lo_queue);
	CHECK_EQ(state(), TCP_ESTABLISHED);
	CHECK_EQ(env_write(c, "echo", 4, 0), 4);
	CHECK_EQ(env_read(c, text, sizeof(text), 0), 4);
	CHECK_MEM(text, "echo", 4);
	close_all();
}
