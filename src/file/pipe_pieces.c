/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that go through a pipe by reference: splice(2), tee(2), sendfile(2). What was taken out to
 * be passed on and could not be comes back to the front: until then nobody else reads ('passing'),
 * and its slots stay counted as full.
 */
#include "abi/fcntl.h"
#include "file/pipe_impl.h"

/* Lock held. A piece of the slot's bytes from 'start' on, with a reference of its own. */
static struct piece share_slot(const struct slot *s, uint32_t n)
{
	struct piece p = { .data = (uint8_t *)s->page + s->start,
		.len = n,
		.packet = s->packet,
		.owner = s->owner,
		.ops = s->ops };

	if (!p.ops) {
		p.owner = virt_to_page(s->page);
		p.ops = &piece_of_page;
	}
	piece_get(&p);
	return p;
}

/* Lock held, there is a free slot. Takes the reference over. */
static void add_slot(struct pipe *p, unsigned at, const struct piece *from)
{
	/* No bytes are put behind what is others' as well. */
	*slot_at(p, at) = (struct slot){ .page = (char *)from->data,
		.end = (uint16_t)from->len,
		.packet = from->packet,
		.closed = true,
		.owner = from->owner,
		.ops = from->ops };
}

/* Lock held. Up to n bytes out of the slots, in pieces; how many, or as take_bytes. */
static int take_pieces(struct pipe *p, struct piece *out, size_t n)
{
	int count = 0;

	if (!p->used || p->passing)
		return p->writers || p->passing ? -EAGAIN : 0;
	while (n && count < PIECES_MAX && p->used) {
		struct slot *s = slot_at(p, 0);
		uint32_t here = (uint32_t)MIN((size_t)(s->end - s->start), n);

		out[count++] = share_slot(s, here);
		n -= here;
		s->start += here;
		if (s->start != s->end)
			break;
		drop_slot(s);
		p->head++;
		set_used(p, p->used - 1);
	}
	store_relaxed(&p->passing, (unsigned)count);
	return count;
}

int pipe_pass_begin(struct file *f, struct piece *out, size_t n, bool nonblock)
{
	struct pipe *p = f->private;
	int count;

	for (;;) {
		mutex_lock(&p->lock);
		count = take_pieces(p, out, n);
		mutex_unlock(&p->lock);
		if (count != -EAGAIN || nonblock)
			return count;
		count = wait_event_interruptible(&p->read_wait, is_readable(p));
		if (count)
			return count;
	}
}

void pipe_pass_end(struct file *f, struct piece *rest, unsigned count)
{
	struct pipe *p = f->private;
	unsigned used;

	mutex_lock(&p->lock);
	used = p->used;
	while (count--) {
		struct slot *s = used ? slot_at(p, 0) : NULL;
		struct piece *last = &rest[count];

		if (!last->len)
			continue;
		/* What one slot gave a part of comes back to it, so there is always room. */
		if (s && s->page + s->start == (char *)last->data + last->len &&
			(s->ops ? s->owner : virt_to_page(s->page)) == last->owner) {
			s->start -= (uint16_t)last->len;
			piece_put(last);
			continue;
		}
		p->head--;
		used++;
		add_slot(p, 0, last);
		last->len = 0;
	}
	set_used(p, used);
	store_relaxed(&p->passing, 0);
	mutex_unlock(&p->lock);
	wait_wake_all(&p->read_wait, POLLIN | POLLRDNORM);
	wait_wake_all(&p->write_wait, POLLOUT | POLLWRNORM);
}

/* -EAGAIN: there is no room. */
static ssize_t put_pieces(struct pipe *p, struct piece *from, unsigned count)
{
	size_t done = 0;

	mutex_lock(&p->lock);
	for (unsigned i = 0; i < count && p->readers && !is_full(p); i++) {
		if (!from[i].len)
			continue;
		add_slot(p, p->used, &from[i]);
		set_used(p, p->used + 1);
		done += from[i].len;
		from[i].len = 0;
	}
	bool readers = p->readers;

	mutex_unlock(&p->lock);
	if (done)
		wait_wake_all(&p->read_wait, POLLIN | POLLRDNORM);
	else if (!readers)
		pipe_sigpipe();
	return done ? (ssize_t)done : readers ? -EAGAIN : -EPIPE;
}

/* What there is room for; waits for some only before the first bytes. */
ssize_t pipe_write_pieces(struct file *f, struct piece *from, unsigned count, unsigned flags)
{
	struct pipe *p = f->private;
	ssize_t n;

	while ((n = put_pieces(p, from, count)) == -EAGAIN) {
		if ((f->flags & O_NONBLOCK) || (flags & PIECES_NONBLOCK))
			return -EAGAIN;
		n = wait_event_interruptible(
			&p->write_wait, !is_full(p) || !load_acquire(&p->readers));
		if (n)
			return n;
	}
	return n;
}

int pipe_wait_room(struct file *f, bool nonblock)
{
	struct pipe *p = f->private;
	int err = 0;

	if (load_acquire(&p->readers) && is_full(p)) {
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(
			&p->write_wait, !is_full(p) || !load_acquire(&p->readers));
	}
	if (err || load_acquire(&p->readers))
		return err;
	pipe_sigpipe();
	return -EPIPE;
}

unsigned pipe_room(const struct file *f)
{
	const struct pipe *p = f->private;
	unsigned used = load_acquire(&p->used) + load_relaxed(&p->passing);

	return used < load_relaxed(&p->slot_count) ? load_relaxed(&p->slot_count) - used : 0;
}

/* Lock of both held. What tee(2) copies: references. */
static size_t share_slots(struct pipe *from, struct pipe *to, size_t n)
{
	size_t done = 0;

	for (unsigned i = 0; i < from->used && done < n && !is_full(to); i++) {
		struct slot *s = slot_at(from, i);
		struct piece piece =
			share_slot(s, (uint32_t)MIN((size_t)(s->end - s->start), n - done));

		add_slot(to, to->used, &piece);
		set_used(to, to->used + 1);
		done += piece.len;
	}
	return done;
}

static ssize_t tee_now(struct file *from, struct file *to, size_t n)
{
	struct pipe *a = from->private, *b = to->private;
	struct pipe *first = a < b ? a : b, *second = a < b ? b : a;
	ssize_t done;

	if (a == b)
		return -EINVAL;
	mutex_lock(&first->lock);
	mutex_lock(&second->lock);
	if (!b->readers)
		done = -EPIPE;
	else if (!a->used || a->passing)
		done = a->writers || a->passing ? -EAGAIN : 0;
	else if (is_full(b))
		done = -EAGAIN;
	else
		done = (ssize_t)share_slots(a, b, n);
	mutex_unlock(&second->lock);
	mutex_unlock(&first->lock);
	if (done > 0)
		wait_wake_all(&b->read_wait, POLLIN | POLLRDNORM);
	else if (done == -EPIPE)
		pipe_sigpipe();
	return done;
}

ssize_t pipe_tee_wait(struct file *from, struct file *to, size_t n, bool nonblock)
{
	struct pipe *a = from->private, *b = to->private;

	for (;;) {
		ssize_t done = tee_now(from, to, n);

		if (done != -EAGAIN || nonblock)
			return done;
		done = wait_event_interruptible(&a->read_wait, is_readable(a));
		if (!done)
			done = wait_event_interruptible(
				&b->write_wait, !is_full(b) || !load_acquire(&b->readers));
		if (done)
			return done;
	}
}
