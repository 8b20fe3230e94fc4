/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets by reference: include/skiff.h says what the calls do. */

#include "skiff.h"
#include "syscall/socket_util.h"

static struct fd borrow_socket(int fd, long *err)
{
	struct fd f = fd_borrow(fd);

	*err = f.file ? socket_check(f.file) : -EBADF;
	return f;
}

SYSCALL_DEFINE4(packet_open, int, fd, unsigned, entries, unsigned long, flags,
	struct skiff_rings **, urings)
{
	struct skiff_rings *rings = NULL;
	long r;
	struct fd f = borrow_socket(fd, &r);

	if (!r && flags)
		r = -EINVAL;
	if (!r && (get_user(rings, urings) || put_user(rings, urings)))
		r = -EFAULT; /* while nothing has changed */
	if (!r)
		r = socket_rings_open(f.file, entries, &rings);
	if (!r)
		r = put_user(rings, urings);
	fd_return(f);
	return r;
}

SYSCALL_DEFINE2(packet_run, int, fd, unsigned long, ns)
{
	long r;
	struct fd f = borrow_socket(fd, &r);

	if (!r)
		r = socket_rings_run(f.file, ns);
	fd_return(f);
	return r;
}

SYSCALL_DEFINE3(packet_alloc, int, fd, struct skiff_packet *, up, unsigned long, n)
{
	long r;
	struct fd f = borrow_socket(fd, &r);

	if (!r)
		r = socket_rings_alloc(f.file, up, n);
	fd_return(f);
	return r;
}
