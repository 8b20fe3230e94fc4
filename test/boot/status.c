/* SPDX-License-Identifier: BSD-2-Clause */
/* Leaves with the status it is asked for. */
#include <stdlib.h>

int main(int argc, char **argv)
{
	return argc > 1 ? atoi(argv[1]) : 0;
}
