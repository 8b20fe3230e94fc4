/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of a directory's cached names: why readers need no lock is in children.h. */

#include "fs/impl.h"

#define FIRST_SIZE 4u

struct dentry *children_find(struct dentry *dir, uint64_t hash, const char *name, size_t len)
{
	struct children *table = rcu_load(&dir->children);
	struct dentry *d;

	if (!table)
		return NULL;
	for (d = rcu_load(&table->bucket[hash & table->mask]); d; d = rcu_load(&d->next)) {
		const struct dname *n = rcu_load(&d->name);

		if (n->hash == hash && n->parent == dir && n->len == len &&
			!memcmp(n->text, name, len))
			break;
	}
	return d;
}

static void push(struct children *table, struct dentry *d)
{
	struct dentry **head = &table->bucket[d->name->hash & table->mask];

	rcu_store(&d->next, load_relaxed(head));
	rcu_store(head, d);
}

static void table_free(struct rcu_node *n)
{
	heap_free(container_of(n, struct children, rcu));
}

int children_reserve(struct dentry *dir)
{
	struct children *old = dir->children, *table;
	unsigned size = old ? old->mask + 1 : 0, want = size ? 2 * size : FIRST_SIZE;

	if (dir->child_count < size)
		return 0;
	table = heap_alloc_zeroed(sizeof(*table) + want * sizeof(table->bucket[0]));
	if (!table)
		return old ? 0 : -ENOMEM;
	table->mask = want - 1;
	for (unsigned i = 0; i < size; i++) {
		struct dentry *d = old->bucket[i], *next;

		for (; d; d = next) {
			next = d->next;
			push(table, d);
		}
	}
	rcu_store(&dir->children, table);
	if (old)
		rcu_call(&old->rcu, table_free);
	return 0;
}

void children_insert(struct dentry *dir, struct dentry *d)
{
	push(dir->children, d);
	dir->child_count++;
}

void children_remove(struct dentry *dir, struct dentry *d)
{
	struct children *table = dir->children;
	struct dentry **link = &table->bucket[d->name->hash & table->mask];

	while (*link != d)
		link = &(*link)->next;
	rcu_store(link, d->next);
	dir->child_count--;
}
