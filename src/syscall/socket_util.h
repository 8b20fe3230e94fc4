/* SPDX-License-Identifier: BSD-2-Clause */
/* What the socket calls share. */
#pragma once

#include "net/net.h"
#include "syscall/file_util.h"
#include "syscall/syscall.h"
#include "lib/string.h"

/* The file of a socket for one call; fd_return when it was got. -EBADF, -ENOTSOCK. */
int socket_borrow(int fd, struct fd *out);
/* The program's address; -EINVAL, -EFAULT. */
int get_address(struct sockaddr_storage *a, const void *uaddr, int len);
/* The address to the program, cut to *ulen, which gets the true length. uaddr NULL: nothing. */
int put_address(void *uaddr, int *ulen, const struct sockaddr_storage *a, uint32_t len);
/* Hooks of net/ that need the process or the file tree. */
void socket_hooks_init(void);
