/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group GROUP PORT: joins a group of either family and says what it hears. Each message is answered
 * to the group, at the port above; but "broadcast" (IPv4) to all on the link, "leave" leaves the
 * group, "join" joins it again, and "end" ends.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void membership(int fd, const struct addrinfo *group, int name)
{
	struct group_req r = { .gr_interface = if_nametoindex("eth0") };
	int level = group->ai_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;

	memcpy(&r.gr_group, group->ai_addr, group->ai_addrlen);
	if (setsockopt(fd, level, name, &r, sizeof(r)) < 0)
		die("membership");
	printf("%s\n", name == MCAST_JOIN_GROUP ? "joined" : "left");
}

static int bound(const struct addrinfo *group, int port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(group->ai_family, SOCK_DGRAM, 0), one = 1, v4 = group->ai_family == AF_INET;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)) < 0 ||
		bind(fd, v4 ? (void *)&a4 : (void *)&a6, v4 ? sizeof(a4) : sizeof(a6)) < 0)
		die("bind");
	return fd;
}

static void answer(int fd, const struct addrinfo *group, int port, const char *text)
{
	struct sockaddr_storage to;

	memcpy(&to, group->ai_addr, group->ai_addrlen);
	if (!strcmp(text, "broadcast"))
		((struct sockaddr_in *)&to)->sin_addr.s_addr = INADDR_BROADCAST;
	/* at the same place for both families */
	((struct sockaddr_in *)&to)->sin_port = htons(port);
	if (sendto(fd, text, strlen(text), 0, (void *)&to, group->ai_addrlen) < 0)
		die("sendto");
}

int main(int argc, char **argv)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *group;
	char text[2000];

	setlinebuf(stdout);
	if (argc != 3 || getaddrinfo(argv[1], NULL, &hints, &group)) {
		fprintf(stderr, "usage: group GROUP PORT\n");
		return 2;
	}
	int port = atoi(argv[2]), fd = bound(group, port);

	membership(fd, group, MCAST_JOIN_GROUP);
	for (;;) {
		ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			die("recv");
		text[n] = 0;
		printf("heard %s\n", text);
		if (!strcmp(text, "end"))
			return 0;
		if (!strcmp(text, "leave"))
			membership(fd, group, MCAST_LEAVE_GROUP);
		else if (!strcmp(text, "join"))
			membership(fd, group, MCAST_JOIN_GROUP);
		else
			answer(fd, group, port + 1, text);
	}
}
