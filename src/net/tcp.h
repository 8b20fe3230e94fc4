/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to net/tcp*.c: a TCP connection (RFC 9293). Names are the RFC's.
 *
 *	                       tcp_listen
 *	             CLOSE --------------> LISTEN --SYN: listen_syn--> (child) SYN_RECV
 *	               | tcp_connect                                       | its ACK:
 *	               v              SYN: syn_sent_segment                | become_established
 *	            SYN_SENT ------------------------------> SYN_RECV      |
 *	               | SYN,ACK: become_established             |         |
 *	               +---------------> ESTABLISHED <-----------+---------+
 *	      close: tcp_queue_fin /          \ FIN: receive_fin
 *	                  FIN_WAIT1            CLOSE_WAIT
 *	   ACK of FIN: /      \ FIN                | close: tcp_queue_fin
 *	       FIN_WAIT2     CLOSING            LAST_ACK
 *	     FIN   \             / ACK of FIN      | ACK of FIN
 *	            TIME_WAIT                      v
 *	               | timer or RST          CLOSE (tcp_done)
 *	               v
 *	             CLOSE
 *
 * Invariants (all sequence arithmetic modulo 2^32):
 *  1. snd_una <= snd_nxt <= write_seq + (1 if the FIN was sent)
 *  2. the chunks hold exactly the bytes [snd_base, write_seq); snd_base = max(snd_una, iss + 1)
 *  3. copied_seq <= rcv_nxt; the receive queue holds exactly [copied_seq, rcv_nxt) (without the
 *FIN)
 *  4. rcv_adv, the right edge that was advertised, never moves left
 *  5. the ranges in sacked are disjoint, ascending, and lie in (snd_una, snd_nxt]
 *  6. the socket is in the connection table unless CLOSE or LISTEN; the table holds a reference
 */
#pragma once

#include "net/impl.h"

#define TCP_HASH_BUCKETS   1024
#define TCP_MIN_MSS	   64
#define TCP_DEFAULT_MSS	   536
#define TCP_WSCALE	   7 /* what we offer */
#define TCP_INIT_CWND	   10
#define TCP_RTO_MIN	   200000u /* us */
#define TCP_RTO_INIT	   1000000u
#define TCP_RTO_MAX	   120000000u
#define TCP_DELACK	   (40 * NSEC_PER_MSEC)
#define TCP_CORK_TIME	   (200 * NSEC_PER_MSEC)
#define TCP_TIME_WAIT_NS   (60 * NSEC_PER_SEC)
#define TCP_FIN_WAIT2_NS   (60 * NSEC_PER_SEC)
#define TCP_SYN_RETRIES	   6
#define TCP_SYNACK_RETRIES 5
#define TCP_RETRIES	   15
#define TCP_ORPHAN_RETRIES 8
#define TCP_MAX_RANGES	   32
#define TCP_MAX_OOO	   1024 /* packets */

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}
static inline bool seq_gt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}
static inline bool seq_ge(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}
static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_gt(a, b) ? a : b;
}
static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}

/* Bytes to send; shared with the packets that carry them. */
struct tcp_chunk {
	struct tcp_chunk *next;
	uint32_t refs;		   /* atomic */
	uint32_t start, end, size; /* in data; [start, end) not acknowledged yet */
	uint8_t data[];
};

struct tcp_range {
	uint32_t start, end;
};

enum tcp_timer_kind { TCP_T_RETX, TCP_T_PERSIST, TCP_T_DELACK, TCP_T_KEEP, TCP_T_WAIT, TCP_TIMERS };
enum tcp_ca_state { CA_OPEN = 0, CA_RECOVERY = 3, CA_LOSS = 4 }; /* as TCP_INFO numbers them */

struct tcp_sock;
struct tcp_cong {
	const char *name;
	void (*init)(struct tcp_sock *t);
	void (*acked)(
		struct tcp_sock *t, uint32_t bytes); /* congestion avoidance, cwnd was used up */
	uint32_t (*ssthresh)(struct tcp_sock *t);    /* after a loss */
};
extern const struct tcp_cong tcp_reno, tcp_cubic;
const struct tcp_cong *tcp_cong_find(const char *name);

/* A listener's queues. Lock order: a child's lock, then this one. */
struct tcp_listener {
	struct mutex lock;
	struct list_node accept_queue, syn_queue; /* struct tcp_sock.queue_link, each referenced */
	unsigned accept_count, syn_count, backlog;
	bool closed;
};

struct tcp_sock {
	struct inet_sock i;

	/* guarded by the bucket's lock */
	struct list_node conn_link;
	struct inet_bucket *conn_bucket;
	struct list_node listen_link;
	struct inet_bucket *listen_bucket;

	struct tcp_listener *listener; /* state LISTEN (and after) */
	struct tcp_sock *parent;       /* referenced, until accepted */
	struct list_node queue_link;   /* guarded by the parent's listener lock */
	bool queued_accept;

	/* everything below: the socket's lock (state, the queue and sizes are also looked at
	 * without) */
	uint8_t state;
	bool connecting; /* connect(2) has not returned its result yet */
	bool was_connected;

	/* options */
	bool nodelay, cork, quickack_off, more;
	uint16_t user_mss;
	uint32_t keep_idle, keep_interval, keep_count, syn_retries, defer_accept, window_clamp,
		notsent_lowat;
	int32_t linger2;
	uint32_t user_timeout; /* ms */

	/* what was agreed on */
	bool ts_ok, sack_ok, wscale_ok;
	uint8_t snd_wscale, rcv_wscale;
	uint16_t peer_mss, adv_mss, mss; /* mss: payload of a full segment now, options taken off */
	uint32_t pmtu;			 /* lowered by ICMP; 0: the route's */

	/* sending */
	uint32_t iss, snd_una, snd_nxt, snd_base, write_seq;
	uint32_t snd_wnd, snd_wl1, snd_wl2, max_wnd;
	uint32_t snd_up;
	bool snd_urgent, fin_queued, fin_sent, force; /* force: send less than a full segment now */
	struct tcp_chunk *chunks, *chunk_last;
	uint32_t push_seq; /* up to here a PSH is due */

	/* loss recovery */
	enum tcp_ca_state ca_state;
	uint32_t cwnd, ssthresh; /* bytes */
	uint32_t recover;	 /* recovery ends when this is acknowledged */
	uint32_t high_rxt;	 /* retransmitted up to here in this recovery */
	uint32_t loss_end;	 /* after a timeout all below counts as lost */
	unsigned dupacks;
	struct tcp_range sacked[TCP_MAX_RANGES];
	unsigned sacked_count;
	bool cwnd_limited;
	const struct tcp_cong *cong;
	struct {
		uint64_t epoch_start; /* ns, 0: none */
		uint32_t w_max, w_last_max, origin, w_est, acked;
		uint64_t k_ms;
	} cubic;

	/* round-trip time, us */
	uint32_t srtt, rttvar, rto, min_rtt; /* srtt << 3, rttvar << 2 */
	unsigned backoff, retransmits, probes;
	bool rtt_timing;
	uint32_t rtt_seq;
	uint64_t rtt_start,
		progress_time; /* ns: last time that the peer acknowledged something new */

	/* timers */
	uint64_t when[TCP_TIMERS]; /* 0: off */
	struct timer timer;
	uint64_t timer_expires;
	bool timer_armed;

	/* receiving */
	uint32_t irs, rcv_nxt, rcv_adv, rcv_wup,
		copied_seq;		   /* rcv_wup: rcv_nxt of the last ACK sent */
	struct packet *rq_first, *rq_last; /* in order; cb->seq, end_seq */
	uint32_t rq_truesize;
	struct packet *ooo; /* ascending, not overlapping */
	unsigned ooo_count;
	uint32_t ooo_bytes;
	struct tcp_range last_ooo, dsack;
	bool dsack_due, ack_now, ack_pending, fin_received;
	unsigned quick; /* so many segments are acknowledged at once */
	bool pingpong;
	uint16_t rcv_mss;
	uint32_t ts_recent, ts_offset;
	uint64_t ts_recent_time, challenge_time;
	unsigned challenge_count;
	uint64_t last_rx, last_tx_data, last_ack_tx, last_ack_rx;
	uint32_t drs_seq;
	uint64_t drs_time;
	/* urgent data: one byte, as Linux */
	uint32_t urg_seq;
	uint8_t urg_byte;
	enum { URG_NONE, URG_NOT_YET, URG_VALID, URG_READ } urg;

	/* TCP_INFO */
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out, total_retrans, rcv_ooopack,
		dsack_dups;
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
};
static inline struct tcp_sock *tcp_sk(struct socket *s)
{
	return container_of(s, struct tcp_sock, i.s);
}

/* A received segment, decoded. */
struct tcp_seg {
	uint32_t seq, ack, wnd; /* wnd scaled */
	uint32_t len;		/* payload */
	uint16_t urgent, mss;
	uint8_t flags, wscale;
	bool has_mss, has_wscale, has_ts, sack_ok;
	uint32_t ts_val, ts_ecr;
	unsigned sack_count;
	struct tcp_range sack[4];
};

/* tcp_opt.c: options in headers */
void tcp_parse_options(const uint8_t *o, size_t n, struct tcp_seg *seg);
bool tcp_parse(struct packet *p, struct tcp_seg *seg); /* header checks; data at the payload */
unsigned tcp_write_options(struct tcp_sock *t, uint8_t *o, uint8_t flags, uint32_t room);

/* tcp_state.c: life of a connection */
struct tcp_sock *tcp_alloc(void);
int tcp_conn_insert(struct tcp_sock *t); /* -EADDRINUSE */
void tcp_unhash(struct tcp_sock *t);
struct tcp_sock *tcp_lookup(uint32_t laddr, uint16_t lport, uint32_t raddr, uint16_t rport);
struct tcp_sock *tcp_lookup_listener(uint32_t laddr, uint16_t lport, const struct pkt_cb *cb);
uint32_t tcp_initial_seq(const struct tcp_sock *t);
void tcp_set_state(struct tcp_sock *t, enum tcp_state state);
void tcp_init_established(struct tcp_sock *t);
void tcp_done(struct tcp_sock *t, int err);  /* to CLOSE; err: positive errno for SO_ERROR or 0 */
void tcp_abort(struct tcp_sock *t, int err); /* with a RST */
void tcp_enter_time_wait(struct tcp_sock *t);
void tcp_queue_fin(struct tcp_sock *t);
void tcp_purge(struct tcp_sock *t);
void tcp_close(struct socket *s);
void tcp_destroy(struct socket *s);
void tcp_update_mss(struct tcp_sock *t);
struct route_cache *tcp_route(struct tcp_sock *t);
uint32_t tcp_ts_now(const struct tcp_sock *t);

/* tcp_listen.c */
void tcp_listen_segment(struct tcp_sock *l, struct packet *p, const struct tcp_seg *seg);
int tcp_listen(struct socket *s, int backlog);
struct socket *tcp_accept(struct socket *s, bool nonblock);
void tcp_child_ready(struct tcp_sock *t); /* to the accept queue */
void tcp_child_gone(struct tcp_sock *t);  /* out of its parent's queues */
void tcp_listen_close(struct tcp_sock *l);
bool tcp_accept_ready(struct tcp_sock *l);

/* tcp_in.c, tcp_ack.c, tcp_data.c */
void tcp_work(struct socket *s, struct packet *batch);
bool tcp_ack_segment(struct tcp_sock *t, const struct tcp_seg *seg); /* false: drop the segment */
void tcp_take_rtt(struct tcp_sock *t, const struct tcp_seg *seg);
void tcp_receive_data(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg);
void tcp_receive_urgent(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg);
void tcp_receive_fin(struct tcp_sock *t);
ssize_t tcp_recv(struct socket *s, struct socket_message *m);
uint32_t tcp_readable_bytes(const struct tcp_sock *t);
void tcp_challenge_ack(struct tcp_sock *t);

/* tcp_sack.c */
bool tcp_sack_update(struct tcp_sock *t, const struct tcp_seg *seg); /* true: something new */
void tcp_sack_trim(struct tcp_sock *t);
uint32_t tcp_pipe(const struct tcp_sock *t);
uint32_t tcp_lost_edge(const struct tcp_sock *t);
bool tcp_next_lost(const struct tcp_sock *t, uint32_t *seq, uint32_t *len);
unsigned tcp_sack_blocks(struct tcp_sock *t, struct tcp_range out[4], unsigned max);

/* tcp_out.c */
void tcp_output(struct tcp_sock *t);
void tcp_send_segment(struct tcp_sock *t, uint32_t seq, uint32_t len, uint8_t flags);
void tcp_send_ack(struct tcp_sock *t);
void tcp_send_syn(struct tcp_sock *t);
void tcp_send_reset(struct tcp_sock *t);
void tcp_reply_reset(const struct packet *p, const struct tcp_seg *seg);
uint32_t tcp_receive_window(struct tcp_sock *t);
ssize_t tcp_send(struct socket *s, struct socket_message *m, const struct path_context *c);
size_t tcp_write_space(const struct tcp_sock *t);
bool tcp_writable(const struct tcp_sock *t);
void tcp_free_acked(struct tcp_sock *t);

/* tcp_timer.c */
void tcp_timer_init(struct tcp_sock *t);
void tcp_timer_set(struct tcp_sock *t, enum tcp_timer_kind kind, uint64_t when);
static inline void tcp_timer_stop(struct tcp_sock *t, enum tcp_timer_kind kind)
{
	t->when[kind] = 0;
}
void tcp_timer(struct socket *s);
void tcp_arm_retx(struct tcp_sock *t);
void tcp_keepalive_reset(struct tcp_sock *t);

/* tcp_sockopt.c */
int tcp_getopt(struct socket *s, int level, int name, void *val, uint32_t *len);
int tcp_setopt(struct socket *s, int level, int name, const void *val, uint32_t len);
void tcp_buffer_changed(struct socket *s);
