/* SPDX-License-Identifier: BSD-2-Clause */
/* The closure of a program's libraries, found as the dynamic loader finds them; see closure.h. */
#include "closure.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LD_CACHE       "/etc/ld.so.cache"
#define MAX_CACHE      (64u << 20)
#define MAX_OBJECTS    4096
#define MAX_SHEBANG    4
#define GCC_LIBRARY    "libgcc_s.so.1"
#define MUSL_PATH_FILE "/etc/ld-musl-x86_64.path"

/* ---- the places to search ---- */

static void split_paths(struct strv *out, const char *list, const char *separators)
{
	const char *p = list;

	for (;;) {
		size_t len = strcspn(p, separators);

		strv_take(out, len ? xstrndup(p, len) : xstrdup("."));
		if (!p[len])
			return;
		p += len + 1;
	}
}

static void init_musl_dirs(struct closure *c)
{
	size_t len;
	char *text;

	if (file_read(MUSL_PATH_FILE, 1 << 16, &text, &len)) {
		split_paths(&c->musl_dirs, "/lib:/usr/local/lib:/usr/lib", ":");
		return;
	}
	while (len && strchr("\n: ", text[len - 1]))
		text[--len] = 0;
	split_paths(&c->musl_dirs, text, ":\n");
	free(text);
}

void closure_init(struct closure *c, struct tree *tree)
{
	static const char *const dirs[] = { "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
		"/lib64", "/usr/lib64", "/lib", "/usr/lib" };
	const char *env = getenv("LD_LIBRARY_PATH");
	size_t len;
	char *data;

	*c = (struct closure){ .tree = tree };
	if (!file_read(LD_CACHE, MAX_CACHE, &data, &len) && ldcache_parse(data, len, &c->cache))
		warn("%s is not in a format I know; run ldconfig to write it again", LD_CACHE);
	if (env && *env)
		split_paths(&c->library_path, env, ":;");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		strv_add(&c->default_dirs, dirs[i]);
	init_musl_dirs(c);
}

static void forget_objects(struct closure *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct object *o = c->object[i];

		elf_facts_free(&o->facts);
		strv_free(&o->names);
		free(o->path);
		free(o->origin);
		free(o);
	}
	c->n = 0;
}

void closure_free(struct closure *c)
{
	forget_objects(c);
	free(c->object);
	ldcache_free(&c->cache);
	strv_free(&c->library_path);
	strv_free(&c->default_dirs);
	strv_free(&c->musl_dirs);
	strv_free(&c->libraries);
	strv_free(&c->warnings);
}

/* ---- objects ---- */

static struct object *object_add(struct closure *c, const char *path, struct elf_facts *facts,
	struct object *loader, const struct stat *st)
{
	struct object *o = xcalloc(1, sizeof(*o));

	if (c->n == MAX_OBJECTS)
		die(EXIT_SKIFF, "%s: more than %d libraries", path, MAX_OBJECTS);
	o->path = xstrdup(path);
	o->origin = path_dir(path);
	o->facts = *facts;
	o->loader = loader;
	o->dev = st->st_dev;
	o->ino = st->st_ino;
	if (c->n == c->room) {
		c->room = c->room * 2 + 16;
		c->object = xrealloc(c->object, c->room * sizeof(*c->object));
	}
	c->object[c->n++] = o;
	return o;
}

static struct object *object_by_name(struct closure *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++) {
		struct object *o = c->object[i];

		if (strv_has(&o->names, name) ||
			(o->facts.soname && !strcmp(o->facts.soname, name)))
			return o;
	}
	return NULL;
}

/* Opens @path if the loader would take it: an ELF file for this machine. */
static bool open_library(const char *path, struct elf_facts *f, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return false;
	err = fstat(fd, st) < 0 || !S_ISREG(st->st_mode) ? -EINVAL : elf_read(fd, f);
	close(fd);
	if (err)
		return false;
	if (!elf_is_ours(f) || f->type != ET_DYN) {
		elf_facts_free(f);
		return false;
	}
	return true;
}

/* $ORIGIN, $LIB and $PLATFORM, with or without braces. */
static char *expand_tokens(const char *s, const char *origin)
{
	static const char *const names[] = { "ORIGIN", "LIB", "PLATFORM" };
	const char *const values[] = { origin, "lib/x86_64-linux-gnu", "x86_64" };
	struct buf b = {};

	while (*s) {
		bool hit = false;

		for (size_t i = 0; *s == '$' && !hit && i < 3; i++) {
			size_t brace = s[1] == '{', len = strlen(names[i]);

			if (strncmp(s + 1 + brace, names[i], len) || (brace && s[2 + len] != '}'))
				continue;
			buf_str(&b, values[i]);
			s += 1 + len + 2 * brace;
			hit = true;
		}
		if (!hit)
			buf_add(&b, s++, 1);
	}
	buf_add(&b, "", 0);
	return b.s;
}

static bool search_dir(
	const char *dir, const char *name, struct elf_facts *f, struct stat *st, char **path)
{
	char *cwd = getcwd(NULL, 0), *full;
	bool hit;

	full = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
	/* The loader keeps the path as it was put together; only relative ones are completed. */
	*path = full[0] == '/' ? xstrdup(full) : path_clean(cwd ? cwd : "/", full);
	free(full);
	free(cwd);
	hit = open_library(*path, f, st);
	if (!hit)
		free(*path);
	return hit;
}

static bool search_list(const char *list, const struct object *owner, const char *name,
	struct elf_facts *f, struct stat *st, char **path)
{
	struct strv dirs = {};
	bool hit = false;

	split_paths(&dirs, list, ":");
	for (size_t i = 0; !hit && i < dirs.n; i++) {
		char *dir = expand_tokens(dirs.v[i], owner->origin);

		hit = search_dir(dir, name, f, st, path);
		free(dir);
	}
	strv_free(&dirs);
	return hit;
}

static bool search_strv(const struct strv *dirs, const char *name, struct elf_facts *f,
	struct stat *st, char **path)
{
	for (size_t i = 0; i < dirs->n; i++) {
		if (search_dir(dirs->v[i], name, f, st, path))
			return true;
	}
	return false;
}

static bool search_library_path(
	struct closure *c, const char *name, struct elf_facts *f, struct stat *st, char **path)
{
	if (!search_strv(&c->library_path, name, f, st, path))
		return false;
	c->used_library_path = true;
	return true;
}

/* ld.so(8), "If filename does not contain a slash", steps 1 to 5. */
static bool search_glibc(struct closure *c, const char *name, struct object *by,
	struct elf_facts *f, struct stat *st, char **path)
{
	const char *cached;

	if (!by->facts.runpath) {
		for (struct object *o = by; o; o = o->loader) {
			if (o->facts.rpath && !o->facts.runpath &&
				search_list(o->facts.rpath, o, name, f, st, path))
				return true;
		}
	}
	if (search_library_path(c, name, f, st, path))
		return true;
	if (by->facts.runpath && search_list(by->facts.runpath, by, name, f, st, path))
		return true;
	if (by->facts.nodeflib)
		return false;
	cached = ldcache_find(&c->cache, name);
	if (cached && open_library(cached, f, st)) {
		*path = xstrdup(cached);
		return true;
	}
	return search_strv(&c->default_dirs, name, f, st, path);
}

/* musl: ldso/dynlink.c takes both kinds of run path of every object up the chain. */
static bool search_musl(struct closure *c, const char *name, struct object *by, struct elf_facts *f,
	struct stat *st, char **path)
{
	if (search_library_path(c, name, f, st, path))
		return true;
	for (struct object *o = by; o; o = o->loader) {
		const char *list = o->facts.runpath ? o->facts.runpath : o->facts.rpath;

		if (list && search_list(list, o, name, f, st, path))
			return true;
	}
	return search_strv(&c->musl_dirs, name, f, st, path);
}

/* Names that musl's loader answers itself. */
static bool musl_builtin(const char *name)
{
	static const char *const parts[] = { "c.", "pthread.", "rt.", "m.", "dl.", "util.",
		"xnet." };

	if (!str_starts(name, "lib"))
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (str_starts(name + 3, parts[i]))
			return true;
	}
	return false;
}

static bool search(struct closure *c, const char *name, struct object *by, struct elf_facts *f,
	struct stat *st, char **path)
{
	char *expanded;
	bool hit;

	if (strchr(name, '/')) {
		expanded = expand_tokens(name, by->origin);
		hit = search_dir(".", expanded, f, st, path);
		free(expanded);
		return hit;
	}
	return c->musl ? search_musl(c, name, by, f, st, path)
		       : search_glibc(c, name, by, f, st, path);
}

static void mirror(struct closure *c, const char *path)
{
	struct stat st;
	char *real;
	int err = tree_mirror(c->tree, path, &real, &st);

	if (err)
		die(EXIT_SKIFF, "cannot read %s: %s", path, strerror(-err));
	free(real);
}

/* One library by name. False if it cannot be found. */
static bool load(struct closure *c, const char *name, struct object *by)
{
	struct object *o = object_by_name(c, name);
	struct elf_facts facts;
	struct stat st;
	char *path;

	if (o || (c->musl && musl_builtin(name)))
		return true;
	if (!search(c, name, by, &facts, &st, &path))
		return false;
	mirror(c, path);
	for (size_t i = 0; i < c->n && !o; i++) {
		if (c->object[i]->dev == st.st_dev && c->object[i]->ino == st.st_ino)
			o = c->object[i];
	}
	if (o) {
		elf_facts_free(&facts);
	} else {
		o = object_add(c, path, &facts, by, &st);
		if (!strv_has(&c->libraries, path))
			strv_add(&c->libraries, path);
	}
	strv_add(&o->names, name);
	free(path);
	return true;
}

/* Loads what the objects from @first on need, breadth first as the loader does. With @program, a
 * missing library is the end; else a warning. */
static void load_needed(struct closure *c, size_t first, bool program)
{
	for (size_t i = first; i < c->n; i++) {
		struct object *o = c->object[i];

		for (size_t k = 0; k < o->facts.auxiliary.n; k++)
			load(c, o->facts.auxiliary.v[k], o);
		for (size_t k = 0; k < o->facts.needed.n; k++) {
			const char *name = o->facts.needed.v[k];

			if (load(c, name, o))
				continue;
			if (program)
				die(EXIT_SKIFF,
					"%s needs the library %s, which is not on this machine\n"
					"skiff: install the package that has it, or name its folder in "
					"LD_LIBRARY_PATH",
					o->path, name);
			strv_take(&c->warnings,
				xasprintf("%s needs the library %s, which is not on this machine",
					o->path, name));
		}
	}
}

/* ---- programs ---- */

static void load_interp(struct closure *c, const char *program, const char *interp)
{
	struct elf_facts facts;
	struct stat st;
	struct object *o;

	if (access(interp, F_OK) < 0)
		die(EXIT_NOT_FOUND,
			"%s needs the dynamic loader %s, which is not on this machine\n"
			"skiff: install the C library it was built for%s",
			program, interp, strstr(interp, "musl") ? " (apt install musl)" : "");
	if (!open_library(interp, &facts, &st))
		die(EXIT_CANNOT_EXEC, "%s: its dynamic loader %s is not for 64-bit x86", program,
			interp);
	mirror(c, interp);
	o = object_add(c, interp, &facts, c->object[0], &st);
	strv_add(&o->names, path_base(interp));
	c->musl = str_starts(path_base(interp), "ld-musl");
}

static void add_elf(struct closure *c, const char *path, struct elf_facts *facts, struct stat *st)
{
	char *real = realpath(path, NULL);
	struct object *o;

	if (facts->type != ET_EXEC && facts->type != ET_DYN)
		die(EXIT_CANNOT_EXEC, "%s is not a program but an object or core file", path);
	if (facts->type == ET_DYN && !facts->interp && facts->needed.n)
		die(EXIT_CANNOT_EXEC, "%s is a shared library, not a program", path);
	forget_objects(c);
	o = object_add(c, path, facts, NULL, st);
	if (real) { /* the loader asks /proc/self/exe, which knows no links */
		free(o->origin);
		o->origin = path_dir(real);
		free(real);
	}
	if (!facts->interp)
		return;
	load_interp(c, path, facts->interp);
	load_needed(c, 0, true);
}

/* The words of a #! line. */
static int read_shebang(int fd, struct strv *words)
{
	char line[256], *p;
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);
	size_t len;

	if (n < 2 || line[0] != '#' || line[1] != '!')
		return -ENOEXEC;
	line[n] = 0;
	len = strcspn(line, "\n");
	line[len] = 0;
	for (p = strtok(line + 2, " \t\r"); p; p = strtok(NULL, " \t\r"))
		strv_add(words, p);
	return words->n ? 0 : -ENOEXEC;
}

static void add_program(struct closure *c, const char *path, int depth);

static void add_script(struct closure *c, const char *path, const struct strv *words, int depth)
{
	const char *interp = words->v[0];
	char *found;

	if (depth == MAX_SHEBANG)
		die(EXIT_CANNOT_EXEC, "%s: too many interpreters, one after the other", path);
	if (interp[0] != '/' || access(interp, F_OK) < 0)
		die(EXIT_NOT_FOUND, "%s is a script for %s, which is not on this machine", path,
			interp);
	add_program(c, interp, depth + 1);
	if (strcmp(path_base(interp), "env"))
		return;
	for (size_t i = 1; i < words->n; i++) {
		if (words->v[i][0] == '-' || strchr(words->v[i], '='))
			continue;
		found = path_search(words->v[i]);
		if (!found)
			die(EXIT_NOT_FOUND, "%s is a script for %s, which is not in PATH", path,
				words->v[i]);
		add_program(c, found, depth + 1);
		free(found);
		return;
	}
}

static void add_program(struct closure *c, const char *path, int depth)
{
	struct strv words = {};
	struct elf_facts facts;
	struct stat st;
	char *real;
	int fd, err;

	err = tree_mirror(c->tree, path, &real, &st);
	if (err)
		die(err == -EACCES ? EXIT_CANNOT_EXEC : EXIT_NOT_FOUND, "%s: %s", path,
			strerror(-err));
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		die(EXIT_CANNOT_EXEC, "%s is %s", path,
			S_ISDIR(st.st_mode)    ? "a folder, not a program"
			: !S_ISREG(st.st_mode) ? "no regular file, and so no program"
					       : "not executable (chmod +x makes it so)");
	fd = open(real, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(EXIT_CANNOT_EXEC, "cannot read %s: %s", real, strerror(errno));
	err = elf_read(fd, &facts);
	if (err == -ENOEXEC) {
		if (read_shebang(fd, &words))
			die(EXIT_CANNOT_EXEC, "%s is neither an ELF program nor a script with #!",
				path);
		add_script(c, path, &words, depth);
		strv_free(&words);
	} else if (err) {
		die(EXIT_CANNOT_EXEC, "%s is a broken or cut off ELF file", path);
	} else if (!elf_is_ours(&facts)) {
		die(EXIT_CANNOT_EXEC,
			"%s is a program for %s; skiff runs programs for 64-bit x86 only", path,
			elf_describe(&facts));
	} else {
		add_elf(c, path, &facts, &st);
	}
	close(fd);
	free(real);
}

void closure_add_program(struct closure *c, const char *path)
{
	add_program(c, path, 0);
}

void closure_add_file(struct closure *c, const char *host)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC);
	struct elf_facts facts;
	struct stat st;
	size_t first = c->n;
	bool musl = c->musl, elf;
	char magic[4];

	if (fd < 0)
		return;
	elf = pread(fd, magic, 4, 0) == 4 && !memcmp(magic, ELFMAG, 4) && !fstat(fd, &st) &&
	      !elf_read(fd, &facts);
	close(fd);
	if (!elf)
		return;
	if (!elf_is_ours(&facts) || (facts.type != ET_EXEC && facts.type != ET_DYN)) {
		elf_facts_free(&facts);
		return;
	}
	object_add(c, host, &facts, first ? c->object[0] : NULL, &st);
	/* A library is opened in the program's address space; a second program has its own, but
	 * would find the same files by the same names. */
	if (facts.interp && access(facts.interp, F_OK) == 0) {
		mirror(c, facts.interp);
		c->musl = str_starts(path_base(facts.interp), "ld-musl");
	}
	load_needed(c, first, false);
	c->musl = musl;
}

static bool in_tree(const char *path, void *ctx)
{
	struct tree_node *n = tree_find(ctx, path);

	return n && n->kind == TREE_FILE;
}

void closure_finish(struct closure *c)
{
	bool threads = false, glibc = false;
	struct buf cache = {};

	for (size_t i = 0; i < c->n; i++) {
		const char *soname = c->object[i]->facts.soname;

		if (soname && !strcmp(soname, "libc.so.6"))
			glibc = true;
		else
			threads |= c->object[i]->facts.threads;
	}
	if (glibc && threads && load(c, GCC_LIBRARY, c->object[0]))
		load_needed(c, c->n - 1, false);
	if (!c->cache.n || !glibc)
		return;
	ldcache_write(&c->cache, in_tree, c->tree, &cache);
	tree_data(c->tree, LD_CACHE, cache.s, cache.len, 0644);
	buf_free(&cache);
}
