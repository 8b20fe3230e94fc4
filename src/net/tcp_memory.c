/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all connections hold together, in both directions, may be a quarter of memory. Beyond that
 * nobody queues more than a little, so that peers who send out of order, or read nothing, cost a
 * bounded sum, and everybody still makes progress.
 *
 * The sum is shared by all CPUs, so a connection tells it only changes of more than a little: the
 * sum is wrong by at most that for each connection, and small exchanges never touch it.
 */

#include "net/tcp.h"
#include "diag/counter.h"

COUNTER(tcp_memory_pressure);

void tcp_charge_now(struct tcp_sock *t, uint32_t bytes)
{
	int32_t change = (int32_t)(bytes - t->charged);

	t->charged = bytes;
	atomic_add(&the_net()->tcp_bytes, (uint64_t)(int64_t)change);
}

bool tcp_count_pressure(void)
{
	counter_inc(tcp_memory_pressure);
	return true;
}
