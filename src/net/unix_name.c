/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of UNIX sockets: paths (identity: the file's node), abstract names, autobind (unix(7)). */

#include "net/unix.h"
#include "lib/format.h"

static struct mutex names_lock;
static struct list_node names = LIST_INIT(names);
static uint32_t autobind_next; /* guarded by names_lock */

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

/* names_lock held. */
static struct unix_sock *find_abstract(const struct sockaddr_un *a, uint32_t len, int type)
{
	struct unix_sock *u;

	list_for_each_entry (u, &names, name_link)
		if (!u->node && u->name_len == len && memcmp(&u->name, a, len) == 0 &&
			(!type || u->s.type == type))
			return u;
	return NULL;
}

static struct unix_sock *find_node(void *node)
{
	struct unix_sock *u;

	list_for_each_entry (u, &names, name_link)
		if (u->node && unix_path_ops->same(u->node, node))
			return u;
	return NULL;
}

static void enter(struct unix_sock *u, const struct sockaddr_un *name, uint32_t len, void *node)
{
	u->name = *name;
	u->name_len = len;
	u->node = node;
	u->bound = true;
	list_add(&names, &u->name_link);
}

static int autobind(struct unix_sock *u)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	uint32_t len = sizeof(uint16_t) + 6;

	mutex_lock(&names_lock);
	do {
		autobind_next = (autobind_next + 1) & 0xfffff;
		format(a.sun_path + 1, 8, "%05x", autobind_next);
	} while (find_abstract(&a, len, 0));
	enter(u, &a, len, NULL);
	mutex_unlock(&names_lock);
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
	mutex_lock(&names_lock);
	enter(u, a, len, node);
	mutex_unlock(&names_lock);
	return 0;
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

int unix_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct unix_sock *u = unix_sk(s);
	struct sockaddr_un name;
	uint32_t n;
	int err = 0;

	if (len == sizeof(uint16_t) && a->ss_family == AF_UNIX)
		return u->bound ? -EINVAL : autobind(u);
	err = check_name(a, len, &name, &n);
	if (err)
		return err;
	if (u->bound) /* Linux makes the file first and looks at the socket then */
		return name.sun_path[0] && path_exists(&name, c) ? -EADDRINUSE : -EINVAL;
	if (name.sun_path[0])
		return bind_path(u, &name, n, c);
	mutex_lock(&names_lock);
	if (find_abstract(&name, n, 0))
		err = -EADDRINUSE;
	else
		enter(u, &name, n, NULL);
	mutex_unlock(&names_lock);
	return err;
}

void unix_unbind(struct unix_sock *u)
{
	void *node;

	if (!u->bound)
		return;
	mutex_lock(&names_lock);
	list_del(&u->name_link);
	node = u->node;
	u->node = NULL;
	mutex_unlock(&names_lock);
	if (node)
		unix_path_ops->put(node);
}

struct unix_sock *unix_find(
	const struct sockaddr_storage *a, uint32_t len, const struct path_context *c)
{
	struct sockaddr_un name;
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
	mutex_lock(&names_lock);
	u = node ? find_node(node) : find_abstract(&name, n, 0);
	if (u && !socket_get_live(&u->s))
		u = NULL;
	mutex_unlock(&names_lock);
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

/* /proc/net/unix, in Linux's columns. */
void net_show_unix(struct net_text *t)
{
	struct unix_sock *u;
	char line[256];

	t->print(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	mutex_lock(&names_lock);
	list_for_each_entry (u, &names, name_link) {
		char path[UNIX_PATH_MAX + 1] = { 0 };

		memcpy(path, u->name.sun_path,
			MIN((size_t)u->name_len - 2, sizeof(u->name.sun_path)));
		if (!path[0])
			path[0] = '@';
		format(line, sizeof(line), "%016lx: %08X %08X %08X %04X %02X %5lu %s\n", 0ul,
			load_relaxed(&u->s.refs) % REFSLOT_BIAS, 0u, u->s.listening ? 0x10000u : 0u,
			u->s.type, u->s.listening ? 1u : 3u, (unsigned long)u->s.inode, path);
		t->print(t, line);
	}
	mutex_unlock(&names_lock);
}
