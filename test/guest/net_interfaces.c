/* SPDX-License-Identifier: BSD-2-Clause */
/* getifaddrs and getaddrinfo know the loopback interface and localhost; interface ioctls. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include "net.h"

int main(void)
{
	struct ifaddrs *list;
	RET(getifaddrs(&list));
	for (struct ifaddrs *i = list; i; i = i->ifa_next)
		if (strcmp(i->ifa_name, "lo") == 0 && i->ifa_addr &&
			i->ifa_addr->sa_family == AF_INET)
			printf("lo %s, up %d, loopback %d\n",
				inet_ntoa(((struct sockaddr_in *)i->ifa_addr)->sin_addr),
				!!(i->ifa_flags & IFF_UP), !!(i->ifa_flags & IFF_LOOPBACK));
	freeifaddrs(list);
	RET(if_nametoindex("lo"));
	RET(if_nametoindex("absent0"));
	char name[IF_NAMESIZE] = "";
	IS(if_indextoname(1, name) != NULL);
	printf("%s\n", name);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { .ifr_name = "lo" };
	RET(ioctl(fd, SIOCGIFADDR, &r));
	printf("%s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
	RET(ioctl(fd, SIOCGIFFLAGS, &r));
	IS((r.ifr_flags & (IFF_UP | IFF_LOOPBACK)) == (IFF_UP | IFF_LOOPBACK));
	strcpy(r.ifr_name, "absent0");
	RET(ioctl(fd, SIOCGIFADDR, &r));
	struct addrinfo hint = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *info;
	int e = getaddrinfo("127.0.0.1", "80", &hint, &info);
	printf("numeric: %s\n", e ? gai_strerror(e) : "ok");
	printf("%s %d\n", inet_ntoa(((struct sockaddr_in *)info->ai_addr)->sin_addr),
		ntohs(((struct sockaddr_in *)info->ai_addr)->sin_port));
	freeaddrinfo(info);
	e = getaddrinfo("localhost", NULL, &hint, &info);
	printf("localhost: %s\n", e ? gai_strerror(e) : "ok");
	if (!e) {
		printf("%s\n", inet_ntoa(((struct sockaddr_in *)info->ai_addr)->sin_addr));
		freeaddrinfo(info);
	}
	char host[256] = "";
	RET(gethostname(host, sizeof(host)));
	IS(host[0] != 0);
	RET(gethostname(host, 1));
	return 0;
}
