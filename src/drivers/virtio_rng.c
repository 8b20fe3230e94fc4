/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entropy from the host. One buffer is always with the device, so that a read usually finds its
 * bytes ready; there is no interrupt and no thread, because nobody has to hear of it in a hurry.
 */
#include "drivers/drivers.h"
#include "drivers/virtio.h"
#include "abi/errno.h"
#include "cpu/layout.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/mutex.h"
#include "sched/random.h"
#include "sched/thread.h"

#define BUFFER_SIZE 64u
#define WAIT_STEP   (200 * NSEC_PER_USEC)
#define WAIT_STEPS  10

static DEFINE_MUTEX(rng_lock);
/* Guarded by rng_lock. */
static struct virtio_device *device;
static struct virtqueue *queue;
static uint8_t *buffer; /* with the device, unless 'ready' */
static uint32_t ready;	/* unread bytes at the end of buffer's first 'filled' */
static uint32_t filled;

static void ask(void)
{
	struct virtqueue_segment s = { virt_to_phys(buffer).raw, BUFFER_SIZE };

	if (virtqueue_add(queue, &s, 0, 1, buffer) == 0)
		virtio_kick(device, queue);
}

int virtio_rng_probe(struct virtio_device *dev)
{
	int err = virtio_negotiate(dev, 0);

	if (err)
		return err;
	if (device) /* one is enough */
		return -EBUSY;
	buffer = heap_alloc_zeroed(BUFFER_SIZE);
	queue = virtio_queue_create(dev, 0, 4, NULL, NULL);
	if (!buffer || !queue)
		return -ENOMEM;
	virtio_start(dev);
	mutex_lock(&rng_lock);
	device = dev;
	ask();
	mutex_unlock(&rng_lock);
	return 0;
}

static bool wait_ready(void)
{
	for (int i = 0; !ready; i++) {
		if (virtqueue_take(queue, &filled)) {
			ready = filled;
			if (!ready) /* an answer without bytes: nothing to give */
				ask();
			return ready != 0;
		}
		if (i == WAIT_STEPS)
			return false;
		thread_sleep(WAIT_STEP, false, NULL);
	}
	return true;
}

size_t rng_device_read(void *buf, size_t n)
{
	uint8_t *to = buf;
	size_t done = 0, part;

	mutex_lock(&rng_lock);
	while (device && done < n && wait_ready()) {
		part = MIN((size_t)ready, n - done);
		memcpy(to + done, buffer + filled - ready, part);
		done += part;
		ready -= part;
		if (!ready) {
			memset(buffer, 0, BUFFER_SIZE);
			ask();
		}
	}
	mutex_unlock(&rng_lock);
	return done;
}

void rng_device_feed(void)
{
	uint8_t bytes[32];
	size_t n = rng_device_read(bytes, sizeof(bytes));

	if (n)
		random_add_entropy(bytes, n);
	memset(bytes, 0, sizeof(bytes));
}
