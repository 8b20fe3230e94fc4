/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The path cache: for each directory a hash table of the names in it that were looked up. Who looks
 * a name up takes no lock and writes nothing; changes are made under the directory's vnode->lock.
 *
 *	          find    reserve     insert      remove      dname_set
 *	find      safe    safe        safe        safe        safe
 *	reserve   safe    the dir's   the dir's   the dir's   safe
 *	insert    safe    the dir's   the dir's   the dir's   never: the dentry is out meanwhile
 *	remove    safe    the dir's   the dir's   the dir's   never: as before
 *
 * "the dir's": under the vnode->lock of the directory. find runs in an RCU read section.
 *
 * What find promises: a dentry that it finds was in this directory, under this name, at some moment
 * of the call. NULL promises nothing: the caller asks again under the lock.
 *
 * Argument
 *  C1  What find touches stays memory: dentries, their names, replaced tables, and the vnodes of
 *      dentries in tables are freed by rcu_call.
 *  C2  A dentry's parent and name are one object, struct dname, that never changes; renaming
 *      replaces the pointer to it. So find compares with a parent and a name that belonged
 *      together.
 *  C3  A dentry leaves its table before it gets another dname, and goes into the other table
 *      afterwards. If find reads a dname with this parent from a dentry in any chain, then the
 *      dentry was in the directory when that dname was its name: that is what find promises.
 *  C4  The link of a removed dentry stays, so that a find that stands there gets to the end of
 *      the chain; if it is inserted elsewhere meanwhile, find goes on in that chain and misses the
 *      rest of its own. It may miss; and it ends, as every chain ends and only another change of
 *      the tree can make it longer.
 *  C5  Growing moves dentries one by one into a new table, and readers of the old one may miss:
 *      see C4.
 * Barriers: rcu_store in insert, reserve and dname_set with rcu_load in find: what is found was
 * written before it could be found.
 */
#pragma once

#include "lib/types.h"
#include "sched/rcu.h"

struct dentry;

struct dname {
	struct rcu_node rcu;
	struct dentry
		*parent; /* NULL: a root, or never had a place. Referenced while d->name is this */
	uint64_t hash;
	size_t len;
	char text[]; /* terminated */
};

struct children {
	struct rcu_node rcu;
	unsigned mask; /* buckets - 1, a power of two less one */
	struct dentry *bucket[];
};

/* In a read section, or under the directory's lock (then it misses nothing). No reference taken. */
struct dentry *children_find(struct dentry *dir, uint64_t hash, const char *name, size_t len);
/* Room for one more; -ENOMEM only if there is no table at all. */
int children_reserve(struct dentry *dir);
/* After children_reserve. d is in no table; its name says dir. */
void children_insert(struct dentry *dir, struct dentry *d);
void children_remove(struct dentry *dir, struct dentry *d);
