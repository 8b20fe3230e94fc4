/* SPDX-License-Identifier: BSD-2-Clause */
/* getdents64, readdir, rewinddir, seekdir; types; many entries; changes while reading. */
#include <dirent.h>
#include "t.h"

static int compare(const void *a, const void *b)
{
	return strcmp(*(char **)a, *(char **)b);
}

static void list(const char *name)
{
	char *names[64];
	int n = 0;
	DIR *d = opendir(name);
	NEED(d != NULL);
	for (struct dirent *e; (e = readdir(d)) && n < 64;) {
		char text[300];
		snprintf(text, sizeof(text), "%s:%s", e->d_name,
			e->d_type == DT_DIR   ? "dir"
			: e->d_type == DT_REG ? "file"
			: e->d_type == DT_LNK ? "link"
					      : "?");
		names[n++] = strdup(text);
	}
	closedir(d);
	qsort(names, n, sizeof(char *), compare);
	for (int i = 0; i < n; i++)
		printf("%s ", names[i]);
	putchar('\n');
}

int main(void)
{
	char name[32], buf[16384];
	NEED(mkdir("d", 0755) == 0 && mkdir("d/sub", 0755) == 0 && symlink("x", "d/link") == 0);
	close(t_file("d/file", ""));
	list("d");
	list("d/sub");
	/* many: each once */
	NEED(mkdir("many", 0755) == 0);
	for (int i = 0; i < 1000; i++) {
		sprintf(name, "many/entry-%04d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	DIR *d = opendir("many");
	int seen[1000] = { 0 }, others = 0, i, count = 0;
	long half = 0;
	for (struct dirent *e; (e = readdir(d));) {
		if (sscanf(e->d_name, "entry-%d", &i) == 1)
			seen[i]++;
		else
			others++;
		if (++count == 500)
			half = telldir(d);
	}
	int once = 0;
	for (i = 0; i < 1000; i++)
		once += seen[i] == 1;
	printf("once %d others %d\n", once, others);
	seekdir(d, half);
	count = 0;
	while (readdir(d))
		count++;
	printf("second half %d\n", count);
	rewinddir(d);
	count = 0;
	while (readdir(d))
		count++;
	printf("again %d\n", count);
	/* delete all while reading */
	rewinddir(d);
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] == 'e')
			unlinkat(dirfd(d), e->d_name, 0);
	rewinddir(d);
	count = 0;
	while (readdir(d))
		count++;
	printf("left %d\n", count);
	closedir(d);
	int fd = open("d", O_RDONLY), file = open("d/file", O_RDONLY);
	RET(syscall(SYS_getdents64, fd, buf, 10));
	IS(syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
	RET(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	RET(lseek(fd, 0, SEEK_SET));
	IS(syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
	RET(syscall(SYS_getdents64, file, buf, sizeof(buf)));
	RET(syscall(SYS_getdents64, 999, buf, sizeof(buf)));
	NEED(rmdir("d/sub") == 0 && unlink("d/link") == 0 && unlink("d/file") == 0);
	NEED(rmdir("d") == 0);
	RET(lseek(fd, 0, SEEK_SET));
	RET(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	return 0;
}
