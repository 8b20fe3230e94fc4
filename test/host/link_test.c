/* SPDX-License-Identifier: BSD-2-Clause */
/* The link emulator of the tests over real networks: what it does follows from its seed, and it
 * does as much of it as it was told. */
#include "t.h"
#include "../net/emulator.h"

#define FRAMES 100000

static struct emulator *new_link(struct emulator_rules rules)
{
	struct emulator *e = calloc(1, sizeof(*e));

	e->rules = rules;
	return e;
}

static void end_link(struct emulator *e)
{
	struct emulator_frame *f;

	while ((f = emulator_take(e, EMULATOR_NEVER - 1)))
		free(f);
	CHECK_EQ(e->waiting, 0);
	CHECK_EQ(e->put + e->doubled, e->taken + e->dropped + e->overflowed);
	free(e);
}

struct heard {
	uint64_t count, late, early, sum; /* late: after a frame that was put later */
	uint64_t shortest, longest;	  /* ns from put to take */
};

/* Puts a frame of 'len' bytes every 'step' ns, numbered, and takes what is due in between. */
static struct heard play(struct emulator *e, uint64_t frames, size_t len, uint64_t step)
{
	struct heard h = { .shortest = UINT64_MAX };
	unsigned char bytes[1514] = {};
	uint64_t now = 0, newest = 0;

	for (uint64_t n = 0; n < frames || e->waiting; n++) {
		struct emulator_frame *f;

		now = n < frames ? n * step : emulator_due(e);
		if (n < frames) {
			memcpy(bytes, &n, sizeof(n));
			emulator_put(e, bytes, len, now);
		}
		while ((f = emulator_take(e, now))) {
			uint64_t number;

			memcpy(&number, f->bytes, sizeof(number));
			h.count++;
			h.late += number < newest;
			newest = number > newest ? number : newest;
			h.sum = h.sum * 31 + number + f->due * 7;
			uint64_t took = f->due - number * step;
			h.shortest = took < h.shortest ? took : h.shortest;
			h.longest = took > h.longest ? took : h.longest;
			CHECK_EQ(f->len, len);
			free(f);
		}
	}
	return h;
}

static bool about(uint64_t is, double should)
{
	return is > should * 0.9 && is < should * 1.1;
}

TEST(a_good_link_changes_nothing)
{
	struct emulator *e = new_link((struct emulator_rules){ .seed = 1 });
	struct heard h = play(e, FRAMES, 60, 1000);

	CHECK_EQ(h.count, FRAMES);
	CHECK_EQ(h.late, 0);
	CHECK_EQ(h.longest, 0);
	end_link(e);
}

TEST(a_seed_is_a_run)
{
	struct emulator_rules rules = { .loss = 50000,
		.doubled = 20000,
		.held = 30000,
		.delay = 5000,
		.jitter = 3000,
		.hold = 20000 };
	uint64_t sum[3];

	for (int i = 0; i < 3; i++) {
		rules.seed = i == 2 ? 8 : 7;
		struct emulator *e = new_link(rules);
		sum[i] = play(e, 5000, 60, 1000).sum;
		end_link(e);
	}
	CHECK(sum[0] == sum[1]);
	CHECK(sum[0] != sum[2]);
}

TEST(loss_and_doubles_by_their_share)
{
	struct emulator *e =
		new_link((struct emulator_rules){ .seed = 3, .loss = 50000, .doubled = 10000 });
	struct heard h = play(e, FRAMES, 60, 1000);

	CHECK(about(e->dropped, FRAMES * 0.05));
	CHECK(about(e->doubled, FRAMES * 0.95 * 0.01));
	CHECK_EQ(h.count, FRAMES - e->dropped + e->doubled);
	end_link(e);
}

TEST(loss_of_everything_and_a_cut)
{
	struct emulator *e = new_link((struct emulator_rules){ .seed = 3, .loss = 1000000 });

	CHECK_EQ(play(e, 1000, 60, 1000).count, 0);
	end_link(e);
	e = new_link((struct emulator_rules){ .seed = 3 });
	e->cut = true;
	CHECK_EQ(play(e, 1000, 60, 1000).count, 0);
	e->cut = false;
	CHECK_EQ(play(e, 1000, 60, 1000).count, 1000);
	end_link(e);
}

TEST(delay_keeps_the_order)
{
	struct emulator *e = new_link((struct emulator_rules){ .seed = 4, .delay = 50000 });
	struct heard h = play(e, FRAMES, 60, 1000);

	CHECK_EQ(h.count, FRAMES);
	CHECK_EQ(h.shortest, 50000);
	CHECK_EQ(h.longest, 50000);
	CHECK_EQ(h.late, 0);
	end_link(e);
}

TEST(jitter_within_its_bounds)
{
	struct emulator *e =
		new_link((struct emulator_rules){ .seed = 4, .delay = 50000, .jitter = 10000 });
	struct heard h = play(e, FRAMES, 60, 1000);

	CHECK_EQ(h.count, FRAMES);
	CHECK(h.shortest >= 50000 && h.shortest < 50100);
	CHECK(h.longest <= 60000 && h.longest > 59900);
	CHECK(h.late > FRAMES / 2);
	end_link(e);
}

TEST(held_frames_are_overtaken)
{
	struct emulator *e =
		new_link((struct emulator_rules){ .seed = 5, .held = 20000, .hold = 100000 });
	struct heard h = play(e, FRAMES, 60, 1000);

	CHECK_EQ(h.count, FRAMES);
	CHECK(about(e->held, FRAMES * 0.02));
	CHECK(about(h.late, FRAMES * 0.02)); /* nearly all are: only holds under one step are not */
	end_link(e);
}

TEST(corruption_is_one_bit)
{
	struct emulator *e = new_link((struct emulator_rules){ .seed = 6, .corrupted = 1000000 });
	unsigned char zeroes[100] = {};

	for (int n = 0; n < 1000; n++) {
		struct emulator_frame *f;
		int bits = 0;

		emulator_put(e, zeroes, sizeof(zeroes), 0);
		f = emulator_take(e, 0);
		REQUIRE(f);
		for (size_t i = 0; i < f->len; i++)
			bits += __builtin_popcount(f->bytes[i]);
		CHECK_EQ(bits, 1);
		free(f);
	}
	end_link(e);
}

TEST(a_rate_and_its_queue)
{
	/* 8 Mbit/s: 1000 bytes take a millisecond; ten of them may wait. */
	struct emulator *e =
		new_link((struct emulator_rules){ .seed = 7, .rate = 8000000, .queue = 10000 });
	struct heard h = play(e, 1000, 1000, 500000); /* offered: twice the rate */

	CHECK(about(h.count, 510));
	CHECK_EQ(h.count + e->overflowed, 1000);
	CHECK_EQ(h.shortest, 1000000);
	CHECK(h.longest <= 10000000 && h.longest > 9000000);
	CHECK_EQ(h.late, 0);
	end_link(e);
}

TEST(no_more_frames_than_there_is_room_for)
{
	struct emulator *e = new_link((struct emulator_rules){ .seed = 8, .delay = 1000000000000 });

	for (int i = 0; i < EMULATOR_FRAMES + 10; i++)
		emulator_put(e, "x", 1, 0);
	CHECK_EQ(e->waiting, EMULATOR_FRAMES);
	CHECK_EQ(e->overflowed, 10);
	end_link(e);
}
