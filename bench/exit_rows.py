# SPDX-License-Identifier: BSD-2-Clause
"""What leaves the guest for each transaction: accesses to devices, halts and the instructions that a hypervisor serves.

Counted by a plugin in QEMU's emulator (bench/exits.c), over tap, of three times as many transactions less those of so
many. The same accesses leave a guest under hardware virtualisation, but for the ends of interrupts where the host's CPUs
have APICv.
"""
import struct
import sys

from guest import KINDS
from linux import BUILD, sh
from net_rows import WIRE, Service, memcached, memcached_get, redis, redis_ask, wire_service
from packet_rows import PORT, udp_memcached

SECTION = "Network, exits"
PLACES, WRITTEN = 1024, 1 << 63
APIC = 0xfee00000
APIC_KINDS = {0xb0: "ends of interrupts", 0x380: "timer settings"}
KINDS_OF_EXIT = ("halts", "kicks", "ends of interrupts", "timer settings", "others")


def read(file):
    """{kind of exit: how many}"""
    data = file.read_bytes()
    halts, ports, msrs, cpuids, lost = struct.unpack_from("5Q", data)
    if lost:
        print(f"bench: {lost} exits from places that found no room in the table", file=sys.stderr)
    found = dict.fromkeys(KINDS_OF_EXIT, 0)
    found["halts"] = halts
    found["others"] = ports + msrs + cpuids + lost
    for address, count in struct.iter_unpack("2Q", data[40:40 + 16 * PLACES]):
        place = address & ~WRITTEN
        kind = "others"
        if address & WRITTEN:
            # What a virtio card is written at run time is its notification; an APIC has its page.
            kind = APIC_KINDS.get(place - APIC, "others") if place >> 12 == APIC >> 12 else "kicks"
        found[kind] += count
    return found


def udp_get(service, count):
    """The load sets and gets its keys first, as often in a short run as in a long one."""
    return count, float(sh(BUILD / "udp_load", *service.where[PORT], 1, 1, count, timeout=200))


# title, service, measure, transactions
MEASURES = (*((WIRE[w][0], wire_service, WIRE[w][2], n) for w, n in (("udp_rr", 2000), ("tcp_rr", 2000), ("connect", 500))),
            ("memcached over UDP, 1 in flight", lambda: udp_memcached("debian"), udp_get, 2000),
            ("our memcached over UDP, 1 in flight", lambda: udp_memcached("ours"), udp_get, 2000),
            ("memcached TCP GET, 1 connection, depth 1", memcached, memcached_get(1, 1), 2000),
            ("redis GET, 20 connections, pipeline 1", redis, redis_ask("get", 1), 5000))


def counted(run, kind, make, title, measure, count):
    service, file = make(), BUILD / f"exits-{kind}"
    guest = service.guest("tap", "-c", 1, "--qemu=-plugin", f"--qemu={BUILD}/exits.so,to={file}")
    run.command("Exits of a transaction: " + title, guest)
    with service.serving(guest, kind, 400) as up:
        if not up:
            return None
        measure(service, count)  # translated, cached, resolved
        spent, done = [], []
        for n in (count, 3 * count):
            before = read(file)
            done.append(measure(service, n)[0])
            after = read(file)
            spent.append({k: after[k] - before[k] for k in KINDS_OF_EXIT})
    return {k: (spent[1][k] - spent[0][k]) / (done[1] - done[0]) for k in KINDS_OF_EXIT}


def row_exits(run):
    for title, make, measure, count in MEASURES:
        found = [counted(run, kind, make, title, measure, count) for kind in KINDS]
        for what in KINDS_OF_EXIT:
            figures = [max(0, f[what]) if f else None for f in found]
            if any(figures):
                run.add(SECTION, f"{title}: {what}", "a transaction", *figures)
        run.add(SECTION, f"{title}: all", "a transaction", *(sum(f.values()) if f else None for f in found))
