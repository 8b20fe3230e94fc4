/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Red-black tree (Cormen et al., Introduction to Algorithms, ch. 13), with NULL as the black leaf.
 *   R1 the root is black; R2 a red node has no red child; R3 every path down has equally many
 * blacks.
 */

#include "lib/rbtree.h"

/* Downward links are stored whole and in order: see rbtree.h on walkers without a lock. */
#define set_link(p, n) __atomic_store_n(p, n, __ATOMIC_RELEASE)

static bool is_red(const struct rb_node *n)
{
	return n && n->red;
}

static void update_one(struct rb_tree *tree, struct rb_node *n)
{
	if (tree->update && n)
		tree->update(n);
}

void rb_update_path(struct rb_tree *tree, struct rb_node *node)
{
	if (!tree->update)
		return;
	for (; node; node = node->parent)
		tree->update(node);
}

static void replace_child(
	struct rb_tree *tree, struct rb_node *parent, struct rb_node *old, struct rb_node *new)
{
	if (!parent)
		set_link(&tree->root, new);
	else if (parent->left == old)
		set_link(&parent->left, new);
	else
		set_link(&parent->right, new);
	if (new)
		new->parent = parent;
}

/* Turns the edge between n and its child on one side; the child comes up. */
static void rotate(struct rb_tree *tree, struct rb_node *n, bool left)
{
	struct rb_node *up = left ? n->right : n->left;
	struct rb_node *middle = left ? up->left : up->right;

	replace_child(tree, n->parent, n, up);
	if (left) {
		set_link(&n->right, middle);
		set_link(&up->left, n);
	} else {
		set_link(&n->left, middle);
		set_link(&up->right, n);
	}
	n->parent = up;
	if (middle)
		middle->parent = n;
	update_one(tree, n);
	update_one(tree, up);
}

void rb_insert(
	struct rb_tree *tree, struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->parent = parent;
	node->red = true;
	set_link(&node->left, NULL);
	set_link(&node->right, NULL);
	set_link(link, node);
	rb_update_path(tree, node);
	while (is_red(node->parent)) { /* R2 may be broken between node and its parent */
		struct rb_node *p = node->parent, *g = p->parent;
		bool p_left = p == g->left;
		struct rb_node *uncle = p_left ? g->right : g->left;

		if (is_red(uncle)) {
			p->red = uncle->red = false;
			g->red = true;
			node = g;
			continue;
		}
		if (node == (p_left ? p->right : p->left)) {
			rotate(tree, p, p_left);
			node = p;
			p = node->parent;
		}
		p->red = false;
		g->red = true;
		rotate(tree, g, !p_left);
	}
	tree->root->red = false;
}

/* The subtree at n (maybe NULL) below parent is one black short (R3). */
static void fix_erase(struct rb_tree *tree, struct rb_node *n, struct rb_node *parent)
{
	while (parent && !is_red(n)) {
		bool left = n == parent->left;
		struct rb_node *s = left ? parent->right : parent->left;

		if (is_red(s)) {
			s->red = false;
			parent->red = true;
			rotate(tree, parent, left);
			s = left ? parent->right : parent->left;
		}
		if (!is_red(s->left) && !is_red(s->right)) {
			s->red = true;
			n = parent;
			parent = n->parent;
			continue;
		}
		if (!is_red(left ? s->right : s->left)) {
			(left ? s->left : s->right)->red = false;
			s->red = true;
			rotate(tree, s, !left);
			s = left ? parent->right : parent->left;
		}
		s->red = parent->red;
		parent->red = false;
		(left ? s->right : s->left)->red = false;
		rotate(tree, parent, left);
		n = tree->root;
		break;
	}
	if (n)
		n->red = false;
}

void rb_erase(struct rb_tree *tree, struct rb_node *node)
{
	struct rb_node *child, *parent;
	bool lost_black;

	if (node->left && node->right) {
		struct rb_node *next = node->right;

		while (next->left)
			next = next->left;
		child = next->right;
		parent = next->parent;
		lost_black = !next->red;
		if (parent == node) {
			parent = next;
		} else {
			replace_child(tree, parent, next, child);
			set_link(&next->right, node->right);
			next->right->parent = next;
		}
		set_link(&next->left, node->left);
		next->left->parent = next;
		next->red = node->red;
		replace_child(tree, node->parent, node, next);
	} else {
		child = node->left ? node->left : node->right;
		parent = node->parent;
		lost_black = !node->red;
		replace_child(tree, parent, node, child);
	}
	rb_update_path(tree, parent);
	if (lost_black)
		fix_erase(tree, child, parent);
	node->parent = NULL;
	set_link(&node->left, NULL);
	set_link(&node->right, NULL);
}

struct rb_node *rb_first(const struct rb_tree *tree)
{
	struct rb_node *n = tree->root;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_tree *tree)
{
	struct rb_node *n = tree->root;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	if (n->right) {
		for (n = n->right; n->left; n = n->left)
			;
		return (struct rb_node *)n;
	}
	while (n->parent && n == n->parent->right)
		n = n->parent;
	return n->parent;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	if (n->left) {
		for (n = n->left; n->right; n = n->right)
			;
		return (struct rb_node *)n;
	}
	while (n->parent && n == n->parent->left)
		n = n->parent;
	return n->parent;
}
