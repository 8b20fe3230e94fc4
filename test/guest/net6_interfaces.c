/* SPDX-License-Identifier: BSD-2-Clause */
/* Where programs look for IPv6: getifaddrs, getaddrinfo, /proc/net. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include "net6.h"

static void lo_lines(const char *path, const char *word)
{
	char line[512];
	FILE *f = fopen(path, "r");

	IS(f != NULL);
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, word))
			printf("%s", line);
	if (f)
		fclose(f);
}

static void lookup(const char *host, int family, int flags)
{
	struct addrinfo hint = { .ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags },
			*list;
	int e = getaddrinfo(host, "80", &hint, &list);

	printf("%s family %d: %s\n", host ? host : "(any)", family, e ? gai_strerror(e) : "ok");
	for (struct addrinfo *i = e ? NULL : list; i; i = i->ai_next) {
		char text[64] = "";
		getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
		printf("  family %d %s\n", i->ai_family, text);
	}
	if (!e)
		freeaddrinfo(list);
}

int main(void)
{
	struct ifaddrs *list;
	char line[256] = "";

	RET(getifaddrs(&list));
	for (struct ifaddrs *i = list; i; i = i->ifa_next)
		if (strcmp(i->ifa_name, "lo") == 0 && i->ifa_addr &&
			i->ifa_addr->sa_family == AF_INET6) {
			show6("lo", (void *)i->ifa_addr, sizeof(struct sockaddr_in6));
			show6("mask", (void *)i->ifa_netmask, sizeof(struct sockaddr_in6));
		}
	freeifaddrs(list);
	lo_lines("/proc/net/if_inet6", " lo");
	lookup("::1", AF_UNSPEC, 0);
	lookup("127.0.0.1", AF_UNSPEC, 0);
	lookup("127.0.0.1", AF_INET6, AI_V4MAPPED);
	lookup("fe80::1%lo", AF_INET6, AI_NUMERICHOST);
	lookup(NULL, AF_INET6, AI_PASSIVE);
	int l = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = addr6("::1", 0);
	NEED(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 5) == 0);
	snprintf(line, sizeof(line), " 00000000000000000000000001000000:%04X ", port6(l));
	FILE *f = fopen("/proc/net/tcp6", "r");
	char text[512];
	bool found = false;
	NEED(f && fgets(text, sizeof(text), f));
	text[strcspn(text, "\n")] = 0;
	printf("[%.60s]\n", text);
	while (fgets(text, sizeof(text), f))
		found |= strstr(text, line) && strstr(text, " 0A ");
	printf("listener found: %d\n", found);
	return 0;
}
