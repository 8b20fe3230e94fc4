/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071) over bytes, pseudo headers and chains of pieces. */

#include "net/packet.h"
#include "abi/net.h"

/*
 * The one's complement sum of 16-bit words does not care about the order of bytes as long as it is
 * the same for all: words are added as the machine reads them, eight bytes and the last addition's
 * carry in one instruction. The carry of a block's last addition is added without another: for a
 * sum of all ones and a carry all eight words and the sum would have to be all ones, and the first
 * addition has no carry.
 */
static uint64_t add_blocks(uint64_t sum, const uint8_t *b, size_t blocks)
{
	__asm__("1:	addq	(%[b]), %[sum]\n"
		"	adcq	8(%[b]), %[sum]\n"
		"	adcq	16(%[b]), %[sum]\n"
		"	adcq	24(%[b]), %[sum]\n"
		"	adcq	32(%[b]), %[sum]\n"
		"	adcq	40(%[b]), %[sum]\n"
		"	adcq	48(%[b]), %[sum]\n"
		"	adcq	56(%[b]), %[sum]\n"
		"	adcq	$0, %[sum]\n"
		"	addq	$64, %[b]\n"
		"	decq	%[n]\n"
		"	jnz	1b\n"
		: [sum] "+r"(sum), [b] "+r"(b), [n] "+r"(blocks)
		:
		: "cc", "memory");
	return sum;
}

/* Adds 64-bit words at b to s, after the first as 'more' says. The last carry goes around, by the
 * argument above. */
#define ADD(s, b, more)                                                                            \
	__asm__("addq (%1), %0\n" more "adcq $0, %0" : "+r"(s) : "r"(b) : "cc", "memory")

static uint64_t word_at(const uint8_t *b)
{
	uint64_t w;

	memcpy(&w, b, 8);
	return w;
}

/* The last bytes, fewer than eight, as a word whose rest is zero. */
static uint64_t few_bytes(const uint8_t *b, size_t n)
{
	uint64_t w = 0;
	uint32_t four;
	uint16_t two;

	if (n & 1)
		w = b[n - 1];
	if (n & 2) {
		memcpy(&two, b + (n & 4), 2);
		w = w << 16 | two;
	}
	if (n & 4) {
		memcpy(&four, b, 4);
		w = w << 32 | four;
	}
	return w;
}

/* Headers and small datagrams: no loop, few branches. */
uint32_t csum_add(uint32_t sum, const void *data, size_t n)
{
	const uint8_t *b = data;
	uint64_t s = sum, w;
	size_t last = n & 7;

	if (n >= 64) {
		s = add_blocks(s, b, n / 64);
		b += n & ~63ul;
	}
	if (n & 32) {
		ADD(s, b, "adcq 8(%1), %0\n adcq 16(%1), %0\n adcq 24(%1), %0\n");
		b += 32;
	}
	if (n & 16) {
		ADD(s, b, "adcq 8(%1), %0\n");
		b += 16;
	}
	if (n & 8) {
		ADD(s, b, "");
		b += 8;
	}
	if (last) { /* the upper part of the last eight bytes, if there are eight */
		w = n < 8 ? few_bytes(b, last) : word_at(b + last - 8) >> (64 - 8 * last);
		s += w;
		s += s < w;
	}
	s += s << 32 | s >> 32; /* as csum_fold */
	return (uint32_t)(s >> 32);
}

uint32_t csum_pseudo6(struct ip_addr src, struct ip_addr dst, uint8_t protocol, uint32_t len)
{
	struct {
		struct ip_addr src, dst;
		uint32_t len;
		uint8_t zero[3], protocol;
	} h = { src, dst, be32(len), { 0 }, protocol };

	return csum_add(0, &h, sizeof(h));
}

uint32_t csum_packet(uint32_t sum, const struct packet *p)
{
	bool odd = false;

	if (likely(!p->frags))
		return csum_add(sum, p->data, p->len);
	for (const struct packet *f = p; f; f = f == p ? p->frags : f->next) {
		uint32_t part = csum_add(0, f->data, f->len);

		if (odd) { /* this piece starts in the middle of a word */
			part = (part & 0xffff) + (part >> 16);
			part = (part & 0xffff) + (part >> 16);
			part = (part & 0xff) << 8 | part >> 8;
		}
		uint64_t s = (uint64_t)sum + part;

		sum = (uint32_t)((s & 0xffffffff) + (s >> 32));
		odd ^= f->len & 1;
	}
	return sum;
}
