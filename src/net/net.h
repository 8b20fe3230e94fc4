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
/* Applies ip=, dns=, hostname= of the command line; starts DHCP in its own thread if asked. */
void net_configure(const char *cmdline);

/* A message for sendmsg/recvmsg; memory is the kernel's except the iter. */
struct socket_message {
	struct sockaddr_storage name;
	uint32_t name_len; /* in: given; out: true length */
	struct iter *data;
	uint8_t *control;  /* kernel buffer */
	size_t control_len; /* in: space or length; out: used */
	uint32_t flags;	   /* in: MSG_*; out: MSG_TRUNC, MSG_CTRUNC, ... */
	uint32_t sender_pid, sender_uid, sender_gid;
	struct fdtable *fds; /* of the caller, for SCM_RIGHTS */
};

/* Each returns -errno as Linux does. f must be a socket: socket_check gives -ENOTSOCK. */
int socket_check(struct file *f);
struct file *socket_create(int family, int type, int protocol); /* type with SOCK_NONBLOCK; ERR_PTR */
int socket_pair(int family, int type, int protocol, struct file *out[2]);
/* UNIX path sockets live in the file tree: the context for path walks comes with the call. */
struct path_context;
int socket_bind(struct file *f, const struct sockaddr_storage *addr, uint32_t len, const struct path_context *c);
int socket_connect(struct file *f, const struct sockaddr_storage *addr, uint32_t len, const struct path_context *c);
int socket_listen(struct file *f, int backlog);
struct file *socket_accept(struct file *f, uint32_t flags, struct sockaddr_storage *addr, uint32_t *len);
int socket_getname(struct file *f, bool peer, struct sockaddr_storage *addr, uint32_t *len);
ssize_t socket_send(struct file *f, struct socket_message *m, const struct path_context *c);
ssize_t socket_recv(struct file *f, struct socket_message *m);
int socket_shutdown(struct file *f, int how);
/* val is a kernel buffer of *len bytes; get sets *len to what was written. */
int socket_getopt(struct file *f, int level, int name, void *val, uint32_t *len);
int socket_setopt(struct file *f, int level, int name, const void *val, uint32_t len);
