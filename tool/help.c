/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages of skiff --help and skiff COMMAND --help. */
#include "help.h"

#include <string.h>

static const char overview[] =
	"skiff - run one unmodified Linux program as a virtual machine of its own\n"
	"\n"
	"  skiff run [OPTIONS] PROGRAM|IMAGE [ARG...]       pack if needed, boot, attach the terminal\n"
	"  skiff build -o IMAGE [OPTIONS] PROGRAM [ARG...]  pack a program into a bootable image\n"
	"  skiff inspect IMAGE                              what is inside, how big, how it starts\n"
	"  skiff COMMAND --help                             the options of a command\n"
	"\n"
	"Examples:\n"
	"  skiff run /bin/echo hello\n"
	"  skiff run -p 11211:11211 memcached -u root -l 0.0.0.0\n"
	"  skiff run -m 512M -f /usr/lib/python3.11 python3 -c 'print(6 * 7)'\n"
	"  skiff build -o cache.img memcached -u root && skiff run -p 11211:11211 cache.img\n";

#define PACK_OPTIONS                                                                                 \
	"  -f, --file HOST[:GUEST]   add a file, or a folder with all that is in it (repeatable);\n" \
	"                            the libraries of programs among them come along\n"              \
	"  -v, --volume HOST:GUEST:ro  add a folder as it is now: a snapshot taken when packing.\n"  \
	"                            Volumes that can be written are not available yet\n"            \
	"  -e, --env K=V             set a variable; -e K takes the value from here (repeatable)\n"  \
	"  -w, --workdir DIR         where the program starts (default /)\n"                         \
	"      --hostname NAME       host name of the guest (default: what DHCP says, or skiff)\n"   \
	"      --no-preload          leave out libskiff.so, which lets a dynamic program call the\n" \
	"                            kernel without a trap (an IMAGE stays as it was built)\n"       \
	"      --kernel-arg ARG      one more word for the kernel's command line (repeatable)\n"     \
	"  -V, --verbose             say what is done; for run, print the kernel's messages too\n"   \
	"  -h, --help                this page\n"

static const char run[] =
	"skiff run [OPTIONS] PROGRAM|IMAGE [ARG...]\n"
	"\n"
	"Boots PROGRAM, found in PATH as a shell does, in a virtual machine with the libraries that it\n"
	"links. Standard input, output and error are the program's, byte for byte, and its exit status\n"
	"is the command's. An IMAGE is one made by skiff build; ARGs are added to those it was built "
	"with.\n"
	"Nothing that the program writes to files stays after it ends.\n"
	"\n"
	"The machine:\n"
	"  -c, --cpus N              virtual CPUs (default 1)\n"
	"  -m, --memory SIZE         memory, as 512M or 2G; a plain number is MiB (default 256M, or more\n"
	"                            if the image needs it)\n"
	"      --machine TYPE        microvm, q35 or pc (default microvm)\n"
	"      --accel WHICH         kvm, tcg or auto: KVM where it truly works, else emulation\n"
	"      --name NAME           name of the QEMU process\n"
	"      --qemu ARG            one more argument for QEMU, as it is (repeatable)\n"
	"      --dry-run             print the QEMU command and stop. It is ready to paste: the console\n"
	"                            takes the place of skiff's own pipes for standard input and output\n"
	"\n"
	"The network:\n"
	"      --net user            through the host's own sockets, no rights needed (default)\n"
	"      --net tap=IF          on the existing tap interface IF\n"
	"      --net unix=SOCKET     through the program that listens there, as passt does: each Ethernet\n"
	"                            frame follows its length in four bytes\n"
	"      --net none            loopback only\n"
	"      --ip ADDR/LEN[,GW]    a fixed address (default: DHCP, and what IPv6 routers say);\n"
	"                            once for IPv4, once for IPv6\n"
	"  -p, --publish [ADDR:]HOST:GUEST[/udp]\n"
	"                            host port HOST leads to the guest's port GUEST; HOST 0 picks a\n"
	"                            free port and says which (repeatable; --net user only)\n"
	"\n"
	"The files and the program:\n" PACK_OPTIONS
	"      --isolate             the program in ring 3: not available yet\n"
	"\n"
	"Signals that skiff receives (INT, TERM, HUP, QUIT, USR1, USR2) are sent to the program. A second\n"
	"SIGINT within 2 seconds ends the machine, and so does a SIGTERM that is not obeyed in 10 seconds.\n"
	"On a terminal, Ctrl-\\ three times ends the machine.\n"
	"\n"
	"Exit status: the program's; 128+N if signal N killed it; 125 skiff, QEMU or the kernel failed;\n"
	"126 the program cannot be executed; 127 it was not found.\n"
	"\n"
	"Environment: SKIFF_KERNEL (the kernel's file), SKIFF_QEMU (QEMU's program), XDG_CACHE_HOME\n"
	"(packed images are kept in its folder skiff, default ~/.cache/skiff), LD_LIBRARY_PATH (searched\n"
	"for libraries, and passed on if any was found there).\n";

static const char build[] =
	"skiff build -o IMAGE [OPTIONS] PROGRAM [ARG...]\n"
	"\n"
	"Packs PROGRAM, the libraries that it links and what -f and -v name into IMAGE, one EROFS file\n"
	"that skiff run starts. ARGs, variables and the working folder are kept in it, in\n"
	"/.skiff/cmdline. The same input gives the same image, byte for byte.\n"
	"\n"
	"  -o, --output IMAGE        the file to write\n" PACK_OPTIONS;

static const char inspect[] =
	"skiff inspect IMAGE\n"
	"\n"
	"Shows what an image holds: its size, the program with its loader and libraries, the command\n"
	"line, and every file with its size.\n";

const char *help_text(const char *command)
{
	if (!strcmp(command, "run"))
		return run;
	if (!strcmp(command, "build"))
		return build;
	if (!strcmp(command, "inspect"))
		return inspect;
	return overview;
}
