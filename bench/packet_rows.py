# SPDX-License-Identifier: BSD-2-Clause
"""memcached over UDP: on packets by reference (bench/memcached), by sockets, and Debian's own, in both guests; and
what a guest that does nothing else would reach (bench/floor)."""
import contextlib
import socket

from account import add_timed
from guest import FLOOR
from linux import BUILD, sh
from net_rows import COUNTED, LEAST, ROUNDS, Service, counter, lasting, place_words

OURS, DEBIAN = BUILD / "udp_memcached", "/usr/bin/memcached"
PORT = 11211
COUNTED_REQUESTS = 20000
# what it is called: (program, its arguments but for -t); on Linux ours serves by recvmmsg, as there are no rings
PROGRAMS = {"ours": (OURS, ["-U", PORT]), "calls": (OURS, ["-U", PORT, "--calls"]),
            "debian": (DEBIAN, ["-u", "root", "-U", PORT])}
# a row: its words, kind of guest and program of either side, the ratio that is asked for (of rates; None: none)
ROWS = (("packets by reference, Linux: memcached", ("skiff", "ours"), ("linux", "debian"), 4.0),
        ("memcached", ("skiff", "debian"), ("linux", "debian"), 1.5),
        ("our server by recvmmsg", ("skiff", "calls"), ("linux", "calls"), None),
        (f"{LEAST}, Linux: memcached", (FLOOR, "ours"), ("linux", "debian"), None))
LOADS = ((1, 1, 4000), (4, 4, 12000), (4, 16, 20000))  # ports, requests in flight from each, requests


def answers(address, port):
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        s.sendto(b"\0\1\0\0\0\1\0\0version\r\n", (address, port))
        return b"VERSION" in s.recv(100)
    return False


def udp_memcached(name, cpus=1):
    service = Service(PROGRAMS[name][0], [*PROGRAMS[name][1], "-t", cpus], PORT, None)
    service.answers = lambda: answers(*service.where[PORT])
    return service


def figures(kind, name, net, cpus):
    """The load's figure for each of LOADS, asked of one boot; None where there is none."""
    service = udp_memcached(name, cpus)
    with service.serving(service.guest(net, "-c", cpus), kind, 300) as up:
        if not up:
            return [None] * len(LOADS)
        def load(ports, window, count):
            return count, float(sh(BUILD / "udp_load", *service.where[PORT], ports, window, count, timeout=200))
        return [lasting(lambda n, p=ports, w=window: load(p, w, n), count, up) for ports, window, count in LOADS]


def rates(run, net, cpus):
    wanted = sorted({side for _, *sides, _ in ROWS for side in sides})
    all_of = {w: [] for w in wanted}
    for name in ("ours", "debian"):
        run.command(f"memcached over UDP, {name}, {place_words(net, cpus)}", udp_memcached(name, cpus).guest(net, "-c", cpus))
    for _ in range(ROUNDS):
        for w in wanted:
            all_of[w].append(figures(*w, net, cpus))

    for words, *sides, target in ROWS:
        for i, (ports, window, _) in enumerate(LOADS):
            add_timed(run, f"memcached over UDP, {words}: {ports} ports, {window} in flight; {place_words(net, cpus)}", "requests/s",
                      *([f[i] for f in all_of[side] if f[i]] for side in sides), target)


def instructions(run):
    """Counted in QEMU, where waiting for the client does not count: of three times as many less those of so many."""
    def count(kind, name):
        service, file = udp_memcached(name), BUILD / f"count-{kind}"
        guest = service.guest("user", "-c", 1, "--qemu=-plugin", f"--qemu={BUILD}/count.so,to={file}")
        run.command(f"memcached over UDP, instructions, {name}", guest)
        with service.serving(guest, kind, 300) as up:
            if not up:
                return None
            spent = []
            for n in (COUNTED_REQUESTS, 3 * COUNTED_REQUESTS):
                before = counter(file)
                sh(BUILD / "udp_load", *service.where[PORT], 4, 16, n, timeout=200)
                spent.append(counter(file) - before)
            return (spent[1] - spent[0]) / (2 * COUNTED_REQUESTS)
    counts = {}
    for words, ours, linux, _ in ROWS:
        for side in (ours, linux):
            if side not in counts:
                counts[side] = count(*side)
        run.add(COUNTED, f"memcached over UDP, {words}: a request", "instructions", counts[ours], counts[linux])


def row_packet(run):
    instructions(run)
    for net, cpus in run.places:
        rates(run, net, cpus)
