/* SPDX-License-Identifier: BSD-2-Clause */
/* root */
/* The ioctls of netdevice(7) that ask, on every kind of socket. */
#include <linux/sockios.h>
#include <net/if.h>
#include "net.h"

#define CALL(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	unsigned number;
} calls[] = { CALL(SIOCGIFNAME), CALL(SIOCGIFFLAGS), CALL(SIOCGIFADDR), CALL(SIOCGIFDSTADDR),
	CALL(SIOCGIFBRDADDR), CALL(SIOCGIFNETMASK), CALL(SIOCGIFMETRIC), CALL(SIOCGIFMEM),
	CALL(SIOCGIFMTU), CALL(SIOCGIFENCAP), CALL(SIOCGIFHWADDR), CALL(SIOCGIFSLAVE),
	CALL(SIOCGIFINDEX), CALL(SIOCGIFPFLAGS), CALL(SIOCGIFCOUNT), CALL(SIOCGIFTXQLEN),
	CALL(SIOCGIFMAP), CALL(SIOCGRARP), CALL(SIOCSIFLINK), CALL(FIOGETOWN), CALL(SIOCGPGRP),
	{ "unknown", 0x89aa } };

static void content(unsigned call, const struct ifreq *r)
{
	const unsigned char *b = (const void *)&r->ifr_ifru;

	if (call == SIOCGIFMAP)
		printf(" %lx %lx %x %d %d %d", r->ifr_map.mem_start, r->ifr_map.mem_end,
			r->ifr_map.base_addr, r->ifr_map.irq, r->ifr_map.dma, r->ifr_map.port);
	else if (call == SIOCGIFFLAGS || call == SIOCGIFPFLAGS)
		printf(" %x", (unsigned short)r->ifr_flags);
	else if (call == FIOGETOWN || call == SIOCGPGRP)
		;
	else
		for (int k = 0; k < 16; k++)
			printf("%s%02x", k ? "" : " ", b[k]);
	printf("\n");
}

static void ask(const char *kind, int fd, const char *interface, const struct ifreq *before)
{
	for (size_t k = 0; k < LENGTH(calls); k++) {
		struct ifreq r = *before;

		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", interface);
		printf("%s %s %s:", kind, interface, calls[k].name);
		if (ioctl(fd, calls[k].number, &r))
			printf(" %s\n", t_errno(errno));
		else
			content(calls[k].number, &r);
		if (ioctl(fd, calls[k].number, BAD_PTR))
			printf("  nowhere: %s\n", t_errno(errno));
	}
}

/* Names are compared up to the alias, which only addresses have. */
static void names(int fd)
{
	static const char *const name[] = { "", "lo:", "lo:0", "lo:none", ":", "Lo", "lo ",
		"fifteen_letters", "a_name_too_long" };

	for (size_t k = 0; k < LENGTH(name); k++) {
		struct ifreq r = { 0 };

		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name[k]);
		printf("[%s]:", name[k]);
		printf(" index %s", t_errno(ioctl(fd, SIOCGIFINDEX, &r) ? errno : 0));
		printf(" [%.16s]", r.ifr_name);
		printf(" flags %s", t_errno(ioctl(fd, SIOCGIFFLAGS, &r) ? errno : 0));
		printf(" address %s", t_errno(ioctl(fd, SIOCGIFADDR, &r) ? errno : 0));
		printf(" [%.16s]\n", r.ifr_name);
	}
	for (int index = -1; index <= 1; index++) {
		struct ifreq r = { .ifr_ifindex = index };

		printf("index %d: %s", index, t_errno(ioctl(fd, SIOCGIFNAME, &r) ? errno : 0));
		printf(" [%.16s]\n", r.ifr_name);
	}
}

static void owner(const char *kind, int fd)
{
	int me = getpid(), is = 0;

	printf("%s owner:", kind);
	printf(" %s", t_errno(ioctl(fd, SIOCSPGRP, &me) ? errno : 0));
	printf(" %d", ioctl(fd, FIOGETOWN, &is) == 0 && is == me && fcntl(fd, F_GETOWN) == me);
	is = 0;
	printf(" %s", t_errno(ioctl(fd, FIOSETOWN, &is) ? errno : 0));
	printf(" %d\n", fcntl(fd, F_GETOWN));
}

static void list(const char *kind, int fd)
{
	struct ifreq r[64];
	static const int room[] = { 0, 1, sizeof(r[0]) - 1, sizeof(r[0]), sizeof(r) };

	for (size_t k = 0; k < LENGTH(room); k++) {
		struct ifconf c = { .ifc_len = room[k], .ifc_req = r };
		int e = ioctl(fd, SIOCGIFCONF, &c) ? errno : 0;

		printf("%s list of %d: %s", kind, room[k], t_errno(e));
		if (room[k] < (int)sizeof(r))
			printf(", %d", c.ifc_len);
		if (c.ifc_len >= (int)sizeof(r[0]) && !e)
			printf(", %s %s", r[0].ifr_name,
				inet_ntoa(((struct sockaddr_in *)&r[0].ifr_addr)->sin_addr));
		puts("");
	}
	struct ifconf c = { .ifc_len = 0 };

	printf("%s length: %s", kind, t_errno(ioctl(fd, SIOCGIFCONF, &c) ? errno : 0));
	printf(" %s\n", c.ifc_len ? "some" : "none");
}

int main(void)
{
	static const struct {
		const char *kind;
		int family, type, protocol;
	} kinds[] = { { "tcp", AF_INET, SOCK_STREAM, 0 }, { "udp", AF_INET, SOCK_DGRAM, 0 },
		{ "raw", AF_INET, SOCK_RAW, IPPROTO_ICMP }, { "tcp6", AF_INET6, SOCK_STREAM, 0 },
		{ "udp6", AF_INET6, SOCK_DGRAM, 0 }, { "raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
		{ "unix", AF_UNIX, SOCK_STREAM, 0 }, { "unix dgram", AF_UNIX, SOCK_DGRAM, 0 },
		{ "netlink", AF_NETLINK, SOCK_RAW, 0 } };

	for (size_t k = 0; k < LENGTH(kinds); k++) {
		int fd = socket(kinds[k].family, kinds[k].type, kinds[k].protocol);
		struct ifreq zero = { 0 }, one = { .ifr_ifindex = 1 };

		NEED(fd >= 0);
		ask(kinds[k].kind, fd, "lo", &one);
		ask(kinds[k].kind, fd, "absent0", &zero);
		list(kinds[k].kind, fd);
		owner(kinds[k].kind, fd);
		if (kinds[k].type == SOCK_DGRAM)
			names(fd);
		/* Linux asks a family before the interface; AF_INET wants the address's family. */
		struct ifreq other = { .ifr_name = "lo", .ifr_addr.sa_family = AF_INET6 };

		printf("%s other family: %s\n", kinds[k].kind,
			t_errno(ioctl(fd, SIOCGIFADDR, &other) ? errno : 0));
		close(fd);
	}
	return 0;
}
