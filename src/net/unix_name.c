/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of UNIX sockets: paths (identity: the file's node), abstract names, autobind (unix(7)). */

#include "net/unix.h"
#include "abi/errno.h"
#include "lib/format.h"
#include "lib/hash.h"
#include "lib/string.h"

/* Bound sockets, by the identity of their file or by their abstract name. */
static struct name_bucket {
	struct mutex lock;
	struct unix_sock *first; /* linked by name_next */
} names[64];
LOCK_CLASS_OF(names, "name_bucket.lock");
static uint32_t autobind_next; /* atomic */

const struct unix_path_ops *unix_path_ops;

/* Length of the name in use: paths are cut at their end, abstract names count every byte. */
static int check_name(
	const struct sockaddr_storage *a, uint32_t len, struct sockaddr_un *out, uint32_t *n)
{
	memset(out, 0, sizeof(*out));
	if (len <= sizeof(uint16_t) || len > sizeof(struct sockaddr_un))
		return -EINVAL;
	if (a->ss_family != AF_UNIX)
		return -EINVAL;
	memcpy(out, a, len);
	*n = len;
	if (out->sun_path[0]) {
		size_t path = strnlen(out->sun_path, len - sizeof(uint16_t));

		*n = (uint32_t)(sizeof(uint16_t) + path + 1);
	}
	return 0;
}

static struct name_bucket *bucket_of(const struct sockaddr_un *a, uint32_t len, void *node)
{
	uint64_t h = len;

	if (node)
		h = unix_path_ops->identity(node);
	else
		for (uint32_t i = 0; i < len; i++)
			h = h * 31 + ((const uint8_t *)a)[i];
	return &names[hash_u64(h) % ARRAY_SIZE(names)];
}

/* The bucket's lock is held. */
static struct unix_sock *find(
	struct name_bucket *b, const struct sockaddr_un *a, uint32_t len, void *node)
{
	struct unix_sock *u;

	for (u = b->first; u; u = u->name_next) {
		if (node && u->node &&
			unix_path_ops->identity(u->node) == unix_path_ops->identity(node))
			break;
		if (!node && !u->node && u->name_len == len && memcmp(&u->name, a, len) == 0)
			break;
	}
	return u;
}

/* -EADDRINUSE: an abstract name that somebody has. */
static int enter(struct unix_sock *u, const struct sockaddr_un *name, uint32_t len, void *node)
{
	struct name_bucket *b = bucket_of(name, len, node);
	bool taken;

	mutex_lock(&b->lock);
	taken = !node && find(b, name, len, NULL);
	if (!taken) {
		u->name = *name;
		u->name_len = len;
		u->node = node;
		u->bound = true;
		u->name_bucket = b;
		u->name_next = b->first;
		b->first = u;
	}
	mutex_unlock(&b->lock);
	return taken ? -EADDRINUSE : 0;
}

static int autobind(struct unix_sock *u)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	uint32_t len = sizeof(uint16_t) + 6;

	do
		format(a.sun_path + 1, 8, "%05x", (atomic_add(&autobind_next, 1) + 1) & 0xfffff);
	while (enter(u, &a, len, NULL));
	return 0;
}

static int bind_path(struct unix_sock *u, const struct sockaddr_un *a, uint32_t len,
	const struct path_context *c)
{
	char path[UNIX_PATH_MAX + 1] = { 0 };
	void *node;
	int err;

	if (!unix_path_ops)
		return -EADDRNOTAVAIL;
	memcpy(path, a->sun_path, sizeof(a->sun_path));
	err = unix_path_ops->create(c, path, &node);
	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	return enter(u, a, len, node);
}

static bool path_exists(const struct sockaddr_un *a, const struct path_context *c)
{
	char path[UNIX_PATH_MAX + 1] = { 0 };
	void *node;
	int err;

	if (!unix_path_ops)
		return false;
	memcpy(path, a->sun_path, sizeof(a->sun_path));
	err = unix_path_ops->lookup(c, path, &node);
	if (!err)
		unix_path_ops->put(node);
	return !err || err == -ECONNREFUSED;
}

/* One thread at a time for each socket. */
static int bind_once(struct unix_sock *u, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct sockaddr_un name;
	uint32_t n;
	int err;

	if (len == sizeof(uint16_t) && a->ss_family == AF_UNIX)
		return u->bound ? -EINVAL : autobind(u);
	err = check_name(a, len, &name, &n);
	if (err)
		return err;
	if (u->bound) /* Linux makes the file first and looks at the socket then */
		return name.sun_path[0] && path_exists(&name, c) ? -EADDRINUSE : -EINVAL;
	return name.sun_path[0] ? bind_path(u, &name, n, c) : enter(u, &name, n, NULL);
}

int unix_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct unix_sock *u = unix_sk(s);
	int err = -EINVAL; /* another thread is at it */

	if (atomic_xchg(&u->binding, true))
		return err;
	err = bind_once(u, a, len, c);
	store_release(&u->binding, false);
	return err;
}

void unix_unbind(struct unix_sock *u)
{
	struct name_bucket *b = u->name_bucket;
	struct unix_sock **link;
	void *node;

	if (!b)
		return;
	mutex_lock(&b->lock);
	for (link = &b->first; *link != u; link = &(*link)->name_next)
		;
	*link = u->name_next;
	node = u->node;
	u->node = NULL;
	mutex_unlock(&b->lock);
	u->name_bucket = NULL;
	if (node)
		unix_path_ops->put(node);
}

struct unix_sock *unix_find(
	const struct sockaddr_storage *a, uint32_t len, const struct path_context *c)
{
	struct sockaddr_un name;
	struct name_bucket *b;
	struct unix_sock *u;
	void *node = NULL;
	uint32_t n;
	int err = check_name(a, len, &name, &n);

	if (err)
		return ERR_PTR(err);
	if (name.sun_path[0]) {
		char path[UNIX_PATH_MAX + 1] = { 0 };

		memcpy(path, name.sun_path, sizeof(name.sun_path));
		err = unix_path_ops ? unix_path_ops->lookup(c, path, &node) : -ENOENT;
		if (err)
			return ERR_PTR(err);
	}
	b = bucket_of(&name, n, node);
	mutex_lock(&b->lock);
	u = find(b, &name, n, node);
	if (u && !socket_get_live(&u->s))
		u = NULL;
	mutex_unlock(&b->lock);
	if (node)
		unix_path_ops->put(node);
	return u ? u : ERR_PTR(-ECONNREFUSED);
}

void unix_copy_name(const struct unix_sock *u, struct sockaddr_un *out, uint32_t *len)
{
	if (u && u->bound) {
		*out = u->name;
		*len = u->name_len;
	} else {
		out->sun_family = AF_UNIX;
		*len = sizeof(uint16_t);
	}
}

static void show(struct net_text *t, const struct unix_sock *u)
{
	char path[UNIX_PATH_MAX + 1] = { 0 }, line[256];

	memcpy(path, u->name.sun_path, MIN((size_t)u->name_len - 2, sizeof(u->name.sun_path)));
	if (!path[0])
		path[0] = '@';
	format(line, sizeof(line), "%016lx: %08X %08X %08X %04X %02X %5lu %s\n", 0ul,
		load_relaxed(&u->s.refs) % REFSLOT_BIAS, 0u, u->s.listening ? 0x10000u : 0u,
		u->s.type, u->s.listening ? 1u : 3u, (unsigned long)u->s.inode, path);
	t->print(t, line);
}

/* /proc/net/unix, in Linux's columns. */
void net_show_unix(struct net_text *t)
{
	t->print(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	for (struct name_bucket *b = names; b < names + ARRAY_SIZE(names); b++) {
		mutex_lock(&b->lock);
		for (const struct unix_sock *u = b->first; u; u = u->name_next)
			show(t, u);
		mutex_unlock(&b->lock);
	}
}
