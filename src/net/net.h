/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network stack as seen from above. Sockets are files; socket calls come from syscall/socket.c
 * with kernel copies of the addresses. Protocol work runs in the calling thread; the network
 * thread does what has no caller (ARP, SYN to a listener, ICMP, timers, undrained sockets).
 */
#pragma once

#include "abi/socket.h"
#include "file/file.h"
#include "lib/types.h"

void net_init(void); /* loopback, hooks netdev_registered; before drivers start */
/* Applies ip=, ip6=, dns=, hostname= of the command line; starts DHCP in its own thread if asked.
 */
void net_configure(const char *cmdline);

/* A message for sendmsg/recvmsg; memory is the kernel's except the iter. */
struct socket_message {
	struct sockaddr_storage name;
	uint32_t name_len; /* in: given; out: true length */
	struct iter *data;
	/*
	 * NULL: bytes are copied. Send: what data goes over, to be kept by reference. Receive: room
	 * for piece_max pieces; piece_count of them are filled in, and data only counts.
	 */
	struct piece *pieces;
	unsigned piece_max, piece_count;
	uint8_t *control;    /* kernel buffer */
	size_t control_len;  /* space, or the length given */
	size_t control_used; /* recv: filled in; starts at 0 */
	uint32_t flags;	     /* in: MSG_*; out: MSG_TRUNC, MSG_CTRUNC, ... */
	uint32_t sender_pid, sender_uid, sender_gid;
	struct fdtable *fds; /* of the caller, for SCM_RIGHTS */
	uint64_t pin_limit;  /* with MSG_ZEROCOPY: pages that may be pinned for all messages */
	/* net/'s own, 0 at first: the message is lent, and what the error queue will say of it. */
	bool lent;
	struct zc_note *note;
};

/* Each returns -errno as Linux does. f must be a socket: socket_check gives -ENOTSOCK. */
int socket_check(struct file *f);
struct file *socket_create(
	int family, int type, int protocol); /* type with SOCK_NONBLOCK; ERR_PTR */
int socket_pair(int family, int type, int protocol, struct file *out[2]);
/* UNIX path sockets live in the file tree: the context for path walks comes with the call. */
struct path_context;
int socket_bind(struct file *f, const struct sockaddr_storage *addr, uint32_t len,
	const struct path_context *c);
int socket_connect(struct file *f, const struct sockaddr_storage *addr, uint32_t len,
	const struct path_context *c);
int socket_listen(struct file *f, int backlog);
struct file *socket_accept(
	struct file *f, uint32_t flags, struct sockaddr_storage *addr, uint32_t *len);
int socket_getname(struct file *f, bool peer, struct sockaddr_storage *addr, uint32_t *len);
ssize_t socket_send(struct file *f, struct socket_message *m, const struct path_context *c);
ssize_t socket_recv(struct file *f, struct socket_message *m);
int socket_shutdown(struct file *f, int how);
/* The error that waits for the next call, taken: 0 or -errno. Leaves one (positive errno) there. */
int socket_error(struct file *f);
void socket_note_error(struct file *f, int err);
/* val is a kernel buffer of *len bytes; get sets *len to what was written. */
int socket_getopt(struct file *f, int level, int name, void *val, uint32_t *len);
int socket_setopt(struct file *f, int level, int name, const void *val, uint32_t len);

/* Packets by reference: the calls of skiff.h, whose errors they return. f is a socket. */
struct skiff_packet;
struct skiff_rings;
int socket_rings_open(struct file *f, unsigned entries, struct skiff_rings **shared);
long socket_rings_run(struct file *f, uint64_t ns);
long socket_rings_alloc(
	struct file *f, struct skiff_packet *to, unsigned long n); /* the program's */

/* While the machine ends: waits (2 s at most) until peers have what closed sockets sent, releases
 * the DHCP lease. */
void net_shutdown(void);
/* Sleeps until the machine has an address, has none to wait for, or ns have passed. */
void net_wait_configured(uint64_t ns);

/* ---- set from above; NULL: nobody cares ---- */

/* SIGPIPE for the running thread. */
extern void (*net_sigpipe)(void);
/* SIGURG / SIGIO for the owner of a socket file (F_SETOWN). */
extern void (*net_sigurg)(struct file *f);
/* The text of /etc/resolv.conf; the name the DHCP server gave us. Called in a kernel thread. */
extern void (*net_resolv_conf)(const char *text);
extern void (*net_hostname)(const char *name);
/* The running program's pid, uid, gid for SO_PEERCRED and SCM_CREDENTIALS. */
extern void (*net_credentials)(uint32_t *pid, uint32_t *uid, uint32_t *gid);

/*
 * UNIX sockets with a path live in the file tree. A node is what a name stands for, with a
 * reference that put() gives back; same() tells whether two of them are one file.
 */
struct unix_path_ops {
	/* Makes the socket file. -EADDRINUSE if the name exists. */
	int (*create)(const struct path_context *c, const char *path, void **node);
	/* -ENOENT, -ECONNREFUSED (no socket), -EACCES, ... */
	int (*lookup)(const struct path_context *c, const char *path, void **node);
	void (*put)(void *node);
	uint64_t (*identity)(void *node); /* the same for one file, whatever its names */
};
extern const struct unix_path_ops *unix_path_ops;

/* /proc/net/{tcp,udp,raw,unix,dev,route,arp,if_inet6,ipv6_route}: writes lines through the
 * callback. */
struct net_text {
	void (*print)(struct net_text *t, const char *line);
};
void net_show_tcp(struct net_text *t);
void net_show_udp(struct net_text *t);
void net_show_unix(struct net_text *t);
void net_show_dev(struct net_text *t);
void net_show_ntp_servers(struct net_text *t);
void net_show_route(struct net_text *t);
void net_show_arp(struct net_text *t);
void net_show_raw(struct net_text *t);
void net_show_icmp(struct net_text *t);
void net_show_icmp6(struct net_text *t);
void net_show_tcp6(struct net_text *t);
void net_show_udp6(struct net_text *t);
void net_show_raw6(struct net_text *t);
void net_show_igmp(struct net_text *t);
void net_show_if_inet6(struct net_text *t);
void net_show_route6(struct net_text *t);
