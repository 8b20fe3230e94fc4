/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to net/: the card's queue for a socket's packets, so that answers come where it runs. */
#pragma once

#include "cpu/barrier.h"
#include "cpu/percpu.h"
#include "net/socket.h"

/* quiet: nothing of the flow is unacknowledged. */
void steer_packet(struct socket *s, struct packet *p, struct netdev *dev, bool quiet);
static inline void steer_note_caller(struct socket *s)
{
	uint16_t cpu = (uint16_t)(1 + cpu_id());

	if (unlikely(load_relaxed(&s->caller_cpu) != cpu))
		store_relaxed(&s->caller_cpu, cpu);
}
static inline void steer_note_arrival(struct socket *s)
{
	int32_t cpu = (int32_t)cpu_id();

	if (unlikely(load_relaxed(&s->incoming_cpu) != cpu))
		store_relaxed(&s->incoming_cpu, cpu);
}
