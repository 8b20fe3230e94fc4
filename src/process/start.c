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

#define CMDLINE_FILE	  "/.skiff/cmdline"
#define CMDLINE_FILE_SIZE KIB(64)
#define NOT_FOUND	  127 /* statuses as a shell gives them */
#define NOT_EXECUTABLE	  126
#define DEFAULT_PATH	  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* NULL-terminated, on the heap, with what they point to. */
#define NETWORK_WAIT (3 * NSEC_PER_SEC) /* for an address; then the program starts without one */

struct start {
	char *line; /* all tokens */
	char **argv, **envp;
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

/* The value of the n-th token 'key', on the heap; NULL: there is none. */
static char *token(const char *line, const char *key, unsigned n)
{
	size_t size = strlen(line) + 1;
	char *value = heap_alloc(size), *copy;

	if (!value)
		no_memory();
	if (cmdline_get(line, key, n, value, size) < 0) {
		heap_free(value);
		return NULL;
	}
	copy = heap_strdup(value);
	heap_free(value);
	if (!copy)
		no_memory();
	return copy;
}

static char **token_list(const char *line, const char *key, unsigned extra)
{
	unsigned n = 0, room = 16 + extra;
	char **list = heap_alloc(room * sizeof(*list));

	for (; list; n++) {
		if (n + extra + 1 >= room) {
			room *= 2;
			list = heap_resize(list, room * sizeof(*list));
			if (!list)
				break;
		}
		list[n] = token(line, key, n);
		if (!list[n])
			return list;
	}
	no_memory();
}

/* ---- the command line ---- */

/* The image's own tokens, in front of those of the boot loader; or just the latter. */
static char *whole_line(const char *cmdline)
{
	struct path_context c = process_path_context();
	size_t size = CMDLINE_FILE_SIZE + strlen(cmdline) + 2;
	struct file *f;
	struct iter it;
	char *line;
	ssize_t got;
	char probe[2];

	if (cmdline_get(cmdline, "arg", 0, probe, sizeof(probe)) >= 0 || strstr(cmdline, "arg="))
		return heap_strdup(cmdline);
	f = fs_open(&c, NULL, CMDLINE_FILE, O_RDONLY, 0);
	if (IS_ERR(f))
		return heap_strdup(cmdline);
	line = heap_alloc(size);
	if (!line)
		no_memory();
	iter_init_one(&it, line, CMDLINE_FILE_SIZE, false);
	got = file_read(f, &it);
	file_put(f);
	if (got < 0)
		got = 0;
	line[got] = ' ';
	str_copy(line + got + 1, cmdline, size - got - 1);
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
	char *dir = token(s->line, "workdir", 0);
	struct dentry *d;
	int err;

	if (!dir)
		return;
	err = path_walk(&c, NULL, dir, WALK_FOLLOW | WALK_DIRECTORY, &d);
	if (err) {
		log_err("cannot enter the working directory %s: error %d", dir, -err);
		give_up(NOT_EXECUTABLE);
	}
	dentry_put(p->cwd);
	p->cwd = d;
	heap_free(dir);
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
	for (char **v = s.argv; *v; v++)
		heap_free(*v);
	for (char **v = s.envp; *v; v++)
		heap_free(*v);
	heap_free(s.argv);
	heap_free(s.envp);
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
	t->start = start_program;
	t->start_arg = cmdline;
	first = p;
	fs_tty_group = (int)p->pgid;
	next_control = stdio_control;
	stdio_control = control_line;
	task_start(t);
}
