/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot parameters ip=, ip6=, dns= and hostname= say, and who hears of addresses and names.
 */

#include "net/config.h"
#include "net/dhcp.h"
#include "net/ip6.h"
#include "net/neigh.h"
#include "net/net.h"
#include "net/netif.h"
#include "net/route.h"
#include "net/state.h"
#include "net/transport.h"
#include "diag/log.h"
#include "lib/cmdline.h"
#include "lib/format.h"
#include "mem/heap.h"
#include "sched/clock.h"
#include "sched/random.h"
#include "sched/thread.h"

#define SHUTDOWN_WAIT                                                                              \
	(2 * NSEC_PER_SEC) /* for peers to take what was sent before the program ended */

void (*net_resolv_conf)(const char *text);
void (*net_hostname)(const char *name);

/* A fixed address, and the router there, or any. */
struct fixed {
	struct ip_addr addr, gateway;
	unsigned prefix;
};
static struct {
	bool read;						      /* net_configure has run */
	enum { CONFIG_AUTO, CONFIG_NONE, CONFIG_STATIC } mode, mode6; /* IPv4: AUTO is DHCP */
	struct fixed ip, ip6;
	struct ip_addr dns[4];
	unsigned dns_count;
} config;

/* Who named servers and domains: by card, then by source. The list is servers_lock's. */
struct heard {
	struct heard *next;
	int ifindex;
	enum names_source from;
	struct net_names names;
};
static DEFINE_MUTEX(servers_lock);
static struct heard *heard;

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

/* ADDR/LEN[,GW] of one family */
static bool parse_static(const char *s, bool v4, struct fixed *f)
{
	uint64_t n;

	s = ip_parse(s, &f->addr);
	if (!s || *s != '/' || ip_is_v4(f->addr) != v4)
		return false;
	s = str_to_u64(s + 1, 10, &n);
	if (!s || n > (v4 ? 32 : 128))
		return false;
	f->prefix = (unsigned)n;
	if (*s == ',') {
		s = ip_parse(s + 1, &f->gateway);
		if (s && ip_is_v4(f->gateway) != v4)
			return false;
	}
	return s && !*s;
}

/* The value of a word that is about this card, without its name, or about the first one (NULL). */
static bool get_word(
	const char *cmdline, const char *key, const struct netdev *dev, char *text, size_t size)
{
	for (unsigned n = 0; cmdline_get(cmdline, key, n, text, size) >= 0; n++) {
		const char *name = strncmp(text, "eth", 3) == 0 ? text : NULL;
		size_t len = dev ? strlen(dev->name) : 0;

		if (!dev && !name && *text)
			return true;
		if (dev && name && strncmp(name, dev->name, len) == 0 && name[len] == ':') {
			memmove(text, name + len + 1, strlen(name + len + 1) + 1);
			return true;
		}
	}
	return false;
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

void net_ip6_ready(void)
{
	if (config.mode == CONFIG_NONE)
		net_set_configured();
}

static int put_server(char *text, size_t size, int at, struct ip_addr a, int ifindex)
{
	char addr[IP_TEXT], line[IP_TEXT + IFNAMSIZ + 16];
	struct netdev *dev = ip_is_link_local(a) ? netdev_by_index(ifindex) : NULL;

	ip_format(a, addr);
	format(line, sizeof(line), "nameserver %s%s%s\n", addr, dev ? "%" : "",
		dev ? dev->name : "");
	if (strstr(text, line)) /* routers and DHCPv6 often name the same */
		return at;
	if ((size_t)at + strlen(line) >= size) /* half of one would be another */
		return at;
	return at + format(text + at, size - (size_t)at, "%s", line);
}

static size_t word_length(const char *s)
{
	const char *end = strchr(s, ' ');

	return end ? (size_t)(end - s) : strlen(s);
}

/* Whether the word of this length is in the list. */
static bool has_word(const char *list, const char *word, size_t len)
{
	for (size_t n; *list; list += n + (list[n] != 0)) {
		n = word_length(list);
		if (n == len && memcmp(list, word, len) == 0)
			return true;
	}
	return false;
}

/* The words of more that are not in the list go behind it, while they fit. */
static void add_words(char *list, size_t size, const char *more)
{
	size_t at = strlen(list);

	for (size_t n; *more; more += n + (more[n] != 0)) {
		n = word_length(more);
		if (!n || has_word(list, more, n) || at + n + 2 > size)
			continue;
		if (at)
			list[at++] = ' ';
		memcpy(list + at, more, n);
		at += n;
		list[at] = 0;
	}
}

/* servers_lock held. Everybody's domains; the command line's servers are the only ones. */
static void write_names(void)
{
	struct net_state *n = the_net();
	char search[sizeof(heard->names.search)] = "";
	size_t size = sizeof(n->resolv);
	int at = 0;

	for (const struct heard *h = heard; h; h = h->next)
		add_words(search, sizeof(search), h->names.search);
	n->resolv[0] = 0;
	if (search[0])
		at += format(n->resolv, size, "search %s\n", search);
	for (unsigned i = 0; i < config.dns_count; i++)
		at = put_server(n->resolv, size, at, config.dns[i], 0);
	for (const struct heard *h = heard; h && !config.dns_count; h = h->next)
		for (unsigned i = 0; i < h->names.dns_count; i++)
			at = put_server(n->resolv, size, at, h->names.dns[i], h->ifindex);
	if (net_resolv_conf)
		net_resolv_conf(n->resolv);
}

/* What the command line says alone. */
static void publish_given(void)
{
	mutex_lock(&servers_lock);
	write_names();
	mutex_unlock(&servers_lock);
}

void net_publish_names(
	const struct netdev *dev, enum names_source from, const struct net_names *names)
{
	struct heard *new = names ? heap_alloc(sizeof(*new)) : NULL, *old = NULL, **at = &heard;

	if (new)
		*new = (struct heard){ .ifindex = dev->index, .from = from, .names = *names };
	else if (names)
		log_warn("%s: no memory for the names of servers", dev->name);
	mutex_lock(&servers_lock);
	while (*at && ((*at)->ifindex < dev->index ||
			      ((*at)->ifindex == dev->index && (*at)->from < from)))
		at = &(*at)->next;
	if (*at && (*at)->ifindex == dev->index && (*at)->from == from) {
		old = *at;
		*at = old->next;
	}
	if (new) {
		new->next = *at;
		*at = new;
	}
	write_names();
	mutex_unlock(&servers_lock);
	heap_free(old);
}

/* Whether a server that comes before the i-th of h is the same. */
static bool ntp_shown(const struct heard *h, unsigned i)
{
	for (const struct heard *k = heard;; k = k->next)
		for (unsigned j = 0; j < k->names.ntp_count; j++) {
			if (k == h && j == i)
				return false;
			if (ip_equal(k->names.ntp[j], h->names.ntp[i]))
				return true;
		}
}

/* As Linux's own DHCP client shows them, in /proc/net/ipconfig/ntp_servers. */
void net_show_ntp_servers(struct net_text *t)
{
	char addr[IP_TEXT];

	mutex_lock(&servers_lock);
	for (const struct heard *h = heard; h; h = h->next)
		for (unsigned i = 0; i < h->names.ntp_count; i++) {
			if (ntp_shown(h, i))
				continue;
			ip_format(h->names.ntp[i], addr);
			t->print(t, addr);
			t->print(t, "\n");
		}
	mutex_unlock(&servers_lock);
}

static void set_static(struct netdev *dev, const struct fixed *f, uint32_t metric)
{
	int err = netif_add_address(dev, ip_v4(f->addr), f->prefix);

	if (!err && ip_v4(f->gateway))
		err = route_add(0, 0, ip_v4(f->gateway), dev, metric, 3);
	if (err)
		log_err("net: the address cannot be set: %d", -err);
	arp_announce(dev, ip_v4(f->addr));
}

/* A fixed address stands alone: routers are not listened to. */
static void set_static6(struct netdev *dev, const struct fixed *f, uint32_t metric)
{
	nd_start(dev, false);
	int err = nd_add_address(dev, f->addr, f->prefix, ND_STATIC, ND_FOREVER, ND_FOREVER);

	if (!err && !ip_is_any(f->gateway))
		err = route_insert(&(struct route){
			.gateway = f->gateway, .dev = dev, .protocol = 3, .metric = metric });
	if (err)
		log_err("net: the IPv6 address cannot be set: %d", -err);
}

static void apply_static(struct netdev *dev)
{
	set_static(dev, &config.ip, 0);
	publish_given();
	net_set_configured();
}

static void apply_static6(struct netdev *dev)
{
	set_static6(dev, &config.ip6, 1024);
	if (config.dns_count)
		publish_given();
}

/* A card behind the first has what ip=NAME:... and ip6=NAME:... say, or nothing. */
static void configure_other(struct netdev *dev, unsigned card, const char *cmdline)
{
	char text[128];
	struct fixed f = { 0 };

	if (get_word(cmdline, "ip", dev, text, sizeof(text))) {
		if (strcmp(text, "dhcp") == 0)
			dhcp_start(dev, card);
		else if (parse_static(text, true, &f))
			set_static(dev, &f, card * CARD_METRIC);
		else
			log_err("net: ip=%s:%s is neither dhcp nor ADDR/LEN[,GW]", dev->name, text);
	}
	f = (struct fixed){ 0 };
	if (!get_word(cmdline, "ip6", dev, text, sizeof(text)))
		return;
	if (strcmp(text, "auto") == 0)
		nd_start(dev, true);
	else if (parse_static(text, false, &f))
		set_static6(dev, &f, 1024 + card * CARD_METRIC);
	else
		log_err("net: ip6=%s:%s is neither auto nor ADDR/LEN[,GW]", dev->name, text);
}

void net_config_device(struct netdev *dev)
{
	static struct netdev *first;

	if (!config.read || first)
		return;
	first = dev;
	switch (config.mode) {
	case CONFIG_AUTO: dhcp_start(dev, 0); break;
	case CONFIG_STATIC: apply_static(dev); break;
	case CONFIG_NONE: break;
	}
	switch (config.mode6) {
	case CONFIG_AUTO: nd_start(dev, true); break;
	case CONFIG_STATIC: apply_static6(dev); break;
	case CONFIG_NONE:
		if (config.mode == CONFIG_NONE)
			net_set_configured();
	}
}

static void read_addresses(const char *cmdline)
{
	char text[128];

	if (get_word(cmdline, "ip", NULL, text, sizeof(text)) && strcmp(text, "dhcp") != 0) {
		config.mode = CONFIG_NONE;
		if (strcmp(text, "none") != 0) {
			if (parse_static(text, true, &config.ip))
				config.mode = CONFIG_STATIC;
			else
				log_err("net: ip=%s is neither dhcp, none nor ADDR/LEN[,GW]", text);
		}
	}
	config.mode6 = config.mode == CONFIG_NONE ? CONFIG_NONE : CONFIG_AUTO;
	if (!get_word(cmdline, "ip6", NULL, text, sizeof(text)))
		return;
	config.mode6 = CONFIG_NONE;
	if (strcmp(text, "auto") == 0)
		config.mode6 = CONFIG_AUTO;
	else if (parse_static(text, false, &config.ip6))
		config.mode6 = CONFIG_STATIC;
	else if (strcmp(text, "none") != 0)
		log_err("net: ip6=%s is neither auto, none nor ADDR/LEN[,GW]", text);
}

void net_configure(const char *cmdline)
{
	struct net_state *n = the_net();
	char text[128];
	unsigned cards = 0;

	/* Not before: the host's entropy is there now. */
	n->isn_key = (struct hash_key){ net_random(), net_random() };
	if (cmdline_get(cmdline, "hostname", 0, text, sizeof(text)) > 0)
		str_copy(n->hostname, text, sizeof(n->hostname));
	for (unsigned i = 0; i < ARRAY_SIZE(config.dns); i++)
		if (cmdline_get(cmdline, "dns", i, text, sizeof(text)) > 0 &&
			ip_parse(text, &config.dns[config.dns_count]))
			config.dns_count++;
	read_addresses(cmdline);
	config.read = true;
	for (struct netdev *d = netdev_first(); d; d = d->next)
		if (!(d->features & NETDEV_LOOPBACK)) {
			if (cards)
				configure_other(d, cards, cmdline);
			cards++;
			net_config_device(d);
		}
	if (!cards || (config.mode == CONFIG_NONE && config.mode6 == CONFIG_NONE)) {
		if (config.dns_count)
			publish_given();
		net_set_configured();
	}
}

/* Some card has not sent all that it was given: a reset, a release of the lease. */
static bool cards_sending(void)
{
	for (struct netdev *d = netdev_first(); d; d = d->next)
		for (unsigned q = 1; d->queue_empty && q <= load_relaxed(&d->queues); q++)
			if (!d->queue_empty(d, q))
				return true;
	return false;
}

void net_shutdown(void)
{
	uint64_t deadline = clock_now() + SHUTDOWN_WAIT;

	while (tcp_closing_count() && clock_now() < deadline)
		thread_sleep(NSEC_PER_MSEC, false, NULL);
	dhcp_stop();
	dhcp6_stop();
	/* A program of a moment never spoke to the server's neighbour before. */
	while ((neigh_pending() || cards_sending()) && clock_now() < deadline)
		thread_sleep(NSEC_PER_MSEC, false, NULL);
}
