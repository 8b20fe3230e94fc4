/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between UNIX sockets, with descriptors and credentials.
 *
 * Descriptors in flight: sockets may be sent over each other in a cycle that nobody can reach any
 * more. We collect no garbage; the number of descriptors in flight is bounded instead, so what a
 * program can lose this way is, too (CAVEAT, doc/network.md).
 */

#include "net/unix.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "lib/string.h"
#include "mem/heap.h"

#define FDS_IN_FLIGHT_MAX 8192

COUNTER(unix_bytes_copied);

static uint32_t fds_in_flight; /* atomic */

void unix_message_free(struct unix_message *q)
{
	for (unsigned i = 0; i < q->fd_count; i++)
		file_put(q->fds[i]);
	if (q->fd_count)
		atomic_sub(&fds_in_flight, q->fd_count);
	heap_free(q->fds);
	heap_free(q);
}

static int take_fds(
	struct unix_message *q, struct socket_message *m, const uint8_t *data, size_t len)
{
	unsigned n = (unsigned)(len / sizeof(int));

	if (n == 0)
		return 0;
	if (q->fd_count + n > UNIX_MAX_FDS)
		return -EINVAL;
	if (load_relaxed(&fds_in_flight) + n > FDS_IN_FLIGHT_MAX)
		return -ETOOMANYREFS;
	struct file **fds = heap_resize(q->fds, (q->fd_count + n) * sizeof(*fds));

	if (!fds)
		return -ENOMEM;
	q->fds = fds;
	for (unsigned i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, data + i * sizeof(int), sizeof(int));
		struct file *f = m->fds ? fd_get(m->fds, fd) : NULL;

		if (!f)
			return -EBADF;
		q->fds[q->fd_count++] = f;
		atomic_add(&fds_in_flight, 1);
	}
	return 0;
}

static int take_control(struct unix_message *q, struct socket_message *m)
{
	for (size_t off = 0; m->control_len >= off + sizeof(struct cmsghdr);) {
		struct cmsghdr h;
		int err = 0;

		memcpy(&h, m->control + off, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > m->control_len - off)
			return -EINVAL;
		const uint8_t *data = m->control + off + sizeof(h);
		size_t len = h.cmsg_len - sizeof(h);

		if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_RIGHTS) {
			err = take_fds(q, m, data, len);
		} else if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_CREDENTIALS) {
			struct ucred c;

			if (len != sizeof(c))
				return -EINVAL;
			memcpy(&c, data, sizeof(c));
			if (q->cred.uid != 0 && (c.pid != q->cred.pid || c.uid != q->cred.uid ||
							c.gid != q->cred.gid))
				return -EPERM;
			q->cred = c;
		} else if (h.cmsg_level == SOL_SOCKET) {
			err = -EINVAL;
		}
		if (err)
			return err;
		off += CMSG_ALIGN(h.cmsg_len);
	}
	return 0;
}

struct unix_message *unix_message_make(struct socket_message *m, size_t n, int *err)
{
	struct unix_message *q = heap_alloc(sizeof(*q) + n);

	*err = -ENOBUFS;
	if (!q)
		return NULL;
	memset(q, 0, sizeof(*q));
	if (net_credentials)
		net_credentials(&q->cred.pid, &q->cred.uid, &q->cred.gid);
	*err = m->control_len ? take_control(q, m) : 0;
	q->size = (uint32_t)iter_copy_from(m->data, q->data, n);
	counter_add(unix_bytes_copied, q->size);
	if (!*err && q->size < n)
		*err = -EFAULT;
	if (*err) {
		unix_message_free(q);
		return NULL;
	}
	q->charged = (uint32_t)(n + sizeof(*q) / 2);
	return q;
}

static void give_fds(struct unix_message *q, struct socket_message *m, uint32_t flags)
{
	int fd[UNIX_MAX_FDS];
	size_t room = m->control_len - m->control_used;
	unsigned n = 0, max = room < CMSG_LEN(sizeof(int))
				      ? 0
				      : (unsigned)((room - sizeof(struct cmsghdr)) / sizeof(int));

	for (; n < q->fd_count && n < max; n++) {
		if (!m->fds)
			break;
		file_get(q->fds[n]);
		fd[n] = fd_install(m->fds, q->fds[n], 0, flags & MSG_CMSG_CLOEXEC);
		if (fd[n] < 0) {
			file_put(q->fds[n]);
			break;
		}
	}
	if (n < q->fd_count)
		m->flags |= MSG_CTRUNC;
	if (n)
		cmsg_put(m, SOL_SOCKET, SCM_RIGHTS, fd, n * sizeof(int));
	if (flags & MSG_PEEK)
		return;
	for (unsigned i = 0; i < q->fd_count; i++)
		file_put(q->fds[i]);
	atomic_sub(&fds_in_flight, q->fd_count);
	q->fd_count = 0;
}

void unix_message_control(
	struct unix_sock *u, struct unix_message *q, struct socket_message *m, uint32_t flags)
{
	if (u->s.passcred)
		cmsg_put(m, SOL_SOCKET, SCM_CREDENTIALS, &q->cred, sizeof(q->cred));
	if (q->fd_count)
		give_fds(q, m, flags);
}
