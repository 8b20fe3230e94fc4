/* SPDX-License-Identifier: BSD-2-Clause */
/* What net/ asks of the layers above it: signals, credentials, names in the file tree, /proc/net.
 */

#include "syscall/socket_util.h"
#include "abi/stat.h"
#include "diag/log.h"
#include "fs/vnode.h"

static void send_sigpipe(void)
{
	signal_send_task(task_current(), SIGPIPE, NULL);
}

static void send_sigurg(struct file *f)
{
	struct process *p = f->owner_pid > 0 ? process_find((uint32_t)f->owner_pid) : NULL;

	if (!p)
		return;
	signal_send_process(p, SIGURG, NULL);
	process_put(p);
}

static void credentials(uint32_t *pid, uint32_t *uid, uint32_t *gid)
{
	struct process *p;

	if (thread_current()->kernel_thread)
		return;
	p = process_current();
	*pid = p->pid;
	*uid = p->cred.euid;
	*gid = p->cred.egid;
}

/* ---- UNIX socket paths: a node is the dentry's vnode, kept alive by the dentry ---- */

static struct path_context root_context(void)
{
	return (struct path_context){ .root = fs_root(), .cwd = fs_root(), .umask = 022 };
}

static int path_lookup(const struct path_context *c, const char *path, void **node)
{
	struct dentry *d;
	struct stat st;
	struct path_context root = root_context();
	int err;

	if (!c)
		c = &root;
	err = fs_stat(c, NULL, path, WALK_FOLLOW, &st);
	if (err)
		return err;
	if (!S_ISSOCK(st.st_mode))
		return -ECONNREFUSED;
	err = fs_access(c, NULL, path, 2 /* W_OK */, WALK_FOLLOW);
	if (err)
		return err;
	err = path_walk(c, NULL, path, WALK_FOLLOW, &d);
	if (err)
		return err;
	*node = d;
	return 0;
}

static int path_create(const struct path_context *c, const char *path, void **node)
{
	struct path_context root = root_context();
	int err;

	if (!c)
		c = &root;
	err = fs_mknod(c, NULL, path, S_IFSOCK | 0777, 0);
	if (err)
		return err;
	return path_lookup(c, path, node);
}

static void path_put(void *node)
{
	dentry_put(node);
}

static uint64_t path_identity(void *node)
{
	return (uint64_t)dentry_vnode(node);
}

static const struct unix_path_ops path_ops = {
	.create = path_create,
	.lookup = path_lookup,
	.put = path_put,
	.identity = path_identity,
};

/* ---- /etc/resolv.conf, /proc/net ---- */

static void write_resolv_conf(const char *text)
{
	struct path_context root = root_context();
	struct file *f;
	struct iter it;

	fs_mkdir(&root, NULL, "/etc", 0755);
	f = fs_open(
		&root, NULL, "/etc/resolv.conf", 0x241 /* O_WRONLY | O_CREAT | O_TRUNC */, 0644);
	if (IS_ERR(f)) {
		log_warn("/etc/resolv.conf cannot be written: %ld", -PTR_ERR(f));
		return;
	}
	iter_init_one(&it, (void *)text, strlen(text), false);
	file_write(f, &it);
	file_put(f);
}

/* Before the program's first instruction, unless the server was slow. */
static void take_hostname(const char *name)
{
	str_copy(process_hostname, name, sizeof(process_hostname));
}

struct proc_text {
	struct net_text t;
	struct text *out;
};

static void print_to_text(struct net_text *t, const char *line)
{
	text_write(((struct proc_text *)t)->out, line, strlen(line));
}

static int show(struct text *out, void *arg)
{
	struct proc_text p = { { print_to_text }, out };
	void (*fn)(struct net_text *) = arg;

	fn(&p.t);
	return 0;
}

void socket_hooks_init(void)
{
	net_sigpipe = send_sigpipe;
	net_sigurg = send_sigurg;
	net_credentials = credentials;
	net_resolv_conf = write_resolv_conf;
	net_hostname = take_hostname;
	unix_path_ops = &path_ops;
	procfs_add("net/tcp", 0444, show, NULL, net_show_tcp);
	procfs_add("net/udp", 0444, show, NULL, net_show_udp);
	procfs_add("net/unix", 0444, show, NULL, net_show_unix);
	procfs_add("net/ipconfig/ntp_servers", 0444, show, NULL, net_show_ntp_servers);
	procfs_add("net/dev", 0444, show, NULL, net_show_dev);
	procfs_add("net/route", 0444, show, NULL, net_show_route);
	procfs_add("net/arp", 0444, show, NULL, net_show_arp);
	procfs_add("net/raw", 0444, show, NULL, net_show_raw);
	procfs_add("net/igmp", 0444, show, NULL, net_show_igmp);
	procfs_add("net/tcp6", 0444, show, NULL, net_show_tcp6);
	procfs_add("net/udp6", 0444, show, NULL, net_show_udp6);
	procfs_add("net/icmp", 0444, show, NULL, net_show_icmp);
	procfs_add("net/icmp6", 0444, show, NULL, net_show_icmp6);
	procfs_add("net/raw6", 0444, show, NULL, net_show_raw6);
	procfs_add("net/if_inet6", 0444, show, NULL, net_show_if_inet6);
	procfs_add("net/ipv6_route", 0444, show, NULL, net_show_route6);
}
