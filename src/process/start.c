/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Process 1: made from the command line's arg=, env= and workdir= tokens. Its task itself opens the
 * files and runs the program, so that boot need not wait for either.
 */

#include "process/impl.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "cpu/context.h"
#include "diag/log.h"
#include "drivers/drivers.h"
#include "lib/bug.h"
#include "lib/cmdline.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "net/net.h"

#define CMDLINE_FILE   "/.skiff/cmdline"
#define NOT_FOUND      127 /* statuses as a shell gives them */
#define NOT_EXECUTABLE 126
#define DEFAULT_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define NETWORK_WAIT (3 * NSEC_PER_SEC) /* for an address; then the program starts without one */

struct start {
	char *line;	     /* all tokens */
	char **argv, **envp; /* NULL-terminated, on the heap, with what they point to */
};

static __noreturn void give_up(int status)
{
	process_exit_group(status << 8);
}

static __noreturn void no_memory(void)
{
	log_err("no memory to start the program");
	give_up(NOT_EXECUTABLE);
}

/* The values of all tokens of this key, and room for more of them. In one pass: there may be
 * thousands. */
static char **token_list(const char *line, const char *key, unsigned extra)
{
	unsigned n = 0, room = 16 + extra;
	char **list = heap_alloc(room * sizeof(*list));
	size_t size = strlen(line) + 1;
	char *value = heap_alloc(size);

	if (!list || !value)
		no_memory();
	while (cmdline_next(&line, key, value, size) >= 0) {
		if (n + extra + 1 >= room) {
			room *= 2;
			list = heap_resize(list, room * sizeof(*list));
			if (!list)
				no_memory();
		}
		list[n] = heap_strdup(value);
		if (!list[n++])
			no_memory();
	}
	heap_free(value);
	list[n] = NULL;
	return list;
}

static void free_list(char **list)
{
	for (char **v = list; *v; v++)
		heap_free(*v);
	heap_free(list);
}

/* ---- the command line ---- */

/* All of a file, or as much as can be read; NULL: no memory. */
static char *read_whole(struct file *f, size_t *len)
{
	size_t room = KIB(16);
	char *text = heap_alloc(room);
	struct iter it;
	ssize_t got;

	*len = 0;
	while (text) {
		iter_init_one(&it, text + *len, room - *len, false);
		got = file_read(f, &it);
		if (got <= 0)
			return text;
		*len += got;
		if (*len == room)
			text = heap_resize(text, room *= 2);
	}
	return NULL;
}

/* The image's own tokens, in front of those of the boot loader; or just the latter. */
static char *whole_line(const char *cmdline)
{
	struct path_context c = process_path_context();
	size_t len, more = strlen(cmdline) + 1;
	const char *behind = cmdline;
	struct file *f;
	char *line;

	(void)cmdline_next(&behind, "arg", NULL, 0);
	if (behind != cmdline)
		return heap_strdup(cmdline);
	f = fs_open(&c, NULL, CMDLINE_FILE, O_RDONLY, 0);
	if (IS_ERR(f))
		return heap_strdup(cmdline);
	line = read_whole(f, &len);
	file_put(f);
	if (line)
		line = heap_resize(line, len + 1 + more);
	if (!line)
		no_memory();
	line[len] = ' ';
	str_copy(line + len + 1, cmdline, more);
	return line;
}

static const char *env_get(char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; *envp; envp++)
		if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static void env_default(char **envp, const char *name, const char *value)
{
	unsigned n = 0;
	size_t size = strlen(name) + strlen(value) + 2;

	if (env_get(envp, name))
		return;
	while (envp[n])
		n++;
	envp[n] = heap_alloc(size);
	if (!envp[n])
		no_memory();
	format(envp[n], size, "%s=%s", name, value);
	envp[n + 1] = NULL;
}

static void parse(struct start *s, const char *cmdline)
{
	s->line = whole_line(cmdline);
	if (!s->line)
		no_memory();
	(void)cmdline_get(s->line, "hostname", 0, process_hostname, sizeof(process_hostname));
	s->argv = token_list(s->line, "arg", 0);
	s->envp = token_list(s->line, "env", 4);
	env_default(s->envp, "PATH", DEFAULT_PATH);
	env_default(s->envp, "HOME", "/root");
	if (cmdline_get_u64(s->line, "tty", 0))
		env_default(s->envp, "TERM", "xterm");
}

/* ---- running it ---- */

static void enter_workdir(const struct start *s)
{
	struct process *p = process_current();
	struct path_context c = process_path_context();
	char **list = token_list(s->line, "workdir", 0), *dir = list[0];
	struct dentry *d;
	int err;

	if (!dir)
		goto out;
	err = path_walk(&c, NULL, dir, WALK_FOLLOW | WALK_DIRECTORY, &d);
	if (err) {
		log_err("cannot enter the working directory %s: error %d", dir, -err);
		give_up(NOT_EXECUTABLE);
	}
	dentry_put(p->cwd);
	p->cwd = d;
out:
	free_list(list);
}

static void open_stdio(void)
{
	for (int fd = 0; fd < 3; fd++) {
		struct file *f = fs_stdio_open(fd);

		if (IS_ERR(f) || fd_install(process_current()->fds, f, fd, false) != fd)
			no_memory();
	}
}

static int exec_path(const struct start *s, const char *path)
{
	struct exec_request r = { .path = path, .name = path, .argv = s->argv, .envp = s->envp };

	return process_exec(&r);
}

/* execve, or as execvp with a name that has no slash. Returns only errors worth reporting. */
static int run(const struct start *s)
{
	const char *name = s->argv[0], *path = env_get(s->envp, "PATH");
	size_t size = strlen(name) + strlen(path) + 2;
	char *full;
	int err = -ENOENT;

	if (strchr(name, '/'))
		return exec_path(s, name);
	full = heap_alloc(size);
	if (!full)
		no_memory();
	while (path) {
		const char *colon = strchr(path, ':');
		int len = colon ? colon - path : (int)strlen(path), one;

		if (len == 0)
			format(full, size, "%s", name);
		else
			format(full, size, "%.*s/%s", len, path, name);
		one = exec_path(s, full);
		if (one != -ENOENT && one != -ENOTDIR && one != -EACCES) {
			err = one;
			break;
		}
		if (one == -EACCES)
			err = one;
		path = colon ? colon + 1 : NULL;
	}
	heap_free(full);
	return err;
}

static __noinline void start_program(const char *cmdline)
{
	struct start s;
	int err;

	parse(&s, cmdline);
	if (!s.argv[0]) {
		log_err("no program to run: the command line has no arg= and the root image no %s",
			CMDLINE_FILE);
		give_up(NOT_FOUND);
	}
	enter_workdir(&s);
	open_stdio();
	err = run(&s);
	net_wait_configured(NETWORK_WAIT); /* DHCP ran while the program was loaded */
	if (err == -ENOENT || err == -ENOTDIR) {
		log_err("%s: program not found", s.argv[0]);
		give_up(NOT_FOUND);
	}
	if (err) {
		log_err("%s: cannot be executed: error %d", s.argv[0], -err);
		give_up(NOT_EXECUTABLE);
	}
	free_list(s.argv);
	free_list(s.envp);
	heap_free(s.line);
}

/* ---- signals from outside ---- */

static struct process *first;
static void (*next_control)(const char *line);

/* "signal N" for the first process; other lines are somebody else's. */
static void control_line(const char *line)
{
	uint64_t sig;

	if (strncmp(line, "signal ", 7) == 0) {
		siginfo_t info = { .si_code = SI_USER };

		if (str_to_u64(line + 7, 10, &sig) && sig >= 1 && sig <= NSIG)
			(void)signal_send_process(first, sig, &info);
		return;
	}
	if (next_control)
		next_control(line);
}

void process_start_first(const char *cmdline)
{
	struct process *p = process_create();
	struct task *t = p ? task_create(p, "init") : NULL;

	if (!t) {
		log_err("no memory for the first process");
		machine_power_off();
	}
	p->pid = p->pgid = p->sid = t->thread.id;
	p->root = p->cwd = fs_root();
	dentry_get(p->root);
	dentry_get(p->cwd);
	cpu_fpu_init_area(t->thread.context.fpu);
	t->start = start_program;
	t->start_arg = cmdline;
	first = p;
	fs_tty_group = (int)p->pgid;
	next_control = stdio_control;
	stdio_control = control_line;
	task_start(t);
}
