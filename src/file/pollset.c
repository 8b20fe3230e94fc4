/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/pollset.h"
#include "abi/errno.h"
#include "mem/heap.h"

#define CHUNK_ENTRIES 32

struct pollset_chunk {
	struct pollset_chunk *next;
	unsigned count;
	struct pollset_entry entries[CHUNK_ENTRIES];
};

static struct pollset_entry *new_entry(struct pollset *set)
{
	struct pollset_chunk *c = set->more;

	if (set->count < POLLSET_INLINE)
		return &set->entries[set->count++];
	if (!c || c->count == CHUNK_ENTRIES) {
		c = heap_alloc_zeroed(sizeof(*c));
		if (!c)
			return NULL;
		c->next = set->more;
		set->more = c;
	}
	return &c->entries[c->count++];
}

static void queue_current(struct poll_table *table, struct wait_queue *q)
{
	struct pollset *set = container_of(table, struct pollset, table);
	struct pollset_entry *e = new_entry(set);

	if (!e) {
		set->failed = true;
		return;
	}
	*e = (struct pollset_entry){ .wait.thread = thread_current(), .file = set->checking };
	file_get(e->file);
	wait_add(q, &e->wait);
}

void pollset_begin(struct pollset *set, uint64_t deadline)
{
	set->table.queue = queue_current;
	set->count = 0;
	set->more = NULL;
	set->queued = set->failed = false;
	sleep_timer_start(&set->timer, deadline);
	/* Wake-ups count from now on; each round's checks come after this announcement. */
	thread_prepare_sleep(SLEEP_INTERRUPTIBLE);
}

uint32_t pollset_check(struct pollset *set, struct file *f)
{
	if (!f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	set->checking = f;
	return f->ops->poll(f, set->queued ? NULL : &set->table);
}

int pollset_sleep(struct pollset *set)
{
	set->queued = true;
	if (set->failed)
		return -ENOMEM;
	if (thread_signalled())
		return -EINTR;
	if (sleep_timer_expired(&set->timer))
		return -ETIMEDOUT;
	schedule();
	thread_prepare_sleep(SLEEP_INTERRUPTIBLE);
	return 0;
}

static void drop_entry(struct pollset_entry *e)
{
	wait_remove(&e->wait);
	file_put(e->file);
}

void pollset_end(struct pollset *set)
{
	struct pollset_chunk *c, *next;

	thread_cancel_sleep();
	for (unsigned i = 0; i < set->count; i++)
		drop_entry(&set->entries[i]);
	for (c = set->more; c; c = next) {
		next = c->next;
		for (unsigned i = 0; i < c->count; i++)
			drop_entry(&c->entries[i]);
		heap_free(c);
	}
	sleep_timer_stop(&set->timer);
}
