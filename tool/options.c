/* SPDX-License-Identifier: BSD-2-Clause */
/* Option parsing; see options.h. */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"

enum {
	OPT_NET = 256,
	OPT_IP,
	OPT_MACHINE,
	OPT_ACCEL,
	OPT_ISOLATE,
	OPT_NO_PRELOAD,
	OPT_KERNEL_ARG,
	OPT_QEMU,
	OPT_DRY_RUN,
	OPT_HOSTNAME,
	OPT_NAME,
};

static const struct option run_options[] = {
	{ "cpus", 1, NULL, 'c' },
	{ "memory", 1, NULL, 'm' },
	{ "publish", 1, NULL, 'p' },
	{ "env", 1, NULL, 'e' },
	{ "workdir", 1, NULL, 'w' },
	{ "volume", 1, NULL, 'v' },
	{ "file", 1, NULL, 'f' },
	{ "net", 1, NULL, OPT_NET },
	{ "ip", 1, NULL, OPT_IP },
	{ "machine", 1, NULL, OPT_MACHINE },
	{ "accel", 1, NULL, OPT_ACCEL },
	{ "isolate", 0, NULL, OPT_ISOLATE },
	{ "no-preload", 0, NULL, OPT_NO_PRELOAD },
	{ "kernel-arg", 1, NULL, OPT_KERNEL_ARG },
	{ "qemu", 1, NULL, OPT_QEMU },
	{ "dry-run", 0, NULL, OPT_DRY_RUN },
	{ "hostname", 1, NULL, OPT_HOSTNAME },
	{ "name", 1, NULL, OPT_NAME },
	{ "verbose", 0, NULL, 'V' },
	{ "help", 0, NULL, 'h' },
	{},
};

static const struct option build_options[] = {
	{ "output", 1, NULL, 'o' },
	{ "env", 1, NULL, 'e' },
	{ "workdir", 1, NULL, 'w' },
	{ "volume", 1, NULL, 'v' },
	{ "file", 1, NULL, 'f' },
	{ "no-preload", 0, NULL, OPT_NO_PRELOAD },
	{ "kernel-arg", 1, NULL, OPT_KERNEL_ARG },
	{ "hostname", 1, NULL, OPT_HOSTNAME },
	{ "verbose", 0, NULL, 'V' },
	{ "help", 0, NULL, 'h' },
	{},
};

static const struct option inspect_options[] = {
	{ "help", 0, NULL, 'h' },
	{},
};

static int parse_number(const char *s, unsigned long max, unsigned long *out)
{
	unsigned long v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		v = v * 10 + (*s - '0');
		if (v > max)
			return -EINVAL;
	}
	*out = v;
	return 0;
}

int options_parse_size(const char *s, uint64_t *bytes)
{
	static const char units[] = "kmgtKMGT";
	unsigned long v;
	size_t len = strspn(s, "0123456789");
	char *digits = xstrndup(s, len);
	int shift = 20, err = parse_number(digits, 1ul << 40, &v);
	const char *unit;

	free(digits);
	if (err || !v)
		return -EINVAL;
	s += len;
	if (*s == 'b' || *s == 'B') {
		shift = 0;
	} else if (*s) {
		unit = strchr(units, *s);
		if (!unit)
			return -EINVAL;
		shift = 10 + 10 * ((unit - units) % 4);
		s++;
		if (*s == 'i')
			s++;
		if (*s && *s != 'B' && *s != 'b')
			return -EINVAL;
	}
	if (*s && s[1])
		return -EINVAL;
	if (v > (1ull << 44) >> shift)
		return -EINVAL;
	*bytes = (uint64_t)v << shift;
	return 0;
}

int options_parse_publish(const char *s, struct publish *p)
{
	struct in_addr in;
	char *copy = xstrdup(s), *slash = strchr(copy, '/'), *guest, *host;
	unsigned long h, g;
	int err = -EINVAL;

	*p = (struct publish){};
	if (slash) {
		*slash++ = 0;
		if (strcmp(slash, "udp") && strcmp(slash, "tcp"))
			goto out;
		p->udp = !strcmp(slash, "udp");
	}
	guest = strrchr(copy, ':');
	if (!guest)
		goto out;
	*guest++ = 0;
	host = strrchr(copy, ':');
	if (host) {
		*host++ = 0;
		if (inet_pton(AF_INET, copy, &in) != 1)
			goto out;
		snprintf(p->address, sizeof(p->address), "%s", copy);
	} else {
		host = copy;
	}
	if (parse_number(host, 65535, &h) || parse_number(guest, 65535, &g) || !g)
		goto out;
	p->host = h;
	p->guest = g;
	err = 0;
out:
	free(copy);
	return err;
}

/* The first and the last address of a network are its own and broadcast; a /31 and a /32 have
 * neither. */
static bool host_number_ok(uint32_t address, unsigned long len)
{
	uint32_t mask = len >= 31 ? 0 : 0xffffffffu >> len;

	return address && (!mask || ((address & mask) && (address & mask) != mask));
}

/* An address of its own: no group, no loopback, and not "any", which :: and ::/len would be. */
static bool address6_ok(const struct in6_addr *a)
{
	return !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_LOOPBACK(a) &&
	       !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_V4MAPPED(a);
}

/* The part before the slash and the gateway are of one family; *v6 says which. */
static int check_ip(
	const char *address, const char *gateway, const char *slash, bool *v6, unsigned long *len)
{
	struct in6_addr in6;
	struct in_addr in;

	*v6 = strchr(address, ':');
	if (*v6)
		return inet_pton(AF_INET6, address, &in6) == 1 && address6_ok(&in6) &&
				       (!gateway || inet_pton(AF_INET6, gateway,
							    &(struct in6_addr){}) == 1) &&
				       !parse_number(slash, 128, len) && *len
			       ? 0
			       : -EINVAL;
	return (!gateway || inet_pton(AF_INET, gateway, &in) == 1) &&
			       inet_pton(AF_INET, address, &in) == 1 &&
			       !parse_number(slash, 32, len) && *len &&
			       host_number_ok(ntohl(in.s_addr), *len)
		       ? 0
		       : -EINVAL;
}

int options_parse_ip(const char *s, struct options *o)
{
	char *copy = xstrdup(s), *comma = strchr(copy, ','), *slash;
	unsigned long len;
	bool v6;
	int err = -EINVAL;

	if (comma)
		*comma++ = 0;
	slash = strchr(copy, '/');
	if (slash) {
		*slash++ = 0;
		err = check_ip(copy, comma, slash, &v6, &len);
	}
	if (!err) {
		char **ip = v6 ? &o->ip6 : &o->ip, **gateway = v6 ? &o->gateway6 : &o->gateway;

		free(*ip);
		free(*gateway);
		*ip = xasprintf("%s/%lu", copy, len);
		*gateway = comma ? xstrdup(comma) : NULL;
	}
	free(copy);
	return err;
}

static void parse_net(const char *s, struct options *o)
{
	if (!strcmp(s, "user")) {
		o->net = NET_USER;
	} else if (!strcmp(s, "none")) {
		o->net = NET_NONE;
	} else if (str_starts(s, "tap=") && s[4] && !strchr(s, ',')) {
		o->net = NET_TAP;
		o->tap = s + 4;
	} else if (str_starts(s, "unix=") && s[5] && !strchr(s, ',')) {
		o->net = NET_UNIX;
		o->unix_socket = s + 5;
	} else {
		die(EXIT_SKIFF, "--net %s: use user, tap=INTERFACE, unix=SOCKET or none", s);
	}
}

static unsigned int pick(const char *option, const char *s, const char *const names[])
{
	struct buf all = {};

	for (unsigned int i = 0; names[i]; i++) {
		if (!strcmp(s, names[i]))
			return i;
		buf_fmt(&all, "%s%s", i ? ", " : "", names[i]);
	}
	die(EXIT_SKIFF, "%s %s: use one of %s", option, s, all.s);
}

static void add_file(struct options *o, char *host, char *guest)
{
	o->file = xrealloc(o->file, (o->nfile + 1) * sizeof(*o->file));
	o->file[o->nfile++] = (struct mapping){ host, guest };
}

static void parse_file(const char *s, struct options *o)
{
	const char *colon = strchr(s, ':');
	char *host = colon ? xstrndup(s, colon - s) : xstrdup(s);

	if (!*host || (colon && colon[1] != '/'))
		die(EXIT_SKIFF, "-f %s: use HOST or HOST:GUEST, GUEST starting with /", s);
	add_file(o, host, colon ? xstrdup(colon + 1) : NULL);
}

static void parse_volume(const char *s, struct options *o)
{
	char *copy = xstrdup(s), *guest = strchr(copy, ':'), *mode = NULL;

	if (guest) {
		*guest++ = 0;
		mode = strchr(guest, ':');
		if (mode)
			*mode++ = 0;
	}
	if (!guest || !*copy || guest[0] != '/' ||
		(mode && strcmp(mode, "ro") && strcmp(mode, "rw")))
		die(EXIT_SKIFF, "-v %s: use HOST:GUEST:ro, GUEST starting with /", s);
	if (!mode || strcmp(mode, "ro"))
		die(EXIT_SKIFF,
			"-v %s: volumes that can be written are not available yet\n"
			"skiff: use -v %s:%s:ro for a read-only snapshot of what is there now",
			s, copy, guest);
	add_file(o, xstrdup(copy), xstrdup(guest));
	free(copy);
}

static void parse_env(const char *s, struct options *o)
{
	const char *eq = strchr(s, '='), *value;

	if (!*s || eq == s)
		die(EXIT_SKIFF, "-e %s: use KEY=VALUE, or KEY for a variable that is set here", s);
	if (eq) {
		strv_add(&o->env, s);
		return;
	}
	value = getenv(s);
	if (value) /* as docker: a variable that is not set stays so */
		strv_take(&o->env, xasprintf("%s=%s", s, value));
}

static void check_hostname(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");

	if (!len || s[len] || len > 64 || s[0] == '-')
		die(EXIT_SKIFF, "--hostname %s: use letters, digits, - and . (at most 64)", s);
}

static void parse_publish(const char *s, struct options *o)
{
	struct publish p;

	if (options_parse_publish(s, &p))
		die(EXIT_SKIFF, "-p %s: use HOST:GUEST, ADDRESS:HOST:GUEST, with /udp for UDP", s);
	o->publish = xrealloc(o->publish, (o->npublish + 1) * sizeof(*o->publish));
	o->publish[o->npublish++] = p;
}

static void parse_one(int opt, const char *command, struct options *o)
{
	static const char *const machines[] = { "microvm", "q35", "pc", NULL };
	static const char *const accels[] = { "auto", "kvm", "tcg", NULL };
	unsigned long n;

	switch (opt) {
	case 'c':
		if (parse_number(optarg, 255, &n) || !n)
			die(EXIT_SKIFF, "-c %s: use a number of CPUs from 1 to 255", optarg);
		o->cpus = n;
		break;
	case 'm':
		if (options_parse_size(optarg, &o->memory))
			die(EXIT_SKIFF, "-m %s: use a size as 64M or 2G", optarg);
		break;
	case 'p': parse_publish(optarg, o); break;
	case 'e': parse_env(optarg, o); break;
	case 'w':
		if (optarg[0] != '/')
			die(EXIT_SKIFF, "-w %s: use a path that starts with /", optarg);
		o->workdir = optarg;
		break;
	case 'v': parse_volume(optarg, o); break;
	case 'f': parse_file(optarg, o); break;
	case 'o': o->output = optarg; break;
	case OPT_NET: parse_net(optarg, o); break;
	case OPT_IP:
		if (options_parse_ip(optarg, o))
			die(EXIT_SKIFF,
				"--ip %s: use ADDRESS/LENGTH or ADDRESS/LENGTH,GATEWAY, of IPv4 or IPv6; "
				"the address is not the network's own or its broadcast",
				optarg);
		break;
	case OPT_MACHINE: o->machine = pick("--machine", optarg, machines); break;
	case OPT_ACCEL: o->accel = pick("--accel", optarg, accels); break;
	case OPT_ISOLATE:
		die(EXIT_SKIFF, "--isolate is not available yet: the program runs in ring 0");
	case OPT_NO_PRELOAD: o->no_preload = true; break;
	case OPT_KERNEL_ARG: strv_add(&o->kernel_args, optarg); break;
	case OPT_QEMU: strv_add(&o->qemu_args, optarg); break;
	case OPT_DRY_RUN: o->dry_run = true; break;
	case OPT_HOSTNAME:
		check_hostname(optarg);
		o->hostname = optarg;
		break;
	case OPT_NAME: o->name = optarg; break;
	case 'V': o->verbose = true; break;
	case 'h': fputs(help_text(command), stdout); exit(fflush(stdout) ? EXIT_SKIFF : 0);
	}
}

void options_parse(const char *command, int argc, char **argv, struct options *o)
{
	bool run = !strcmp(command, "run"), build = !strcmp(command, "build");
	const struct option *table = run ? run_options : build ? build_options : inspect_options;
	const char *letters = run ? "+:c:m:p:e:w:v:f:Vh" : build ? "+:o:e:w:v:f:Vh" : "+:h";
	int opt;

	*o = (struct options){ .cpus = 1 };
	optind = 1;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (opt == ':')
			die(EXIT_SKIFF, "%s needs a value; skiff %s --help shows it", word,
				command);
		if (opt == '?' && optopt && optopt < 256)
			die(EXIT_SKIFF, "-%c is no option of skiff %s; skiff %s --help lists them",
				optopt, command, command);
		if (opt == '?')
			die(EXIT_SKIFF, "%s is no option of skiff %s; skiff %s --help lists them",
				word, command, command);
		parse_one(opt, command, o);
	}
	o->args = argv + optind;
	o->nargs = argc - optind;
	if (!o->nargs)
		die(EXIT_SKIFF, "no %s given; skiff %s --help shows how",
			run	? "program or image"
			: build ? "program"
				: "image",
			command);
	if (build && !o->output)
		die(EXIT_SKIFF, "where to? Use skiff build -o IMAGE PROGRAM");
	if (o->npublish && o->net != NET_USER)
		die(EXIT_SKIFF, "-p needs --net user; otherwise every port can be reached");
	if ((o->ip || o->ip6) && o->net == NET_NONE)
		die(EXIT_SKIFF, "--ip needs a network: leave --net none out");
}

const char *options_env(const struct options *o, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = o->env.n; i-- > 0;) {
		if (!strncmp(o->env.v[i], key, len) && o->env.v[i][len] == '=')
			return o->env.v[i] + len + 1;
	}
	return NULL;
}
