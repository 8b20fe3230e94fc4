/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages: building, and parsing of what a hostile server may send. */

#include "net/dhcp.h"
#include "lib/string.h"

enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOSTNAME = 12,
	OPT_DOMAIN = 15,
	OPT_MTU = 26,
	OPT_BROADCAST = 28,
	OPT_NTP = 42,
	OPT_REQUESTED = 50,
	OPT_LEASE = 51,
	OPT_OVERLOAD = 52,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_PARAMETERS = 55,
	OPT_MAX_SIZE = 57,
	OPT_T1 = 58,
	OPT_T2 = 59,
	OPT_CLIENT_ID = 61,
	OPT_SEARCH = 119,
	OPT_ROUTES = 121,
	OPT_END = 255,
};

static uint32_t get_addr(const uint8_t *p)
{
	uint32_t a;

	memcpy(&a, p, 4);
	return a;
}

static void get_addrs(uint32_t *out, unsigned *count, unsigned max, const uint8_t *p, size_t n)
{
	for (; n >= 4 && *count < max; p += 4, n -= 4)
		out[(*count)++] = get_addr(p);
}

/* Names go into /etc/resolv.conf: letters, digits, dots, dashes, underscores only. */
static void get_name(char *out, size_t size, const uint8_t *p, size_t n)
{
	size_t k = 0;

	while (k < n && k + 1 < size) {
		uint8_t c = p[k];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '.' || c == '-' || c == '_'))
			break;
		out[k++] = (char)c;
	}
	out[k] = 0;
}

void dns_names(char *out, size_t size, const uint8_t *p, size_t n)
{
	size_t at = 0, len = 0;

	out[0] = 0;
	while (at < n) {
		size_t pos = at, hops = 0, start = len;
		bool jumped = false;

		for (;;) {
			if (pos >= n)
				goto end;
			uint8_t c = p[pos];

			if (c >= 0xc0) {
				if (pos + 1 >= n || ++hops > 16)
					goto end;
				if (!jumped)
					at = pos + 2;
				jumped = true;
				pos = (size_t)(c & 0x3f) << 8 | p[pos + 1];
				continue;
			}
			if (c == 0 || c > 63 || pos + 1 + c > n)
				break;
			char label[64];

			get_name(label, sizeof(label), p + pos + 1, c);
			if (len + strlen(label) + 2 >= size || ++hops > 127)
				goto end;
			if (len > start)
				out[len++] = '.';
			memcpy(out + len, label, strlen(label));
			len += strlen(label);
			pos += 1u + c;
		}
		if (!jumped)
			at = pos + 1;
		if (len + 1 < size)
			out[len++] = ' ';
	}
end:
	while (len && out[len - 1] == ' ')
		len--;
	out[len] = 0;
}

static void get_routes(struct dhcp_lease *l, const uint8_t *p, size_t n)
{
	while (n && l->route_count < DHCP_MAX_ROUTES) {
		unsigned prefix = p[0], bytes = DIV_ROUND_UP(prefix, 8u);
		struct dhcp_route *r = &l->routes[l->route_count];

		if (prefix > 32 || n < 1 + bytes + 4)
			return;
		r->prefix = (uint8_t)prefix;
		r->dst = 0;
		memcpy(&r->dst, p + 1, bytes);
		r->gateway = get_addr(p + 1 + bytes);
		l->route_count++;
		l->has_routes = true;
		p += 1 + bytes + 4;
		n -= 1 + bytes + 4;
	}
}

static void take_option(
	struct dhcp_lease *l, uint8_t code, const uint8_t *p, size_t n, uint8_t *overload)
{
	switch (code) {
	case OPT_MASK:
		if (n == 4)
			l->mask = get_addr(p);
		break;
	case OPT_ROUTER:
		if (n >= 4)
			l->router = get_addr(p);
		break;
	case OPT_DNS: get_addrs(l->dns, &l->dns_count, DHCP_MAX_DNS, p, n); break;
	case OPT_NTP: get_addrs(l->ntp, &l->ntp_count, DHCP_MAX_NTP, p, n); break;
	case OPT_BROADCAST:
		if (n == 4)
			l->broadcast = get_addr(p);
		break;
	case OPT_HOSTNAME: get_name(l->hostname, sizeof(l->hostname), p, n); break;
	case OPT_DOMAIN: get_name(l->domain, sizeof(l->domain), p, n); break;
	case OPT_SEARCH: dns_names(l->search, sizeof(l->search), p, n); break;
	case OPT_MTU:
		if (n == 2)
			l->mtu = get_be16(p);
		break;
	case OPT_LEASE:
		if (n == 4)
			l->lease = get_be32(p);
		break;
	case OPT_T1:
		if (n == 4)
			l->t1 = get_be32(p);
		break;
	case OPT_T2:
		if (n == 4)
			l->t2 = get_be32(p);
		break;
	case OPT_TYPE:
		if (n == 1)
			l->type = p[0];
		break;
	case OPT_SERVER:
		if (n == 4)
			l->server = get_addr(p);
		break;
	case OPT_ROUTES: get_routes(l, p, n); break;
	case OPT_OVERLOAD:
		if (n == 1)
			*overload = p[0];
		break;
	}
}

static void take_options(struct dhcp_lease *l, const uint8_t *p, size_t n, uint8_t *overload)
{
	while (n && p[0] != OPT_END) {
		if (p[0] == OPT_PAD) {
			p++;
			n--;
			continue;
		}
		if (n < 2 || p[1] + 2u > n)
			return;
		take_option(l, p[0], p + 2, p[1], overload);
		n -= p[1] + 2u;
		p += p[1] + 2u;
	}
}

static unsigned mask_prefix(uint32_t mask, uint32_t addr)
{
	uint32_t m = be32(mask);

	if (!mask) { /* not said: by class */
		uint8_t first = addr & 0xff;

		return first < 128 ? 8 : first < 192 ? 16 : 24;
	}
	return m == 0xffffffff ? 32 : (unsigned)__builtin_clz(~m);
}

bool dhcp_parse(
	const void *data, size_t len, uint32_t xid, const uint8_t mac[6], struct dhcp_lease *out)
{
	const struct dhcp_packet *p = data;
	uint8_t overload = 0, ignore = 0;

	memset(out, 0, sizeof(*out));
	if (len < sizeof(*p) || p->op != 2 || p->htype != 1 || p->hlen != 6 ||
		be32(p->magic) != DHCP_MAGIC || be32(p->xid) != xid ||
		memcmp(p->chaddr, mac, 6) != 0)
		return false;
	out->addr = p->yiaddr;
	out->lease = UINT32_MAX;
	take_options(out, p->options, len - sizeof(*p), &overload);
	if (overload & 1)
		take_options(out, p->file, sizeof(p->file), &ignore);
	if (overload & 2)
		take_options(out, p->sname, sizeof(p->sname), &ignore);
	if (out->type != DHCPOFFER && out->type != DHCPACK && out->type != DHCPNAK)
		return false;
	if (out->type == DHCPNAK)
		return true;
	uint8_t first = out->addr & 0xff;

	if (first == 0 || first == 127 || first >= 224)
		return false;
	out->prefix = mask_prefix(out->mask, out->addr);
	if (out->lease == UINT32_MAX) /* for ever: nothing to extend, whatever T1 and T2 say */
		out->t1 = out->t2 = UINT32_MAX;
	if (!out->t2 || out->t2 > out->lease)
		out->t2 = (uint32_t)((uint64_t)out->lease * 7 / 8);
	if (!out->t1 || out->t1 > out->t2)
		out->t1 = MIN(out->lease / 2, out->t2);
	if (out->mtu && out->mtu < 576)
		out->mtu = 0;
	return true;
}

static uint8_t *put_option(uint8_t *o, uint8_t code, const void *data, size_t n)
{
	o[0] = code;
	o[1] = (uint8_t)n;
	memcpy(o + 2, data, n);
	return o + 2 + n;
}

size_t dhcp_build(uint8_t *buf, const struct dhcp_request *r)
{
	static const uint8_t wanted[] = { OPT_MASK, OPT_ROUTES, OPT_ROUTER, OPT_DNS, OPT_HOSTNAME,
		OPT_DOMAIN, OPT_MTU, OPT_BROADCAST, OPT_NTP, OPT_LEASE, OPT_T1, OPT_T2,
		OPT_SEARCH };
	struct dhcp_packet *p = (struct dhcp_packet *)buf;
	uint8_t *o = p->options, id[7] = { 1 }, size[2];

	memset(buf, 0, DHCP_MAX_PACKET);
	p->op = 1;
	p->htype = 1;
	p->hlen = 6;
	p->xid = be32(r->xid);
	p->secs = be16(r->secs);
	p->flags = r->ciaddr ? 0 : be16(DHCP_BROADCAST);
	p->ciaddr = r->ciaddr;
	memcpy(p->chaddr, r->mac, 6);
	p->magic = be32(DHCP_MAGIC);
	o = put_option(o, OPT_TYPE, &r->type, 1);
	memcpy(id + 1, r->mac, 6);
	o = put_option(o, OPT_CLIENT_ID, id, sizeof(id));
	if (r->requested)
		o = put_option(o, OPT_REQUESTED, &r->requested, 4);
	if (r->server)
		o = put_option(o, OPT_SERVER, &r->server, 4);
	if (r->type == DHCPDISCOVER || r->type == DHCPREQUEST) {
		put_be16(size, 1500);
		o = put_option(o, OPT_MAX_SIZE, size, 2);
		if (r->hostname && r->hostname[0])
			o = put_option(
				o, OPT_HOSTNAME, r->hostname, MIN(strlen(r->hostname), (size_t)63));
		o = put_option(o, OPT_PARAMETERS, wanted, sizeof(wanted));
	}
	*o++ = OPT_END;
	return MAX((size_t)(o - buf), (size_t)300); /* BOOTP's least */
}
