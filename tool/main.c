/* SPDX-License-Identifier: BSD-2-Clause */
/* The skiff command: run, build, inspect. */
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "help.h"
#include "image.h"
#include "options.h"
#include "run.h"

static int command_run(int argc, char **argv)
{
	struct options o;

	options_parse("run", argc, argv, &o);
	return run_program(&o);
}

static int command_build(int argc, char **argv)
{
	struct options o;

	options_parse("build", argc, argv, &o);
	image_build(&o);
	return 0;
}

static int command_inspect(int argc, char **argv)
{
	struct options o;

	options_parse("inspect", argc, argv, &o);
	if (o.nargs != 1)
		die(EXIT_SKIFF, "skiff inspect takes one image");
	return image_inspect(o.args[0]);
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", command_run },
	{ "build", command_build },
	{ "inspect", command_inspect },
};

/* Descriptors 0 to 2 are open from here on, so that none of ours takes their number. */
static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	open_standard();
	if (argc < 2) {
		fputs(help_text(""), stderr);
		return EXIT_SKIFF;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		fputs(help_text(argc > 2 ? argv[2] : ""), stdout);
		return fflush(stdout) ? EXIT_SKIFF : 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	die(EXIT_SKIFF, "%s is no command; there are run, build and inspect (skiff --help)",
		argv[1]);
}
