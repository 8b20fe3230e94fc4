/* SPDX-License-Identifier: BSD-2-Clause */
/* Scripts, programs by descriptor, and everything that cannot be executed. */
/* standalone */
#include "t.h"
#include <sys/auxv.h>

extern char **environ;
static char self[PATH_MAX], dir[] = "/tmp/exec_scriptXXXXXX", path[PATH_MAX + 20];

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void make(const char *name, const char *format, const char *arg, int mode)
{
	char text[PATH_MAX + 40];
	int len = snprintf(text, sizeof(text), format, arg);
	int fd = open(in_dir(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
	NEED(fd >= 0 && write(fd, text, len) == len && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void cannot(const char *name)
{
	char *args[] = { "zero", NULL };
	int r = execv(in_dir(name), args);
	printf("%s: %d %s\n", name, r, t_errno(errno));
}

static void first(void)
{
	char *args[] = { "zero", "one", NULL }, *bad[] = { BAD_PTR, NULL };
	static char *many[60];
	char *big = malloc(1 << 18), *one[] = { self, big, NULL };

	make("loop1", "#!%s/loop2\n", dir, 0755);
	make("loop2", "#!%s/loop1\n", dir, 0755);
	make("garbage", "garbage%s", "", 0755);
	make("no_interpreter", "#!%s/absent\n", dir, 0755);
	make("not_executable", "#!%s\n", self, 0644);
	make("empty", "%s", "", 0755);
	make("short_elf", "\177ELF\2\1\1%s", "", 0755);
	make("blank", "#!   \n%s", "", 0755);
	static const char *const names[] = { "loop1", "garbage", "no_interpreter", "not_executable",
		"empty", "short_elf", "blank", "absent", "garbage/x", "." };
	for (size_t i = 0; i < LENGTH(names); i++)
		cannot(names[i]);
	RET(execve("", args, environ));
	RET(syscall(SYS_execve, BAD_PTR, args, environ));
	RET(syscall(SYS_execve, self, BAD_PTR, environ));
	RET(execve(self, bad, environ));
	RET(execve(self, args, bad));
	memset(big, 'a', 1 << 18);
	big[(1 << 18) - 1] = '\0';
	RET(execv(self, one));
	big[(1 << 17) - 1] = '\0';
	for (int i = 0; i < 40; i++)
		many[i] = big;
	RET(execv(self, many));
	RET(syscall(SYS_execveat, -1, "", args, environ, AT_EMPTY_PATH));
	RET(syscall(SYS_execveat, -1, "x", args, environ, 0));
	RET(syscall(SYS_execveat, 1, "", args, environ, 0));
	RET(syscall(SYS_execveat, 1, "", args, environ, 0x10));
	make("good", "#! %s script  argument \t\n", self, 0755);
	setenv("DIR", dir, 1);
	execv(in_dir("good"), args);
	printf("script: %s\n", t_errno(errno));
}

int main(int argc, char **argv)
{
	NEED(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1 && strcmp(argv[1], "script  argument") == 0) {
		char *args[] = { "by descriptor", "second", NULL }, *env[] = { "ONLY=this", NULL };
		int fd = open(self, O_RDONLY | O_CLOEXEC);
		const char *name = strrchr((char *)getauxval(AT_EXECFN), '/');
		printf("%d arguments: 1 '%s' 2 %s 3 %s, execfn %s\n", argc, argv[1],
			strrchr(argv[2], '/'), argv[3], name);
		RET(unlink((char *)getauxval(AT_EXECFN)));
		fexecve(fd, args, env);
		printf("fexecve: %s\n", t_errno(errno));
		return 1;
	}
	if (argc > 1 && strcmp(argv[1], "second") == 0) {
		char *none[] = { NULL };
		printf("%s, %s, %d more\n", argv[0], environ[0], environ[1] != NULL);
		execve(self, none, none);
		return 2;
	}
	if (argc == 1 && !*argv[0]) {
		printf("no arguments: an empty argv[0], %d in the environment\n",
			environ[0] != NULL);
		return 3;
	}
	NEED(mkdtemp(dir));
	first();
	return 4;
}
