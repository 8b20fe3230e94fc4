/* SPDX-License-Identifier: BSD-2-Clause */
/* Building QEMU's command line; see qemu.h. */
#include "qemu.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm.h"
#include "tap.h"

#ifndef SKIFF_PREFIX
#define SKIFF_PREFIX "/usr/local"
#endif

#define MIB	       (1ull << 20)
#define DEFAULT_MEMORY (256 * MIB)
#define ROOM	       (96 * MIB) /* for kernel and program beside a large image */
#define MAX_TAP_QUEUES 256u	  /* Linux's limit for one interface */
#define MAX_CMDLINE    7680	  /* QEMU adds the virtio-mmio devices; the kernel keeps 8191 */

/* No ACPI: the small firmware starts at once, and virtio-mmio devices come on the command line. */
static const char *const machine_types[] = {
	[MACHINE_MICROVM] = "microvm,acpi=off,rtc=on,isa-serial=on",
	[MACHINE_Q35] = "q35",
	[MACHINE_PC] = "pc",
};

/* ---- checks ---- */

static char *qemu_program(void)
{
	const char *env = getenv("SKIFF_QEMU");
	char *found;

	if (env && *env) {
		found = strchr(env, '/') ? xstrdup(env) : path_search(env);
		if (!found || access(found, X_OK) < 0)
			die(EXIT_SKIFF, "SKIFF_QEMU=%s: %s", env, strerror(ENOENT));
		return found;
	}
	found = path_search("qemu-system-x86_64");
	if (!found)
		die(EXIT_SKIFF, "QEMU is not installed (no qemu-system-x86_64 in PATH)\n"
				"skiff: apt install qemu-system-x86");
	return found;
}

static char *kernel_file(void)
{
	const char *env = getenv("SKIFF_KERNEL");
	char exe[4096], *dir, *path;
	ssize_t n;

	if (env && *env) {
		if (access(env, R_OK) < 0)
			die(EXIT_SKIFF, "SKIFF_KERNEL=%s: %s", env, strerror(errno));
		return xstrdup(env);
	}
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n < 0 ? 0 : n] = 0;
	dir = path_dir(exe);
	path = xasprintf("%s/build/skiff.elf", dir);
	if (access(path, R_OK) < 0) {
		free(path);
		path = xasprintf("%s/../lib/skiff/skiff.elf", dir);
	}
	if (access(path, R_OK) < 0) {
		free(path);
		path = xstrdup(SKIFF_PREFIX "/lib/skiff/skiff.elf");
	}
	if (access(path, R_OK) < 0)
		die(EXIT_SKIFF,
			"the kernel is not there: neither %s/build/skiff.elf nor %s\n"
			"skiff: run make, or set SKIFF_KERNEL to its file",
			dir, path);
	free(dir);
	return path;
}

/* Binds the host's end of a published port for a moment, to say before QEMU does what is wrong. */
static void check_port(struct publish *p)
{
	int fd = socket(AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(p->host) };
	const char *where = p->address[0] ? p->address : "0.0.0.0", *kind = p->udp ? "/udp" : "";
	socklen_t len = sizeof(a);

	inet_pton(AF_INET, where, &a.sin_addr);
	if (fd < 0)
		die(EXIT_SKIFF, "cannot make a socket: %s", strerror(errno));
	if (!p->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		if (errno == EADDRINUSE)
			die(EXIT_SKIFF,
				"port %u of this machine is in use; choose another, as -p %u:%u%s, or "
				"-p 0:%u%s for any",
				p->host, p->host > 60000 ? p->host - 1000 : p->host + 1000,
				p->guest, kind, p->guest, kind);
		if (errno == EACCES)
			die(EXIT_SKIFF,
				"port %u of this machine is for root only; use one from 1024 on",
				p->host);
		die(EXIT_SKIFF, "port %u on %s: %s", p->host, where, strerror(errno));
	}
	if (!p->host && getsockname(fd, (struct sockaddr *)&a, &len) == 0) {
		p->host = ntohs(a.sin_port);
		fprintf(stderr, "skiff: port %u of this machine leads to %u%s of the guest\n",
			p->host, p->guest, kind);
	}
	close(fd);
}

static void check_ports(struct options *o)
{
	for (size_t i = 0; i < o->npublish; i++) {
		struct publish *p = &o->publish[i];

		check_port(p);
		for (size_t k = 0; k < i; k++) {
			if (o->publish[k].host == p->host && o->publish[k].udp == p->udp &&
				!strcmp(o->publish[k].address, p->address))
				die(EXIT_SKIFF, "-p: host port %u is given twice", p->host);
		}
	}
}

void qemu_check_installed(void)
{
	free(qemu_program());
	free(kernel_file());
}

/* QEMU would start without a word, and the guest would have a network with nobody in it. Whether
 * somebody listens cannot be asked: passt takes a single connection. */
static void check_socket(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		die(EXIT_SKIFF, "--net unix=%s: %s; start the program that listens there first",
			path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		die(EXIT_SKIFF, "--net unix=%s: that is no socket", path);
}

void qemu_check(struct options *o)
{
	const char *why = NULL;

	check_ports(o);
	if (o->net == NET_TAP)
		tap_check(o->tap);
	if (o->net == NET_UNIX)
		check_socket(o->unix_socket);
	if (o->accel == ACCEL_KVM && !kvm_works(false, &why))
		die(EXIT_SKIFF, "--accel kvm: %s; --accel tcg works everywhere", why);
	if (o->accel == ACCEL_AUTO) {
		o->accel = kvm_works(true, &why) ? ACCEL_KVM : ACCEL_TCG;
		if (o->verbose && o->accel == ACCEL_TCG)
			fprintf(stderr, "skiff: no KVM: %s\n", why);
	}
}

/* ---- the command ---- */

static uint64_t memory_size(const struct options *o, const struct image *img)
{
	uint64_t wanted = DEFAULT_MEMORY, least = img->size + img->size / 4 + ROOM;
	uint64_t minimum = (img->size + 8 * MIB + MIB - 1) / MIB * MIB;

	if (o->memory) {
		if (o->memory < minimum)
			die(EXIT_SKIFF,
				"-m: %llu KiB are too little, the image alone has %llu KiB; use at least "
				"-m %lluM",
				(unsigned long long)(o->memory >> 10),
				(unsigned long long)(img->size >> 10),
				(unsigned long long)(minimum / MIB));
		return o->memory;
	}
	if (least > wanted)
		wanted = (least + MIB - 1) / MIB * MIB;
	return wanted;
}

static char *memory_text(uint64_t bytes)
{
	if (bytes % MIB)
		return xasprintf("%lluK", (unsigned long long)bytes >> 10);
	return xasprintf("%lluM", (unsigned long long)(bytes / MIB));
}

/* A device of the machine's bus: "virtio-net" is virtio-net-device or virtio-net-pci. */
static void add_device(
	const struct options *o, struct strv *argv, const char *kind, const char *properties)
{
	bool mmio = o->machine == MACHINE_MICROVM;

	strv_add(argv, "-device");
	strv_take(argv,
		xasprintf("%s-%s%s", kind, mmio ? "device" : "pci,disable-legacy=on", properties));
}

static void add_channel(struct strv *argv, const char *id, int fd)
{
	/* A pipe chardev on a socket that is handed over: whole data before end of file. */
	strv_add(argv, "-add-fd");
	strv_take(argv, xasprintf("fd=%d,set=%d", fd, fd));
	strv_add(argv, "-chardev");
	strv_take(argv, xasprintf("pipe,id=%s,path=/dev/fdset/%d", id, fd));
}

static void add_port(struct strv *argv, const char *name, int fd)
{
	char *id;

	if (fd < 0)
		return;
	id = xasprintf("skiff-%s", name);
	add_channel(argv, id, fd);
	strv_add(argv, "-device");
	strv_take(argv, xasprintf("virtserialport,chardev=%s,name=skiff.%s", id, name));
	free(id);
}

static void add_channels(const struct options *o, const struct channels *ch, struct strv *argv)
{
	if (ch->console < 0) {
		strv_add(argv, "-serial");
		strv_add(argv, "stdio");
		return;
	}
	add_channel(argv, "skiff-console", ch->console);
	strv_add(argv, "-serial");
	strv_add(argv, "chardev:skiff-console");
	add_device(o, argv, "virtio-serial", ",max_ports=5");
	add_port(argv, "stdin", ch->in);
	add_port(argv, "stdout", ch->out);
	add_port(argv, "stderr", ch->err);
	add_port(argv, "control", ch->control);
}

/* 10.1.2.3/24 -> 10.1.2.0 + host number, as text. */
static char *in_network(const char *ip, unsigned int number)
{
	char text[INET_ADDRSTRLEN], *copy = xstrdup(ip), *slash = strchr(copy, '/');
	unsigned int len = atoi(slash + 1);
	struct in_addr a;

	*slash = 0;
	inet_pton(AF_INET, copy, &a);
	a.s_addr = htonl((ntohl(a.s_addr) & ~(uint32_t)((1ull << (32 - len)) - 1)) + number);
	inet_ntop(AF_INET, &a, text, sizeof(text));
	free(copy);
	return xstrdup(text);
}

/* 2001:db8::7/64 -> 2001:db8:: + host number, as text. */
static char *in_network6(const char *ip, unsigned int number)
{
	char text[INET6_ADDRSTRLEN], *copy = xstrdup(ip), *slash = strchr(copy, '/');
	unsigned int len = atoi(slash + 1);
	struct in6_addr a;

	*slash = 0;
	inet_pton(AF_INET6, copy, &a);
	for (unsigned int i = 0; i < 16; i++)
		a.s6_addr[i] &= len >= 8 * (i + 1) ? 0xff
				: len <= 8 * i	   ? 0
						   : 0xff00u >> (len - 8 * i);
	a.s6_addr[15] += number;
	inet_ntop(AF_INET6, &a, text, sizeof(text));
	free(copy);
	return xstrdup(text);
}

/* The same for IPv6: by itself QEMU's network is fec0::/64, and a router in it says so. */
static void user_netdev6(const struct options *o, struct buf *b)
{
	char *net = in_network6(o->ip6, 0), *host = in_network6(o->ip6, 2),
	     *dns = in_network6(o->ip6, 3);

	if (atoi(strchr(o->ip6, '/') + 1) > 124)
		die(EXIT_SKIFF, "--ip %s: --net user needs a network of /124 or larger", o->ip6);
	buf_fmt(b, ",ipv6-net=%s%s,ipv6-host=%s,ipv6-dns=%s", net, strchr(o->ip6, '/'),
		o->gateway6 ? o->gateway6 : host, dns);
	free(net);
	free(host);
	free(dns);
}

/*
 * QEMU's own network. With --ip it is laid around that address: the gateway is the host's end, and
 * the name server has number 3, as QEMU does by itself in 10.0.2.0/24.
 */
static char *user_netdev(const struct options *o, char **dns)
{
	struct buf b = {};
	char *address = NULL;

	buf_str(&b, "user,id=net0"); /* of both families */
	if (o->ip) {
		char *net = in_network(o->ip, 0), *host = in_network(o->ip, 2);
		const char *len = strchr(o->ip, '/');

		if (atoi(len + 1) > 29)
			die(EXIT_SKIFF, "--ip %s: --net user needs a network of /29 or larger",
				o->ip);
		*dns = in_network(o->ip, 3);
		address = xstrndup(o->ip, len - o->ip);
		if (!strcmp(address, *dns) || !strcmp(address, o->gateway ? o->gateway : host))
			die(EXIT_SKIFF,
				"--ip %s: with --net user, %s and %s are the host's end; use another",
				o->ip, o->gateway ? o->gateway : host, *dns);
		buf_fmt(&b, ",net=%s%s,host=%s,dns=%s", net, len, o->gateway ? o->gateway : host,
			*dns);
		/* QEMU wants its DHCP range in this network too. */
		buf_fmt(&b, ",dhcpstart=%s", address);
		free(net);
		free(host);
	}
	if (o->ip6)
		user_netdev6(o, &b);
	for (size_t i = 0; i < o->npublish; i++) {
		const struct publish *p = &o->publish[i];

		buf_fmt(&b, ",hostfwd=%s:%s:%u-%s:%u", p->udp ? "udp" : "tcp", p->address, p->host,
			address ? address : "", p->guest);
	}
	free(address);
	return b.s;
}

/* The host's name servers, for a guest with a fixed address on a tap. */
static void host_name_servers(struct buf *cmdline)
{
	size_t len;
	char *text, *rest, *line;

	if (file_read("/etc/resolv.conf", 1 << 16, &text, &len))
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		struct in_addr a;
		char name[64];

		if (sscanf(line, "nameserver %63s", name) == 1 &&
			inet_pton(AF_INET, name, &a) == 1 && (ntohl(a.s_addr) >> 24) != 127)
			cmdline_add(cmdline, "dns", name);
	}
	free(text);
}

/* A tap device has a queue for each CPU, if it was made for that: see tap_multi_queue. */
static char *tap_netdev(const struct options *o, bool multi)
{
	/* A tap of several queues cannot be opened for one: two then, of which one is used. */
	unsigned int queues = o->cpus < 2 ? 2 : o->cpus;
	struct buf b = {};

	buf_fmt(&b, "tap,id=net0,ifname=%s,script=no,downscript=no%s", o->tap,
		o->accel == ACCEL_KVM ? ",vhost=on" : "");
	if (multi)
		buf_fmt(&b, ",queues=%u", queues > MAX_TAP_QUEUES ? MAX_TAP_QUEUES : queues);
	return b.s;
}

/* A network beyond QEMU: a tap device, or a program behind a socket. */
static void add_outside(const struct options *o, struct strv *argv)
{
	bool tap = o->net == NET_TAP, multi = tap && tap_multi_queue(o->tap);
	/* Guests on one bridge must differ: the address follows the interface's name. */
	const char *where = tap ? o->tap : o->unix_socket;
	uint32_t h = fnv1a(FNV_START, where, strlen(where));
	char *device = xasprintf(",netdev=net0,mac=52:54:00:%02x:%02x:%02x%s%s", h >> 16 & 255,
		h >> 8 & 255, h & 255,
		o->machine == MACHINE_MICROVM ? "" : ",romfile=", multi ? ",mq=on" : "");

	strv_take(argv,
		tap ? tap_netdev(o, multi)
		    : xasprintf("stream,id=net0,server=off,addr.type=unix,addr.path=%s", where));
	add_device(o, argv, "virtio-net", device);
	free(device);
}

static void add_network(const struct options *o, struct strv *argv, struct buf *cmdline)
{
	char *dns = NULL, *ip;

	if (o->net == NET_NONE) {
		cmdline_word(cmdline, "ip=none");
		strv_add(argv, "-net");
		strv_add(argv, "none");
		return;
	}
	strv_add(argv, "-netdev");
	if (o->net == NET_USER) {
		strv_take(argv, user_netdev(o, &dns));
		add_device(o, argv, "virtio-net",
			o->machine == MACHINE_MICROVM ? ",netdev=net0" : ",netdev=net0,romfile=");
	} else {
		add_outside(o, argv);
	}
	if (o->ip6) {
		char *gateway = o->gateway6	     ? xstrdup(o->gateway6)
				: o->net == NET_USER ? in_network6(o->ip6, 2)
						     : NULL;

		ip = gateway ? xasprintf("%s,%s", o->ip6, gateway) : xstrdup(o->ip6);
		cmdline_add(cmdline, "ip6", ip);
		free(gateway);
		free(ip);
	}
	if (!o->ip) {
		cmdline_word(cmdline, "ip=dhcp");
		return;
	}
	ip = o->gateway		  ? xasprintf("%s,%s", o->ip, o->gateway)
	     : o->net == NET_USER ? xasprintf("%s,%s", o->ip, in_network(o->ip, 2))
				  : xstrdup(o->ip);
	cmdline_add(cmdline, "ip", ip);
	if (dns)
		cmdline_add(cmdline, "dns", dns);
	else
		host_name_servers(cmdline);
	free(ip);
	free(dns);
}

static void add_start(const struct options *o, const struct image *img, const struct channels *ch,
	struct buf *cmdline)
{
	const char *term = getenv("TERM");

	if (ch->tty) {
		cmdline_word(cmdline, "tty=1");
		if (ch->rows && ch->cols) {
			char *size = xasprintf("%ux%u", ch->rows, ch->cols);

			cmdline_add(cmdline, "winsize", size);
			free(size);
		}
		if (!options_env(o, "TERM")) {
			char *text = xasprintf("TERM=%s", term && *term ? term : "xterm");

			cmdline_add(cmdline, "env", text);
			free(text);
		}
	}
	if (!img->start_in_image) {
		start_format(&img->start, cmdline);
		return;
	}
	if (img->start.hostname)
		cmdline_add(cmdline, "hostname", img->start.hostname);
	for (size_t i = 0; i < img->start.other.n; i++)
		cmdline_word(cmdline, img->start.other.v[i]);
}

void qemu_command(const struct options *o, const struct image *img, const struct channels *ch,
	struct strv *argv)
{
	struct buf cmdline = {};
	bool kvm = o->accel == ACCEL_KVM;

	strv_take(argv, qemu_program());
	if (o->name) {
		struct buf name = {};

		for (const char *p = o->name; *p; p++)
			buf_fmt(&name, *p == ',' ? ",," : "%c", *p);
		strv_add(argv, "-name");
		strv_take(argv, name.s ? name.s : xstrdup("skiff"));
	}
	strv_add(argv, "-nodefaults");
	strv_add(argv, "-no-user-config");
	strv_add(argv, "-no-reboot");
	strv_add(argv, "-display");
	strv_add(argv, "none");
	strv_add(argv, "-M");
	strv_add(argv, machine_types[o->machine]);
	strv_add(argv, "-accel");
	strv_add(argv, kvm ? "kvm" : "tcg");
	strv_add(argv, "-cpu");
	strv_add(argv, kvm ? "host" : "max");
	strv_add(argv, "-smp");
	/*
	 * When only one CPU is possible, QEMU before 8.0 leaves out the guest's memory fences (TCG
	 * without CF_PARALLEL), although devices run in another thread: notifications get lost.
	 */
	strv_take(argv, xasprintf(!kvm && o->cpus == 1 ? "%u,maxcpus=2" : "%u", o->cpus));
	strv_add(argv, "-m");
	strv_take(argv, memory_text(memory_size(o, img)));
	if (o->machine != MACHINE_MICROVM) {
		/* Microvm's firmware does for the others too: the kernel needs no BIOS services,
		 * and SeaBIOS takes millions of instructions longer. */
		strv_add(argv, "-bios");
		strv_add(argv, "qboot.rom");
	} else {
		strv_add(argv, "-global");
		strv_add(argv, "virtio-mmio.force-legacy=false");
	}
	add_channels(o, ch, argv);
	strv_add(argv, "-object");
	strv_add(argv, "rng-builtin,id=rng0");
	add_device(o, argv, "virtio-rng", ",rng=rng0");
	if (o->verbose)
		cmdline_word(&cmdline, "loglevel=7");
	add_network(o, argv, &cmdline);
	add_start(o, img, ch, &cmdline);
	if (cmdline.len > MAX_CMDLINE)
		die(EXIT_SKIFF,
			"arguments and variables are longer than %d bytes together; an image "
			"takes more of them when it is built",
			MAX_CMDLINE);
	strv_add(argv, "-kernel");
	strv_take(argv, kernel_file());
	strv_add(argv, "-initrd");
	strv_add(argv, img->path);
	strv_add(argv, "-append");
	strv_take(argv, cmdline.s);
	for (size_t i = 0; i < o->qemu_args.n; i++)
		strv_add(argv, o->qemu_args.v[i]);
}
