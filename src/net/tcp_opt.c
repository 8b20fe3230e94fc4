/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP headers: decoding with all checks, and the options we write (RFC 9293 3.1, 7323, 2018). */

#include "net/tcp.h"

void tcp_parse_options(const uint8_t *o, size_t n, struct tcp_seg *seg)
{
	while (n) {
		uint8_t kind = o[0], len;

		if (kind == TCPOPT_END)
			return;
		if (kind == TCPOPT_NOP) {
			o++;
			n--;
			continue;
		}
		if (n < 2 || o[1] < 2 || o[1] > n)
			return;
		len = o[1];
		if (kind == TCPOPT_MSS && len == 4 && (seg->flags & TCP_SYN)) {
			seg->mss = get_be16(o + 2);
			seg->has_mss = seg->mss != 0;
		} else if (kind == TCPOPT_WSCALE && len == 3 && (seg->flags & TCP_SYN)) {
			seg->wscale = MIN(o[2], (uint8_t)14);
			seg->has_wscale = true;
		} else if (kind == TCPOPT_SACK_OK && len == 2 && (seg->flags & TCP_SYN)) {
			seg->sack_ok = true;
		} else if (kind == TCPOPT_TIMESTAMPS && len == 10) {
			seg->ts_val = get_be32(o + 2);
			seg->ts_ecr = get_be32(o + 6);
			seg->has_ts = true;
		} else if (kind == TCPOPT_SACK && len >= 10 && (len - 2) % 8 == 0) {
			unsigned count = MIN((len - 2) / 8, 4);

			for (unsigned k = 0; k < count; k++) {
				seg->sack[k].start = get_be32(o + 2 + 8 * k);
				seg->sack[k].end = get_be32(o + 6 + 8 * k);
			}
			seg->sack_count = count;
		}
		o += len;
		n -= len;
	}
}

bool tcp_parse(struct packet *p, struct tcp_seg *seg)
{
	struct tcp_header *h;
	unsigned hlen;

	memset(seg, 0, sizeof(*seg));
	if (!pkt_pull_up(p, sizeof(*h)))
		return false;
	h = (struct tcp_header *)p->data;
	hlen = (h->offset >> 4) * 4u;
	if (hlen < sizeof(*h) || !pkt_pull_up(p, hlen))
		return false;
	h = (struct tcp_header *)p->data;
	seg->seq = be32(h->seq);
	seg->ack = be32(h->ack);
	seg->wnd = be16(h->window);
	seg->flags = h->flags;
	seg->urgent = be16(h->urgent);
	tcp_parse_options(p->data + sizeof(*h), hlen - sizeof(*h), seg);
	packet_pull(p, hlen);
	seg->len = (uint32_t)pkt_total(p);
	pkt_cb(p)->seq = seg->seq;
	pkt_cb(p)->end_seq = seg->seq + seg->len;
	return true;
}

static unsigned put_timestamps(struct tcp_sock *t, uint8_t *o, uint8_t flags)
{
	o[0] = o[1] = TCPOPT_NOP;
	o[2] = TCPOPT_TIMESTAMPS;
	o[3] = 10;
	put_be32(o + 4, tcp_ts_now(t));
	put_be32(o + 8, flags & TCP_ACK ? t->ts_recent : 0);
	return 12;
}

static unsigned put_syn_options(struct tcp_sock *t, uint8_t *o, uint8_t flags)
{
	unsigned n = 4;

	o[0] = TCPOPT_MSS;
	o[1] = 4;
	put_be16(o + 2, t->adv_mss);
	if (t->sack_ok) {
		o[n] = o[n + 1] = TCPOPT_NOP;
		o[n + 2] = TCPOPT_SACK_OK;
		o[n + 3] = 2;
		n += 4;
	}
	if (t->ts_ok)
		n += put_timestamps(t, o + n, flags);
	if (t->wscale_ok) {
		o[n] = TCPOPT_NOP;
		o[n + 1] = TCPOPT_WSCALE;
		o[n + 2] = 3;
		o[n + 3] = t->rcv_wscale;
		n += 4;
	}
	return n;
}

/*
 * room: bytes that the payload leaves of a full segment. SACK blocks that do not fit are left out,
 * and then a pure ACK must follow (see acked_with_this).
 */
unsigned tcp_write_options(struct tcp_sock *t, uint8_t *o, uint8_t flags, uint32_t room)
{
	struct tcp_range blocks[4];
	unsigned n = 0, count;

	if (flags & TCP_SYN)
		return put_syn_options(t, o, flags);
	if (t->ts_ok)
		n += put_timestamps(t, o, flags);
	if (!t->sack_ok || !(tcp_ooo_any(&t->ooo) || t->dsack_due))
		return n;
	if (room < 12)
		return n;
	count = tcp_sack_blocks(t, blocks, MIN((room - 4) / 8, t->ts_ok ? 3u : 4u));
	if (!count)
		return n;
	o[n] = o[n + 1] = TCPOPT_NOP;
	o[n + 2] = TCPOPT_SACK;
	o[n + 3] = (uint8_t)(2 + 8 * count);
	n += 4;
	for (unsigned k = 0; k < count; k++, n += 8) {
		put_be32(o + n, blocks[k].start);
		put_be32(o + n + 4, blocks[k].end);
	}
	return n;
}
