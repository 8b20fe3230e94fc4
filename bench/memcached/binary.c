/* SPDX-License-Identifier: BSD-2-Clause */
/* The binary protocol: memcached's BinaryProtocolRevamped, the commands that --help lists. */
#include "server.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>

#define REQUEST	 0x80
#define RESPONSE 0x81

struct header {
	uint8_t magic, opcode;
	uint16_t key_len;
	uint8_t extra_len, type;
	uint16_t status; /* a request's: vbucket */
	uint32_t body_len;
	uint32_t opaque;
	uint64_t cas;
} __attribute__((packed));
_Static_assert(sizeof(struct header) == 24, "of the protocol");

enum {
	GET,
	SET,
	ADD,
	REPLACE,
	DELETE,
	INCREMENT,
	DECREMENT,
	QUIT,
	FLUSH,
	GETQ,
	NOOP,
	VERSION_OF,
	GETK,
	GETKQ,
	APPEND,
	PREPEND,
	STAT,
	QUIET = 0x11, /* SETQ ... : the command of the same order */
	LAST = 0x1a,
};
enum {
	OK,
	KEY_NOT_FOUND,
	KEY_EXISTS,
	VALUE_TOO_LARGE,
	INVALID,
	NOT_STORED_STATUS,
	NOT_NUMERIC,
	UNKNOWN = 0x81,
	OUT_OF_MEMORY,
};

/* A request as it lies in the datagram. */
struct request {
	uint8_t opcode; /* of the command that is not quiet */
	bool quiet;
	uint32_t opaque;
	uint64_t cas;
	const uint8_t *extra;
	const char *key, *value;
	size_t extra_len, key_len, value_len;
};

static void respond(struct answer *a, const struct request *r, uint8_t opcode, uint16_t status,
	const void *extra, uint8_t extra_len, const void *key, uint16_t key_len, const void *value,
	uint32_t value_len, uint64_t cas)
{
	struct header h = { .magic = RESPONSE,
		.opcode = opcode,
		.key_len = htons(key_len),
		.extra_len = extra_len,
		.status = htons(status),
		.body_len = htonl(extra_len + key_len + value_len),
		.opaque = r->opaque,
		.cas = htobe64(cas) };

	answer_add(a, &h, sizeof(h));
	answer_add(a, extra, extra_len);
	answer_add(a, key, key_len);
	answer_add(a, value, value_len);
}

static void fail(struct answer *a, const struct request *r, uint8_t opcode, uint16_t status)
{
	static const char *const text[] = { [KEY_NOT_FOUND] = "Not found",
		[KEY_EXISTS] = "Data exists for key.",
		[VALUE_TOO_LARGE] = "Too large.",
		[INVALID] = "Invalid arguments",
		[NOT_STORED_STATUS] = "Not stored.",
		[NOT_NUMERIC] = "Non-numeric server-side value for incr or decr",
		[UNKNOWN] = "Unknown command",
		[OUT_OF_MEMORY] = "Out of memory" };

	respond(a, r, opcode, status, "", 0, "", 0, text[status], (uint32_t)strlen(text[status]),
		0);
}

static uint16_t status_of(enum store_result r, enum store_kind kind)
{
	switch (r) {
	case STORED: return OK;
	case NOT_STORED:
		return kind == STORE_ADD       ? KEY_EXISTS
		       : kind == STORE_REPLACE ? KEY_NOT_FOUND
					       : NOT_STORED_STATUS;
	case CAS_EXISTS: return KEY_EXISTS;
	case NOT_FOUND: return KEY_NOT_FOUND;
	case TOO_LARGE: return VALUE_TOO_LARGE;
	case NOT_A_NUMBER: return NOT_NUMERIC;
	default: return OUT_OF_MEMORY;
	}
}

static void get(struct answer *a, const struct request *r, uint8_t opcode)
{
	bool with_key = r->opcode == GETK || r->opcode == GETKQ;
	bool quiet = r->opcode == GETQ || r->opcode == GETKQ;
	uint64_t hash = store_hash(r->key, r->key_len);
	struct item *i;

	store_lock(hash);
	i = store_get(hash, r->key, r->key_len, a->now);
	if (i) {
		uint32_t flags = htonl(i->flags);

		respond(a, r, opcode, OK, &flags, 4, i->bytes, with_key ? i->key_len : 0,
			item_value(i), i->size, i->cas);
	}
	store_unlock(hash);
	if (!i && !quiet) {
		if (with_key)
			respond(a, r, opcode, KEY_NOT_FOUND, "", 0, r->key, (uint16_t)r->key_len,
				"", 0, 0);
		else
			fail(a, r, opcode, KEY_NOT_FOUND);
	}
}

static void finish(struct answer *a, const struct request *r, uint8_t opcode, uint16_t status,
	const void *value, uint32_t len, uint64_t cas)
{
	if (status)
		fail(a, r, opcode, status);
	else if (!r->quiet)
		respond(a, r, opcode, OK, "", 0, "", 0, value, len, cas);
}

static void storage(struct answer *a, const struct request *r, uint8_t opcode)
{
	enum store_kind kind = r->opcode == SET	      ? STORE_SET
			       : r->opcode == ADD     ? STORE_ADD
			       : r->opcode == REPLACE ? STORE_REPLACE
			       : r->opcode == APPEND  ? STORE_APPEND
						      : STORE_PREPEND;
	uint64_t hash = store_hash(r->key, r->key_len), cas = 0;
	uint32_t word[2] = { 0 };
	struct item *i;
	enum store_result result;

	memcpy(word, r->extra, r->extra_len);
	store_lock(hash);
	result = store_put(kind, hash, r->key, r->key_len, ntohl(word[0]),
		expiry((int32_t)ntohl(word[1]), a->now), r->value, r->value_len, r->cas, a->now,
		&i);
	if (result == STORED)
		cas = i->cas;
	store_unlock(hash);
	finish(a, r, opcode, status_of(result, kind), "", 0, cas);
}

static void arithmetic(struct answer *a, const struct request *r, uint8_t opcode)
{
	struct {
		uint64_t by, initial;
		uint32_t expires;
	} __attribute__((packed)) extra;
	uint64_t hash = store_hash(r->key, r->key_len), value = 0, cas = 0;
	enum store_result result;
	struct item *i;

	memcpy(&extra, r->extra, sizeof(extra));
	store_lock(hash);
	result = store_add(hash, r->key, r->key_len, be64toh(extra.by), r->opcode == DECREMENT,
		a->now, &value, &i);
	if (result == NOT_FOUND && extra.expires != UINT32_MAX) {
		char text[24];

		value = be64toh(extra.initial);
		result = store_put(STORE_ADD, hash, r->key, r->key_len, 0,
			expiry((int32_t)ntohl(extra.expires), a->now), text,
			(size_t)snprintf(text, sizeof(text), "%lu", value), 0, a->now, &i);
	}
	if (result == STORED)
		cas = i->cas;
	store_unlock(hash);
	value = htobe64(value);
	finish(a, r, opcode, status_of(result, STORE_SET), &value, 8, cas);
}

static _Thread_local const struct request *stat_request;

static void stat_line(struct answer *a, const char *name, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lu", value);

	respond(a, stat_request, STAT, OK, "", 0, name, (uint16_t)strlen(name), text, (uint32_t)n,
		0);
}

/* What each command carries. */
static bool sound(const struct request *r)
{
	switch (r->opcode) {
	case GET:
	case GETQ:
	case GETK:
	case GETKQ:
	case DELETE: return !r->extra_len && r->key_len && !r->value_len;
	case SET:
	case ADD:
	case REPLACE: return r->extra_len == 8 && r->key_len;
	case APPEND:
	case PREPEND: return !r->extra_len && r->key_len;
	case INCREMENT:
	case DECREMENT: return r->extra_len == 20 && r->key_len && !r->value_len;
	case FLUSH: return (r->extra_len == 0 || r->extra_len == 4) && !r->key_len;
	case NOOP:
	case VERSION_OF:
	case QUIT: return !r->extra_len && !r->key_len && !r->value_len;
	default: return true;
	}
}

static void command(struct answer *a, const struct request *r, uint8_t opcode)
{
	uint64_t hash;
	enum store_result result;

	if (!sound(r) || r->key_len > KEY_MAX) {
		fail(a, r, opcode, INVALID);
		return;
	}
	switch (r->opcode) {
	case GET:
	case GETQ:
	case GETK:
	case GETKQ: get(a, r, opcode); return;
	case SET:
	case ADD:
	case REPLACE:
	case APPEND:
	case PREPEND: storage(a, r, opcode); return;
	case INCREMENT:
	case DECREMENT: arithmetic(a, r, opcode); return;
	case DELETE:
		hash = store_hash(r->key, r->key_len);
		store_lock(hash);
		result = store_delete(hash, r->key, r->key_len, r->cas, a->now);
		store_unlock(hash);
		finish(a, r, opcode, status_of(result, STORE_SET), "", 0, 0);
		return;
	case FLUSH:
		store_flush();
		finish(a, r, opcode, OK, "", 0, 0);
		return;
	case NOOP:
	case QUIT: finish(a, r, opcode, OK, "", 0, 0); return;
	case VERSION_OF: finish(a, r, opcode, OK, VERSION, sizeof(VERSION) - 1, 0); return;
	case STAT:
		stat_request = r;
		if (!r->key_len)
			stats_each(stat_line, a);
		respond(a, r, opcode, OK, "", 0, "", 0, "", 0, 0);
		return;
	default: fail(a, r, opcode, UNKNOWN);
	}
}

/* SETQ and those that follow it mean the command without Q, and are answered only if they fail. */
static void quiet_command(struct request *r)
{
	static const uint8_t loud[] = { SET, ADD, REPLACE, DELETE, INCREMENT, DECREMENT, QUIT,
		FLUSH, APPEND, PREPEND };

	if (r->opcode >= QUIET && r->opcode <= LAST) {
		r->quiet = true;
		r->opcode = loud[r->opcode - QUIET];
	}
}

void serve_binary(struct answer *a, const uint8_t *at, size_t n)
{
	while (n) {
		struct request r = { 0 };
		struct header h = { 0 };
		uint8_t opcode;
		size_t body;

		memcpy(&h, at, n < sizeof(h) ? n : sizeof(h));
		opcode = r.opcode = h.opcode;
		body = ntohl(h.body_len);
		r.opaque = h.opaque;
		r.cas = be64toh(h.cas);
		r.extra_len = h.extra_len;
		r.key_len = ntohs(h.key_len);
		if (h.magic != REQUEST || n < sizeof(h) || body > n - sizeof(h) ||
			r.extra_len + r.key_len > body) {
			fail(a, &r, opcode, INVALID); /* where the next begins is not known */
			return;
		}
		r.extra = at + sizeof(h);
		r.key = (const char *)r.extra + r.extra_len;
		r.value = r.key + r.key_len;
		r.value_len = body - r.extra_len - r.key_len;
		quiet_command(&r);
		command(a, &r, opcode);
		at += sizeof(h) + body;
		n -= sizeof(h) + body;
	}
}
