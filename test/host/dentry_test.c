/* SPDX-License-Identifier: BSD-2-Clause */
/* tsan */
/* sources: src/fs/dentry.c src/fs/children.c src/fs/walk.c */
/* sources: src/sched/rcu.c $(HOST_MUTEX) src/sched/wait.c */
/* flags: -DO_PATH=010000000 -Wno-unknown-warning-option -Wno-tsan */
/* The path cache: walks, paths and parents against create, unlink and rename. */
#include "t.h"
#include "rcu_host.h"
#include "heap_host.h"
#include "fs/impl.h"

#define NAMES  12
#define ROUNDS 3000

/* --- A file system of directories whose names are one letter --- */

struct node {
	struct vnode v;
	struct rcu_node rcu;
	long magic;
	struct node *child[26]; /* referenced; the directory's lock */
};
static struct filesystem fs = { .keep_dentries = true };
static atomic_long nodes;

static int node_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct node *n = container_of(dir, struct node, v)->child[*name - 'a'];

	CHECK(len == 1);
	if (!n)
		return -ENOENT;
	vnode_get(&n->v);
	*out = &n->v;
	return 0;
}

static const struct vnode_ops node_ops = { .lookup = node_lookup };

static struct node *node_create(void)
{
	struct node *n = t_calloc(sizeof(*n));

	n->v = (struct vnode){ .refcount = 1, .mode = S_IFDIR | 0755, .ops = &node_ops, .fs = &fs };
	mutex_init(&n->v.lock, "vnode.lock");
	n->magic = 42;
	atomic_fetch_add(&nodes, 1);
	return n;
}

static void node_reclaim(struct rcu_node *r)
{
	struct node *n = container_of(r, struct node, rcu);

	n->v.mode = 0;
	t_free(n);
	atomic_fetch_sub(&nodes, 1);
}

void vnode_get(struct vnode *v)
{
	atomic_add(&v->refcount, 1);
}
void vnode_put(struct vnode *v)
{
	struct node *n = container_of(v, struct node, v);

	if (atomic_sub(&v->refcount, 1) != 1)
		return;
	for (int i = 0; i < 26; i++)
		if (n->child[i])
			vnode_put(&n->child[i]->v);
	n->magic = 0;
	rcu_call(&n->rcu, node_reclaim);
}
uint32_t vnode_mode(const struct vnode *v)
{
	CHECK(S_ISDIR(v->mode)); /* else it was freed */
	return v->mode;
}
int vnode_permission(const struct vnode *v, const struct path_context *c, int mask)
{
	return 0;
}

static struct path_context at_root; /* root and cwd: the root */

static void check(struct dentry *d)
{
	CHECK(container_of(d->vnode, struct node, v)->magic == 42);
}

static struct dentry *walk(const char *path)
{
	struct dentry *d;
	int err = path_walk(&at_root, NULL, path, 0, &d);

	CHECK(!err || err == -ENOENT);
	if (err)
		return NULL;
	check(d);
	return d;
}

static void make(const char *dir, char name)
{
	struct dentry *d = walk(dir);
	struct node *n = container_of(d->vnode, struct node, v);

	mutex_lock(&n->v.lock);
	CHECK(!n->child[name - 'a']);
	n->child[name - 'a'] = node_create();
	mutex_unlock(&n->v.lock);
	dentry_put(d);
}

static void take_away(const char *dir, char name)
{
	struct dentry *d = walk(dir), *child;
	struct node *n = container_of(d->vnode, struct node, v), *gone;

	mutex_lock(&n->v.lock);
	child = dentry_lookup_locked(d, &name, 1);
	REQUIRE(!IS_ERR(child));
	gone = n->child[name - 'a'];
	n->child[name - 'a'] = NULL;
	dentry_uncache(child);
	mutex_unlock(&n->v.lock);
	dentry_put(child);
	vnode_put(&gone->v);
	dentry_put(d);
}

/* As fs_rename does it; the two may be in one directory. */
static void move(const char *from_dir, char from, const char *to_dir, char to)
{
	struct dentry *a = walk(from_dir), *b = walk(to_dir), *d;
	struct node *na = container_of(a->vnode, struct node, v);
	struct node *nb = container_of(b->vnode, struct node, v);

	mutex_lock(&rename_lock);
	mutex_lock(&na->v.lock);
	if (na != nb)
		mutex_lock(&nb->v.lock);
	d = dentry_lookup_locked(a, &from, 1);
	REQUIRE(!IS_ERR(d));
	CHECK_EQ(children_reserve(b), 0);
	nb->child[to - 'a'] = na->child[from - 'a'];
	na->child[from - 'a'] = NULL;
	dentry_move(d, dname_create(b, &to, 1), NULL, NULL);
	if (na != nb)
		mutex_unlock(&nb->v.lock);
	mutex_unlock(&na->v.lock);
	mutex_unlock(&rename_lock);
	dentry_put(d);
	dentry_put(a);
	dentry_put(b);
}

/* --- Threads --- */

static atomic_bool stop;
static struct dentry *wanderer; /* the directory that is moved */

/* /a/x, /b/y, and while it is there /b/z: so /a/z is never a path of it, nor is /b/x. */
static void mover(void *arg)
{
	sleeping(false);
	for (int i = 0; i < ROUNDS; i++) {
		move("/a", 'x', "/b", 'y');
		come_by();
		move("/b", 'y', "/b", 'z');
		come_by();
		move("/b", 'z', "/b", 'y');
		come_by();
		move("/b", 'y', "/a", 'x');
		come_by();
	}
	atomic_store(&stop, true);
	sleeping(true);
}

/* A directory and names in it come and go: its table grows, and goes with it. */
static void creator(void *arg)
{
	sleeping(false);
	while (!atomic_load(&stop)) {
		make("/a", 'c');
		for (int n = 0; n < NAMES; n++) {
			struct dentry *d;

			make("/a/c", (char)('b' + n));
			come_by();
			d = walk("/a/c/b");
			CHECK(d);
			dentry_put(d);
			come_by();
			dentry_put(walk(
				(const char[]){ '/', 'a', '/', 'c', '/', (char)('b' + n), 0 }));
			come_by();
		}
		for (int n = 0; n < NAMES; n++) {
			take_away("/a/c", (char)('b' + n));
			come_by();
		}
		take_away("/a", 'c');
		come_by();
	}
	sleeping(true);
}

static atomic_long found, paths;

static void reader(void *arg)
{
	static const char *const goals[] = { "/a/x/k", "/b/y/k", "/b/z/k", "/a/c", "/a/c/b",
		"/a/c/e", "/a/../b/./y", "/b/y/../z/k/.." };
	char path[64], name[256];
	size_t len;

	sleeping(false);
	for (unsigned i = (unsigned)(long)arg; !atomic_load(&stop); i++) {
		struct dentry *d = walk(goals[i % ARRAY_SIZE(goals)]), *parent;

		if (d) {
			atomic_fetch_add(&found, 1);
			parent = dentry_parent(d);
			check(parent);
			dentry_put(parent);
			dentry_put(d);
		}
		come_by();
		REQUIRE(dentry_path(wanderer, path, sizeof(path)) == 4);
		if (strcmp(path, "/a/x") && strcmp(path, "/b/y") && strcmp(path, "/b/z"))
			T_FAIL("%s was never its path", path);
		come_by();
		parent = dentry_place(wanderer, name, &len);
		check(parent);
		CHECK(len == 1 && *name >= 'x' && *name <= 'z');
		dentry_put(parent);
		come_by();
		atomic_fetch_add(&paths, 1);
	}
	sleeping(true);
}

/* By a CPU, as only these are asked by the reclaimer. */
static void take_all_away(void *arg)
{
	struct vnode *root = fs.root->vnode;

	sleeping(false);
	dentry_put(wanderer);
	take_away("/a/x", 'k');
	take_away("/a", 'x');
	take_away("/", 'a');
	take_away("/", 'b');
	vnode_put(root);
	CHECK_EQ(fs.root->refcount, 1);
	dentry_put(fs.root);
	sleeping(true);
}

TEST(walks_while_names_change)
{
	struct shim_thread t[CPUS];
	struct node *root;

	rcu_host_init();
	root = node_create();
	fs.root = dentry_create(NULL, "", 0, &root->v);
	at_root.root = at_root.cwd = fs.root;
	make("/", 'a');
	make("/", 'b');
	make("/a", 'x');
	make("/a/x", 'k');
	wanderer = walk("/a/x");
	shim_start(&t[0], mover, NULL, 0);
	shim_start(&t[1], creator, NULL, 1);
	shim_start(&t[2], reader, (void *)0, 2);
	shim_start(&t[3], reader, (void *)5, 3);
	for (int i = 0; i < CPUS; i++)
		shim_join(&t[i]);
	CHECK(atomic_load(&found) > 0 && atomic_load(&paths) > 0);
	shim_start(&t[0], take_all_away, NULL, 0);
	shim_join(&t[0]);
	while (atomic_load(&nodes) || t_live()) /* or for ever: the reclaimer frees all */
		usleep(1000);
}
