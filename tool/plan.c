/* SPDX-License-Identifier: BSD-2-Clause */
/* What belongs into the image of a program: the base every program expects, the program with its
 * libraries, the files that were asked for, and how it starts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "preload.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
			     "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
			     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
static const char group[] = "root:x:0:\n"
			    "daemon:x:1:\n"
			    "tty:x:5:\n"
			    "www-data:x:33:\n"
			    "nogroup:x:65534:\n";
static const char nsswitch[] = "passwd: files\n"
			       "group: files\n"
			       "shadow: files\n"
			       "hosts: files dns\n"
			       "networks: files\n"
			       "protocols: files\n"
			       "services: files\n";

/* The host's @path with the links on the way, if it has it. */
static bool mirror_if_there(struct tree *t, const char *path)
{
	struct stat st;
	char *real;

	if (access(path, R_OK) < 0 || tree_mirror(t, path, &real, &st))
		return false;
	free(real);
	return true;
}

static void text_file(struct tree *t, const char *path, const char *text)
{
	tree_data(t, path, text, strlen(text), 0644);
}

static void plan_base(struct tree *t, const char *hostname)
{
	static const struct {
		const char *path;
		mode_t mode;
	} dirs[] = {
		{ "/dev", 0755 },
		{ "/etc", 0755 },
		{ "/home", 0755 },
		{ "/mnt", 0755 },
		{ "/proc", 0555 },
		{ "/root", 0700 },
		{ "/run", 0755 },
		{ "/sys", 0555 },
		{ "/tmp", 01777 },
		{ "/usr", 0755 },
		{ "/var", 0755 },
		{ "/var/tmp", 01777 },
		{ "/var/log", 0755 },
		{ "/var/lib", 0755 },
	};
	static const char *const host_dirs[] = { "/bin", "/sbin", "/lib", "/lib64" };
	static const char *const host_files[] = { "/etc/localtime", "/etc/services",
		"/etc/protocols" };
	char *text;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		tree_dir(t, dirs[i].path, dirs[i].mode);
	/* On a host with one /usr these are links, and paths in programs count on them. */
	for (size_t i = 0; i < sizeof(host_dirs) / sizeof(host_dirs[0]); i++)
		mirror_if_there(t, host_dirs[i]);
	tree_link(t, "/var/run", "/run");
	tree_link(t, "/etc/mtab", "/proc/self/mounts");
	text_file(t, "/etc/passwd", passwd);
	text_file(t, "/etc/group", group);
	text_file(t, "/etc/nsswitch.conf", nsswitch);
	text = xasprintf(
		"127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost\n", hostname);
	text_file(t, "/etc/hosts", text);
	free(text);
	text = xasprintf("%s\n", hostname);
	text_file(t, "/etc/hostname", text);
	free(text);
	for (size_t i = 0; i < sizeof(host_files) / sizeof(host_files[0]); i++)
		mirror_if_there(t, host_files[i]);
}

/* The kernel mounts its own file systems there: what the image holds would be hidden. */
static void check_place(const char *path)
{
	static const char *const own[] = { "/dev", "/proc", "/sys" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		size_t len = strlen(own[i]);

		if (!strncmp(path, own[i], len) && (!path[len] || path[len] == '/'))
			die(EXIT_SKIFF,
				"%s: the guest's %s is its own, nothing can be packed there; copy the "
				"file elsewhere, or use -f %s:/OTHER/PLACE",
				path, own[i], path);
	}
}

/* ---- -f and -v ---- */

struct adding {
	struct tree *tree;
	struct strv files; /* host paths of regular files, for their libraries */
	bool same_place;   /* the guest path is the host's */
};

static void file_seen(void *ctx, const char *host, const char *guest, bool link)
{
	struct adding *a = ctx;
	struct stat st;

	if (!link) {
		strv_add(&a->files, host);
		return;
	}
	/* A file that a link leads to comes along if it will be found there. */
	if (a->same_place && stat(host, &st) == 0 && S_ISREG(st.st_mode))
		mirror_if_there(a->tree, guest);
}

static void add_mapping(struct adding *a, const struct mapping *m, const char *cwd)
{
	char *host = path_clean(cwd, m->host), *guest, *failed = NULL, *real;
	struct stat st;
	int err;

	if (stat(host, &st) < 0)
		die(EXIT_SKIFF, "-f %s: %s", m->host, strerror(errno));
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		die(EXIT_SKIFF, "-f %s is neither a file nor a folder", m->host);
	a->same_place = !m->guest;
	if (!m->guest) {
		err = tree_mirror(a->tree, host, &real, &st);
		if (err)
			die(EXIT_SKIFF, "-f %s: %s", m->host, strerror(-err));
		guest = xstrdup(real);
	} else {
		real = realpath(host, NULL);
		if (!real)
			die(EXIT_SKIFF, "-f %s: %s", m->host, strerror(errno));
		guest = path_clean("/", m->guest);
		if (S_ISREG(st.st_mode) && m->guest[strlen(m->guest) - 1] == '/') {
			char *dir = guest;

			guest = path_clean(dir, path_base(host));
			free(dir);
		}
	}
	check_place(guest);
	err = tree_copy(a->tree, real, guest, file_seen, a, &failed);
	if (err)
		die(EXIT_SKIFF, "cannot read %s: %s%s", failed, strerror(-err),
			err == -EACCES ? " (run skiff as root, or leave the file out)" : "");
	free(host);
	free(guest);
	free(real);
}

/* ---- the program and how it starts ---- */

/* Where the program is on this machine, as a shell finds it. */
static char *find_program(const char *name, const char *cwd)
{
	char *found;

	if (!*name)
		die(EXIT_NOT_FOUND, "the program's name is empty");
	if (strchr(name, '/'))
		return path_clean(cwd, name);
	found = path_search(name);
	if (!found) {
		const char *path = getenv("PATH");

		/* sbin is not in an ordinary user's PATH, but servers are there. */
		static const char *const more[] = { "/usr/sbin", "/sbin", "/usr/local/sbin" };

		for (size_t i = 0; i < 3; i++) {
			struct stat st;

			found = xasprintf("%s/%s", more[i], name);
			if (!stat(found, &st) && S_ISREG(st.st_mode) && !access(found, X_OK))
				return found;
			free(found);
		}
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			die(EXIT_CANNOT_EXEC, "%s is a folder, not a program", name);
		die(EXIT_NOT_FOUND, "%s: not found in PATH (%s)%s", name, path ? path : "not set",
			access(name, F_OK) == 0 ? "; for the file here, write ./ before its name"
						: "");
	}
	if (found[0] != '/') {
		char *full = path_clean(cwd, found);

		free(found);
		found = full;
	}
	return found;
}

/* $PATH of the guest: the usual one, and the program's folder if it is elsewhere. */
static char *guest_path(const char *program)
{
	char *dir = path_dir(program), *copy = xstrdup(DEFAULT_PATH), *rest = copy, *part, *path;
	bool there = false;

	while ((part = strsep(&rest, ":")))
		there |= !strcmp(part, dir);
	path = xasprintf("PATH=%s%s%s", there ? "" : dir, there ? "" : ":", DEFAULT_PATH);
	free(copy);
	free(dir);
	return path;
}

/* LD_LIBRARY_PATH for the guest, whose working folder is another: relative parts made absolute. */
static char *library_paths(const char *paths)
{
	char *cwd = getcwd(NULL, 0), *copy = xstrdup(paths), *rest = copy, *part;
	struct buf b = {};

	buf_str(&b, "LD_LIBRARY_PATH=");
	for (bool first = true; (part = strsep(&rest, ":;")); first = false) {
		char *full = *part == '/' || *part == '$' ? xstrdup(part)
							  : path_clean(cwd ? cwd : "/", part);

		buf_fmt(&b, "%s%s", first ? "" : ":", full);
		free(full);
	}
	free(copy);
	free(cwd);
	return b.s;
}

static void plan_start(
	const struct options *o, const char *program, bool library_path, struct start *s)
{
	const char *paths = getenv("LD_LIBRARY_PATH");
	char *path = guest_path(program), *text;

	*s = (struct start){};
	/* A name without a slash is found in the guest's PATH, so that argv[0] is as typed. */
	strv_add(&s->args, strchr(o->args[0], '/') ? program : o->args[0]);
	for (int i = 1; i < o->nargs; i++)
		strv_add(&s->args, o->args[i]);
	start_set_env(s, path);
	start_set_env(s, "HOME=/root");
	if (library_path) {
		text = library_paths(paths);
		start_set_env(s, text);
		free(text);
	}
	for (size_t i = 0; i < o->env.n; i++)
		start_set_env(s, o->env.v[i]);
	if (!strchr(o->args[0], '/') && options_env(o, "PATH")) {
		/* -e PATH may lead elsewhere: then only the full name is sure. */
		free(s->args.v[0]);
		s->args.v[0] = xstrdup(program);
	}
	s->workdir = o->workdir ? xstrdup(o->workdir) : NULL;
	s->hostname = o->hostname ? xstrdup(o->hostname) : NULL; /* then DHCP may say one */
	for (size_t i = 0; i < o->kernel_args.n; i++)
		strv_add(&s->other, o->kernel_args.v[i]);
	free(path);
}

static void plan_content(
	struct tree *t, const struct closure *c, const char *program, const char *loader)
{
	struct buf b = {};

	cmdline_add(&b, "program", program);
	if (loader)
		cmdline_add(&b, "loader", loader);
	for (size_t i = 0; i < c->libraries.n; i++)
		cmdline_add(&b, "library", c->libraries.v[i]);
	buf_str(&b, "\n");
	tree_data(t, IMAGE_CONTENT, b.s, b.len, 0644);
	buf_free(&b);
}

struct tree *image_plan(const struct options *o, struct start *start)
{
	char *cwd = getcwd(NULL, 0), *program, *loader = NULL;
	struct tree *t = tree_new();
	struct adding a = { .tree = t };
	struct closure c;

	if (!cwd)
		die(EXIT_SKIFF, "the current folder is gone");
	program = find_program(o->args[0], cwd);
	check_place(program);
	plan_base(t, o->hostname ? o->hostname : "skiff");
	closure_init(&c, t);
	closure_add_program(&c, program);
	if (c.n && c.object[0]->facts.interp)
		loader = xstrdup(c.object[0]->facts.interp);
	for (size_t i = 0; i < o->nfile; i++)
		add_mapping(&a, &o->file[i], cwd);
	for (size_t i = 0; i < a.files.n; i++)
		closure_add_file(&c, a.files.v[i]);
	closure_finish(&c);
	if (!o->no_preload)
		preload_plan(t, &c);
	for (size_t i = 0; i < c.warnings.n; i++) {
		if (o->verbose || c.warnings.n <= 3)
			warn("%s", c.warnings.v[i]);
	}
	if (!o->verbose && c.warnings.n > 3)
		warn("%zu libraries that files given with -f need are missing; -V lists them",
			c.warnings.n);
	if (o->workdir && !tree_find(t, o->workdir))
		tree_dir(t, o->workdir, 0755);
	plan_start(o, program, c.used_library_path, start);
	plan_content(t, &c, program, loader);
	closure_free(&c);
	strv_free(&a.files);
	free(loader);
	free(program);
	free(cwd);
	return t;
}
