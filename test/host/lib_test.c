/* SPDX-License-Identifier: BSD-2-Clause */
/* The freestanding helpers against their C library counterparts and models. */
/* sources: src/lib/string.c src/lib/format.c src/lib/rbtree.c src/lib/hash.c src/lib/cmdline.c */
#include "t.h"

#include "lib/cmdline.h"
#include "lib/format.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/string.h"

#define SAME(...)                                                                                  \
	do {                                                                                       \
		char ours[128], libc[128];                                                         \
		int n = format(ours, sizeof(ours), __VA_ARGS__);                                   \
		int m = snprintf(libc, sizeof(libc), __VA_ARGS__);                                 \
		CHECK(n == m);                                                                     \
		CHECK(strcmp(ours, libc) == 0);                                                    \
	} while (0)

TEST(format_like_libc)
{
	SAME("%d %i %u", -5, 0, 4000000000u);
	SAME("[%5d][%-5d][%05d][%+d][% d]", 42, 42, 42, 42, 42);
	SAME("%x %X %#x %#o %o", 255, 255, 255, 8, 8);
	SAME("%ld %lu %lx", -1L, ~0UL, ~0UL);
	SAME("%hhd %hd %hhu", 300, 70000, 300);
	SAME("%zu %td %jd", (size_t)7, (ptrdiff_t)-7, (intmax_t)9);
	SAME("%s|%10s|%-10s|%.2s|%c", "abc", "abc", "abc", "abc", 'z');
	SAME("%*d|%-*d|%.*s", 6, 1, 6, 1, 2, "xyz");
	SAME("%p", (void *)0x1234);
	SAME("%.0d|%.3d|%8.3x", 0, 5, 10);
	SAME("%lld %llu", -9223372036854775807LL - 1, 18446744073709551615ULL);
	SAME("100%%");
}

void *lib_memcpy(void *d, const void *s, size_t n);
void *lib_memmove(void *d, const void *s, size_t n);
void *lib_memset(void *d, int c, size_t n);
int lib_memcmp(const void *a, const void *b, size_t n);
#define SPACE 1200

static void fill(unsigned long *seed, uint8_t *a, uint8_t *b)
{
	for (size_t i = 0; i < SPACE; i++)
		a[i] = b[i] = (uint8_t)t_random(seed);
}

/* Every length about the limits, at every place within a word, and nothing beside it. */
TEST(memory_like_libc)
{
	static uint8_t from[SPACE], ours[SPACE], libc[SPACE];
	unsigned long seed = 7;

	for (size_t n = 0; n < 300; n++)
		for (size_t k = 0; k < 64; k++) {
			uint8_t *a = ours + 16 + k % 8, *b = libc + 16 + k % 8;
			const uint8_t *s = from + 16 + k / 8;
			int x, y;

			fill(&seed, from, from);
			fill(&seed, ours, libc);
			memcpy(b, s, n);
			CHECK(lib_memcpy(a, s, n) == a);
			CHECK(!memcmp(ours, libc, SPACE));
			memset(b + 400, (int)(n + k), n);
			CHECK(lib_memset(a + 400, (int)(n + k), n) == a + 400);
			CHECK(!memcmp(ours, libc, SPACE));
			memcpy(a + 800, b, n);
			if (n)
				a[800 + t_random(&seed) % n] ^= (uint8_t)(1 << k % 9);
			x = memcmp(b, a + 800, n);
			y = lib_memcmp(b, a + 800, n);
			CHECK((x > 0) == (y > 0) && (x < 0) == (y < 0));
		}
}

TEST(overlapping_like_libc)
{
	static uint8_t ours[SPACE], libc[SPACE];
	unsigned long seed = 8;

	for (size_t n = 0; n < 300; n += 1 + n / 40)
		for (int by = -150; by <= 150; by++) {
			fill(&seed, ours, libc);
			memmove(libc + 400 + by, libc + 400, n);
			CHECK(lib_memmove(ours + 400 + by, ours + 400, n) == ours + 400 + by);
			CHECK(!memcmp(ours, libc, SPACE));
		}
}

TEST(format_cuts_and_terminates)
{
	char buf[4] = "zzz";

	CHECK(format(buf, sizeof(buf), "%s", "hello") == 5);
	CHECK(strcmp(buf, "hel") == 0);
	CHECK(format(NULL, 0, "%d", 1234) == 4);
}

TEST(numbers_are_parsed_with_bounds)
{
	uint64_t v = 1;

	CHECK(*str_to_u64("123x", 10, &v) == 'x' && v == 123);
	CHECK(*str_to_u64("0x1fg", 0, &v) == 'g' && v == 0x1f);
	CHECK(str_to_u64("18446744073709551615", 10, &v) && v == UINT64_MAX);
	CHECK(!str_to_u64("18446744073709551616", 10, &v));
	CHECK(!str_to_u64("", 10, &v));
	CHECK(!str_to_u64("-1", 10, &v));
	CHECK(!str_to_u64("0x", 0, &v));
}

TEST(str_copy_says_when_it_cut)
{
	char buf[4];

	CHECK(str_copy(buf, "abcdef", sizeof(buf)) == 6 && strcmp(buf, "abc") == 0);
	CHECK(str_copy(buf, "ab", sizeof(buf)) == 2 && strcmp(buf, "ab") == 0);
}

/* Reference vector of the SipHash paper, appendix A. */
TEST(siphash_of_the_paper)
{
	struct hash_key key = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };
	unsigned char data[15];

	for (int i = 0; i < 15; i++)
		data[i] = i;
	CHECK(hash_siphash(&key, data, 15) == 0xa129ca6149be45e5ull);
	CHECK(hash_siphash(&key, data, 0) == 0x726fdb47dd0e0e31ull);
	CHECK(hash_siphash(&key, data, 3) == 0x85676696d7fb7e2dull);
	CHECK(hash_siphash(&key, data, 4) == 0xcf2794e0277187b7ull);
	CHECK(hash_siphash(&key, data, 12) == 0x751e8fbc860ee5fbull);
}

struct item {
	struct rb_node node;
	unsigned key, sum; /* sum: of the keys in the subtree, by 'update' */
	bool in;
};

static unsigned sum_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct item, node)->sum : 0;
}

static void update(struct rb_node *n)
{
	struct item *i = rb_entry(n, struct item, node);

	i->sum = i->key + sum_of(n->left) + sum_of(n->right);
}

/* Black height, or -1 if a rule is broken. */
static int check_rules(struct rb_node *n)
{
	int left, right;

	if (!n)
		return 0;
	if (n->red && ((n->left && n->left->red) || (n->right && n->right->red)))
		return -1;
	if ((n->left && n->left->parent != n) || (n->right && n->right->parent != n))
		return -1;
	left = check_rules(n->left);
	right = check_rules(n->right);
	return left < 0 || left != right ? -1 : left + !n->red;
}

static void insert(struct rb_tree *t, struct item *i)
{
	struct rb_node **link = &t->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = i->key < rb_entry(parent, struct item, node)->key ? &parent->left
									 : &parent->right;
	}
	rb_insert(t, &i->node, parent, link);
}

TEST(rbtree_against_a_model)
{
	enum { N = 200 };
	static struct item items[N];
	struct rb_tree tree = { .update = update };
	unsigned seed = 1;

	for (unsigned i = 0; i < N; i++)
		items[i].key = i;
	for (int step = 0; step < 20000; step++) {
		struct item *i = &items[(seed = seed * 1103515245 + 12345) / 65536 % N];
		unsigned sum = 0, walked = 0, count = 0;

		if (i->in)
			rb_erase(&tree, &i->node);
		else
			insert(&tree, i);
		i->in = !i->in;
		if (step % 50)
			continue;
		REQUIRE(check_rules(tree.root) >= 0);
		REQUIRE(!tree.root || !tree.root->red);
		for (unsigned k = 0; k < N; k++)
			if (items[k].in) {
				sum += k;
				count++;
			}
		REQUIRE(sum_of(tree.root) == sum);
		for (struct rb_node *n = rb_first(&tree), *last = NULL; n;
			last = n, n = rb_next(n)) {
			REQUIRE(!last || rb_entry(last, struct item, node)->key <
						 rb_entry(n, struct item, node)->key);
			REQUIRE(rb_prev(n) == last);
			walked++;
		}
		REQUIRE(walked == count);
	}
}

TEST(command_line_tokens)
{
	const char *line = "arg=/bin/x  arg=a\\x20b env=K=V quiet\tloglevel=7\narg= bad=\\x0",
		   *at = line;
	char buf[16];

	CHECK(cmdline_get(line, "arg", 0, buf, sizeof(buf)) == 6 && strcmp(buf, "/bin/x") == 0);
	CHECK(cmdline_get(line, "arg", 1, buf, sizeof(buf)) == 3 && strcmp(buf, "a b") == 0);
	CHECK(cmdline_get(line, "arg", 2, buf, sizeof(buf)) == 0);
	CHECK(cmdline_get(line, "arg", 3, buf, sizeof(buf)) == -1);
	CHECK(cmdline_get(line, "env", 0, buf, sizeof(buf)) == 3 && strcmp(buf, "K=V") == 0);
	CHECK(cmdline_get(line, "quiet", 0, buf, sizeof(buf)) == 0);
	CHECK(cmdline_get(line, "qui", 0, buf, sizeof(buf)) == -1);
	CHECK(cmdline_get(line, "arg", 0, buf, 3) == -1);
	CHECK(cmdline_get(line, "bad", 0, buf, sizeof(buf)) == 3);
	CHECK(cmdline_get_u64(line, "loglevel", 4) == 7);
	CHECK(cmdline_next(&at, "arg", buf, sizeof(buf)) == 6 && strcmp(buf, "/bin/x") == 0);
	CHECK(cmdline_next(&at, "arg", buf, 3) == -1); /* does not fit, and is passed over */
	CHECK(cmdline_next(&at, "arg", buf, sizeof(buf)) == 0);
	CHECK(cmdline_next(&at, "arg", buf, sizeof(buf)) == -1 && strcmp(at, " bad=\\x0") == 0);
	CHECK(cmdline_get_u64(line, "env", 4) == 4);
}

TEST(list_keeps_order)
{
	struct n {
		struct list_node link;
		int v;
	} a = { .v = 1 }, b = { .v = 2 }, c = { .v = 3 }, *pos, *tmp;
	struct list_node head, other;
	int expect = 1;

	list_init(&head);
	list_init(&other);
	list_add_tail(&head, &b.link);
	list_add(&head, &a.link);
	list_add_tail(&other, &c.link);
	list_splice_tail(&head, &other);
	CHECK(list_empty(&other));
	list_for_each_entry (pos, &head, link)
		CHECK(pos->v == expect++);
	list_for_each_entry_safe (pos, tmp, &head, link)
		list_del(&pos->link);
	CHECK(list_empty(&head) && list_empty(&a.link));
}
