/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's options and ioctls (tcp(7)). */

#include "net/tcp.h"
#include "abi/errno.h"
#include "abi/ioctl.h"
#include "cpu/uaccess.h"

void tcp_buffer_changed(struct socket *s)
{
	struct tcp_sock *t = tcp_sk(s);

	socket_lock(s);
	tcp_keepalive_reset(t);
	socket_unlock(s);
}

int tcp_getopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct tcp_sock *t = tcp_sk(s);
	struct tcp_info info;

	if (level == SOL_IP)
		return inet_getopt(&t->i, name, val, len);
	if (level == SOL_IPV6 && s->family == AF_INET6)
		return inet6_getopt(&t->i, name, val, len);
	if (level != SOL_TCP)
		return s->family == AF_INET ? -EOPNOTSUPP : -ENOPROTOOPT;
	switch (name) {
	case TCP_NODELAY: return opt_put_int(val, len, t->nodelay);
	case TCP_CORK: return opt_put_int(val, len, t->cork);
	case TCP_MAXSEG:
		return opt_put_int(val, len,
			t->state == TCP_CLOSE || t->state == TCP_LISTEN
				? (t->user_mss ? t->user_mss : TCP_DEFAULT_MSS)
				: t->mss);
	case TCP_KEEPIDLE: return opt_put_int(val, len, (int)t->keep_idle);
	case TCP_KEEPINTVL: return opt_put_int(val, len, (int)t->keep_interval);
	case TCP_KEEPCNT: return opt_put_int(val, len, (int)t->keep_count);
	case TCP_SYNCNT: return opt_put_int(val, len, (int)t->syn_retries);
	case TCP_LINGER2: return opt_put_int(val, len, t->linger2 ? t->linger2 : 60);
	case TCP_DEFER_ACCEPT: return opt_put_int(val, len, (int)t->defer_accept);
	case TCP_WINDOW_CLAMP: return opt_put_int(val, len, (int)t->window_clamp);
	case TCP_QUICKACK: return opt_put_int(val, len, !t->pingpong);
	case TCP_USER_TIMEOUT: return opt_put_int(val, len, (int)t->user_timeout);
	case TCP_NOTSENT_LOWAT: return opt_put_int(val, len, (int)t->notsent_lowat);
	case TCP_FASTOPEN: return opt_put_int(val, len, t->fastopen_queue);
	case TCP_ULP: *len = 0; return 0; /* none is there */
	case TCP_IS_MPTCP:
	case TCP_THIN_LINEAR_TIMEOUTS:
	case TCP_THIN_DUPACK:
	case TCP_REPAIR:
	case TCP_SAVE_SYN:
	case TCP_FASTOPEN_CONNECT:
	case TCP_INQ: return opt_put_int(val, len, 0);
	case TCP_TIMESTAMP: return opt_put_int(val, len, (int)tcp_ts_now(t));
	case TCP_CONGESTION: {
		char text[16] = { 0 };

		str_copy(text, t->cong->name, sizeof(text));
		return opt_put(val, len, text, sizeof(text));
	}
	case TCP_INFO:
		socket_lock(s);
		tcp_info_fill(t, &info);
		socket_unlock(s);
		return opt_put(val, len, &info, sizeof(info));
	default: return -ENOPROTOOPT;
	}
}

static int set_congestion(struct tcp_sock *t, const void *val, uint32_t len)
{
	const struct tcp_cong *cong;
	char name[16] = { 0 };

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, MIN(len, 15u));
	cong = tcp_cong_find(name);
	if (!cong)
		return -ENOENT;
	t->cong = cong;
	if (t->was_connected)
		cong->init(t);
	return 0;
}

/* In range, then kept; Linux's limits. */
static int set_number(uint32_t *field, int v, int min, int max)
{
	if (v < min || v > max)
		return -EINVAL;
	*field = (uint32_t)v;
	return 0;
}

/* Linux keeps TCP_DEFER_ACCEPT as a number of SYN,ACKs: the seconds until the next one is due. */
static uint32_t whole_retransmissions(int seconds)
{
	int64_t sum = 0, gap = 1;

	for (int n = 0; sum < seconds && n < 255; n++) {
		sum += gap;
		gap = MIN(2 * gap, (int64_t)(TCP_RTO_MAX / 1000000));
	}
	return (uint32_t)sum;
}

static int set_locked(struct tcp_sock *t, int name, int v)
{
	switch (name) {
	case TCP_NODELAY:
		t->nodelay = v != 0;
		if (t->nodelay) {
			t->force = true;
			tcp_output(t);
			t->force = false; /* if there was nothing to send */
		}
		return 0;
	case TCP_CORK:
		t->cork = v != 0;
		if (!t->cork) {
			t->force = true;
			tcp_output(t);
			t->force = false; /* if there was nothing to send */
		}
		return 0;
	case TCP_MAXSEG:
		if (v && (v < 88 || v > 32767))
			return -EINVAL;
		t->user_mss = (uint16_t)v;
		return 0;
	case TCP_KEEPIDLE: {
		int err = set_number(&t->keep_idle, v, 1, 32767);

		if (!err && t->when[TCP_T_KEEP])
			tcp_timer_set(
				t, TCP_T_KEEP, clock_now() + (uint64_t)t->keep_idle * NSEC_PER_SEC);
		return err;
	}
	case TCP_KEEPINTVL: return set_number(&t->keep_interval, v, 1, 32767);
	case TCP_KEEPCNT: return set_number(&t->keep_count, v, 1, 127);
	case TCP_SYNCNT: return set_number(&t->syn_retries, v, 1, 127);
	case TCP_LINGER2: t->linger2 = v < 0 ? -1 : MIN(v, 120); return 0;
	case TCP_DEFER_ACCEPT: t->defer_accept = whole_retransmissions(v); return 0;
	case TCP_WINDOW_CLAMP:
		if (!v && t->state != TCP_CLOSE)
			return -EINVAL;
		t->window_clamp = v ? (uint32_t)MAX(v, 1152) : 0;
		return 0;
	case TCP_QUICKACK:
		t->pingpong = !v;
		t->quick = v ? 16 : 0;
		if (v && t->ack_pending)
			tcp_send_ack(t);
		return 0;
	case TCP_USER_TIMEOUT: return set_number(&t->user_timeout, v, 0, 0x7fffffff);
	case TCP_NOTSENT_LOWAT: t->notsent_lowat = (uint32_t)v; return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
	case TCP_THIN_DUPACK: return v < 0 || v > 1 ? -EINVAL : 0;
	case TCP_FASTOPEN: /* as in Linux where net.ipv4.tcp_fastopen does not let servers */
		if (v < 0 || (t->state != TCP_CLOSE && t->state != TCP_LISTEN))
			return -EINVAL;
		t->fastopen_queue = MIN(v, 4096);
		return 0;
	case TCP_FASTOPEN_CONNECT: return -EOPNOTSUPP;
	case TCP_REPAIR: return -EPERM;
	default: return -ENOPROTOOPT;
	}
}

int tcp_setopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	struct tcp_sock *t = tcp_sk(s);
	int v, err;

	if (level == SOL_IP)
		return inet_setopt(&t->i, name, val, len);
	if (level == SOL_IPV6 && s->family == AF_INET6)
		return inet6_setopt(&t->i, name, val, len);
	if (level != SOL_TCP)
		return -ENOPROTOOPT;
	if (name == TCP_CONGESTION)
		return set_congestion(t, val, len);
	if (name == TCP_ULP)
		return len ? -ENOENT : -EINVAL;
	if (opt_get_int(val, len, &v))
		return -EINVAL;
	socket_lock(s);
	err = set_locked(t, name, v);
	socket_unlock(s);
	return err;
}

long tcp_ioctl(struct socket *s, unsigned cmd, unsigned long arg);
long tcp_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
	struct tcp_sock *t = tcp_sk(s);
	int n = 0;

	if (cmd != FIONREAD && cmd != SIOCOUTQ && cmd != SIOCOUTQNSD && cmd != SIOCATMARK)
		return -ENOIOCTLCMD;
	if (t->state == TCP_LISTEN && cmd != SIOCATMARK)
		return -EINVAL;
	socket_lock(s);
	switch (cmd) {
	case FIONREAD: n = (int)tcp_bytes_before_mark(t); break;
	case SIOCOUTQ: n = (int)(t->write_seq - t->snd_base); break;
	case SIOCOUTQNSD:
		n = t->state == TCP_SYN_SENT ? 0 : (int)(t->write_seq - t->snd_nxt);
		n = MAX(n, 0); /* a FIN is beyond what was written */
		break;
	case SIOCATMARK: n = t->urg != URG_NONE && t->urg_seq == t->copied_seq; break;
	}
	socket_unlock(s);
	return put_user(n, (int *)arg);
}
