/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces of Skiff that Linux does not have, for programs. Each section stands alone, and a
 * program finds out at run time whether it is there: the same binary runs on Linux.
 */
#ifndef SKIFF_H
#define SKIFF_H

#ifdef SKIFF_KERNEL
#include "lib/types.h"
#else
#include <stdint.h>
#endif

/*
 * ---- Direct calls ----
 *
 * A system call as a function call. getauxval(AT_SKIFF) is the address of a struct skiff_doors, or
 * 0 where there are no doors (Linux; the program in ring 3). version grows when something is
 * added, never when something changes. Registers at a door, by its address (struct + offset):
 *
 *	rax		the call's Linux number
 *	rdi rsi rdx rcx r8 r9	its arguments: those of a C function, not of syscall
 *	r11		where to return to; the two bytes before it are a syscall instruction
 *
 * The door is jumped to. It uses nothing of the stack, nor below it. It returns with the result,
 * or -errno, in rax. Everything else is as after a C function: rbx, rbp, r12 to r15, rsp, MXCSR
 * and the x87 control word are kept, all other registers are not, vector registers included.
 *
 * An interrupted call is repeated by that syscall instruction, and a signal handler sees the
 * thread there, as if the call had been made by it. 'call_short' is a little faster and for calls
 * that signals cannot interrupt (getpid(2) and the like): others would give EINTR.
 */
#define AT_SKIFF 0x534b4946

struct skiff_doors {
	uint32_t version; /* 1 */
	uint32_t size;	  /* of what the kernel filled */
	uint32_t call, call_short;
};

/*
 * ---- Which pages were written ----
 *
 * By the hardware's dirty bits. A system call with a number outside of Linux's range; it returns
 * -errno in the kernel's way, -ENOSYS (-38) on Linux.
 *
 * Sets bit i of 'bits' (bit i % 64 of word i / 64; the rest of the last word is zero) if page i of
 * [start, start + len) has been written since the last clearing call that reported it, or since it
 * came to be. Returns how many, or -EINVAL (start is not page aligned, unknown flags, more than
 * 64 GiB), -EFAULT, -ENOMEM (nothing was cleared then). bits may be NULL.
 *
 * Writes cost nothing extra: there is no write fault. Threads may write meanwhile and several may
 * scan: each write is seen, by whoever reads the page after a clearing call that reports it, or by
 * a later call's report. Where memory is in 2 MiB pages all 512 pages of one are reported together;
 * madvise(MADV_NOHUGEPAGE) before the first touch gives 4 KiB ones. bench/gc is a sample: a
 * collector that finds its old-to-young pointers by this, and by cards.
 */
#define SKIFF_SYSCALL_FIRST  100000
#define SKIFF_SYS_DIRTY_SCAN 100000

#define SKIFF_DIRTY_CLEAR 1 /* found pages count as not written from now on */

#ifndef SKIFF_KERNEL
static inline long skiff_syscall4(
	long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	register unsigned long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long skiff_dirty_scan(
	void *start, unsigned long len, uint64_t *bits, unsigned long flags)
{
	return skiff_syscall4(
		SKIFF_SYS_DIRTY_SCAN, (unsigned long)start, len, (unsigned long)bits, flags);
}
#endif

/*
 * ---- Packets by reference ----
 *
 * A bound UDP socket hands its datagrams over in the card's own buffers, and takes answers in them:
 * no copy, no lock, and no system call for each packet. doc/skiff_packets.7 is the manual page.
 *
 * The filter is the socket's binding: family, address, port, SO_BINDTODEVICE, connect(2) for one
 * peer, SO_REUSEPORT for several sockets that share a port by flow (one for each thread). From
 * skiff_packet_open on what arrives goes into the receive ring; recv(2) fails with EINVAL. poll(2),
 * epoll(7) and send(2) work as ever. close(2) of the last descriptor takes all back: rings,
 * buffers.
 *
 *	packets	  kernel > program  struct skiff_packet: where it is, how long, from whom
 *	orders	  program > kernel  struct skiff_order: what shall become of a buffer
 *
 * A buffer is the program's from the moment its packet is in the ring until the moment an order
 * names it; it may be kept for long, and others be ordered first. Its data is in the kernel's part
 * of the address space: not for system calls (EFAULT). Nothing but [data, data + room) may be
 * written, and nothing after the order.
 *
 * At most 'entries' received buffers are with the program. What comes when all are out is dropped
 * and counted, as a card with a full ring does.
 *
 *	            peek    next    order   put     the kernel's side
 *	peek        one     one     safe    safe    safe
 *	next        one     one     safe    safe    safe
 *	order       safe    safe    one     one     safe
 *	put         safe    safe    one     one     safe
 * One: one thread at a time, of each ring. The calls (open, run, alloc) are safe from all.
 *
 * Argument: each index is written by one side, which releases it after what it announces; the other
 * side acquires it before it looks. packets_tail announces filled entries, orders_tail filled
 * orders, orders_head read ones. An entry of packets is written again only after its buffer was
 * ordered, and a received buffer is ordered after its entry was read: no index bounds that ring,
 * the number of buffers does. packets_head is read by poll and run alone.
 *
 * Misuse (a handle twice, a foreign one, more bytes than room, an index out of bounds) is refused
 * and counted in 'refused'; the order's result says -EINVAL or -EMSGSIZE. A refused buffer stays as
 * it was: with whom it was.
 */
#define SKIFF_SYS_PACKET_OPEN  100001
#define SKIFF_SYS_PACKET_RUN   100002
#define SKIFF_SYS_PACKET_ALLOC 100003

#define SKIFF_PACKET_ROOM	 1472 /* every buffer has at least so much */
#define SKIFF_PACKET_ENTRIES_MIN 8
#define SKIFF_PACKET_ENTRIES_MAX 4096
#define SKIFF_FOREVER		 (~0ul)

/* Addresses are 16 bytes, those of IPv4 mapped (::ffff:a.b.c.d); ports in host order. */
struct skiff_packet {
	uint8_t *data;
	uint64_t handle; /* never 0, never used again */
	uint32_t length;
	uint32_t room;	  /* bytes from data on that may be written */
	uint8_t peer[16]; /* who sent it */
	uint16_t peer_port;
	uint16_t flags;	   /* SKIFF_PACKET_* */
	uint32_t ifindex;  /* where it came in */
	uint8_t local[16]; /* to which address of ours */
};
#define SKIFF_PACKET_GROUP  1 /* sent to many: a multicast or broadcast address */
#define SKIFF_PACKET_COPIED 2 /* it came in pieces: one copy was made */

enum skiff_order_kind {
	SKIFF_ORDER_FREE = 1,  /* give the buffer back */
	SKIFF_ORDER_REPLY = 2, /* send 'length' bytes at data to whoever sent the packet */
	SKIFF_ORDER_SEND = 3,  /* the same to peer, peer_port */
};
struct skiff_order {
	uint64_t handle;
	uint32_t length;
	uint16_t kind;
	uint16_t peer_port;
	uint8_t peer[16];
	uint32_t ifindex; /* SEND to an address of one link: which */
	int32_t result;	  /* the kernel's, when orders_head is past it: 0 or -errno */
	uint8_t reserved[24];
};

/* The program reads what is the kernel's, and writes what is its own; both only forwards. */
struct skiff_rings {
	/* fixed */
	uint32_t version, entries, order_entries; /* 1; powers of two */
	uint32_t reserved;
	struct skiff_packet *packets;
	struct skiff_order *orders;
	/* the kernel's */
	uint32_t packets_tail __attribute__((aligned(64)));
	uint32_t orders_head __attribute__((aligned(64)));
	uint32_t unused;
	uint64_t dropped; /* packets: all buffers were out */
	uint64_t copied;  /* packets: SKIFF_PACKET_COPIED */
	uint64_t refused; /* orders, and calls with an index out of bounds */
	/* the program's */
	uint32_t packets_head __attribute__((aligned(64)));
	uint32_t orders_tail __attribute__((aligned(64)));
};

#ifndef SKIFF_KERNEL
/*
 * entries: a power of two, 8 to 4096. 0, or -EBADF, -ENOTSOCK, -EOPNOTSUPP (no UDP socket), -EINVAL
 * (not bound, or entries), -EBUSY (it has rings), -ENOMEM, -EFAULT; -ENOSYS where there are no
 * rings: on Linux the socket goes on with recvmmsg(2).
 */
static inline long skiff_packet_open(int fd, unsigned entries, struct skiff_rings **rings)
{
	return skiff_syscall4(
		SKIFF_SYS_PACKET_OPEN, (unsigned long)fd, entries, 0, (unsigned long)rings);
}

/*
 * Carries out the orders, then waits at most ns (0: not at all, SKIFF_FOREVER) until there is a
 * packet. How many there are, or -EINTR, -EINVAL (an index is out of bounds, or no rings), -EBADF.
 * One call serves a batch, and nobody is woken who does not wait in it, in poll or in epoll.
 */
static inline long skiff_packet_run(int fd, unsigned long ns)
{
	return skiff_syscall4(SKIFF_SYS_PACKET_RUN, (unsigned long)fd, ns, 0, 0);
}

/*
 * Up to n buffers of the kernel's for messages that answer nothing (SKIFF_ORDER_SEND), described
 * in p[]: how many, or -ENOMEM, -EINVAL, -EFAULT, -EBADF. Of these, too, at most 'entries' are out.
 */
static inline long skiff_packet_alloc(int fd, struct skiff_packet *p, unsigned long n)
{
	return skiff_syscall4(SKIFF_SYS_PACKET_ALLOC, (unsigned long)fd, (unsigned long)p, n, 0);
}

/* The oldest packet that has not been passed by next, or NULL. */
static inline struct skiff_packet *skiff_packet_peek(struct skiff_rings *r)
{
	uint32_t head = r->packets_head;

	if (head == __atomic_load_n(&r->packets_tail, __ATOMIC_ACQUIRE))
		return 0;
	return &r->packets[head & (r->entries - 1)];
}

/* Past the packet that peek gave. Its entry is to be read before the buffer is ordered. */
static inline void skiff_packet_next(struct skiff_rings *r)
{
	__atomic_store_n(&r->packets_head, r->packets_head + 1, __ATOMIC_RELEASE);
}

/* A place for the next order, for put; NULL: none until run has been called. */
static inline struct skiff_order *skiff_packet_order(struct skiff_rings *r)
{
	uint32_t tail = r->orders_tail;

	if (tail - __atomic_load_n(&r->orders_head, __ATOMIC_ACQUIRE) >= r->order_entries)
		return 0;
	return &r->orders[tail & (r->order_entries - 1)];
}

/* Carried out by the next run. */
static inline void skiff_packet_put(struct skiff_rings *r)
{
	__atomic_store_n(&r->orders_tail, r->orders_tail + 1, __ATOMIC_RELEASE);
}
#endif

#endif
