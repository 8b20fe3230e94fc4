/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_GUEST_LINK_H
#define TEST_GUEST_LINK_H
/* A link beside the loopback interface: 10.0.2.15/24, MTU 1500. */
#include <linux/if_tun.h>
#include "net.h"

static inline void link_set_address(int s, const char *name, int call, const char *text)
{
	struct ifreq r = { 0 };
	struct sockaddr_in a = { .sin_family = AF_INET };

	strcpy(r.ifr_name, name);
	inet_pton(AF_INET, text, &a.sin_addr);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	NEED(ioctl(s, (unsigned long)call, &r) == 0);
}

/*
 * On Linux a tap device in a network of the test's own, which nobody reads; in the guest it has
 * options: --net user --ip 10.0.2.15/24,10.0.2.2
 */
static inline void link_make(void)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int tun, s;

	if (net_own() < 0)
		return; /* the guest: it has one */
	tun = open("/dev/net/tun", O_RDWR);
	strcpy(r.ifr_name, "tap0");
	NEED(tun >= 0 && ioctl(tun, TUNSETIFF, &r) == 0);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	link_set_address(s, "tap0", SIOCSIFADDR, "10.0.2.15");
	link_set_address(s, "tap0", SIOCSIFNETMASK, "255.255.255.0");
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	NEED(ioctl(s, SIOCSIFFLAGS, &r) == 0);
	close(s);
}
#endif
