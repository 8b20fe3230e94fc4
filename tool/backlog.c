/* SPDX-License-Identifier: BSD-2-Clause */
/* A listening socket's backlog is changed by listen(2) on any descriptor of it: borrow one. */
#include "backlog.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#define BACKLOG 1024

static int is_socket(pid_t pid, const char *fd)
{
	char path[64], link[64] = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", (int)pid, fd);
	return readlink(path, link, sizeof(link) - 1) > 0 && strncmp(link, "socket:", 7) == 0;
}

static int widen(int fd)
{
	int on = 0, domain = 0;
	socklen_t len = sizeof(on);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 || !on)
		return 0;
	len = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
		(domain != AF_INET && domain != AF_INET6))
		return 0;
	return listen(fd, BACKLOG) == 0;
}

int backlog_widen(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), count = 0;
	char path[32];
	struct dirent *e;
	DIR *dir;

	if (pidfd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		int fd;

		if (!isdigit((unsigned char)e->d_name[0]) || !is_socket(pid, e->d_name))
			continue;
		fd = syscall(SYS_pidfd_getfd, pidfd, atoi(e->d_name), 0);
		if (fd < 0)
			continue;
		count += widen(fd);
		close(fd);
	}
	if (dir)
		closedir(dir);
	close(pidfd);
	return count;
}
