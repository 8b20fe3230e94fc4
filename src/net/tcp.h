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
 *  3. copied_seq <= rcv_nxt; the queue holds exactly [copied_seq, rcv_nxt), without the FIN
 *  4. rcv_adv, the right edge that was advertised, never moves left
 *  5. in a synchronised state the runs in sent cover exactly [snd_una, snd_nxt), ascending
 *  6. the socket is in the connection table unless CLOSE or LISTEN; the table holds a reference
 */
#pragma once

#include "abi/socket.h"
#include "cpu/barrier.h"
#include "lib/list.h"
#include "net/inet.h"
#include "net/tcp_ooo.h"
#include "sched/mutex.h"
#include "sched/timer.h"

struct tcp_header;

#define TCP_MIN_MSS	   64
#define TCP_DEFAULT_MSS	   536
#define TCP_WSCALE	   7 /* what we offer */
#define TCP_INIT_CWND	   10
#define TCP_SSTHRESH_NONE  0x7fffffffu /* as TCP_INFO says it */
#define TCP_RTO_MIN	   200000u     /* us */
#define TCP_RTO_INIT	   1000000u
#define TCP_RTO_MAX	   120000000u
#define TCP_DELACK	   (40 * NSEC_PER_MSEC)
#define TCP_MAX_DELACK	   (200 * NSEC_PER_MSEC) /* what a peer may take (RFC 8985) */
#define TCP_CORK_TIME	   (200 * NSEC_PER_MSEC)
#define TCP_TIME_WAIT_NS   (60 * NSEC_PER_SEC)
#define TCP_FIN_WAIT2_NS   (60 * NSEC_PER_SEC)
#define TCP_SYN_RETRIES	   6
#define TCP_SYNACK_RETRIES 5
#define TCP_RETRIES	   15
#define TCP_ORPHAN_RETRIES 8
#define TCP_MAX_SENT	   2048	   /* runs */
#define TCP_LITTLE	   KIB(16) /* bytes that every connection may queue */

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

/*
 * Bytes to send; shared with the packets that carry them. They lie behind the chunk (with a packet
 * and room for headers between, see tcp_out.c), or are lent: pages of a file and the like. Lent
 * pages that follow each other in memory are one chunk.
 */
struct tcp_chunk {
	struct tcp_chunk *next;
	uint32_t refs;		   /* atomic */
	uint32_t start, end, size; /* in data; [start, end) not acknowledged yet */
	uint8_t *data;
	const struct piece_ops *ops; /* NULL: the bytes are the chunk's own */
	void *owner;		     /* of ops; piece_of_page: every page of [data, data + size) */
	struct zc_note *note;	     /* MSG_ZEROCOPY: held; all bytes are its messages' */
};

struct tcp_range {
	uint32_t start, end;
};

/* A run of what is in flight: sent at one moment, with one fate so far (tcp_sent.c). */
enum {
	SENT_SACKED = 1, /* arrived, says the peer */
	SENT_LOST = 2,	 /* waits to be sent again */
	SENT_AGAIN = 4,	 /* has been sent more than once */
	SENT_PROBE = 8,	 /* one segment that asks whether the path takes its size */
};
struct tcp_sent {
	uint32_t start, end;
	uint64_t time; /* ns, of the last transmission */
	uint8_t flags;
};

/* What one ACK says has arrived. */
struct tcp_delivery {
	uint64_t now;
	uint64_t first_sent; /* the oldest of it that was sent once; 0: none */
	uint32_t acked;	     /* bytes that snd_una advanced */
	uint32_t bytes;	     /* that arrived, acknowledged or sacked, each counted once */
	uint32_t edge, echo; /* the highest of it; the echoed timestamp */
	bool edge_valid, has_echo;
	bool original;			    /* some of it was sent once, and before recover */
	bool sack_news, dsack, dsack_probe; /* a duplicate is reported; of the tail probe */
};

/* To take a reduction of the window back. */
struct tcp_undo {
	bool on;
	uint32_t una, cwnd, ssthresh; /* when it was made */
	uint32_t again, duplicates;   /* bytes sent again since, reported as duplicates since */
	uint32_t stamp;		      /* timestamp of the first retransmission */
};

enum tcp_timer_kind { TCP_T_RETX, TCP_T_PERSIST, TCP_T_DELACK, TCP_T_KEEP, TCP_T_WAIT, TCP_TIMERS };
enum tcp_retx_kind { RETX_TIMEOUT, RETX_PROBE, RETX_REORDER };	 /* what TCP_T_RETX is for */
enum tcp_ca_state { CA_OPEN = 0, CA_RECOVERY = 3, CA_LOSS = 4 }; /* as TCP_INFO numbers them */

struct tcp_cubic {
	uint64_t epoch_start; /* ns, 0: none */
	uint32_t w_max, w_last_max, origin, w_est, cwnd_prior;
	uint64_t k_ms;
};

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
uint32_t tcp_hystart(struct tcp_sock *t, uint32_t acked, uint32_t rtt);

/* A listener's queues. Lock order: a child's lock, then this one. */
struct tcp_listener {
	struct mutex lock;
	struct list_node accept_queue, syn_queue; /* struct tcp_sock.queue_link, each referenced */
	unsigned accept_count, syn_count, backlog;
	bool closed;
};

struct tcp_sock {
	struct inet_sock i;

	bool reused;	     /* took the place of one in TIME_WAIT */
	uint32_t reused_seq; /* and this is beyond what that one sent */

	struct tcp_listener *listener; /* state LISTEN (and after) */
	struct tcp_sock *parent;       /* referenced, until accepted */
	struct list_node queue_link;   /* guarded by the parent's listener lock */
	bool queued_accept; /* it is, or was, in the accept queue; set with both locks held */

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
	int32_t fastopen_queue; /* TCP_FASTOPEN: as the program said; there is no fast open */
	uint32_t user_timeout;	/* ms */

	/* what was agreed on */
	bool ts_ok, sack_ok, wscale_ok;
	uint8_t snd_wscale, rcv_wscale;
	uint16_t peer_mss, adv_mss, mss; /* mss: payload of a full segment now, options taken off */
	uint32_t route_mtu;		 /* that mss was made for */
	struct { /* RFC 4821: a search between what works and what may work, MTUs */
		bool enabled, on; /* on: a probe is out, [start, end) */
		uint32_t low, high, size, start, end;
		uint64_t next;
	} mtup;

	/* sending */
	uint32_t iss, snd_una, snd_nxt, snd_base, write_seq;
	uint32_t snd_wnd, snd_wl1, snd_wl2, max_wnd;
	uint32_t snd_up;
	bool snd_urgent, fin_queued, fin_sent, force; /* force: send less than a full segment now */
	struct tcp_chunk *chunks, *chunk_last;
	unsigned chunk_count;
	uint32_t push_seq; /* up to here a PSH is due */

	/* what is in flight */
	struct tcp_sent *sent, *sent_base; /* the runs lie in [sent_base, sent_base + sent_size) */
	unsigned sent_count, sent_size;
	struct tcp_sent sent_inline[8];
	uint32_t sent_bytes_sacked, sent_bytes_lost, sent_bytes_retrans;

	/* congestion and loss recovery */
	enum tcp_ca_state ca_state;
	uint32_t cwnd, ssthresh; /* bytes */
	uint32_t recover;	 /* recovery ends when this is acknowledged */
	unsigned dupacks;	 /* without SACK only */
	bool cwnd_limited;
	bool frto, frto_new; /* RFC 5682: still in doubt; new data is to tell */
	const struct tcp_cong *cong;
	struct tcp_cubic cubic, cubic_before;
	struct { /* RFC 9406; us, 0: no sample */
		uint32_t round_end, min, last_min, css_base, samples;
		uint8_t css_rounds;
		bool css;
	} hystart;
	struct tcp_undo undo;
	struct {
		uint32_t delivered, out, flight;
	} prr;
	struct {
		uint64_t time, rtt; /* of the latest sent that has arrived (if on), ns */
		uint64_t due;	    /* when to look for losses again, 0: need not */
		uint32_t end, fack; /* its end; the highest that arrived */
		uint32_t high_rxt;  /* nothing from here on has been sent twice */
		uint32_t dsack_round;
		uint8_t reo_mult, reo_persist;
		bool on, reordering_seen, dsack_round_on;
	} rack;
	struct {
		bool on, again; /* a probe is out; it was a retransmission */
		uint32_t end;
	} tlp;

	/* round-trip time, us */
	uint32_t srtt, rttvar, rto, min_rtt; /* srtt << 3, rttvar << 2 */
	unsigned backoff, retransmits, probes;
	int soft_error; /* what ICMP said since the last progress; positive errno, 0: nothing */
	bool syn_sent, from_cookie;
	uint64_t syn_time; /* ns: the only SYN was sent; 0: there were more */
	uint64_t min_rtt_time,
		progress_time; /* ns: last time that the peer acknowledged something new */

	/* timers */
	uint64_t when[TCP_TIMERS]; /* 0: off */
	enum tcp_retx_kind retx_kind;
	struct timer timer;
	uint64_t timer_expires;
	bool timer_armed;

	/* receiving */
	uint32_t irs, rcv_nxt, rcv_adv, rcv_wup,
		copied_seq;		   /* rcv_wup: rcv_nxt of the last ACK sent */
	struct packet *rq_first, *rq_last; /* in order; cb->seq, end_seq */
	uint32_t rq_truesize;
	struct tcp_ooo ooo; /* beyond rcv_nxt */
	uint32_t charged;   /* of what the queues hold, to all connections' account */
	struct tcp_range dsack;
	bool dsack_due, ack_now, ack_pending, fin_received;
	bool fin_early; /* a FIN has come, at early_fin, and something before it has not */
	uint32_t early_fin;
	unsigned quick;		   /* so many segments are acknowledged at once */
	uint32_t reader_waits_for; /* bytes: one sleeps until there are so many; 0: none does */
	bool pingpong;
	uint16_t rcv_mss;
	uint32_t ts_recent, ts_offset;
	uint64_t ts_recent_time, challenge_time;
	unsigned challenge_count;
	uint64_t last_rx, last_tx_data, last_ack_rx;
	uint32_t drs_seq;
	uint64_t drs_time;
	/* urgent data: one byte, as Linux */
	uint32_t urg_seq;
	uint8_t urg_byte;
	enum { URG_NONE, URG_NOT_YET, URG_VALID, URG_READ } urg;

	/* TCP_INFO */
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out, total_retrans, rcv_ooopack,
		dsack_dups;
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans, bytes_delivered;
	uint64_t last_data_rx;
	uint32_t rcv_rtt, rcv_rtt_echo;		 /* us; the echo that gave the last sample */
	struct {				 /* of the last full round trip */
		uint64_t start, delivered, rate; /* ns, bytes, bytes a second */
		uint32_t end;
		bool app_limited, limited_now;
	} round;
	struct { /* tcp_info's busy_time and what held us up, ns */
		uint64_t since, busy, rwnd, sndbuf;
		enum { CHRONO_IDLE, CHRONO_BUSY, CHRONO_RWND, CHRONO_SNDBUF } now;
	} chrono;
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
/* How many segments of the wire a packet with len bytes of data was, merged by a card or gro.c. */
static inline uint32_t tcp_segments(const struct packet *p, uint32_t len)
{
	return p->gso_size && len ? DIV_ROUND_UP(len, (uint32_t)p->gso_size) : 1;
}
bool tcp_parse(struct packet *p, struct tcp_seg *seg); /* header checks; data at the payload */
#define TCP_OPTIONS_MAX 40
unsigned tcp_write_options(struct tcp_sock *t, uint8_t *o, uint8_t flags, uint32_t room);

/* tcp_state.c: life of a connection */
struct tcp_sock *tcp_alloc(int family);
int tcp_conn_insert(struct tcp_sock *t, bool active); /* -EADDRINUSE, -ENOMEM */
int tcp_listen_insert(struct tcp_sock *t);	      /* -ENOMEM */
void tcp_unhash(struct tcp_sock *t);
uint32_t tcp_initial_seq(const struct tcp_sock *t, uint64_t now);
uint32_t tcp_seq_beyond(
	const struct tcp_sock *old); /* where a later connection of the two begins */
uint32_t tcp_ts_offset(const struct tcp_sock *t);
void tcp_set_state(struct tcp_sock *t, enum tcp_state state);
void tcp_init_established(struct tcp_sock *t); /* by a segment */
void tcp_update_mss(struct tcp_sock *t);
struct route_cache *tcp_route(struct tcp_sock *t);
/* Of IP and TCP, without options. */
static inline uint32_t tcp_headers(const struct tcp_sock *t)
{
	return ip_header_size(t->i.raddr) + (uint32_t)sizeof(struct tcp_header);
}
uint32_t tcp_ts_at(const struct tcp_sock *t, uint64_t time);
uint32_t tcp_ts_now(const struct tcp_sock *t);

/* tcp_close.c: its ends */
void tcp_done(struct tcp_sock *t, int err);   /* to CLOSE; err: positive errno for SO_ERROR or 0 */
void tcp_abort(struct tcp_sock *t, int err);  /* with a RST */
void tcp_dissolve(struct tcp_sock *t);	      /* connect(2) to AF_UNSPEC */
void tcp_enter_time_wait(struct tcp_sock *t); /* for a segment */
void tcp_queue_fin(struct tcp_sock *t);
void tcp_purge(struct tcp_sock *t);
void tcp_close(struct socket *s);
void tcp_destroy(struct socket *s);

/* tcp_listen.c */
void tcp_listen_segment(
	struct tcp_sock *l, struct packet *p, const struct tcp_seg *seg, unsigned hlen);
bool tcp_accept_room(struct tcp_sock *l);
int tcp_listen(struct socket *s, int backlog);
struct socket *tcp_accept(struct socket *s, bool nonblock);
void tcp_child_ready(struct tcp_sock *t); /* to the accept queue */
void tcp_child_gone(struct tcp_sock *t);  /* out of its parent's queues */
int tcp_take_port(struct tcp_sock *t, struct ip_addr addr, uint16_t port); /* of bind, listen */
void tcp_listen_close(struct tcp_sock *l);
bool tcp_accept_ready(struct tcp_sock *l);

/* tcp_cookie.c: SYN cookies (RFC 4987) */
uint32_t tcp_cookie_make(struct tcp_sock *t); /* the iss; options go into t's timestamp */
bool tcp_cookie_check(struct tcp_sock *t);    /* t->iss is one of ours: sets t->peer_mss */
bool tcp_cookie_recent(void);		      /* one was sent that may still be answered */
/* The options that the SYN had, from the answer to the cookie. */
void tcp_cookie_options(const struct tcp_seg *ack, struct tcp_seg *syn);

/* tcp_in.c, tcp_ack.c, tcp_data.c */
void tcp_work(struct socket *s, struct packet *batch);
bool tcp_eager(const struct socket *s);
/* With a reference; NULL: there is none. */
struct tcp_sock *tcp_find_connection(
	struct ip_addr laddr, uint16_t lport, struct ip_addr raddr, uint16_t rport);
bool tcp_ack_segment(struct tcp_sock *t, const struct tcp_seg *seg); /* false: drop the segment */
void tcp_take_syn_rtt(struct tcp_sock *t, const struct tcp_seg *seg);
void tcp_receive_data(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg);
void tcp_receive_urgent(struct tcp_sock *t, struct packet *p, const struct tcp_seg *seg);
void tcp_receive_fin(struct tcp_sock *t);
ssize_t tcp_recv(struct socket *s, struct socket_message *m);
uint32_t tcp_readable_bytes(const struct tcp_sock *t);
uint32_t tcp_bytes_before_mark(const struct tcp_sock *t); /* or to the end; the lock held */
void tcp_challenge_ack(struct tcp_sock *t);

/* tcp_sack.c */
void tcp_sack_update(struct tcp_sock *t, const struct tcp_seg *seg, struct tcp_delivery *d);
unsigned tcp_sack_blocks(struct tcp_sock *t, struct tcp_range out[4], unsigned max);

/* tcp_sent.c: the record of what is in flight */
void tcp_sent_init(struct tcp_sock *t);
void tcp_sent_free(struct tcp_sock *t);
void tcp_sent_append(struct tcp_sock *t, uint32_t seq, uint32_t end, uint8_t flags, uint64_t now);
void tcp_sent_acked(struct tcp_sock *t, uint32_t ack, struct tcp_delivery *d);
bool tcp_sent_sacked(struct tcp_sock *t, uint32_t start, uint32_t end, struct tcp_delivery *d);
void tcp_sent_forget_sacks(struct tcp_sock *t);
void tcp_sent_mark_lost(struct tcp_sock *t, unsigned k);
void tcp_sent_mark_front(struct tcp_sock *t, uint32_t len);
void tcp_sent_unmark_lost(struct tcp_sock *t);
void tcp_sent_merge_lost(struct tcp_sock *t);
const struct tcp_sent *tcp_sent_next_lost(const struct tcp_sock *t);
bool tcp_sent_again(struct tcp_sock *t, uint32_t seq, uint32_t end, uint64_t now);
/* Bytes believed to be in the network (RFC 6675). */
static inline uint32_t tcp_pipe(const struct tcp_sock *t)
{
	uint32_t gone = t->sent_bytes_sacked + t->sent_bytes_lost + t->dupacks * t->mss;
	uint32_t flight = t->snd_nxt - t->snd_una;

	return flight > gone ? flight - gone : 0;
}

/* tcp_rack.c */
void tcp_rack_delivered(
	struct tcp_sock *t, uint64_t sent, uint32_t end, bool again, const struct tcp_delivery *d);
void tcp_rack_ack(struct tcp_sock *t, const struct tcp_delivery *d);
void tcp_rack_detect(struct tcp_sock *t, uint64_t now);
void tcp_rack_timeout(struct tcp_sock *t, uint64_t now);
void tcp_rack_recovery_over(struct tcp_sock *t);
uint64_t tcp_probe_time(const struct tcp_sock *t, uint64_t now);
void tcp_probe_send(struct tcp_sock *t, uint64_t now);
bool tcp_probe_acked(struct tcp_sock *t, const struct tcp_seg *seg, const struct tcp_delivery *d);

/* tcp_recovery.c */
/* Nothing is missing, known to have been sent twice, or in doubt. */
static inline bool tcp_recovery_quiet(const struct tcp_sock *t)
{
	return t->ca_state == CA_OPEN && !t->dupacks &&
	       !(t->sent_bytes_sacked | t->sent_bytes_lost | t->sent_bytes_retrans) && !t->tlp.on &&
	       !t->rack.dsack_round_on;
}
void tcp_recovery_ack(
	struct tcp_sock *t, const struct tcp_seg *seg, struct tcp_delivery *d, bool duplicate);
void tcp_recovery_reorder_timeout(struct tcp_sock *t, uint64_t now);
void tcp_recovery_resize(struct tcp_sock *t);
void tcp_enter_loss(struct tcp_sock *t, bool first, uint64_t now);
void tcp_undo_note_again(struct tcp_sock *t, uint32_t len, uint64_t now);

/* tcp_mtu.c: path MTU discovery */
void tcp_mtu_icmp(struct tcp_sock *t, uint32_t mtu);
void tcp_mtu_timeout(struct tcp_sock *t, uint64_t now);
void tcp_mtu_acked(struct tcp_sock *t, uint64_t now);
bool tcp_mtu_probe_lost(struct tcp_sock *t);			     /* it is, and nothing else */
bool tcp_mtu_probe(struct tcp_sock *t, uint32_t pipe, uint64_t now); /* true: one was sent */
/* The program wants segments that fit the path. */
static inline bool tcp_mtu_discovers(const struct tcp_sock *t)
{
	return ip_is_v4(t->i.raddr)
		       ? t->i.pmtudisc == IP_PMTUDISC_WANT || t->i.pmtudisc == IP_PMTUDISC_DO
		       : t->i.v6.pmtudisc < IP_PMTUDISC_INTERFACE;
}
/* What routers let through on r, as far as t heeds it. */
static inline uint32_t tcp_mtu_of(const struct tcp_sock *t, const struct route_cache *r)
{
	return MIN(likely(tcp_mtu_discovers(t)) ? r->mtu : r->link_mtu, 65535u);
}
/* Where the packets of a route are not to be cut; t's route is up to date. */
static inline bool tcp_mtu_dont_fragment(const struct tcp_sock *t)
{
	if (!ip_is_v4(t->i.raddr))
		return true;
	return t->i.pmtudisc == IP_PMTUDISC_WANT ? !t->i.route.may_fragment
						 : t->i.pmtudisc == IP_PMTUDISC_DO;
}
uint32_t tcp_mtu_limit(const struct tcp_sock *t, uint32_t mtu);
static inline bool tcp_mtu_stale(const struct tcp_sock *t)
{
	return !route_valid(&t->i.route, t->i.raddr) || tcp_mtu_of(t, &t->i.route) != t->route_mtu;
}
void tcp_mtu_changed(struct tcp_sock *t); /* perhaps: the route is to be asked anew */

/* tcp_out.c */
/* Data or a FIN that has not been sent once. */
static inline bool tcp_unsent(const struct tcp_sock *t)
{
	return seq_gt(t->write_seq, t->snd_nxt) || (t->fin_queued && !t->fin_sent);
}
void tcp_output(struct tcp_sock *t);
void tcp_output_probe(struct tcp_sock *t, uint64_t now);
/* Up to a segment of [seq, seq + len), which lies in one run of sent. False: not possible now. */
bool tcp_retransmit(struct tcp_sock *t, uint32_t seq, uint32_t len, uint64_t now);
void tcp_send_segment(struct tcp_sock *t, uint32_t seq, uint32_t len, uint8_t flags);
void tcp_send_ack(struct tcp_sock *t);
void tcp_send_syn(struct tcp_sock *t, uint64_t now);
void tcp_send_reset(struct tcp_sock *t);
void tcp_reply_reset(const struct packet *p, const struct tcp_seg *seg);
uint32_t tcp_receive_window(struct tcp_sock *t);
ssize_t tcp_send(struct socket *s, struct socket_message *m, const struct path_context *c);
size_t tcp_write_space(const struct tcp_sock *t);
bool tcp_writable(const struct tcp_sock *t);

/* tcp_chunk.c: what there is to send. All with the lock. */
/* n bytes of the message, or pieces of it, at the end; how many could be: less at a fault or
 * without memory. */
size_t tcp_append(struct tcp_sock *t, struct socket_message *m, size_t n);
/* A packet of [seq, seq+len) with room for headers in front. NULL: no memory. */
struct packet *tcp_packet_of(struct tcp_sock *t, uint32_t seq, uint32_t len);
void tcp_free_acked(struct tcp_sock *t);
void tcp_free_chunks(struct tcp_sock *t);

/* tcp_timer.c */
void tcp_timer_init(struct tcp_sock *t);
void tcp_timer_set(struct tcp_sock *t, enum tcp_timer_kind kind, uint64_t when);
/* No other runs from now on; when is far: worth arming, as an earlier look would be in vain. */
void tcp_timer_only(struct tcp_sock *t, enum tcp_timer_kind kind, uint64_t when);
static inline void tcp_timer_stop(struct tcp_sock *t, enum tcp_timer_kind kind)
{
	t->when[kind] = 0;
}
void tcp_timer(struct socket *s);
uint64_t tcp_next_look(const struct tcp_sock *t, uint64_t now);
void tcp_arm_retx(struct tcp_sock *t, uint64_t now);
void tcp_arm_probe(struct tcp_sock *t, uint64_t now);
void tcp_keepalive_reset(struct tcp_sock *t);

/* tcp_info.c: what TCP_INFO tells, and the clocks for it */
void tcp_info_fill(struct tcp_sock *t, struct tcp_info *i);
void tcp_info_delivered(struct tcp_sock *t, const struct tcp_delivery *d);
void tcp_info_chrono(struct tcp_sock *t, uint64_t now);

/* tcp_memory.c: what all connections may hold together */
void tcp_charge_now(struct tcp_sock *t, uint32_t bytes);
bool tcp_count_pressure(void);
/* After its queues have changed; the socket's lock is held. */
static inline void tcp_charge(struct tcp_sock *t)
{
	uint32_t now = t->rq_truesize + t->ooo.bytes + (t->write_seq - t->snd_base);

	if (now - t->charged + TCP_LITTLE > 2 * TCP_LITTLE || (!now && t->charged))
		tcp_charge_now(t, now);
}
/* There is too much of it: no connection gets more than a little. */
static inline bool tcp_pressure(void)
{
	return unlikely(load_relaxed(&the_net()->tcp_bytes) > the_net()->tcp_bytes_max) &&
	       tcp_count_pressure();
}

/* tcp_sockopt.c */
int tcp_getopt(struct socket *s, int level, int name, void *val, uint32_t *len);
int tcp_setopt(struct socket *s, int level, int name, const void *val, uint32_t len);
void tcp_buffer_changed(struct socket *s);
