/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first process of the Linux guest that Skiff is measured against: mounts what programs
 * expect, inserts the modules named in /modules, configures lo and, if there were modules, eth0,
 * runs the command it was given, and powers off.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* How many were named. */
static int load_modules(void)
{
	int count = 0;
	char path[256];
	FILE *list = fopen("/modules", "r");

	while (list && fscanf(list, "%255s", path) == 1) {
		int fd = open(path, O_RDONLY);

		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			perror(path);
		close(fd);
		count++;
	}
	return count;
}

static void set_address(int s, const char *name, unsigned long request, const char *address)
{
	struct ifreq r = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	if (ioctl(s, request, &r))
		perror(name);
}

static int bring_up(int s, const char *name)
{
	struct ifreq r = { 0 };

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &r);
}

static void configure_network(int has_card)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct sockaddr_in *gateway = (struct sockaddr_in *)&route.rt_gateway;

	bring_up(s, "lo");
	if (!has_card)
		return;
	set_address(s, "eth0", SIOCSIFADDR, "10.0.2.15");
	set_address(s, "eth0", SIOCSIFNETMASK, "255.255.255.0");
	bring_up(s, "eth0");
	gateway->sin_family = route.rt_dst.sa_family = route.rt_genmask.sa_family = AF_INET;
	inet_pton(AF_INET, "10.0.2.2", &gateway->sin_addr);
	ioctl(s, SIOCADDRT, &route);
	close(s);
}

int main(int argc, char **argv)
{
	int status;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0777);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	configure_network(load_modules());
	if (argc > 1 && fork() == 0) {
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	wait(&status);
	reboot(RB_POWER_OFF);
	return 0;
}
