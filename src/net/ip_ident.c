/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identifications of IPv4 packets that may be cut: none comes again between two hosts, of one
 * protocol, while fragments of the last one live (RFC 6864 4.3), and who sees those of his own
 * packets can tell none of others' (RFC 7739). Packets that may not be cut need none.
 *
 * This is RFC 7739's double hash (5.4): one keyed hash of the three gives what is added, its upper
 * bits, and which counter it is added to, its lower ones. A counter also moves on by chance with
 * the time, by half a step a millisecond: who shares it with others does not see how many packets
 * they send.
 */

#include "net/ip.h"
#include "net/state.h"
#include "sched/clock.h"

/* The counter below, the millisecond of its last use above. */
static uint64_t moved_on(uint64_t old, uint32_t now, unsigned count)
{
	uint32_t idle = now - (uint32_t)(old >> 32), by_chance = 0;

	if (idle) /* drawn once a millisecond at most */
		by_chance = (uint32_t)(((net_random() & UINT32_MAX) * (uint64_t)idle) >> 32);
	return (uint64_t)now << 32 | ((uint32_t)old + by_chance + count);
}

uint16_t ip_ident(uint32_t src, uint32_t dst, uint8_t protocol, unsigned count)
{
	struct net_state *n = the_net();
	uint32_t key[3] = { src, dst, protocol }, now = (uint32_t)(clock_now() / NSEC_PER_MSEC);
	uint64_t hash = hash_siphash(&n->ident_key, key, sizeof(key));
	uint64_t *counter = &n->idents[hash % IP_IDENTS], old = load_relaxed(counter), next;

	do {
		next = moved_on(old, now, count);
	} while (!atomic_cas(counter, &old, next));
	return (uint16_t)((hash >> 48) + next - count);
}
