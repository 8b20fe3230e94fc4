/* SPDX-License-Identifier: BSD-2-Clause */
/* What the network stack needs of the kernel on the host, whatever its threads and time are. */
#ifndef TEST_HOST_NET_BASE_H
#define TEST_HOST_NET_BASE_H

#include "abi/errno.h"
#include "cpu/layout.h"
#include "diag/log.h"
#include "drivers/netdev.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/page.h"
#include "t.h"
#include "file_host.h"
#include "heap_host.h"
#include "uaccess_host.h"

/* ---- memory, program memory, files ---- */

struct page_stats page_stats(void)
{
	return (struct page_stats){ .total = 65536, .free = 65536 };
}
/* ---- pages: lent to connections, in runs for a card's rings ---- */

#define ENV_PAGES 2048
static uint8_t env_memory[ENV_PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
char *host_physmap = (char *)env_memory;
static struct page env_page[ENV_PAGES];
static unsigned env_page_next, env_pages_used;

struct page *phys_to_page(paddr_t pa)
{
	size_t i = (size_t)((uint8_t *)phys_to_virt(pa) - env_memory[0]) / PAGE_SIZE;

	CHECK(i < ENV_PAGES);
	return &env_page[i];
}
paddr_t page_to_phys(const struct page *page)
{
	return virt_to_phys(env_memory[page - env_page]);
}
/* A run of several, which nobody gives back, begins where its size says. */
struct page *page_alloc(unsigned order)
{
	unsigned count = 1u << order;

	for (unsigned k = 0; k < ENV_PAGES; k++, env_page_next++) {
		unsigned at = env_page_next % ENV_PAGES, n = 0;

		while (at % count == 0 && n < count && !env_page[at + n].refcount)
			n++;
		if (n < count)
			continue;
		for (n = 0; n < count; n++)
			env_page[at + n].refcount = 1;
		env_page_next += count;
		env_pages_used += count;
		return &env_page[at];
	}
	return NULL;
}
struct page *page_alloc_zeroed(unsigned order)
{
	struct page *page = page_alloc(order);

	if (page)
		memset(page_to_virt(page), 0, PAGE_SIZE << order);
	return page;
}
void page_get(struct page *page)
{
	CHECK(page->refcount);
	page->refcount++;
}
void page_put(struct page *page)
{
	CHECK(page->refcount);
	if (!--page->refcount) { /* whoever still reads it gets what is not his */
		memset(page_to_virt(page), 0xdd, PAGE_SIZE);
		env_pages_used--;
	}
}
void log_at(int level, const char *fmt, ...)
{
}
/* Descriptors of the tests' "process". */
static struct file *env_fds[64];
struct file *fd_get(struct fdtable *t, int fd)
{
	if (fd < 0 || fd >= 64 || !env_fds[fd])
		return NULL;
	file_get(env_fds[fd]);
	return env_fds[fd];
}
int fd_install(struct fdtable *t, struct file *f, int min, bool cloexec)
{
	for (int i = min; i < 64; i++)
		if (!env_fds[i]) {
			env_fds[i] = f;
			return i;
		}
	return -EMFILE;
}

/* ---- packets ---- */

static void env_packet_free(struct packet *p)
{
	t_free(p);
}
struct packet *packet_alloc(size_t headroom, size_t size)
{
	struct packet *p = t_malloc(sizeof(*p) + headroom + size);

	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	memset(p->cb, 0xa5, sizeof(p->cb)); /* whoever looks at it must have filled it */
	p->head = (uint8_t *)(p + 1);
	p->data = p->head + headroom;
	p->end = p->data + size;
	p->free = env_packet_free;
	return p;
}
static void env_free_with_kept(struct packet *p)
{
	packet_free(p->owner);
	t_free(p);
}
void packet_keep(struct packet *p, struct packet *kept)
{
	p->free = env_free_with_kept;
	p->owner = kept;
}
void packet_free(struct packet *p)
{
	struct packet *f = p->frags;

	p->free(p);
	while (f) {
		struct packet *next = f->next;

		f->free(f);
		f = next;
	}
}
#endif
