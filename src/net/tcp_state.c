/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a connection: tables, birth, states, and the calls; its ends are in tcp_close.c. */

#include "net/tcp.h"
#include "net/transport.h"
#include "net/zerocopy.h"
#include "abi/errno.h"
#include "diag/counter.h"
#include "mem/heap.h"
#include "mem/page.h"

COUNTER(tcp_opened);
COUNTER(tcp_time_wait_reused);

#define LISTEN_CHAINS 64

static const struct socket_ops tcp_ops;

void tcp_init(void)
{
	struct net_state *n = the_net();

	flow_table_init(&n->tcp_conn, flow_chains());
	flow_table_init(&n->tcp_listen, LISTEN_CHAINS);
	n->tcp_bind = inet_table_create(BIND_BUCKETS);
	mutex_init(&n->cookie_lock, "net_state.cookie_lock");
	/* One connection may queue a 32nd of memory, 4 MiB at most: Linux's tcp_rmem[2] in spirit.
	 */
	n->buffer_max = (uint32_t)MIN(MAX(page_stats().total * PAGE_SIZE / 32, KIB(256)), MIB(4));
	n->tcp_bytes_max = page_stats().total * PAGE_SIZE / 4;
	/* A 64th of it may remember connections that are over. */
	n->time_wait_max = (uint32_t)MIN(
		page_stats().total * PAGE_SIZE / 64 / sizeof(struct tcp_sock), 32768ul);
}

struct tcp_sock *tcp_alloc(int family)
{
	struct tcp_sock *t = heap_alloc_zeroed(sizeof(*t));

	if (!t)
		return NULL;
	socket_setup(&t->i.s, &tcp_ops, family, SOCK_STREAM, IPPROTO_TCP);
	inet_setup(&t->i);
	t->i.s.channel.eager = true;
	t->i.s.rcvbuf = 131072;
	t->i.s.sndbuf = 87040;
	t->state = TCP_CLOSE;
	t->keep_idle = 7200;
	t->keep_interval = 75;
	t->keep_count = 9;
	t->syn_retries = TCP_SYN_RETRIES;
	t->cong = &tcp_cubic;
	t->rto = TCP_RTO_INIT;
	t->rcv_mss = TCP_DEFAULT_MSS;
	t->mss = TCP_DEFAULT_MSS;
	t->cwnd = TCP_INIT_CWND * TCP_DEFAULT_MSS;
	t->ssthresh = TCP_SSTHRESH_NONE;
	t->rcv_wscale = TCP_WSCALE;
	t->ts_ok = t->sack_ok = t->wscale_ok = true;
	list_init(&t->queue_link);
	tcp_sent_init(t);
	tcp_ooo_init(&t->ooo);
	tcp_timer_init(t);
	return t;
}

struct socket *tcp_create(int family)
{
	struct tcp_sock *t = tcp_alloc(family);

	return t ? &t->i.s : ERR_PTR(-ENOMEM);
}

/* ---- tables ---- */

/* RFC 6191, section 3, from the side that opens: timestamps keep the peer from mistaking what is
 * still on the way, once its clock for us has moved on. Read without the other's lock: TIME_WAIT
 * leads nowhere but to the end. */
static bool reusable(const struct tcp_sock *o)
{
	return load_acquire(&o->state) == TCP_TIME_WAIT && o->ts_ok &&
	       clock_now() - o->ts_recent_time >= NSEC_PER_SEC;
}

/* The chain's lock held. */
static struct flow *find_equal(const struct flow *f)
{
	struct flow *o;

	for_each_flow(o, &the_net()->tcp_conn,
		f->hash) if (flow_is(o, f->laddr, f->lport, f->raddr, f->rport)) return o;
	return NULL;
}

/*
 * Into the table, which gets a reference. active: may take the place of a connection in TIME_WAIT,
 * whose sequence numbers t->reused_seq then continues; that one keeps its flow until it is
 * destroyed.
 */
int tcp_conn_insert(struct tcp_sock *t, bool active)
{
	struct flow_table *table = &the_net()->tcp_conn;
	struct flow *o, *f = flow_create(&t->i.s, t->i.laddr, t->i.lport, t->i.raddr, t->i.rport);
	struct tcp_sock *old = NULL;
	struct mutex *lock;

	if (!f)
		return -ENOMEM;
	lock = flow_lock(table, f->hash);
	o = find_equal(f);
	if (o && !(active && reusable(tcp_sk(o->s)))) {
		mutex_unlock(lock);
		flow_free(f);
		return -EADDRINUSE;
	}
	socket_get(&t->i.s);
	t->i.flow = f;
	t->i.flow_table = table;
	t->reused = o;
	flow_link(table, f);
	if (o) {
		counter_inc(tcp_time_wait_reused);
		old = tcp_sk(o->s);
		t->reused_seq = tcp_seq_beyond(old);
		flow_unlink(table, o);
	}
	mutex_unlock(lock);
	if (old)
		socket_put(&old->i.s);
	return 0;
}

int tcp_listen_insert(struct tcp_sock *t)
{
	struct flow_table *table = &the_net()->tcp_listen;
	struct flow *f = flow_create(&t->i.s, t->i.laddr, t->i.lport, IP_ANY, 0);
	struct mutex *lock;

	if (!f)
		return -ENOMEM;
	lock = flow_lock(table, f->hash);
	t->i.flow = f;
	t->i.flow_table = table;
	flow_link(table, f);
	mutex_unlock(lock);
	return 0;
}

/* Out of the tables. The caller has a reference of its own. */
void tcp_unhash(struct tcp_sock *t)
{
	struct flow_table *table = t->i.flow_table;
	struct flow *f = t->i.flow;

	if (!f)
		return;
	t->i.flow = NULL;
	struct mutex *lock = flow_lock(table, f->hash);
	bool in = f->linked; /* a new connection may have taken its place */

	if (in)
		flow_unlink(table, f);
	mutex_unlock(lock);
	flow_free(f);
	if (in && table == &the_net()->tcp_conn)
		socket_put(&t->i.s);
}

unsigned tcp_closing_count(void)
{
	struct net_state *n = the_net();
	unsigned count = 0;

	for (uint32_t c = 0; c <= n->tcp_conn.mask; c++) {
		struct flow *f;

		rcu_read_lock();
		for_each_flow(f, &n->tcp_conn, c)
		{
			const struct tcp_sock *t = tcp_sk(f->s);
			uint8_t state = load_relaxed(&t->state);

			count += !(t->i.route.local) &&
				 (state == TCP_FIN_WAIT1 || state == TCP_CLOSING ||
					 state == TCP_LAST_ACK);
		}
		rcu_read_unlock();
	}
	return count;
}

/* ---- route, sizes, clocks ---- */

struct route_cache *tcp_route(struct tcp_sock *t)
{
	struct route_cache *r = &t->i.route;

	if (!route_valid(r, t->i.raddr) && inet_route(&t->i, t->i.raddr, r)) {
		r->generation = 0;
		return NULL;
	}
	return r;
}

void tcp_update_mss(struct tcp_sock *t)
{
	struct route_cache *r = tcp_route(t);
	uint32_t mtu = r ? tcp_mtu_of(t, r) : 1500, link = r ? MIN(r->link_mtu, 65535u) : 1500, mss;

	t->route_mtu = mtu;
	unsigned headers = tcp_headers(t);

	mss = tcp_mtu_limit(t, mtu) - headers;
	if (t->user_mss)
		mss = MIN(mss, (uint32_t)t->user_mss);
	t->adv_mss = (uint16_t)MIN(link - headers, t->user_mss ? t->user_mss : 65535u);
	if (t->peer_mss)
		mss = MIN(mss, (uint32_t)t->peer_mss);
	if (t->ts_ok)
		mss -= 12;
	t->mss = (uint16_t)MAX(mss, (uint32_t)TCP_MIN_MSS - 12);
}

/* A hash that strangers see: the full SipHash, with a key of its own. */
static uint32_t secret_hash(const struct tcp_sock *t, uint16_t lport, uint16_t rport)
{
	const struct hash_key *k = &the_net()->isn_key;
	uint32_t ports = (uint32_t)lport << 16 | rport;

	if (likely(ip_is_v4(t->i.raddr))) {
		uint32_t key[3] = { ip_v4(t->i.laddr), ip_v4(t->i.raddr), ports };

		return (uint32_t)hash_siphash(k, key, sizeof(key));
	}
	struct {
		struct ip_addr l, r;
		uint32_t ports;
	} key = { t->i.laddr, t->i.raddr, ports };

	return (uint32_t)hash_siphash(k, &key, 36);
}

/* RFC 6528: a keyed hash of the connection plus a clock of 64 ns ticks. */
uint32_t tcp_initial_seq(const struct tcp_sock *t, uint64_t now)
{
	return secret_hash(t, t->i.lport, t->i.rport) + (uint32_t)(now >> 6);
}

/* RFC 1122, 4.2.2.13: beyond all that the old connection can have sent; as far as Linux goes. */
uint32_t tcp_seq_beyond(const struct tcp_sock *old)
{
	return old->snd_nxt + 65535 + 2;
}

/* RFC 7323, 5.4 and 7.1: different for each pair of hosts, but one clock for all connections of a
 * pair, so that a new connection's timestamps are later than those of an old one (RFC 6191). */
uint32_t tcp_ts_offset(const struct tcp_sock *t)
{
	return secret_hash(t, 0, 0);
}

uint32_t tcp_ts_at(const struct tcp_sock *t, uint64_t time)
{
	return (uint32_t)(time / NSEC_PER_MSEC) + t->ts_offset;
}

uint32_t tcp_ts_now(const struct tcp_sock *t)
{
	return tcp_ts_at(t, clock_now());
}

/* ---- states ---- */

void tcp_set_state(struct tcp_sock *t, enum tcp_state state)
{
	if (t->state == TCP_TIME_WAIT)
		atomic_sub(&the_net()->tcp_time_wait, 1);
	if (state == TCP_TIME_WAIT)
		atomic_add(&the_net()->tcp_time_wait, 1);
	store_release(&t->state, (uint8_t)state);
}

/* Both SYNs are acknowledged, or about to be. */
void tcp_init_established(struct tcp_sock *t)
{
	uint64_t now = t->last_rx;

	if (!t->parent || tcp_mtu_stale(t)) /* a child knows it all since the SYN */
		tcp_update_mss(t);
	/* RFC 5681, 3.1: the handshake lost a segment, so begin with one */
	t->cwnd = (t->retransmits ? 1 : TCP_INIT_CWND) * (uint32_t)t->mss;
	t->ssthresh = TCP_SSTHRESH_NONE;
	t->rack.fack = t->rack.high_rxt = t->hystart.round_end = t->snd_una;
	t->cong->init(t);
	t->quick = 16;
	t->rcv_mss = MIN(t->mss, (uint16_t)TCP_DEFAULT_MSS);
	t->was_connected = true;
	t->backoff = t->retransmits = 0;
	t->progress_time = t->last_rx = t->last_data_rx = t->last_ack_rx = t->chrono.since = now;
	t->round.end = t->snd_una;
	t->drs_seq = t->copied_seq = t->rcv_nxt;
	t->drs_time = now;
	t->push_seq = t->snd_una;
	tcp_timer_stop(t, TCP_T_RETX);
	tcp_set_state(t, TCP_ESTABLISHED);
	tcp_keepalive_reset(t);
	counter_inc(tcp_opened);
	socket_wake(&t->i.s, POLLOUT | POLLWRNORM | POLLWRBAND);
}

/* ---- calls ---- */

int tcp_take_port(struct tcp_sock *t, struct ip_addr addr, uint16_t port)
{
	int err = inet_bind_port(&t->i, the_net()->tcp_bind, addr, port);

	if (!err) {
		t->i.explicit_port = true;
		t->i.keeps_port = port != 0;
	}
	return err;
}

static int tcp_bind(struct socket *s, const struct sockaddr_storage *a, uint32_t len,
	const struct path_context *c)
{
	struct tcp_sock *t = tcp_sk(s);
	struct ip_addr addr;
	uint16_t port;
	int err = inet_check_bind(&t->i, a, len, &addr, &port);

	if (err)
		return err;
	socket_lock(s);
	if (t->state != TCP_CLOSE || t->i.bind_bucket)
		err = -EINVAL;
	else if (!inet_bind_later(&t->i, addr, port))
		err = tcp_take_port(t, addr, port);
	socket_unlock(s);
	return err;
}

/* A local port whose connection to the peer is new. Ports of other connections may be shared. */
static int choose_port(struct tcp_sock *t)
{
	struct net_state *n = the_net();
	unsigned count;
	uint16_t port;

	if (t->i.bind_bucket) {
		int err = tcp_conn_insert(t, true);

		return err == -EADDRINUSE ? -EADDRNOTAVAIL : err;
	}
	port = inet_ephemeral(&t->i, &count);
	for (; count; count--, port = inet_ephemeral_next(&t->i, port)) {
		struct inet_bucket *b = inet_port_bucket(n->tcp_bind, port);
		struct inet_sock *o;
		bool taken = false;

		mutex_lock(&b->lock);
		list_for_each_entry (o, &b->head, bind_link)
			taken |= o->lport == port && o->explicit_port;
		mutex_unlock(&b->lock);
		if (taken)
			continue;
		t->i.lport = port;
		int err = tcp_conn_insert(t, true);

		if (!err)
			inet_share_port(&t->i, n->tcp_bind);
		if (err != -EADDRINUSE)
			return err;
	}
	t->i.lport = 0;
	return -EADDRNOTAVAIL;
}

/* A socket may have had a connection, or an attempt, before: nothing of it may show. */
static void forget_connection(struct tcp_sock *t)
{
	tcp_purge(t); /* what came before a reset and was not read */
	t->ts_ok = t->sack_ok = t->wscale_ok = true;
	t->rcv_wscale = TCP_WSCALE;
	t->snd_wscale = 0;
	t->peer_mss = 0;
	memset(&t->mtup, 0, sizeof(t->mtup));
	memset(&t->rack, 0, sizeof(t->rack));
	memset(&t->tlp, 0, sizeof(t->tlp));
	memset(&t->undo, 0, sizeof(t->undo));
	memset(&t->hystart, 0, sizeof(t->hystart));
	t->ca_state = CA_OPEN;
	t->dupacks = 0;
	t->frto = t->frto_new = t->from_cookie = t->syn_sent = false;
	t->srtt = t->rttvar = t->min_rtt = 0;
	t->rto = TCP_RTO_INIT;
	t->backoff = t->retransmits = t->probes = 0;
	t->soft_error = 0;
	t->last_tx_data = 0;
	t->snd_urgent = t->was_connected = false;
	t->urg = URG_NONE;
	t->fin_queued = t->fin_sent = t->fin_received = t->fin_early = false;
}

static int start_connect(struct tcp_sock *t, struct ip_addr dst, uint16_t port, int ifindex)
{
	struct socket *s = &t->i.s;
	struct route_cache r;
	int err;

	if (ip_needs_scope(dst))
		s->bound_if = ifindex;
	err = inet_route(&t->i, dst, &r);
	if (err)
		return err;
	if (r.broadcast || ip_is_multicast(dst))
		return -ENETUNREACH;
	struct ip_addr old = t->i.laddr;

	if (ip_is_any(t->i.laddr))
		inet_set_laddr(&t->i, r.src);
	t->i.raddr = dst;
	t->i.rport = port;
	t->i.route = r;
	err = choose_port(t);
	if (err) {
		inet_set_laddr(&t->i, old);
		t->i.raddr = IP_ANY;
		t->i.rport = 0;
		return err;
	}
	forget_connection(t);
	t->progress_time = clock_now();
	t->iss = t->reused ? t->reused_seq : tcp_initial_seq(t, t->progress_time);
	t->ts_offset = tcp_ts_offset(t);
	t->snd_una = t->iss;
	t->snd_nxt = t->snd_base = t->write_seq = t->iss + 1;
	t->recover = t->iss;
	t->connecting = true;
	store_relaxed(&s->error, 0);
	tcp_update_mss(t);
	t->cwnd = t->mss;
	tcp_set_state(t, TCP_SYN_SENT);
	tcp_send_syn(t, t->progress_time);
	return 0;
}

static bool connect_over(const struct tcp_sock *t)
{
	uint8_t state = load_acquire(&t->state);

	return state != TCP_SYN_SENT && state != TCP_SYN_RECV;
}

static int connect_result(struct tcp_sock *t)
{
	if (t->state == TCP_CLOSE) {
		int err = socket_take_error(&t->i.s);

		t->connecting = false;
		store_relaxed(&t->i.s.shut, 0); /* as fresh: it may try again, from elsewhere */
		t->i.raddr = IP_ANY;
		t->i.rport = 0;
		if (!t->i.keeps_port) {
			inet_unbind(&t->i);
			t->i.lport = 0;
			if (t->i.bound_any)
				t->i.laddr = IP_ANY;
		}
		return err ? err : -ECONNABORTED;
	}
	t->connecting = false;
	return 0;
}

int tcp_connect(struct socket *s, const struct sockaddr_storage *a, uint32_t len, bool nonblock,
	const struct path_context *c);
int tcp_connect(struct socket *s, const struct sockaddr_storage *a, uint32_t len, bool nonblock,
	const struct path_context *c)
{
	struct tcp_sock *t = tcp_sk(s);
	uint64_t deadline = socket_deadline(s->sndtimeo);
	struct ip_addr dst;
	uint16_t port;
	bool fresh = false;
	int err, ifindex;

	if (a->ss_family == AF_UNSPEC) {
		socket_lock(s);
		tcp_dissolve(t);
		socket_unlock(s);
		return 0;
	}
	err = inet_check_peer(&t->i, a, len, &dst, &port, &ifindex);
	if (err)
		return err;
	socket_lock(s);
	if (!t->connecting) {
		if (t->state != TCP_CLOSE || t->was_connected) /* even when that is over */
			err = -EISCONN;
		else
			err = start_connect(t, dst, port, ifindex);
		fresh = true;
	}
	while (!err && !connect_over(t)) {
		if (nonblock) {
			err = fresh ? -EINPROGRESS : -EALREADY;
			/* loopback answers while we unlock: still EINPROGRESS, as Linux says */
			break;
		}
		socket_unlock(s);
		err = socket_wait(s, SOCKET_OUT, connect_over(t), deadline);
		if (err)
			err = err == -ETIMEDOUT ? -EINPROGRESS
						: socket_wait_error(err, s->sndtimeo);
		socket_lock(s);
	}
	if (!err)
		err = connect_result(t);
	socket_unlock(s);
	return err;
}

static int tcp_shutdown(struct socket *s, int how)
{
	struct tcp_sock *t = tcp_sk(s);
	int err = 0;

	socket_lock(s);
	switch (t->state) {
	case TCP_CLOSE:
	case TCP_TIME_WAIT: /* Linux: it counts all the same */
		err = -ENOTCONN;
		store_relaxed(&s->shut, s->shut | (uint8_t)how);
		break;
	case TCP_LISTEN:
		if (how & SHUT_RCV)
			tcp_dissolve(t);
		break;
	case TCP_SYN_SENT: tcp_dissolve(t); break;
	default:
		store_relaxed(&s->shut, s->shut | (uint8_t)how);
		if (how & SHUT_SND)
			tcp_queue_fin(t);
	}
	socket_wake(s, POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	socket_unlock(s);
	return err;
}

static int tcp_getname(struct socket *s, bool peer, struct sockaddr_storage *a, uint32_t *len)
{
	struct tcp_sock *t = tcp_sk(s);

	if (peer &&
		(t->state == TCP_CLOSE || t->state == TCP_SYN_SENT || t->state == TCP_TIME_WAIT))
		return -ENOTCONN;
	return inet_getname(s, peer, a, len);
}

static uint32_t tcp_poll(struct socket *s)
{
	struct tcp_sock *t = tcp_sk(s);
	uint8_t state = load_acquire(&t->state), shut = load_relaxed(&s->shut);
	uint32_t r = 0;

	if (state == TCP_LISTEN)
		return tcp_accept_ready(t) ? POLLIN | POLLRDNORM : 0;
	if (shut == (SHUT_RCV | SHUT_SND) || state == TCP_CLOSE)
		r |= POLLHUP;
	if (shut & SHUT_RCV)
		r |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV) {
		uint32_t have = tcp_readable_bytes(t);

		if (have && have >= MIN(s->rcvlowat, s->rcvbuf / 2))
			r |= POLLIN | POLLRDNORM;
		if ((shut & SHUT_SND) || state == TCP_CLOSE) {
			r |= POLLOUT | POLLWRNORM;
		} else if (tcp_writable(t)) {
			r |= POLLOUT | POLLWRNORM;
		} else {
			__atomic_store_n(&s->nospace, 1, __ATOMIC_SEQ_CST);
			(void)socket_try_drain(s); /* ACKs that were left as nobody waited */
			if (tcp_writable(t))
				r |= POLLOUT | POLLWRNORM;
		}
		if (t->urg == URG_VALID)
			r |= POLLPRI;
	}
	if (load_relaxed(&s->error) || zc_waiting(s))
		r |= POLLERR;
	return r;
}

void tcp_icmp(struct socket *s, int err, bool hard, uint32_t mtu); /* tcp_in.c */
long tcp_ioctl(struct socket *s, unsigned cmd, unsigned long arg); /* tcp_sockopt.c */

static const struct socket_ops tcp_ops = {
	.bind = tcp_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.getname = tcp_getname,
	.send = tcp_send,
	.recv = tcp_recv,
	.shutdown = tcp_shutdown,
	.getopt = tcp_getopt,
	.setopt = tcp_setopt,
	.poll = tcp_poll,
	.ioctl = tcp_ioctl,
	.close = tcp_close,
	.work = tcp_work,
	.eager = tcp_eager,
	.timer = tcp_timer,
	.icmp = tcp_icmp,
	.destroy = tcp_destroy,
	.buffer_changed = tcp_buffer_changed,
	.keeps_pieces = true,
};
