/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Red-black tree, intrusive. The caller walks down to find the place (as the order is the
 * caller's), links the node there and lets rb_insert_fix restore the colours. No locking.
 * Augmentation: if 'update' is set it recomputes a node's own summary from its children and is
 * called bottom-up on every node whose subtree changed.
 *
 * A walker without the lock may go down by root, left and right, which are stored whole, as long as
 * the memory of erased nodes stays what it was. It may miss nodes, and meet some twice: it must
 * find out afterwards that nothing changed (vm/lookup.c), and bound its steps.
 */
#pragma once

#include "lib/types.h"

struct rb_node {
	struct rb_node *parent, *left, *right;
	bool red;
};

struct rb_tree {
	struct rb_node *root;
	void (*update)(struct rb_node *node); /* or NULL */
};

/* Links node below parent at *link (which is &tree->root, &parent->left or &parent->right). */
void rb_insert(
	struct rb_tree *tree, struct rb_node *node, struct rb_node *parent, struct rb_node **link);
/* The same for an empty tree without 'update'; and whether node is all there is in the tree. */
static inline void rb_insert_alone(struct rb_tree *tree, struct rb_node *node)
{
	*node = (struct rb_node){ 0 };
	tree->root = node;
}
static inline bool rb_is_alone(const struct rb_tree *tree, const struct rb_node *node)
{
	return tree->root == node && !node->left && !node->right;
}
void rb_erase(struct rb_tree *tree, struct rb_node *node);
/* Call after the key-independent summary of node changed. */
void rb_update_path(struct rb_tree *tree, struct rb_node *node);
struct rb_node *rb_first(const struct rb_tree *tree);
struct rb_node *rb_last(const struct rb_tree *tree);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#define rb_entry(ptr, type, member) container_of(ptr, type, member)
