/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of fragments, of either family. Included by a test that has
 *	fragment	'n' bytes at 'off' of a datagram of 'total' bytes to port 53 arrive
 *	fragment_socket	begins a case: its peer, and the socket on port 53
 */
static void fragment(size_t total, size_t off, size_t n, uint32_t id, bool more);
static struct file *fragment_socket(void);

TEST(fragments_in_any_order)
{
	static const int order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
		{ 2, 0, 1 }, { 2, 1, 0 } };
	struct file *u = fragment_socket();

	for (int k = 0; k < 6; k++) {
		for (int i = 0; i < 3; i++) {
			size_t off = (size_t)order[k][i] * 1000;

			fragment(2500, off, off == 2000 ? 500 : 1000, (unsigned)k, off < 2000);
		}
		CHECK_EQ(env_read(u, buf, 10000, 0), 2492);
		for (size_t i = 8; i < 2500; i++)
			if (buf[i - 8] != (uint8_t)(i * 7)) {
				T_FAIL("wrong byte %zu", i);
				break;
			}
	}
	CHECK(list_empty(&me.net.frags));
	file_put(u);
	peer_teardown();
}
TEST(overlapping_fragments_drop_the_packet)
{
	struct file *u = fragment_socket();

	fragment(2000, 0, 1000, 1, true);
	fragment(2000, 992, 1008, 1, false);
	CHECK_EQ(env_read(u, buf, 10000, 0), -EAGAIN);
	CHECK(list_empty(&me.net.frags));
	file_put(u);
	peer_teardown();
}
TEST(doubled_fragments_are_one)
{
	struct file *u = fragment_socket();

	for (int first = 0; first < 3;
		first++) { /* which one comes twice, and when the last came */
		for (int i = 0; i < 3; i++) {
			size_t off = (size_t)(first + i) % 3 * 1000;

			for (int twice = 0; twice < 2; twice++)
				if (!twice || i < 2)
					fragment(2500, off, off == 2000 ? 500 : 1000,
						(unsigned)first, off < 2000);
		}
		CHECK_EQ(env_read(u, buf, 10000, 0), 2492);
		CHECK(list_empty(&me.net.frags));
	}
	file_put(u);
	peer_teardown();
}
TEST(nothing_lies_behind_the_last_fragment)
{
	struct file *u = fragment_socket();

	fragment(2504, 0, 1000, 1, true);
	fragment(4008, 3008, 504, 1, true);
	fragment(2504, 1504, 1000, 1, false); /* as many bytes as there should be, with a hole */
	CHECK_EQ(env_read(u, buf, 10000, 0), -EAGAIN);
	CHECK(list_empty(&me.net.frags));
	file_put(u);
	peer_teardown();
}
