/* SPDX-License-Identifier: BSD-2-Clause */
/* The text protocol: memcached's protocol.txt, the commands that --help lists. */
#include "server.h"

#include <stdlib.h>

#define WORDS 8

struct word {
	const char *at;
	size_t len;
};

/* The request as it is taken apart. */
struct text {
	const char *at, *end;
	struct word word[WORDS]; /* of the command line; get's keys are taken from 'at' */
	unsigned count;
	bool quiet; /* noreply */
};

static bool is(struct word w, const char *what)
{
	return w.len == strlen(what) && !memcmp(w.at, what, w.len);
}

static bool number(struct word w, uint64_t *out)
{
	uint64_t v = 0;

	if (!w.len || w.len > 20)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		unsigned digit = (unsigned)w.at[i] - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

static bool signed_number(struct word w, int64_t *out)
{
	uint64_t v;
	bool minus = w.len && *w.at == '-';

	if (minus)
		w.at++, w.len--;
	if (!number(w, &v) || v > INT32_MAX)
		return false;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

static bool next_word(const char **at, const char *end, struct word *w)
{
	const char *p = *at;

	while (p < end && *p == ' ')
		p++;
	w->at = p;
	while (p < end && *p != ' ')
		p++;
	w->len = (size_t)(p - w->at);
	*at = p;
	return w->len != 0;
}

/* Takes a line off; false: there is no whole one. */
static bool take_line(struct text *t, struct word *line)
{
	const char *nl = memchr(t->at, '\n', (size_t)(t->end - t->at));

	if (!nl)
		return false;
	line->at = t->at;
	line->len = (size_t)(nl - t->at);
	if (line->len && nl[-1] == '\r')
		line->len--;
	t->at = nl + 1;
	return true;
}

static void say(struct answer *a, const struct text *t, const char *what)
{
	if (!t->quiet)
		answer_add(a, what, strlen(what));
}

static const char *text_of(enum store_result r)
{
	switch (r) {
	case STORED: return "STORED\r\n";
	case NOT_STORED: return "NOT_STORED\r\n";
	case CAS_EXISTS: return "EXISTS\r\n";
	case NOT_FOUND: return "NOT_FOUND\r\n";
	case TOO_LARGE: return "SERVER_ERROR object too large for cache\r\n";
	case NOT_A_NUMBER:
		return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
	default: return "SERVER_ERROR out of memory storing object\r\n";
	}
}

static void get(struct answer *a, struct word line, bool with_cas)
{
	const char *at = line.at + 4 + with_cas, *end = line.at + line.len;
	struct word key;
	bool any = false;

	while (next_word(&at, end, &key)) {
		uint64_t hash;
		struct item *i;

		any = true;
		if (key.len > KEY_MAX) {
			answer_text(a, "CLIENT_ERROR bad command line format\r\n");
			return;
		}
		hash = store_hash(key.at, key.len);
		store_lock(hash);
		i = store_get(hash, key.at, key.len, a->now);
		if (i) {
			size_t head = i->key_len + i->suffix_len, all = head + i->size + 2;

			answer_text(a, "VALUE ");
			if (with_cas) {
				answer_add(a, i->bytes, head - 2);
				answer_text(a, " ");
				answer_number(a, i->cas);
				answer_add(a, i->bytes + head - 2, all - head + 2);
			} else {
				answer_add(a, i->bytes, all);
			}
		}
		store_unlock(hash);
	}
	if (any)
		answer_text(a, "END\r\n");
	else
		answer_text(a, "ERROR\r\n");
}

/* <command> key flags exptime bytes [cas] [noreply], then the data */
static void storage(struct answer *a, struct text *t, enum store_kind kind, bool with_cas)
{
	const struct word *w = t->word;
	uint64_t flags, size, cas = 0, hash;
	int64_t exptime;
	enum store_result r;
	unsigned words = 5 + with_cas;

	t->quiet = t->count == words + 1 && is(w[words], "noreply");
	if (t->count < words) {
		answer_text(a, "ERROR\r\n");
		return;
	}
	if (w[1].len > KEY_MAX || !number(w[2], &flags) || flags > UINT32_MAX ||
		!signed_number(w[3], &exptime) || !number(w[4], &size) || size > INT32_MAX ||
		(with_cas && !number(w[5], &cas))) {
		say(a, t, "CLIENT_ERROR bad command line format\r\n");
		return; /* what were its data is a command then */
	}
	if ((uint64_t)(t->end - t->at) < size + 2 || memcmp(t->at + size, "\r\n", 2)) {
		say(a, t, "CLIENT_ERROR bad data chunk\r\n");
		t->at = t->end;
		return;
	}
	hash = store_hash(w[1].at, w[1].len);
	store_lock(hash);
	r = store_put(kind, hash, w[1].at, w[1].len, (uint32_t)flags, expiry(exptime, a->now),
		t->at, size, cas, a->now, NULL);
	store_unlock(hash);
	t->at += size + 2;
	say(a, t, text_of(r));
}

static void delete (struct answer *a, struct text *t)
{
	const struct word *w = t->word;
	bool zero = t->count > 2 && is(w[2], "0");
	uint64_t hash;
	enum store_result r;

	t->quiet = t->count > 2 && is(w[t->count - 1], "noreply");
	if (t->count < 2) {
		answer_text(a, "ERROR\r\n");
		return;
	}
	if (t->count > 2u + zero + t->quiet) {
		say(a, t,
			"CLIENT_ERROR bad command line format.  "
			"Usage: delete <key> [noreply]\r\n");
		return;
	}
	if (w[1].len > KEY_MAX) {
		say(a, t, "CLIENT_ERROR bad command line format\r\n");
		return;
	}
	hash = store_hash(w[1].at, w[1].len);
	store_lock(hash);
	r = store_delete(hash, w[1].at, w[1].len, 0, a->now);
	store_unlock(hash);
	say(a, t, r == STORED ? "DELETED\r\n" : text_of(r));
}

static void arithmetic(struct answer *a, struct text *t, bool down)
{
	const struct word *w = t->word;
	uint64_t by, value, hash;
	enum store_result r;
	struct item *i;

	t->quiet = t->count == 4 && is(w[3], "noreply");
	if (t->count < 3) {
		answer_text(a, "ERROR\r\n");
		return;
	}
	if (w[1].len > KEY_MAX) {
		say(a, t, "CLIENT_ERROR bad command line format\r\n");
		return;
	}
	if (!number(w[2], &by)) {
		say(a, t, "CLIENT_ERROR invalid numeric delta argument\r\n");
		return;
	}
	hash = store_hash(w[1].at, w[1].len);
	store_lock(hash);
	r = store_add(hash, w[1].at, w[1].len, by, down, a->now, &value, &i);
	store_unlock(hash);
	if (r != STORED) {
		say(a, t, text_of(r));
	} else if (!t->quiet) {
		answer_number(a, value);
		answer_text(a, "\r\n");
	}
}

static void touch(struct answer *a, struct text *t)
{
	const struct word *w = t->word;
	int64_t exptime;
	uint64_t hash;
	struct item *i;

	t->quiet = t->count == 4 && is(w[3], "noreply");
	if (t->count < 3) {
		answer_text(a, "ERROR\r\n");
		return;
	}
	if (w[1].len > KEY_MAX || !signed_number(w[2], &exptime)) {
		say(a, t, "CLIENT_ERROR invalid exptime argument\r\n");
		return;
	}
	hash = store_hash(w[1].at, w[1].len);
	store_lock(hash);
	i = store_get(hash, w[1].at, w[1].len, a->now);
	if (i)
		i->expires = expiry(exptime, a->now);
	store_unlock(hash);
	say(a, t, i ? "TOUCHED\r\n" : "NOT_FOUND\r\n");
}

static void stat_line(struct answer *a, const char *name, uint64_t value)
{
	answer_text(a, "STAT ");
	answer_add(a, name, strlen(name));
	answer_text(a, " ");
	answer_number(a, value);
	answer_text(a, "\r\n");
}

static void command(struct answer *a, struct text *t)
{
	static const struct {
		const char *name;
		enum store_kind kind;
		bool cas;
	} storing[] = {
		{ "set", STORE_SET, false },
		{ "add", STORE_ADD, false },
		{ "replace", STORE_REPLACE, false },
		{ "append", STORE_APPEND, false },
		{ "prepend", STORE_PREPEND, false },
		{ "cas", STORE_SET, true },
	};
	struct word name = t->word[0];

	for (unsigned i = 0; i < sizeof(storing) / sizeof(*storing); i++)
		if (is(name, storing[i].name)) {
			storage(a, t, storing[i].kind, storing[i].cas);
			return;
		}
	if (is(name, "delete")) {
		delete (a, t);
	} else if (is(name, "incr") || is(name, "decr")) {
		arithmetic(a, t, *name.at == 'd');
	} else if (is(name, "touch")) {
		touch(a, t);
	} else if (is(name, "version")) {
		answer_text(a, "VERSION " VERSION "\r\n");
	} else if (is(name, "flush_all") &&
		   (t->count == 1 || is(t->word[1], "noreply") || is(t->word[1], "0"))) {
		t->quiet = is(t->word[t->count - 1], "noreply");
		store_flush();
		say(a, t, "OK\r\n");
	} else if (is(name, "verbosity")) {
		t->quiet = is(t->word[t->count - 1], "noreply");
		say(a, t, "OK\r\n");
	} else if (is(name, "stats") && t->count == 1) {
		stats_each(stat_line, a);
		answer_text(a, "END\r\n");
	} else {
		answer_text(a, "ERROR\r\n");
	}
}

/* The words of a line that is no get. */
static void other_command(struct answer *a, struct text *t, struct word line)
{
	const char *at = line.at;

	t->quiet = false;
	for (t->count = 0; t->count < WORDS; t->count++)
		if (!next_word(&at, line.at + line.len, &t->word[t->count]))
			break;
	if (t->count)
		command(a, t);
	else
		answer_text(a, "ERROR\r\n");
}

void serve_ascii(struct answer *a, const char *bytes, size_t n)
{
	struct text t;
	struct word line;

	t.at = bytes;
	t.end = bytes + n;
	while (t.at < t.end) {
		if (!take_line(&t, &line)) {
			answer_text(a, "ERROR\r\n"); /* a datagram holds whole requests */
			return;
		}
		if (line.len > 4 && !memcmp(line.at, "get ", 4))
			get(a, line, false);
		else if (line.len > 5 && !memcmp(line.at, "gets ", 5))
			get(a, line, true);
		else
			other_command(a, &t, line);
	}
}
