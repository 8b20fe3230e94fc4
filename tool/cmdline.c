/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the kernel's command line; see cmdline.h. */
#include "cmdline.h"

#include <stdlib.h>
#include <string.h>

void cmdline_word(struct buf *b, const char *word)
{
	if (b->len)
		buf_str(b, " ");
	buf_str(b, word);
}

void cmdline_add(struct buf *b, const char *key, const char *value)
{
	cmdline_word(b, key);
	buf_str(b, "=");
	for (; *value; value++) {
		unsigned char c = *value;

		if (c > ' ' && c < 0x7f && c != '\\')
			buf_add(b, value, 1);
		else
			buf_fmt(b, "\\x%02x", c);
	}
}

void start_set_env(struct start *s, const char *assignment)
{
	size_t len = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < s->env.n; i++) {
		if (strncmp(s->env.v[i], assignment, len))
			continue;
		free(s->env.v[i]);
		s->env.v[i] = xstrdup(assignment);
		return;
	}
	strv_add(&s->env, assignment);
}

void start_format(const struct start *s, struct buf *b)
{
	for (size_t i = 0; i < s->args.n; i++)
		cmdline_add(b, "arg", s->args.v[i]);
	for (size_t i = 0; i < s->env.n; i++)
		cmdline_add(b, "env", s->env.v[i]);
	if (s->workdir)
		cmdline_add(b, "workdir", s->workdir);
	if (s->hostname)
		cmdline_add(b, "hostname", s->hostname);
	for (size_t i = 0; i < s->other.n; i++)
		cmdline_word(b, s->other.v[i]);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static char *decode(const char *s, size_t len)
{
	char *out = xmalloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\\' && len - i >= 4 && s[i + 1] == 'x' && hex(s[i + 2]) >= 0 &&
			hex(s[i + 3]) >= 0) {
			out[n] = hex(s[i + 2]) * 16 + hex(s[i + 3]);
			n += out[n] != 0; /* no value holds a NUL */
			i += 3;
		} else {
			out[n++] = s[i];
		}
	}
	out[n] = 0;
	return out;
}

static void parse_word(struct start *s, const char *word, size_t len)
{
	const char *eq = memchr(word, '=', len);
	size_t key = eq ? (size_t)(eq - word) : len;
	char *value = eq ? decode(eq + 1, len - key - 1) : xstrdup("");

	if (key == 3 && !memcmp(word, "arg", 3)) {
		strv_add(&s->args, value);
	} else if (key == 3 && !memcmp(word, "env", 3)) {
		start_set_env(s, value);
	} else if (key == 7 && !memcmp(word, "workdir", 7)) {
		free(s->workdir);
		s->workdir = xstrdup(value);
	} else if (key == 8 && !memcmp(word, "hostname", 8)) {
		free(s->hostname);
		s->hostname = xstrdup(value);
	} else {
		strv_take(&s->other, xstrndup(word, len));
	}
	free(value);
}

void start_parse(struct start *s, const char *text, size_t len)
{
	size_t i = 0;

	*s = (struct start){};
	while (i < len) {
		size_t from;

		while (i < len && (strchr(" \t\r\n", text[i]) || !text[i]))
			i++;
		from = i;
		while (i < len && text[i] && !strchr(" \t\r\n", text[i]))
			i++;
		if (i > from)
			parse_word(s, text + from, i - from);
	}
}

void start_free(struct start *s)
{
	strv_free(&s->args);
	strv_free(&s->env);
	strv_free(&s->other);
	free(s->workdir);
	free(s->hostname);
	*s = (struct start){};
}
