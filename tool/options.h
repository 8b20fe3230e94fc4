/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of skiff run, build and inspect, decoded and checked. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include "util.h"

enum machine { MACHINE_MICROVM, MACHINE_Q35, MACHINE_PC };
enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };
enum net { NET_USER, NET_TAP, NET_UNIX, NET_NONE };

struct publish {
	char address[64]; /* "" is every address of the host */
	unsigned int host, guest;
	bool udp;
};

struct mapping { /* -f, -v: a host path and where it is in the guest */
	char *host, *guest;
};

struct options {
	unsigned int cpus;
	uint64_t memory; /* bytes; 0: not given */
	struct publish *publish;
	size_t npublish;
	struct mapping *file;
	size_t nfile;
	struct strv env;     /* K=V in the order given; last one wins */
	const char *workdir; /* NULL: not given */
	const char *hostname, *name;
	enum net net;
	const char *tap;	 /* the interface, for NET_TAP */
	const char *unix_socket; /* its path, for NET_UNIX */
	char *ip, *gateway;	 /* "10.0.0.2/24"; NULL: DHCP, no gateway */
	char *ip6, *gateway6;	 /* "2001:db8::2/64"; NULL: what routers say, no gateway */
	enum machine machine;
	enum accel accel;
	struct strv kernel_args, qemu_args;
	bool dry_run, verbose;
	bool no_preload;    /* the image goes without libskiff.so */
	const char *output; /* build -o */
	char **args;	    /* PROGRAM|IMAGE and its arguments */
	int nargs;
};

/* Decodes the options of @command ("run", "build", "inspect") from argv[1..]; dies with a sentence
 * about the first one that is wrong, or after printing the help that was asked for. */
void options_parse(const char *command, int argc, char **argv, struct options *o);

/* The value that -e gave for @key, else NULL. */
const char *options_env(const struct options *o, const char *key);

/* "ADDR/LEN[,GW]" checked; sets o->ip and o->gateway, or o->ip6 and o->gateway6. -EINVAL. Public
 * for its test. */
int options_parse_ip(const char *s, struct options *o);
/* "[ADDR:]HOST:GUEST[/udp|/tcp]". -EINVAL. */
int options_parse_publish(const char *s, struct publish *p);
/* "512M", "1G", "64K", "256" (MiB). -EINVAL. */
int options_parse_size(const char *s, uint64_t *bytes);

#endif
