# SPDX-License-Identifier: BSD-2-Clause
"""A guest with two cards on two networks: its routes, from where it speaks, and what a socket that is
bound to a card reaches; and leases for both, each from its network's own range."""
import os
import re

from harness import target
from harness.leases import Server
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
        self.leased = ["--kernel-arg=ip=eth1:dhcp", "--kernel-arg=ip6=eth1:auto"]


LINES = {
    "route": ("/usr/sbin/ip route", [
        rf"^default via {HOST} dev eth0", rf"^default via {HOST_B} dev eth1 .*metric 200",
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


# For the second card: a range, and what comes with an address there.
SECOND = ["--interface=tap1", "--dhcp-range=10.0.3.50,10.0.3.60,255.255.255.0,2m", "--enable-ra",
          "--dhcp-range=fd00:3::50,fd00:3::5f,64,2m", "--dhcp-option=option6:dns-server,[fd00:3::2]",
          "--dhcp-option=option:dns-server,10.0.2.3", "--dhcp-option=option:domain-name,first.net",
          "--dhcp-option=option:ntp-server,10.0.2.7"]
SECOND += [f"--dhcp-option=tag:second,option:{option}" for option in (
    "router,10.0.3.2", "dns-server,10.0.3.3", "domain-name,second.net", "ntp-server,10.0.3.7", "mtu,1400")]
SECOND += ["--dhcp-mac=set:second,52:54:00:12:34:99"]
LEASED = {
    "addr": ("/usr/sbin/ip addr", [r"^2: eth0: .* mtu 1500 ", r"^    inet 10\.0\.2\.5\d/24 .*scope global eth0",
                                   r"^3: eth1: .* mtu 1400 ", r"^    inet 10\.0\.3\.5\d/24 .*scope global eth1",
                                   r"^    inet6 fd00:3::5[0-9a-f]/128 "]),
    "route": ("/usr/sbin/ip route", [r"^default via 10\.0\.2\.2 dev eth0 .*metric 100",
                                     r"^default via 10\.0\.3\.2 dev eth1 .*metric 300"]),
    "names": ("/usr/bin/cat /etc/resolv.conf", [
        r"\Asearch first\.net second\.net\nnameserver 10\.0\.2\.3\nnameserver 10\.0\.3\.3\nnameserver fd00:3::2\n\Z"]),
    "time": ("/usr/bin/cat /proc/net/ipconfig/ntp_servers", [r"\A10\.0\.2\.7\n10\.0\.3\.7\n\Z"]),
}


def leases(score):
    """DHCP on both cards and DHCPv6 on the second; each boot gives all of it back."""
    with TwoWires() as wire, Server(wire, *SECOND) as server:
        for name, (line, patterns) in LEASED.items():
            with before(wire, "addresses", *line.split(), options=wire.leased) as guest:
                heard(score, f"net/cards-leased/{name}", guest, has(*patterns))
        gone = target.until(lambda: all(len(re.findall(rf"DHCPRELEASE\({card}\) {network}", server.text())) == len(LEASED)
                                        for card, network in (("tap0", r"10\.0\.2\."), ("tap1", r"10\.0\.3\.")))
                            and server.text().count("DHCPRELEASE(tap1)") == 2 * len(LEASED) and not server.leased())
        score.result("net/cards-leased/released", gone, "\n".join(
            said for said in server.text().splitlines() if "(tap" in said))


JOBS = {"cards": cards, "cards-leased": leases}
