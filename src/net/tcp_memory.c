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

void tcp_charge(struct tcp_sock *t)
{
	uint32_t now = t->rq_truesize + t->ooo_bytes + (t->write_seq - t->snd_base);
	int32_t change = (int32_t)(now - t->charged);

	if (change > (int32_t)TCP_LITTLE || change < -(int32_t)TCP_LITTLE || (!now && t->charged)) {
		t->charged = now;
		atomic_add(&the_net()->tcp_bytes, (uint64_t)(int64_t)change);
	}
}

bool tcp_pressure(void)
{
	if (likely(load_relaxed(&the_net()->tcp_bytes) <= the_net()->tcp_bytes_max))
		return false;
	counter_inc(tcp_memory_pressure);
	return true;
}
