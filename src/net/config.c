/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot parameters ip=, dns= and hostname= say, and who hears of addresses and names. */

#include "net/impl.h"
#include "net/dhcp.h"
#include "diag/log.h"
#include "lib/cmdline.h"
#include "lib/format.h"
#include "sched/random.h"

#define SHUTDOWN_WAIT                                                                              \
	(2 * NSEC_PER_SEC) /* for peers to take what was sent before the program ended */

void (*net_resolv_conf)(const char *text);
void (*net_hostname)(const char *name);

static struct {
	bool read; /* net_configure has run */
	enum { CONFIG_DHCP, CONFIG_NONE, CONFIG_STATIC } mode;
	uint32_t addr, gateway;
	unsigned prefix;
	uint32_t dns[4];
	unsigned dns_count;
} config;

uint64_t net_random(void)
{
	return random_u64();
}

const char *net_parse_ipv4(const char *s, uint32_t *addr)
{
	uint32_t a = 0;

	for (int i = 0; i < 4; i++) {
		uint64_t n;
		const char *end = *s >= '0' && *s <= '9' ? str_to_u64(s, 10, &n) : NULL;

		if (!end || n > 255 || (i < 3 && *end != '.'))
			return NULL;
		a |= (uint32_t)n << (8 * i);
		s = i < 3 ? end + 1 : end;
	}
	*addr = a;
	return s;
}

/* ADDR/LEN[,GW] */
static bool parse_static(const char *s)
{
	uint64_t prefix;

	s = net_parse_ipv4(s, &config.addr);
	if (!s || *s != '/')
		return false;
	s = str_to_u64(s + 1, 10, &prefix);
	if (!s || prefix > 32)
		return false;
	config.prefix = (unsigned)prefix;
	if (*s == ',')
		s = net_parse_ipv4(s + 1, &config.gateway);
	return s && !*s;
}

void net_set_configured(void)
{
	struct net_state *n = the_net();

	store_release(&n->configured, 1);
	wait_wake_all(&n->configured_wait, 0);
}

void net_wait_configured(uint64_t ns)
{
	struct net_state *n = the_net();

	(void)wait_event_timeout(
		&n->configured_wait, load_acquire(&n->configured), clock_now() + ns);
}

void net_publish_names(const uint32_t *dns, unsigned count, const char *domain, const char *search)
{
	struct net_state *n = the_net();
	int at = 0;

	if (config.dns_count) {
		dns = config.dns;
		count = config.dns_count;
	}
	n->resolv[0] = 0;
	if (search && search[0])
		at += format(n->resolv, sizeof(n->resolv), "search %s\n", search);
	else if (domain && domain[0])
		at += format(n->resolv, sizeof(n->resolv), "search %s\n", domain);
	for (unsigned i = 0; i < count && (size_t)at < sizeof(n->resolv); i++) {
		const uint8_t *a = (const uint8_t *)&dns[i];

		at += format(n->resolv + at, sizeof(n->resolv) - (size_t)at,
			"nameserver %u.%u.%u.%u\n", a[0], a[1], a[2], a[3]);
	}
	if (net_resolv_conf)
		net_resolv_conf(n->resolv);
}

static void apply_static(struct netdev *dev)
{
	int err = netif_add_address(dev, config.addr, config.prefix);

	if (!err && config.gateway)
		err = route_add(0, 0, config.gateway, dev, 0, 3);
	if (err)
		log_err("net: the address cannot be set: %d", -err);
	arp_announce(dev, config.addr);
	net_publish_names(NULL, 0, NULL, NULL);
	net_set_configured();
}

void net_config_device(struct netdev *dev)
{
	static struct netdev *first;

	if (!config.read || first)
		return;
	first = dev;
	switch (config.mode) {
	case CONFIG_DHCP: dhcp_start(dev); break;
	case CONFIG_STATIC: apply_static(dev); break;
	case CONFIG_NONE: net_set_configured(); break;
	}
}

void net_configure(const char *cmdline)
{
	struct net_state *n = the_net();
	char text[128];
	bool any = false;

	if (cmdline_get(cmdline, "hostname", 0, text, sizeof(text)) > 0)
		str_copy(n->hostname, text, sizeof(n->hostname));
	for (unsigned i = 0; i < ARRAY_SIZE(config.dns); i++)
		if (cmdline_get(cmdline, "dns", i, text, sizeof(text)) > 0 &&
			net_parse_ipv4(text, &config.dns[config.dns_count]))
			config.dns_count++;
	if (cmdline_get(cmdline, "ip", 0, text, sizeof(text)) > 0 && strcmp(text, "dhcp") != 0) {
		config.mode = CONFIG_NONE;
		if (strcmp(text, "none") != 0) {
			if (parse_static(text))
				config.mode = CONFIG_STATIC;
			else
				log_err("net: ip=%s is neither dhcp, none nor ADDR/LEN[,GW]", text);
		}
	}
	config.read = true;
	for (struct netdev *d = netdev_first(); d; d = d->next)
		if (!(d->features & NETDEV_LOOPBACK)) {
			any = true;
			net_config_device(d);
		}
	if (!any || config.mode == CONFIG_NONE) {
		if (config.dns_count)
			net_publish_names(NULL, 0, NULL, NULL);
		net_set_configured();
	}
}

void net_shutdown(void)
{
	uint64_t deadline = clock_now() + SHUTDOWN_WAIT;

	while (tcp_closing_count() && clock_now() < deadline)
		thread_sleep(NSEC_PER_MSEC, false, NULL);
	dhcp_stop();
}
