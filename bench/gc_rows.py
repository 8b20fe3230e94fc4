# SPDX-License-Identifier: BSD-2-Clause
"""What a generational collector's write tracking costs, by each way of bench/gc, in both guests."""
from guest import GC, ICOUNT, KINDS, Guest

SECTION = "Write tracking of a collector"
WAYS = {
    "walk": "no barrier, all old objects looked at",
    "card": "card marking",
    "dirty": "dirty bits by skiff_dirty_scan",
    "scan": "PAGEMAP_SCAN",
    "soft": "clear_refs and pagemap",
}
PARTS = {"store": "a store", "collect": "a collection", "cycle": "a cycle"}


def measure(guest, kind):
    """name: figure, of the ways that this kernel has. The program fails if two of them found different pointers."""
    with guest.running(kind, 300) as p:
        words = [line.decode(errors="replace").split() for line in p.stdout]
    return {w[0]: float(w[1]) for w in words if len(w) == 2 and w[0].startswith("gc_")}


def row_gc(run):
    guest = Guest(["--net", "none", "-m", "512M", *ICOUNT], GC, ["--figures"])
    run.command("a collector's write tracking", guest)
    figures = {k: measure(guest, k) for k in run.kinds(KINDS)}
    for way, how in WAYS.items():
        for part, what in PARTS.items():
            name = f"gc_{way}_{part}"
            run.add(SECTION, f"{what}, {how} (`{name}`)", "instructions", *(figures.get(k, {}).get(name) for k in KINDS))
