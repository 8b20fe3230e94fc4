/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP cases: attacks, rubbish, no memory. */
#ifndef TEST_HOST_TCP_CASES_HOSTILE_H
#define TEST_HOST_TCP_CASES_HOSTILE_H

#include "tcp_case.h"

TEST(allocation_failures_are_survived)
{
	for (long n = 1; n < 120; n++) {
		peer_setup();
		l = listener_at(80);
		t_fail_alloc(n);
		struct seg s = { 0 };

		SEND(.flags = TCP_SYN, .seq = 1000);
		sent(&s);
		SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1);
		c = socket_accept(l, SOCK_NONBLOCK, NULL, NULL);
		if (IS_ERR(c))
			c = NULL;
		if (c) {
			SEND(.flags = TCP_ACK, .seq = 1001, .ack = s.seq + 1, .text = "hello");
			env_write(c, buf, 5000, 0);
			env_read(c, buf, 100, 0);
		}
		t_fail_alloc(0);
		close_all();
	}
}
TEST(random_segments_never_break_it)
{
	unsigned long seed = 4711;

	for (int round = 0; round < 300; round++) {
		open_passive();
		env_write(c, buf, 3000, 0);
		for (int i = 0; i < 60; i++) {
			uint8_t o[40];
			size_t on = t_random(&seed) % 11 * 4;

			for (size_t k = 0; k < on; k++)
				o[k] = (uint8_t)(t_random(&seed) %
						 (t_random(&seed) % 2 ? 12 : 256));
			SEND(.flags = (uint8_t)(t_random(&seed) % 64 |
						(t_random(&seed) % 2 ? TCP_ACK : 0)),
				.seq = 1001 + (uint32_t)(t_random(&seed) % 200) - 50,
				.ack = iss + 1 + (uint32_t)(t_random(&seed) % 4000) - 200,
				.wnd = (int)(t_random(&seed) % 3000), .text = buf,
				.len = t_random(&seed) % 80 + 1, .opt = o, .opt_len = on,
				.urgent = (uint16_t)(t_random(&seed) % 50));
			if (t_random(&seed) % 5 == 0)
				env_read(c, buf + 60000, t_random(&seed) % 100, 0);
			if (t_random(&seed) % 10 == 0)
				env_run(t_random(&seed) % (2 * NSEC_PER_SEC));
			if (t_random(&seed) % 40 == 0)
				socket_shutdown(c, (int)(t_random(&seed) % 3));
		}
		close_all();
	}
}
#endif
