/* SPDX-License-Identifier: BSD-2-Clause */
/* skiff inspect: what is in an image. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "erofs.h"
#include "image.h"

struct totals {
	unsigned int files, dirs, links;
	uint64_t bytes;
	const struct erofs *fs;
};

static void count(void *ctx, const char *path, const struct erofs_inode *in)
{
	struct totals *t = ctx;

	(void)path;
	t->files += S_ISREG(in->mode);
	t->dirs += S_ISDIR(in->mode);
	t->links += S_ISLNK(in->mode);
	if (S_ISREG(in->mode))
		t->bytes += in->size;
}

/* Names of an image may hold anything: only what prints goes to the terminal. */
static void print_name(const char *s)
{
	for (; *s; s++) {
		unsigned char c = *s;

		if (c < ' ' || c == 0x7f || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

static void list(void *ctx, const char *path, const struct erofs_inode *in)
{
	struct totals *t = ctx;
	char kind = S_ISDIR(in->mode) ? 'd' : S_ISLNK(in->mode) ? 'l' : '-', *target;
	size_t len;

	printf("%c %04o %10llu  ", kind, in->mode & 07777, (unsigned long long)in->size);
	print_name(path);
	if (S_ISLNK(in->mode) && !erofs_read(t->fs, in, 4096, &target, &len)) {
		printf(" -> ");
		print_name(target);
		free(target);
	}
	putchar('\n');
}

static bool read_text(const struct erofs *fs, const char *path, struct start *s)
{
	struct erofs_inode in;
	size_t len;
	char *text;

	if (erofs_lookup(fs, path, &in) || erofs_read(fs, &in, 1 << 20, &text, &len))
		return false;
	start_parse(s, text, len);
	free(text);
	return true;
}

static void print_start(const struct start *s)
{
	struct buf b = {};

	for (size_t i = 0; i < s->args.n; i++) {
		buf_str(&b, i ? " " : "");
		shell_quote(&b, s->args.v[i]);
	}
	printf("command:    ");
	print_name(b.s ? b.s : "");
	printf("\n");
	buf_free(&b);
	for (size_t i = 0; i < s->env.n; i++) {
		printf("variable:   ");
		print_name(s->env.v[i]);
		printf("\n");
	}
	printf("folder:     ");
	print_name(s->workdir ? s->workdir : "/");
	printf("\nhost name:  ");
	print_name(s->hostname ? s->hostname : "skiff");
	printf("\n");
	for (size_t i = 0; i < s->other.n; i++) {
		printf("kernel:     ");
		print_name(s->other.v[i]);
		printf("\n");
	}
}

/* The words program=, loader= and library= of the content file. */
static void print_content(const struct start *s)
{
	static const struct {
		const char *word, *label;
	} labels[] = { { "program=", "program:    " }, { "loader=", "loader:     " },
		{ "library=", "library:    " } };

	for (size_t i = 0; i < s->other.n; i++) {
		for (size_t k = 0; k < sizeof(labels) / sizeof(labels[0]); k++) {
			if (!str_starts(s->other.v[i], labels[k].word))
				continue;
			printf("%s", labels[k].label);
			print_name(s->other.v[i] + strlen(labels[k].word));
			printf("\n");
		}
	}
}

int image_inspect(const char *path)
{
	struct totals t = {};
	struct start s;
	struct erofs fs;
	int err = erofs_open(path, &fs);

	if (err)
		die(EXIT_SKIFF, "%s: %s", path,
			err == -EINVAL	 ? "not an EROFS image, or a broken one"
			: err == -ENODEV ? "not a file"
					 : strerror(-err));
	t.fs = &fs;
	err = erofs_walk(&fs, count, &t);
	if (err)
		die(EXIT_SKIFF, "%s: broken, or compressed by other options than skiff's", path);
	printf("image:      %s\n", path);
	printf("size:       %llu bytes: %u files with %llu bytes, %u folders, %u links\n",
		(unsigned long long)fs.size, t.files, (unsigned long long)t.bytes, t.dirs, t.links);
	if (read_text(&fs, IMAGE_CONTENT, &s)) {
		print_content(&s);
		start_free(&s);
	}
	if (read_text(&fs, IMAGE_CMDLINE, &s)) {
		print_start(&s);
		start_free(&s);
	} else {
		printf("command:    none (packed for skiff run)\n");
	}
	printf("\n");
	erofs_walk(&fs, list, &t);
	erofs_close(&fs);
	return fflush(stdout) ? EXIT_SKIFF : 0;
}
