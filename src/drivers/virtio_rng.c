/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entropy from the host, once: the device is asked when it is found, and its answer is stirred into
 * the kernel's generator by the interrupt, while boot goes on. Only where the CPU has no generator
 * of its own boot waits for it, because then nothing else is hard to guess.
 */
#include "drivers/drivers.h"
#include "drivers/virtio.h"
#include "abi/errno.h"
#include "cpu/barrier.h"
#include "cpu/layout.h"
#include "diag/log.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "sched/random.h"
#include "sched/thread.h"
#include "sched/timer.h"

#define BUFFER_SIZE 32u /* a key of the generator */
#define WAIT_MAX    (20 * NSEC_PER_MSEC)

/* Fixed once the device is asked; from then on the interrupt's alone, which does not nest. */
static struct virtqueue *queue;
static uint8_t *buffer;

static bool answered;	      /* atomic */
static struct thread *waiter; /* atomic: the boot thread, which is never freed */

/*
 * The answer is stirred in, then 'answered' is set, then the waiter looked for; he announces
 * himself, prepares to sleep (a full barrier), then looks at 'answered'.
 */
static void answer(void *unused)
{
	struct thread *t;
	uint32_t filled;

	if (!virtqueue_take(queue, &filled))
		return;
	virtqueue_interrupts_off(queue);
	random_add_entropy(buffer, MIN(filled, BUFFER_SIZE));
	memset(buffer, 0, BUFFER_SIZE);
	(void)atomic_xchg(&answered, true);
	t = load_relaxed(&waiter);
	if (t)
		thread_wake(t);
}

int virtio_rng_probe(struct virtio_device *dev)
{
	struct virtqueue_segment s;
	int err = virtio_negotiate(dev, 0);

	if (err)
		return err;
	if (queue) /* one is enough */
		return -EBUSY;
	buffer = heap_alloc_zeroed(BUFFER_SIZE);
	queue = virtio_queue_create(dev, 0, 4, answer, NULL);
	if (!buffer || !queue)
		return -ENOMEM;
	virtio_start(dev);
	s = (struct virtqueue_segment){ virt_to_phys(buffer).raw, BUFFER_SIZE };
	err = virtqueue_add(queue, &s, 0, 1, buffer);
	virtqueue_interrupts_on(queue);
	if (!err)
		virtio_kick(dev, queue);
	return err;
}

static void wait_for_answer(void)
{
	struct sleep_timer timer;

	store_relaxed(&waiter, thread_current());
	sleep_timer_start(&timer, clock_now() + WAIT_MAX);
	for (;;) {
		thread_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		if (load_acquire(&answered) || sleep_timer_expired(&timer))
			break;
		schedule();
	}
	thread_cancel_sleep();
	sleep_timer_stop(&timer);
	store_relaxed(&waiter, NULL);
}

void rng_device_wait(void)
{
	if (random_cpu_generates())
		return;
	if (queue)
		wait_for_answer();
	if (!load_acquire(&answered))
		log_warn("no RDRAND and no virtio-rng: random numbers can be guessed");
}
