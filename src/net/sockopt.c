/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_SOCKET options, ancillary data, and helpers for option values. */

#include "net/netif.h"
#include "net/socket.h"
#include "net/state.h"
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

struct ts_time {
	int64_t sec, sub;
};

static void put_time(struct socket *s, struct socket_message *m, uint64_t t)
{
	struct ts_time v = { (int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC) };
	int type = s->timestamp_new ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS;

	if (!s->timestamp_ns) {
		v.sub /= 1000;
		type = s->timestamp_new ? SO_TIMESTAMP_NEW : SO_TIMESTAMP;
	}
	cmsg_put(m, SOL_SOCKET, type, &v, sizeof(v));
}

void cmsg_put_timestamp(struct socket *s, struct socket_message *m, uint64_t t)
{
	if (s->timestamp)
		put_time(s, m, t);
	if (s->ts_flags & SOF_TIMESTAMPING_SOFTWARE) {
		struct ts_time v[3] = { { (int64_t)(t / NSEC_PER_SEC),
			(int64_t)(t % NSEC_PER_SEC) } }; /* the others are a card's */

		cmsg_put(m, SOL_SOCKET, s->timestamp_new ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING, v,
			sizeof(v));
	}
}

void socket_move_peek(struct socket *s, size_t n, bool peek)
{
	if (peek)
		s->peek_off += (int32_t)n;
	else
		s->peek_off = (size_t)s->peek_off > n ? s->peek_off - (int32_t)n : 0;
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
	case SO_PASSSEC: return &s->passsec;
	case SO_RXQ_OVFL: return &s->rxq_ovfl;
	case SO_NOFCS: return &s->nofcs;
	case SO_SELECT_ERR_QUEUE: return &s->select_err_queue;
	case SO_WIFI_STATUS: return &s->wifi_status;
	case SO_RCVMARK: return &s->rcvmark;
	case SO_RCVPRIORITY: return &s->rcvpriority;
	case SO_PREFER_BUSY_POLL: return &s->prefer_busy_poll;
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

static bool is_inet(const struct socket *s)
{
	return s->family == AF_INET || s->family == AF_INET6;
}

/* Some are only for some: 0 or Linux's complaint. */
static int option_applies(const struct socket *s, int name)
{
	switch (name) {
	case SO_PASSCRED:
	case SO_PASSSEC: return is_inet(s) ? -EOPNOTSUPP : 0;
	case SO_PEEK_OFF:
		return (is_inet(s) && s->type != SOCK_RAW) || s->family == AF_UNIX ? 0
										   : -EOPNOTSUPP;
	case SO_TXREHASH: return s->protocol == IPPROTO_TCP ? 0 : -EOPNOTSUPP;
	default: return 0;
	}
}

/* SO_TIMESTAMP and its kin: which of them is on. */
static bool timestamp_is(const struct socket *s, int name)
{
	bool ns = name == SO_TIMESTAMPNS || name == SO_TIMESTAMPNS_NEW;
	bool new = name == SO_TIMESTAMP_NEW || name == SO_TIMESTAMPNS_NEW;

	return s->timestamp && s->timestamp_new == new &&
	       (s->timestamp_ns == ns || name == SO_TIMESTAMP_NEW);
}

static int get_peer_name(struct socket *s, void *val, uint32_t *len)
{
	struct sockaddr_storage a;
	uint32_t n = 0;
	int err = s->ops->getname(s, true, &a, &n);

	if (err)
		return err;
	return *len > n ? -EINVAL : opt_put(val, len, &a, n); /* as much as was asked for */
}

static int get_pacing_rate(const struct socket *s, void *val, uint32_t *len)
{
	if (*len >= sizeof(uint64_t))
		return opt_put(val, len, &s->max_pacing_rate, sizeof(s->max_pacing_rate));
	return opt_put_int(val, len, (int)MIN(s->max_pacing_rate, (uint64_t)UINT32_MAX));
}

int socket_getopt_common(struct socket *s, int name, void *val, uint32_t *len)
{
	bool *flag = flag_option(s, name);
	int err = option_applies(s, name);

	if (err)
		return err;
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
	case SO_BSDCOMPAT: return opt_put_int(val, len, 0);
	case SO_ATTACH_FILTER: *len = 0; return 0; /* none is there */
	case SO_LOCK_FILTER: return opt_put_int(val, len, s->lock_filter);
	case SO_TIMESTAMP:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS:
	case SO_TIMESTAMPNS_NEW: return opt_put_int(val, len, timestamp_is(s, name));
	case SO_TIMESTAMPING:
	case SO_TIMESTAMPING_NEW: {
		bool this = s->timestamp_new == (name == SO_TIMESTAMPING_NEW);
		uint32_t v[2] = { this ? s->ts_flags : 0, 0 };

		return opt_put(val, len, v, sizeof(v));
	}
	case SO_BUSY_POLL: return opt_put_int(val, len, (int)s->busy_poll);
	case SO_MAX_PACING_RATE: return get_pacing_rate(s, val, len);
	case SO_INCOMING_NAPI_ID: return opt_put_int(val, len, 0);
	case SO_BUF_LOCK:
		return opt_put_int(val, len,
			(s->sndbuf_locked ? SO_BUF_LOCK_SND : 0) |
				(s->rcvbuf_locked ? SO_BUF_LOCK_RCV : 0));
	case SO_TXREHASH: return opt_put_int(val, len, !s->txrehash);
	case SO_PEERGROUPS: return -ENODATA;
	case SO_RESERVE_MEM: return opt_put_int(val, len, 0);
	case SO_NETNS_COOKIE: { /* there is one */
		uint64_t cookie = 1;

		return *len != sizeof(cookie) ? -EINVAL
					      : opt_put(val, len, &cookie, sizeof(cookie));
	}
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
	case SO_PEERNAME: return get_peer_name(s, val, len);
	default: return -ENOPROTOOPT;
	}
}

static void bind_device(struct socket *s, int index)
{
	store_relaxed(&s->bound_if, index);
	net_lookups_change();
}

static int set_device(struct socket *s, const void *val, uint32_t len)
{
	char name[IFNAMSIZ] = { 0 };
	struct netdev *dev;

	memcpy(name, val, MIN(len, (uint32_t)IFNAMSIZ - 1));
	if (!name[0]) {
		bind_device(s, 0);
		return 0;
	}
	dev = netdev_by_name(name);
	if (!dev)
		return -ENODEV;
	bind_device(s, dev->index);
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
	bool can = is_inet(s) && (s->protocol == IPPROTO_TCP ||
					 (s->protocol == IPPROTO_UDP && s->type == SOCK_DGRAM));

	if (!can)
		return -EOPNOTSUPP;
	if (v < 0 || v > 1)
		return -EINVAL;
	s->zerocopy = v;
	return 0;
}

/* No more than half of what the buffer may become: the rest is for what packets cost. */
static int set_low_water(struct socket *s, int v)
{
	uint32_t most = s->rcvbuf_locked ? s->rcvbuf / 2 : the_net()->buffer_max / 2;

	s->rcvlowat = v < 0 ? 0x7fffffff : v ? (uint32_t)v : 1;
	if (s->protocol == IPPROTO_TCP)
		s->rcvlowat = MIN(s->rcvlowat, most);
	return 0;
}

static void set_timestamp(struct socket *s, int name, bool on)
{
	s->timestamp_ns = on && (name == SO_TIMESTAMPNS || name == SO_TIMESTAMPNS_NEW);
	if (on)
		s->timestamp_new = name == SO_TIMESTAMP_NEW || name == SO_TIMESTAMPNS_NEW;
	s->timestamp = on;
}

/* Of what is sent no stamps come back: who asks for them hears it here. */
static int set_timestamping(struct socket *s, int name, int v)
{
	if (v & ~SOF_TIMESTAMPING_MASK || v & SOF_TIMESTAMPING_TX_SOFT)
		return -EINVAL;
	s->ts_flags = (uint32_t)v;
	s->timestamp_new = name == SO_TIMESTAMPING_NEW;
	return 0;
}

int socket_setopt_common(struct socket *s, int name, const void *val, uint32_t len)
{
	bool *flag = flag_option(s, name);
	int v;

	int err = option_applies(s, name);

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
	if (name == SO_REUSEPORT && v && !is_inet(s))
		err = -EOPNOTSUPP;
	if (err)
		return err;
	if (flag) {
		*flag = v != 0;
		if (name == SO_REUSEPORT)
			net_lookups_change();
		if (name == SO_KEEPALIVE && s->ops->buffer_changed)
			s->ops->buffer_changed(s);
		return 0;
	}
	switch (name) {
	case SO_SNDBUF: set_buffer(s, false, v, false); return 0;
	case SO_RCVBUF: set_buffer(s, true, v, false); return 0;
	case SO_SNDBUFFORCE: set_buffer(s, false, v, true); return 0;
	case SO_RCVBUFFORCE: set_buffer(s, true, v, true); return 0;
	case SO_RCVLOWAT: return set_low_water(s, v);
	case SO_PRIORITY: s->priority = (uint32_t)v; return 0;
	case SO_MARK: s->mark = (uint32_t)v; return 0;
	case SO_PEEK_OFF: s->peek_off = v; return 0;
	case SO_BINDTOIFINDEX:
		if (v < 0)
			return -EINVAL;
		bind_device(s, v); /* Linux does not ask whether it is there */
		return 0;
	case SO_CNX_ADVICE: return 0; /* a hint to look for another path: there is none */
	case SO_BUSY_POLL_BUDGET: return v < 0 || v > UINT16_MAX ? -EINVAL : 0;
	case SO_RESERVE_MEM: return v < 0 ? -EINVAL : -EOPNOTSUPP;
	case SO_INCOMING_CPU: store_relaxed(&s->incoming_cpu, v); return 0;
	case SO_BSDCOMPAT: return 0;
	case SO_TIMESTAMP:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS:
	case SO_TIMESTAMPNS_NEW: set_timestamp(s, name, v != 0); return 0;
	case SO_TIMESTAMPING:
	case SO_TIMESTAMPING_NEW: return set_timestamping(s, name, v);
	case SO_LOCK_FILTER:
		if (s->lock_filter && !v)
			return -EPERM;
		s->lock_filter = v != 0;
		return 0;
	case SO_BUSY_POLL:
		if (v < 0)
			return -EINVAL;
		s->busy_poll = (uint32_t)v;
		return 0;
	case SO_MAX_PACING_RATE:
		s->max_pacing_rate = v == -1 ? UINT64_MAX : (uint32_t)v;
		if (len >= sizeof(uint64_t))
			memcpy(&s->max_pacing_rate, val, sizeof(uint64_t));
		return 0;
	case SO_TXREHASH:
		if (v < -1 || v > 1)
			return -EINVAL;
		s->txrehash = !v; /* kept the other way round: on at first */
		return 0;
	case SO_BUF_LOCK:
		if (v & ~(SO_BUF_LOCK_SND | SO_BUF_LOCK_RCV))
			return -EINVAL;
		s->sndbuf_locked = v & SO_BUF_LOCK_SND;
		s->rcvbuf_locked = v & SO_BUF_LOCK_RCV;
		return 0;
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
