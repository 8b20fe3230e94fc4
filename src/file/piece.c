/* SPDX-License-Identifier: BSD-2-Clause */
#include "file/piece.h"
#include "cpu/barrier.h"
#include "mem/page.h"

static struct page *zero_page; /* atomic; made by the first who needs it, for good */

static void get_page(void *owner)
{
	page_get(owner);
}

static void put_page(void *owner)
{
	page_put(owner);
}

const struct piece_ops piece_of_page = { get_page, put_page };

int (*pieces_pin_pages)(uintptr_t addr, size_t len, struct page **pages, unsigned max);

unsigned pieces_pin(const struct iter *from, size_t n, struct piece *p, unsigned max, int *err)
{
	struct page *pages[PIECES_MAX];
	struct iter it = *from;
	unsigned count = 0;
	size_t here;

	*err = 0;
	while (n && count < max && (here = MIN(iter_current(&it), n)) != 0) {
		int got = pieces_pin_pages((uintptr_t)it.at, here, pages, max - count);

		if (got < 0) {
			*err = got;
			break;
		}
		for (int i = 0; i < got; i++) {
			size_t off = (uintptr_t)it.at % PAGE_SIZE, k = MIN(here, PAGE_SIZE - off);

			p[count++] =
				(struct piece){ .data = (uint8_t *)page_to_virt(pages[i]) + off,
					.len = (uint32_t)k,
					.owner = pages[i],
					.ops = &piece_of_page };
			iter_advance(&it, k);
			here -= k;
			n -= k;
		}
	}
	return count;
}

size_t pieces_bytes(const struct piece *p, unsigned count)
{
	size_t n = 0;

	for (unsigned i = 0; i < count; i++)
		n += p[i].len;
	return n;
}

void pieces_advance(struct piece *p, unsigned count, size_t n)
{
	for (unsigned i = 0; i < count && n; i++) {
		uint32_t here = (uint32_t)MIN(n, (size_t)p[i].len);

		if (here)
			piece_advance(&p[i], here);
		n -= here;
	}
}

void pieces_put(struct piece *p, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		piece_put(&p[i]);
}

void pieces_iter(
	const struct piece *p, unsigned count, struct iter_segment *segments, struct iter *it)
{
	for (unsigned i = 0; i < count; i++)
		segments[i] = (struct iter_segment){ p[i].data, p[i].len };
	iter_init(it, segments, count, false);
}

bool piece_of_zeroes(struct piece *p, uint32_t n)
{
	struct page *page = load_acquire(&zero_page), *none = NULL;

	if (unlikely(!page)) {
		page = page_alloc_zeroed(0);
		if (!page)
			return false;
		if (!atomic_cas(&zero_page, &none, page)) {
			page_put(page);
			page = none;
		}
	}
	page_get(page);
	*p = (struct piece){
		.data = page_to_virt(page), .len = n, .owner = page, .ops = &piece_of_page
	};
	return true;
}
