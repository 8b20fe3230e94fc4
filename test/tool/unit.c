/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure parts of the skiff command, and its parsers with hostile input, under ASan and UBSan. */
#include "../host/t.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tool/cmdline.h"
#include "../../tool/elf.h"
#include "../../tool/erofs.h"
#include "../../tool/ldcache.h"
#include "../../tool/options.h"
#include "../../tool/tree.h"

#define ROUNDS 4000

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Changes some bytes, to values that hurt: small, large, the sign, or any. */
static void spoil(char *data, size_t len, size_t limit)
{
	static const unsigned char bad[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint32_t n = 1 + draw(8);

	if (limit > len)
		limit = len;
	while (n--) {
		size_t at = draw(limit);

		data[at] = draw(2) ? bad[draw(sizeof(bad))] : draw(256);
		if (draw(4) == 0 && at + 4 <= len)
			memset(data + at, 0xff, 4);
	}
}

static char *read_sample(const char *path, size_t *len)
{
	char *data;

	if (file_read(path, 64 << 20, &data, len))
		return NULL;
	return data;
}

TEST(path_clean)
{
	static const char *const cases[][3] = { { "/x", "a/b", "/x/a/b" },
		{ "/x", "/a//b/", "/a/b" }, { "/x/y", "../z", "/x/z" }, { "/x", "../../..", "/" },
		{ "/", ".", "/" }, { "/x", "./a/./b/..", "/x/a" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *s = path_clean(cases[i][0], cases[i][1]);

		CHECK_STR(s, cases[i][2]);
		free(s);
	}
}

TEST(shell_quote)
{
	static const char *const cases[][2] = { { "abc", "abc" }, { "", "''" }, { "a b", "'a b'" },
		{ "it's", "'it'\\''s'" }, { "$x`y`", "'$x`y`'" }, { "a\nb", "'a\nb'" },
		{ "~", "'~'" }, { "{a,b}", "'{a,b}'" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = {};

		shell_quote(&b, cases[i][0]);
		CHECK_STR(b.s, cases[i][1]);
		buf_free(&b);
	}
}

TEST(sizes)
{
	uint64_t v;

	CHECK_EQ(options_parse_size("256", &v), 0);
	CHECK_EQ(v, 256ull << 20);
	CHECK_EQ(options_parse_size("1G", &v), 0);
	CHECK_EQ(v, 1ull << 30);
	CHECK_EQ(options_parse_size("512MiB", &v), 0);
	CHECK_EQ(v, 512ull << 20);
	CHECK_EQ(options_parse_size("64k", &v), 0);
	CHECK_EQ(v, 65536);
	CHECK(options_parse_size("", &v));
	CHECK(options_parse_size("M", &v));
	CHECK(options_parse_size("0", &v));
	CHECK(options_parse_size("-1", &v));
	CHECK(options_parse_size("1X", &v));
	CHECK(options_parse_size("1Mx", &v));
	CHECK(options_parse_size("99999999999999999999G", &v));
	CHECK(options_parse_size("99999999G", &v));
}

TEST(publish)
{
	struct publish p;

	CHECK_EQ(options_parse_publish("80:8080", &p), 0);
	CHECK_EQ(p.host, 80);
	CHECK_EQ(p.guest, 8080);
	CHECK(!p.udp);
	CHECK_EQ(options_parse_publish("127.0.0.1:53:53/udp", &p), 0);
	CHECK_STR(p.address, "127.0.0.1");
	CHECK(p.udp);
	CHECK(options_parse_publish("80", &p));
	CHECK(options_parse_publish("80:0", &p));
	CHECK(options_parse_publish("80:70000", &p));
	CHECK(options_parse_publish("x:80", &p));
	CHECK(options_parse_publish("1.2.3:80:80", &p));
	CHECK(options_parse_publish("80:80/sctp", &p));
	CHECK(options_parse_publish(":", &p));
	CHECK(options_parse_publish("", &p));
}

TEST(addresses)
{
	struct options o = {};

	CHECK_EQ(options_parse_ip("10.0.0.2/24,10.0.0.1", &o), 0);
	CHECK_STR(o.ip, "10.0.0.2/24");
	CHECK_STR(o.gateway, "10.0.0.1");
	CHECK_EQ(options_parse_ip("192.168.1.9/16", &o), 0);
	CHECK(!o.gateway);
	CHECK(options_parse_ip("10.0.0.2", &o));
	CHECK(options_parse_ip("10.0.0.2/33", &o));
	CHECK(options_parse_ip("10.0.0.2/0", &o));
	CHECK(options_parse_ip("10.0.0/24", &o));
	CHECK(options_parse_ip("10.0.0.2/24,", &o));
	CHECK_EQ(options_parse_ip("2001:db8::2/64,fe80::1", &o), 0);
	CHECK_STR(o.ip6, "2001:db8::2/64");
	CHECK_STR(o.gateway6, "fe80::1");
	CHECK_STR(o.ip, "192.168.1.9/16");
	CHECK(options_parse_ip("2001:db8::2/129", &o));
	CHECK(options_parse_ip("2001:db8::2/0", &o));
	CHECK(options_parse_ip("2001:db8::2/64,10.0.0.1", &o));
	CHECK(options_parse_ip("ff02::1/64", &o));
	CHECK(options_parse_ip("::/64", &o));
	CHECK(options_parse_ip("::ffff:10.0.0.1/120", &o));
	free(o.ip6);
	free(o.gateway6);
	free(o.ip);
}

TEST(cmdline_round_trip)
{
	struct start a = {}, b;
	struct buf text = {};

	strv_add(&a.args, "/bin/x");
	strv_add(&a.args, "a b\\\n\t\x01\xff=");
	strv_add(&a.args, "");
	start_set_env(&a, "K=1");
	start_set_env(&a, "L=x y");
	start_set_env(&a, "K=2");
	a.workdir = xstrdup("/a b");
	a.hostname = xstrdup("h");
	strv_add(&a.other, "loglevel=5");
	start_format(&a, &text);
	for (size_t i = 0; i < text.len; i++)
		CHECK(text.s[i] >= ' ' && text.s[i] < 0x7f);
	start_parse(&b, text.s, text.len);
	CHECK_EQ(b.args.n, 3);
	for (size_t i = 0; i < 3 && b.args.n == 3; i++)
		CHECK_STR(b.args.v[i], a.args.v[i]);
	CHECK_EQ(b.env.n, 2);
	CHECK_STR(b.env.v[0], "K=2");
	CHECK_STR(b.workdir, "/a b");
	CHECK_STR(b.other.v[0], "loglevel=5");
	for (int i = 0; i < ROUNDS; i++) {
		struct start c;
		char *copy = xstrndup(text.s, text.len);

		spoil(copy, text.len, text.len);
		start_parse(&c, copy, draw(text.len + 1));
		start_free(&c);
		free(copy);
	}
	start_free(&a);
	start_free(&b);
	buf_free(&text);
}

static bool keep_some(const char *path, void *ctx)
{
	(void)ctx;
	return strlen(path) % 2;
}

TEST(ldcache_of_this_machine)
{
	struct ldcache c, d;
	struct buf out = {};
	size_t len, kept = 0;
	char *data = read_sample("/etc/ld.so.cache", &len);

	REQUIRE(data);
	REQUIRE(!ldcache_parse(data, len, &c));
	CHECK(ldcache_find(&c, "libc.so.6"));
	CHECK(!ldcache_find(&c, "libnosuch.so.9"));
	ldcache_write(&c, keep_some, NULL, &out);
	data = xmalloc(out.len);
	memcpy(data, out.s, out.len);
	REQUIRE(!ldcache_parse(data, out.len, &d));
	for (size_t i = 0; i < c.n; i++) {
		if (!ldcache_entry_usable(&c.entry[i]) || !keep_some(c.entry[i].path, NULL))
			continue;
		REQUIRE(kept < d.n);
		CHECK_STR(c.entry[i].path, d.entry[kept].path);
		CHECK_STR(c.entry[i].name, d.entry[kept].name);
		kept++;
	}
	CHECK_EQ(kept, d.n);
	ldcache_free(&c);
	ldcache_free(&d);
	buf_free(&out);
}

TEST(ldcache_hostile)
{
	size_t len;
	char *data = read_sample("/etc/ld.so.cache", &len);

	REQUIRE(data);
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = draw(3) ? len : draw(len);
		char *copy = xmalloc(n);
		struct ldcache c;

		memcpy(copy, data, n);
		if (n)
			spoil(copy, n, draw(2) ? 64 : n);
		if (!ldcache_parse(copy, n, &c)) {
			ldcache_find(&c, "libc.so.6");
			ldcache_free(&c);
		}
	}
	free(data);
}

TEST(ldcache_old_format_in_front)
{
	static const char old[16] = "ld.so-1.7.0\0\2\0\0";
	struct ldcache none = {}, c;
	struct buf b = {};
	size_t len;
	char *data;

	buf_add(&b, old, 16);
	for (int i = 0; i < 2; i++)
		buf_add(&b, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	ldcache_write(&none, keep_some, NULL, &b);
	len = b.len;
	data = xmalloc(len);
	memcpy(data, b.s, len);
	CHECK_EQ(ldcache_parse(data, len, &c), 0);
	CHECK_EQ(c.n, 0);
	ldcache_free(&c);
	buf_free(&b);
}

static int read_memory(const char *data, size_t len, struct elf_facts *f)
{
	int fd = memfd_create("elf", MFD_CLOEXEC), err;

	write_all(fd, data, len);
	lseek(fd, 0, SEEK_SET);
	err = elf_read(fd, f);
	close(fd);
	return err;
}

TEST(elf_of_this_machine)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct elf_facts f;

	REQUIRE(!elf_read(fd, &f));
	CHECK(elf_is_ours(&f));
	CHECK(f.dynamic);
	CHECK(f.interp && strstr(f.interp, "ld-linux"));
	CHECK(strv_has(&f.needed, "libc.so.6"));
	elf_facts_free(&f);
	close(fd);
	CHECK_EQ(read_memory("", 0, &f), -ENOEXEC);
	CHECK_EQ(read_memory("\x7f"
			     "EL",
			 3, &f),
		-ENOEXEC);
	CHECK_EQ(read_memory("#!/bin/sh\n", 10, &f), -ENOEXEC);
	CHECK(read_memory("\x7f"
			  "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0",
		      20, &f) < 0);
}

TEST(elf_hostile)
{
	static const char *const samples[] = { "/bin/true", "/lib/x86_64-linux-gnu/libm.so.6" };

	for (size_t s = 0; s < 2; s++) {
		size_t len;
		char *data = read_sample(samples[s], &len), *copy;
		struct elf_facts f;
		uint64_t dynamic = 0;

		REQUIRE(data && len > 8192);
		/* The end of the file holds what is read: spoil the headers or the dynamic table.
		 */
		for (size_t i = 0; i + 56 < 1024; i += 8) {
			uint32_t type;

			memcpy(&type, data + 64 + i / 56 * 56, 4);
			if (type == 2)
				memcpy(&dynamic, data + 64 + i / 56 * 56 + 8, 8);
		}
		copy = xmalloc(len);
		for (int i = 0; i < ROUNDS / 4; i++) {
			size_t n = draw(4) ? len : draw(len);

			memcpy(copy, data, len);
			if (draw(2) && dynamic && dynamic + 512 < len)
				spoil(copy + dynamic, len - dynamic, 512);
			else
				spoil(copy, len, 800);
			if (!read_memory(copy, n, &f))
				elf_facts_free(&f);
		}
		free(copy);
		free(data);
	}
}

static void visit(void *ctx, const char *path, const struct erofs_inode *in)
{
	(void)path;
	*(uint64_t *)ctx += in->size;
}

/* $TEST_IMAGE is an image that skiff build made. */
TEST(erofs_hostile)
{
	const char *path = getenv("TEST_IMAGE");
	struct erofs_inode in;
	struct erofs fs;
	size_t len, n;
	uint64_t sum = 0;
	char *data = path ? read_sample(path, &len) : NULL, *copy, *text;
	static const char *const names[] = { "/.skiff/cmdline", "/usr/bin", "/nosuch", "/bin/x" };

	REQUIRE(data);
	REQUIRE(!erofs_init(&fs, data, len));
	REQUIRE(!erofs_walk(&fs, visit, &sum));
	CHECK(sum > 1000);
	REQUIRE(!erofs_lookup(&fs, "/.skiff/cmdline", &in));
	REQUIRE(!erofs_read(&fs, &in, 65536, &text, &n));
	CHECK(strstr(text, "arg="));
	free(text);
	CHECK_EQ(erofs_lookup(&fs, "/nosuch", &in), -ENOENT);
	copy = xmalloc(len);
	memcpy(copy, data, len);
	for (int i = 0; i < ROUNDS / 2; i++) {
		size_t some = draw(3) ? 4096 : draw(2) ? 1200 : 12288;
		size_t size = draw(8) ? len : draw(len);

		if (some > len)
			some = len;
		memcpy(copy, data, some);
		spoil(copy + (draw(8) ? 1152 : 1024), some - 1152, some - 1152);
		if (!erofs_init(&fs, copy, size)) {
			sum = 0;
			erofs_walk(&fs, visit, &sum);
			for (size_t k = 0; k < 4; k++) {
				if (!erofs_lookup(&fs, names[k], &in) &&
					!erofs_read(&fs, &in, 1 << 20, &text, &n))
					free(text);
			}
		}
		memcpy(copy, data, some);
	}
	free(copy);
	free(data);
}

TEST(tree_links)
{
	struct tree *t = tree_new();
	struct tree_node *n;
	struct buf a = {}, b = {};

	tree_dir(t, "/usr/lib", 0755);
	tree_link(t, "/lib", "usr/lib");
	tree_data(t, "/lib/x/file", "hi", 2, 0644);
	n = tree_find(t, "/usr/lib/x/file");
	REQUIRE(n);
	CHECK_EQ(n->len, 2);
	CHECK(tree_find(t, "/lib/x/../x/file") == n);
	tree_link(t, "/usr/lib/x/l", "../x/file");
	CHECK(tree_find(t, "/lib/x/l") == n);
	tree_link(t, "/loop", "loop");
	CHECK(!tree_find(t, "/loop"));
	CHECK(!tree_find(t, "/usr/lib/x/file/y"));
	tree_manifest(t, &a);
	tree_data(t, "/lib/x/file", "ho", 2, 0644);
	tree_manifest(t, &b);
	CHECK(a.len == b.len && memcmp(a.s, b.s, a.len));
	buf_free(&a);
	buf_free(&b);
	tree_free(t);
}
