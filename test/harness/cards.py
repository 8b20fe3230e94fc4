# SPDX-License-Identifier: BSD-2-Clause
"""A guest with two cards on two networks: its routes, from where it speaks, and what a socket that is
bound to a card reaches."""
import os
import re

from harness.netapps import before, has, heard
from harness.wire import DIR, GUEST, HOST, PORT, Guest, Wire

HOST_B, GUEST_B, HOST6_B, GUEST6_B = "10.0.3.2", "10.0.3.15", "fd00:3::2", "fd00:3::15"
FAR = "10.0.9.9"  # behind the router of the second network


class TwoWires(Wire):
    def __init__(self):
        super().__init__()
        self.ip("tuntap add tap1 mode tap")
        self.ip(f"addr add {HOST_B}/24 dev tap1")
        self.ip(f"-6 addr add {HOST6_B}/64 dev tap1 nodad")
        self.ip("link set tap1 up")
        self.ip(f"addr add {FAR}/32 dev tap1")
        second = ["-netdev", "tap,id=second,ifname=tap1,script=no,downscript=no", "-device",
                  "virtio-net-pci,netdev=second,mac=52:54:00:12:34:99"]
        self.interface += ["--machine", "q35"] + [f"--qemu={word}" for word in second]
        self.static += [f"--kernel-arg=ip=eth1:{GUEST_B}/24,{HOST_B}",
                        f"--kernel-arg=ip6=eth1:{GUEST6_B}/64"]


LINES = {
    "route": ("/usr/sbin/ip route", [
        rf"^default via {HOST} dev eth0", rf"^default via {HOST_B} dev eth1 .*metric 100",
        rf"^10\.0\.2\.0/24 dev eth0 .*src {GUEST}", rf"^10\.0\.3\.0/24 dev eth1 .*src {GUEST_B}"]),
    "addr": ("/usr/sbin/ip addr", [r"^3: eth1: ", r"^    link/ether 52:54:00:12:34:99 ",
                                   rf"^    inet {GUEST_B}/24 .*scope global eth1", rf"^    inet6 {GUEST6_B}/64 scope global"]),
    "route6": ("/usr/sbin/ip -6 route", [r"^fd00:2::/64 dev eth0 ", r"^fd00:3::/64 dev eth1 "]),
}


def cards(score):
    with TwoWires() as wire:
        for name, (line, patterns) in LINES.items():
            with before(wire, "addresses", *line.split()) as guest:
                heard(score, f"net/cards/{name}", guest, has(*patterns))
        log = open(f"{DIR}/cards.log", "w+b")
        wire.start(["python3", "-u", "-m", "http.server", "--bind", "::", "--directory", "test/net", "8000"], log)
        wire.wait_listening(8000)
        reached = ((f"http://{HOST_B}:8000", GUEST_B, []), (f"http://{HOST}:8000", GUEST, []),
                   (f"http://[{HOST6_B}]:8000", GUEST6_B, []), (f"http://{FAR}:8000", GUEST, []),
                   (f"http://{FAR}:8000", GUEST_B, ["--interface", "if!eth1"]))
        for number, (url, source, more) in enumerate(reached):
            at = log.seek(0, os.SEEK_END)
            with before(wire, "addresses", "/usr/bin/curl", "-s", "--max-time", "10", *more, f"{url}/nginx.conf") as guest:
                status = guest.wait()
                said = os.pread(log.fileno(), 10000, at).decode()
                score.result(f"net/cards/source-{number}", status == 0 and re.search(
                    rf'^(::ffff:)?{source} .*"GET /nginx.conf', said), f"{url}: {status}\n{said}\n{guest.text()}")
        log.close()
        with Guest(wire, [f"{DIR}/serve", str(PORT)]) as guest:
            guest.until("^serving$")
            for host in (GUEST, GUEST_B, GUEST6_B):
                score.result(f"net/cards/serves-{host}", guest.until(lambda h=host: wire.answers(h, PORT)), guest.text())


JOBS = {"cards": cards}
