/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives a program something to see: before WORDS -- PROGRAM [ARG...]. There is one program in a
 * guest, and it would find no sockets but its own: this one opens them and becomes it by execve.
 *
 *	addresses		waits for an IPv6 address beyond the link, and until none is
 *tentative listen PORT		a listener of both families bind PORT		a UDP socket of both
 *families connect HOST PORT	a connection
 */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IFA_F_TENTATIVE 0x40

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int addresses_ready(void)
{
	FILE *f = fopen("/proc/net/if_inet6", "r");
	unsigned int flags, scope;
	int tentative = 0, global = 0;

	if (!f)
		die("/proc/net/if_inet6");
	while (fscanf(f, "%*s %*x %*x %x %x %*s", &scope, &flags) == 2) {
		tentative += (flags & IFA_F_TENTATIVE) != 0;
		global += scope == 0;
	}
	fclose(f);
	return global && !tentative;
}

static void wait_for_addresses(void)
{
	const struct timespec little = { 0, 20000000 };

	while (!addresses_ready())
		nanosleep(&little, NULL);
}

static void bind_to(int type, const char *port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int fd = socket(AF_INET6, type, 0);

	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) < 0 ||
		(type == SOCK_STREAM && listen(fd, 5) < 0))
		die(port);
}

static void connect_to(const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *to;
	int fd;

	if (getaddrinfo(host, port, &hints, &to))
		die(host);
	fd = socket(to->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		die(host);
	freeaddrinfo(to);
}

int main(int argc, char **argv)
{
	char **word = argv + 1;

	for (; *word && strcmp(*word, "--"); word++) {
		if (!strcmp(*word, "addresses"))
			wait_for_addresses();
		else if (!strcmp(*word, "listen") && word[1])
			bind_to(SOCK_STREAM, *++word);
		else if (!strcmp(*word, "bind") && word[1])
			bind_to(SOCK_DGRAM, *++word);
		else if (!strcmp(*word, "connect") && word[1] && word[2])
			connect_to(word[1], word[2]), word += 2;
		else
			break;
	}
	if (!*word || strcmp(*word, "--") || !word[1]) {
		fprintf(stderr, "usage: before [WORD...] -- PROGRAM [ARG...]\n");
		return 2;
	}
	execv(word[1], word + 1);
	die(word[1]);
}
