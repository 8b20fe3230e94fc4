/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum against its definition. */
/* sources: src/net/checksum.c */
#include "net/packet.h"
#include "t.h"

/* By the definition, in network order. */
static uint32_t plain_sum(uint64_t sum, const uint8_t *b, size_t n)
{
	for (size_t k = 0; k < n; k++)
		sum += k & 1 ? b[k] : (uint32_t)b[k] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

TEST(checksum_of_rfc_1071)
{
	static uint8_t buf[70000];
	static const uint8_t d[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint16_t sum = csum_fold(csum_add(0, d, 8));

	CHECK_EQ(get_be16(&sum), 0x220d);
	unsigned long seed = 5;

	for (int i = 0; i < 1000; i++) { /* against the definition, in pieces of any length */
		size_t n = t_random(&seed) % sizeof(buf), cut = n ? t_random(&seed) % n : 0;

		for (size_t k = 0; k < n; k++)
			buf[k] = (uint8_t)t_random(&seed);
		struct packet a = { .data = buf, .len = (uint32_t)cut },
			      b = { .data = buf + cut, .len = (uint32_t)(n - cut) };

		a.frags = &b;
		sum = csum_fold(csum_packet(0, &a));
		CHECK_EQ((uint16_t)~get_be16(&sum), plain_sum(0, buf, n));
	}
}

/* Every way to divide a length, and carries everywhere. */
TEST(checksum_of_every_length)
{
	static const uint32_t before[] = { 0, 1, 0x12345678, 0xffff0000, 0xffffffff };
	unsigned long seed = 6;

	for (size_t n = 0; n <= 260; n++)
		for (unsigned kind = 0; kind < 8; kind++) {
			uint8_t *b = malloc(n);

			for (size_t k = 0; k < n; k++)
				b[k] = kind == 0 ? 0 : kind < 4 ? 0xff : (uint8_t)t_random(&seed);
			if (n && kind > 1 && kind < 4) /* all ones but for one bit */
				b[t_random(&seed) % n] ^= (uint8_t)(1 << t_random(&seed) % 8);
			for (unsigned k = 0; k < ARRAY_SIZE(before); k++) {
				uint16_t halves[2], sum = csum_fold(csum_add(before[k], b, n));

				memcpy(halves, &before[k], sizeof(halves));
				CHECK_EQ((uint16_t)~get_be16(&sum),
					plain_sum(
						get_be16(&halves[0]) + get_be16(&halves[1]), b, n));
			}
			free(b);
		}
}
