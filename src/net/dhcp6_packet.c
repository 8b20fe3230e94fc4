/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCPv6 messages: building, and parsing of what a hostile server may send. */

#include "net/dhcp.h"
#include "net/dhcp6.h"

enum {
	OPT_CLIENT = 1,
	OPT_SERVER = 2,
	OPT_IA_NA = 3,
	OPT_ADDRESS = 5,
	OPT_WANTED = 6,
	OPT_PREFERENCE = 7,
	OPT_ELAPSED = 8,
	OPT_STATUS = 13,
	OPT_DNS = 23,
	OPT_SEARCH = 24,
	OPT_REFRESH = 32,
};
#define FOR_EVER UINT32_MAX

struct dhcp6_id dhcp6_id(const uint8_t first_mac[6], const uint8_t mac[6])
{
	struct dhcp6_id id = { .duid = { 0, 3, 0, 1 } };

	memcpy(id.duid + 4, first_mac, 6);
	memcpy(id.iaid, mac + 2, sizeof(id.iaid));
	return id;
}

/* The next option of a list. False: the end, or (*n != 0) one that ends behind the list. */
static bool next_option(
	const uint8_t **p, size_t *n, uint16_t *code, const uint8_t **data, size_t *len)
{
	if (*n < 4 || get_be16(*p + 2) + 4u > *n)
		return false;
	*code = get_be16(*p);
	*len = get_be16(*p + 2);
	*data = *p + 4;
	*n -= *len + 4;
	*p += *len + 4;
	return true;
}

static bool usable(struct ip_addr a)
{
	return !ip_is_any(a) && !ip_is_multicast(a) && !ip_is_link_local(a) && !ip_is_v4(a) &&
	       !ip_is_loopback(a);
}

static uint16_t status_in(const uint8_t *p, size_t n)
{
	const uint8_t *data;
	uint16_t code, status = DHCP6_OK;
	size_t len;

	while (next_option(&p, &n, &code, &data, &len))
		if (code == OPT_STATUS && len >= 2)
			status = get_be16(data);
	return status;
}

/* 21.6 */
static void take_address(struct dhcp6_answer *a, const uint8_t *p, size_t n)
{
	struct ip_addr addr;
	uint32_t preferred, valid;

	if (n < 24)
		return;
	addr = ip_from_bytes(p);
	preferred = get_be32(p + 16);
	valid = get_be32(p + 20);
	if (!usable(addr) || preferred > valid || !valid || status_in(p + 24, n - 24) != DHCP6_OK ||
		!ip_is_any(a->addr))
		return;
	a->addr = addr;
	a->preferred = preferred;
	a->valid = valid;
}

/* 21.4: times that nobody said are half and four fifths of the preferred lifetime. */
static void take_ia(struct dhcp6_answer *a, const uint8_t *p, size_t n, const uint8_t iaid[4])
{
	const uint8_t *data;
	uint16_t code;
	size_t len;

	if (n < 12 || memcmp(p, iaid, 4) != 0 || a->has_ia)
		return;
	a->has_ia = true;
	a->t1 = get_be32(p + 4);
	a->t2 = get_be32(p + 8);
	p += 12;
	n -= 12;
	a->ia_status = status_in(p, n);
	while (next_option(&p, &n, &code, &data, &len))
		if (code == OPT_ADDRESS)
			take_address(a, data, len);
	if (n || (a->t2 && a->t1 > a->t2))
		a->addr = IP_ANY;
	if (!a->t1)
		a->t1 = a->preferred == FOR_EVER ? FOR_EVER : a->preferred / 2;
	if (!a->t2)
		a->t2 = a->preferred == FOR_EVER ? FOR_EVER
						 : (uint32_t)((uint64_t)a->preferred * 4 / 5);
	a->t2 = MIN(a->t2, a->valid);
	a->t1 = MIN(a->t1, a->t2);
}

static void take_option(struct dhcp6_answer *a, uint16_t code, const uint8_t *p, size_t n,
	const struct dhcp6_id *id, bool *mine)
{
	switch (code) {
	case OPT_CLIENT: *mine = n == sizeof(id->duid) && memcmp(p, id->duid, n) == 0; break;
	case OPT_SERVER:
		if (n && n <= DHCP6_MAX_DUID) {
			memcpy(a->server, p, n);
			a->server_len = (unsigned)n;
		}
		break;
	case OPT_IA_NA: take_ia(a, p, n, id->iaid); break;
	case OPT_PREFERENCE:
		if (n == 1)
			a->preference = p[0];
		break;
	case OPT_STATUS:
		if (n >= 2)
			a->status = get_be16(p);
		break;
	case OPT_DNS:
		for (; n >= 16 && a->dns_count < DHCP6_MAX_DNS; p += 16, n -= 16) {
			struct ip_addr d = ip_from_bytes(p);

			if (!ip_is_any(d) && !ip_is_multicast(d) && !ip_is_v4(d))
				a->dns[a->dns_count++] = d;
		}
		break;
	case OPT_SEARCH: dns_names(a->search, sizeof(a->search), p, n); break;
	case OPT_REFRESH:
		if (n == 4)
			a->refresh = get_be32(p);
		break;
	}
}

bool dhcp6_parse(const void *data, size_t len, uint32_t xid, const struct dhcp6_id *id,
	struct dhcp6_answer *out)
{
	const uint8_t *p = data, *option;
	uint16_t code;
	size_t n;
	bool mine = false;

	memset(out, 0, sizeof(*out));
	if (len < 4 || (p[0] != DHCP6_ADVERTISE && p[0] != DHCP6_REPLY) ||
		(get_be32(p) & 0xffffff) != xid)
		return false;
	out->type = p[0];
	p += 4;
	len -= 4;
	while (next_option(&p, &len, &code, &option, &n))
		take_option(out, code, option, n, id, &mine);
	return len == 0 && mine && out->server_len; /* 16.3, 16.10 */
}

static uint8_t *put_option(uint8_t *o, uint16_t code, const void *data, size_t n)
{
	put_be16(o, code);
	put_be16(o + 2, (uint16_t)n);
	memcpy(o + 4, data, n);
	return o + 4 + n;
}

size_t dhcp6_build(uint8_t *buf, const struct dhcp6_request *r)
{
	static const uint8_t wanted[] = { 0, OPT_DNS, 0, OPT_SEARCH, 0, OPT_REFRESH };
	uint8_t ia[12 + 28] = { 0 }, elapsed[2], *o = buf + 4;
	size_t ia_len = 12;

	put_be32(buf, (uint32_t)r->type << 24 | (r->xid & 0xffffff));
	o = put_option(o, OPT_CLIENT, r->id.duid, sizeof(r->id.duid));
	if (r->server)
		o = put_option(o, OPT_SERVER, r->server, r->server_len);
	put_be16(elapsed, r->elapsed);
	o = put_option(o, OPT_ELAPSED, elapsed, 2);
	if (r->type != DHCP6_INFORMATION) {
		memcpy(ia, r->id.iaid, sizeof(r->id.iaid));
		if (!ip_is_any(r->addr)) {
			put_be16(ia + 12, OPT_ADDRESS);
			put_be16(ia + 14, 24);
			memcpy(ia + 16, r->addr.b, 16);
			ia_len = sizeof(ia);
		}
		o = put_option(o, OPT_IA_NA, ia, ia_len);
	}
	if (r->type != DHCP6_RELEASE && r->type != DHCP6_DECLINE)
		o = put_option(o, OPT_WANTED, wanted,
			r->type == DHCP6_INFORMATION ? sizeof(wanted) : sizeof(wanted) - 2);
	return (size_t)(o - buf);
}
