/* SPDX-License-Identifier: BSD-2-Clause */
/* A pipe's ring of slots, as its bytes (pipe.c) and its pieces (pipe_pieces.c) see it. */
#pragma once

#include "abi/errno.h"
#include "cpu/barrier.h"
#include "file/pipe.h"
#include "mem/page.h"

struct slot {
	char *page;
	uint16_t start, end; /* bytes in use, from the page's begin; never none */
	bool packet;	     /* O_DIRECT: a read takes it whole, what it has no room for is lost */
	bool closed;	     /* nothing is added to it */
	void *owner;	     /* of ops */
	const struct piece_ops *ops; /* NULL: 'page' is one of ours, with a reference */
};

struct pipe {
	uint32_t refcount; /* atomic */
	struct mutex lock;
	/* Guarded by lock. */
	struct slot *slots;
	unsigned head; /* first slot with bytes */
	char *spare;   /* a page for the next slot, or NULL */
	/* Written under lock, read without it by who waits and polls. */
	unsigned slot_count;	   /* a power of two */
	unsigned used;		   /* slots with bytes */
	unsigned passing;	   /* slots that somebody has taken out and may put back */
	unsigned readers, writers; /* open ends */
	uint64_t reader_opens, writer_opens; /* ever, for FIFO opens that wait */
	uint64_t inode;
	struct wait_queue read_wait, write_wait;
};

static inline struct slot *slot_at(struct pipe *p, unsigned n)
{
	return &p->slots[(p->head + n) & (p->slot_count - 1)];
}

static inline void set_used(struct pipe *p, unsigned used)
{
	store_release(&p->used, used);
}

static inline void drop_slot(struct slot *s)
{
	if (s->ops)
		s->ops->put(s->owner);
	else
		page_put(virt_to_page(s->page));
}

static inline bool is_full(const struct pipe *p)
{
	return load_acquire(&p->used) + load_relaxed(&p->passing) >= load_relaxed(&p->slot_count);
}

/* There is something to read, or the end. */
static inline bool is_readable(const struct pipe *p)
{
	return !load_relaxed(&p->passing) && (load_acquire(&p->used) || !load_acquire(&p->writers));
}

/* file_ops.write_pieces of a pipe. */
ssize_t pipe_write_pieces(struct file *f, struct piece *from, unsigned count, unsigned flags);
