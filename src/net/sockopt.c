/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_SOCKET options, ancillary data, and helpers for option values. */

#include "net/netif.h"
#include "net/socket.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "drivers/netdev.h"
#include "lib/string.h"

int opt_get_int(const void *val, uint32_t len, int *out)
{
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(out, val, sizeof(int));
	return 0;
}

int opt_put(void *val, uint32_t *len, const void *from, uint32_t n)
{
	*len = MIN(*len, n);
	memcpy(val, from, *len);
	return 0;
}

int opt_put_int(void *val, uint32_t *len, int v)
{
	return opt_put(val, len, &v, sizeof(v));
}

void cmsg_put(struct socket_message *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };

	if (m->control_used + sizeof(h) > m->control_len) {
		m->flags |= MSG_CTRUNC;
		return;
	}
	uint8_t *at = m->control + m->control_used;
	size_t space = m->control_len - m->control_used;

	if (space < CMSG_LEN(len)) {
		m->flags |= MSG_CTRUNC;
		len = space - sizeof(h);
		h.cmsg_len = space;
	}
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), data, len);
	m->control_used += MIN(space, (size_t)CMSG_SPACE(len));
}

void cmsg_put_timestamp(struct socket *s, struct socket_message *m, uint64_t t)
{
	struct {
		int64_t sec, sub;
	} v = { (int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC) };

	if (s->timestampns) {
		cmsg_put(m, SOL_SOCKET, SO_TIMESTAMPNS, &v, sizeof(v));
	} else if (s->timestamp) {
		v.sub /= 1000;
		cmsg_put(m, SOL_SOCKET, SO_TIMESTAMP, &v, sizeof(v));
	}
}

static int put_timeout(void *val, uint32_t *len, uint64_t ns)
{
	struct timeval_sock tv = { (int64_t)(ns / NSEC_PER_SEC),
		(int64_t)(ns % NSEC_PER_SEC / 1000) };

	return opt_put(val, len, &tv, sizeof(tv));
}

static int get_timeout(const void *val, uint32_t len, uint64_t *ns)
{
	struct timeval_sock tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0) /* Linux: do not wait */
		*ns = 1;
	else if (tv.tv_sec > 9000000000ll)
		*ns = 0;
	else
		*ns = (uint64_t)tv.tv_sec * NSEC_PER_SEC + (uint64_t)tv.tv_usec * 1000;
	return 0;
}

/* The boolean options: where each is kept. */
static bool *flag_option(struct socket *s, int name)
{
	switch (name) {
	case SO_DEBUG: return &s->debug;
	case SO_REUSEADDR: return &s->reuseaddr;
	case SO_REUSEPORT: return &s->reuseport;
	case SO_DONTROUTE: return &s->dontroute;
	case SO_BROADCAST: return &s->broadcast;
	case SO_KEEPALIVE: return &s->keepalive;
	case SO_OOBINLINE: return &s->oobinline;
	case SO_NO_CHECK: return &s->no_check;
	case SO_PASSCRED: return &s->passcred;
	case SO_TIMESTAMP: return &s->timestamp;
	case SO_TIMESTAMPNS: return &s->timestampns;
	case SO_RXQ_OVFL: return &s->rxq_ovfl;
	default: return NULL;
	}
}

static int get_device_name(struct socket *s, void *val, uint32_t *len)
{
	struct netdev *dev = s->bound_if ? netdev_by_index(s->bound_if) : NULL;

	if (!dev) {
		*len = 0;
		return 0;
	}
	if (*len < IFNAMSIZ)
		return -EINVAL;
	return opt_put(val, len, dev->name, (uint32_t)strlen(dev->name) + 1);
}

int socket_getopt_common(struct socket *s, int name, void *val, uint32_t *len)
{
	bool *flag = flag_option(s, name);

	if (flag)
		return opt_put_int(val, len, *flag);
	switch (name) {
	case SO_TYPE: return opt_put_int(val, len, s->type);
	case SO_ZEROCOPY: return opt_put_int(val, len, s->zerocopy);
	case SO_DOMAIN: return opt_put_int(val, len, s->family);
	case SO_PROTOCOL: return opt_put_int(val, len, s->protocol);
	case SO_ERROR: return opt_put_int(val, len, -socket_take_error(s));
	case SO_SNDBUF: return opt_put_int(val, len, (int)s->sndbuf);
	case SO_RCVBUF: return opt_put_int(val, len, (int)s->rcvbuf);
	case SO_RCVLOWAT: return opt_put_int(val, len, (int)s->rcvlowat);
	case SO_SNDLOWAT: return opt_put_int(val, len, 1);
	case SO_PRIORITY: return opt_put_int(val, len, (int)s->priority);
	case SO_MARK: return opt_put_int(val, len, (int)s->mark);
	case SO_PEEK_OFF: return opt_put_int(val, len, s->peek_off);
	case SO_INCOMING_CPU: return opt_put_int(val, len, load_relaxed(&s->incoming_cpu));
	case SO_BUSY_POLL: return opt_put_int(val, len, 0);
	case SO_ACCEPTCONN: return opt_put_int(val, len, s->listening);
	case SO_BINDTOIFINDEX: return opt_put_int(val, len, s->bound_if);
	case SO_BINDTODEVICE: return get_device_name(s, val, len);
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW: return put_timeout(val, len, s->rcvtimeo);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW: return put_timeout(val, len, s->sndtimeo);
	case SO_COOKIE: return *len < 8 ? -EINVAL : opt_put(val, len, &s->inode, 8);
	case SO_LINGER: {
		struct linger l = { s->linger_on, (int)s->linger };

		return opt_put(val, len, &l, sizeof(l));
	}
	case SO_PEERCRED: {
		struct ucred none = { 0, ~0u, ~0u };

		return opt_put(val, len, &none, sizeof(none));
	}
	case SO_PEERNAME: {
		struct sockaddr_storage a;
		uint32_t n = 0;
		int err = s->ops->getname(s, true, &a, &n);

		if (err)
			return err;
		return *len < n ? -EINVAL : opt_put(val, len, &a, n);
	}
	default: return -ENOPROTOOPT;
	}
}

static int set_device(struct socket *s, const void *val, uint32_t len)
{
	char name[IFNAMSIZ] = { 0 };
	struct netdev *dev;

	memcpy(name, val, MIN(len, (uint32_t)IFNAMSIZ - 1));
	if (!name[0]) {
		s->bound_if = 0;
		return 0;
	}
	dev = netdev_by_name(name);
	if (!dev)
		return -ENODEV;
	s->bound_if = dev->index;
	return 0;
}

/* Linux doubles what is asked, for its overhead, and has a smallest and a largest value. */
static void set_buffer(struct socket *s, bool rcv, int v, bool force)
{
	uint32_t max = force ? 0x3fffffff : 212992, n = v < 0 ? max : MIN((uint32_t)v, max);

	if (rcv) {
		s->rcvbuf = MAX(n * 2, 2304u);
		s->rcvbuf_locked = true;
	} else {
		s->sndbuf = MAX(n * 2, 4608u);
		s->sndbuf_locked = true;
	}
	if (s->ops->buffer_changed)
		s->ops->buffer_changed(s);
}

static int set_zerocopy(struct socket *s, int v)
{
	bool can = (s->family == AF_INET || s->family == AF_INET6) &&
		   (s->protocol == IPPROTO_TCP ||
			   (s->protocol == IPPROTO_UDP && s->type == SOCK_DGRAM));

	if (!can)
		return -EOPNOTSUPP;
	if (v < 0 || v > 1)
		return -EINVAL;
	s->zerocopy = v;
	return 0;
}

int socket_setopt_common(struct socket *s, int name, const void *val, uint32_t len)
{
	bool *flag = flag_option(s, name);
	int v;

	if (name == SO_BINDTODEVICE)
		return set_device(s, val, len);
	if (name == SO_LINGER) {
		struct linger l;

		if (len < sizeof(l))
			return -EINVAL;
		memcpy(&l, val, sizeof(l));
		s->linger_on = l.l_onoff != 0;
		if (s->linger_on)
			s->linger = (uint32_t)l.l_linger;
		return 0;
	}
	if (name == SO_RCVTIMEO || name == SO_RCVTIMEO_NEW)
		return get_timeout(val, len, &s->rcvtimeo);
	if (name == SO_SNDTIMEO || name == SO_SNDTIMEO_NEW)
		return get_timeout(val, len, &s->sndtimeo);
	if (opt_get_int(val, len, &v))
		return -EINVAL;
	if (flag) {
		*flag = v != 0;
		if (name == SO_KEEPALIVE && s->ops->buffer_changed)
			s->ops->buffer_changed(s);
		return 0;
	}
	switch (name) {
	case SO_SNDBUF: set_buffer(s, false, v, false); return 0;
	case SO_RCVBUF: set_buffer(s, true, v, false); return 0;
	case SO_SNDBUFFORCE: set_buffer(s, false, v, true); return 0;
	case SO_RCVBUFFORCE: set_buffer(s, true, v, true); return 0;
	case SO_RCVLOWAT: s->rcvlowat = v < 0 ? 0x7fffffff : v ? (uint32_t)v : 1; return 0;
	case SO_PRIORITY: s->priority = (uint32_t)v; return 0;
	case SO_MARK: s->mark = (uint32_t)v; return 0;
	case SO_PEEK_OFF:
		if (s->family != AF_UNIX)
			return -EOPNOTSUPP;
		s->peek_off = v < 0 ? -1 : v;
		return 0;
	case SO_BINDTOIFINDEX:
		if (v && !netdev_by_index(v))
			return -ENODEV;
		s->bound_if = v;
		return 0;
	case SO_INCOMING_CPU: store_relaxed(&s->incoming_cpu, v); return 0;
	case SO_BUSY_POLL:
	case SO_PREFER_BUSY_POLL:
	case SO_MAX_PACING_RATE:
	case SO_TXREHASH:
	case SO_BUF_LOCK: return 0;
	case SO_ZEROCOPY: return set_zerocopy(s, v);
	case SO_DETACH_FILTER: return -ENOENT;
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR:
	case SO_ACCEPTCONN:
	default: return -ENOPROTOOPT;
	}
}
