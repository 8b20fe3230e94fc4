/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The address of both families: 16 bytes in network order, an IPv4 address as ::ffff:a.b.c.d (RFC
 * 4291 2.5.5.2). Sockets, packets, routes and neighbours know only this type; code that differs by
 * family asks ip_is_v4. "Any" is all zeroes for both: which families a socket that is bound to it
 * takes is said elsewhere (inet_sock.families). Two registers, so it is passed by value.
 */
#pragma once

#include "lib/string.h"
#include "lib/types.h"

struct ip_addr {
	union {
		struct {
			uint64_t hi, lo;
		};
		uint8_t b[16];
		uint32_t w[4];
	};
};

#define IP_ANY	((struct ip_addr){ .hi = 0, .lo = 0 })
#define IP6_ONE ((struct ip_addr){ .b = { [15] = 1 } })
#define IP4(a, b, c, d)                                                                            \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define INADDR_ANY	 0u
#define INADDR_BROADCAST 0xffffffffu
#define IP_MAPPED	 0xffff0000u /* bytes 8 to 11 of an IPv4 address, as a number */

static inline bool ip_equal(struct ip_addr a, struct ip_addr b)
{
	return ((a.hi ^ b.hi) | (a.lo ^ b.lo)) == 0;
}
static inline bool ip_is_any(struct ip_addr a)
{
	return (a.hi | a.lo) == 0;
}
static inline bool ip_is_v4(struct ip_addr a)
{
	return a.hi == 0 && (uint32_t)a.lo == IP_MAPPED;
}
/* The IPv4 address in a mapped one; of "any" it is 0.0.0.0 too. */
static inline uint32_t ip_v4(struct ip_addr a)
{
	return (uint32_t)(a.lo >> 32);
}
static inline struct ip_addr ip_map(uint32_t v4)
{
	return (struct ip_addr){ .hi = 0, .lo = (uint64_t)v4 << 32 | IP_MAPPED };
}
/* As ip_map, but 0.0.0.0 is "any". */
static inline struct ip_addr ip_map_any(uint32_t v4)
{
	return v4 ? ip_map(v4) : IP_ANY;
}
static inline struct ip_addr ip_from_bytes(const void *b)
{
	struct ip_addr a;

	memcpy(&a, b, 16);
	return a;
}

static inline bool ip4_is_loopback(uint32_t a)
{
	return (a & 0xff) == 127;
}
static inline bool ip4_is_multicast(uint32_t a)
{
	return (a & 0xf0) == 0xe0;
}
static inline bool ip_is_multicast(struct ip_addr a)
{
	return a.b[0] == 0xff || (ip_is_v4(a) && ip4_is_multicast(ip_v4(a)));
}
static inline bool ip_is_loopback(struct ip_addr a)
{
	return ip_equal(a, IP6_ONE) || (ip_is_v4(a) && ip4_is_loopback(ip_v4(a)));
}
/* fe80::/10 */
static inline bool ip_is_link_local(struct ip_addr a)
{
	return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80;
}
/* Means something on one link only: needs an interface (RFC 4007). */
static inline bool ip_needs_scope(struct ip_addr a)
{
	return ip_is_link_local(a) ||
	       (a.b[0] == 0xff && ((a.b[1] & 15) == 1 || (a.b[1] & 15) == 2));
}
/* The first bits of both are the same. */
static inline bool ip_prefix_equal(struct ip_addr a, struct ip_addr b, unsigned bits)
{
	uint64_t first = __builtin_bswap64(a.hi ^ b.hi), second = __builtin_bswap64(a.lo ^ b.lo);

	if (bits <= 64)
		return !bits || first >> (64 - bits) == 0;
	return !first && second >> (128 - bits) == 0;
}
static inline struct ip_addr ip_prefix(struct ip_addr a, unsigned bits)
{
	for (unsigned i = 0; i < 16; i++)
		a.b[i] &= (uint8_t)(bits >= 8 * (i + 1) ? 0xff
				    : bits <= 8 * i	? 0
							: 0xff00u >> (bits - 8 * i));
	return a;
}

/* The port behind an address of either family: what says where from and where to. */
#define IP_V4 1u
#define IP_V6 2u
static inline uint8_t ip_family_bit(struct ip_addr a)
{
	return ip_is_v4(a) ? IP_V4 : IP_V6;
}

#define IP_TEXT 46
/* As RFC 5952 writes it (an IPv4 address with dots only); out has IP_TEXT bytes. */
void ip_format(struct ip_addr a, char *out);
/* Either family. The end of the address in s, or NULL. */
const char *ip_parse(const char *s, struct ip_addr *out);
