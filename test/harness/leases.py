# SPDX-License-Identifier: BSD-2-Clause
"""Leases from a real dnsmasq over tap: what the options do, renewing, rebinding, the end of a lease,
release, decline; and IPv6 addresses from its router advertisements and its DHCPv6."""
import os
import re
import socket
import struct
import tempfile
import threading

from harness import target
from harness.netapps import before, has, heard
from harness.wire import DIR, PORT, Guest, Wire

TYPES = {1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release"}
ALL = 3  # ETH_P_ALL: what is sent is seen too
OFFERS = ["--dhcp-option=option:router,10.0.2.2", "--dhcp-option=option:dns-server,10.0.2.2,10.0.2.3",
          "--dhcp-option=option:domain-name,example.net"]


class Sniffer(threading.Thread):
    """Every DHCP message on the tap, as (type, whether it was broadcast, ciaddr, requested address)."""

    def __init__(self, wire):
        super().__init__(daemon=True)
        with wire.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
        self.socket.bind(("tap0", ALL))
        self.socket.settimeout(0.2)
        self.messages, self.over = [], False
        self.start()

    def run(self):
        while not self.over:
            try:
                frame = self.socket.recv(2000)
            except TimeoutError:
                continue
            except OSError:
                return
            at = 14 + (frame[14] & 15) * 4
            if frame[12:14] == b"\x08\0" and frame[23] == 17 and struct.unpack_from("!HH", frame, at) in ((68, 67), (67, 68)):
                self.take(frame, frame[at + 8:])

    def take(self, frame, dhcp):
        options, at = {}, 240
        while at + 1 < len(dhcp) and dhcp[at] != 255:
            if dhcp[at] == 0:
                at += 1
                continue
            options[dhcp[at]] = dhcp[at + 2:at + 2 + dhcp[at + 1]]
            at += 2 + dhcp[at + 1]
        kind = TYPES.get(options.get(53, b"\0")[0], "?")
        self.messages.append((kind, frame[0] == 0xff, socket.inet_ntoa(dhcp[12:16]),
                              socket.inet_ntoa(options.get(50, bytes(4)))))

    def count(self, *what):
        """How many messages begin with these words."""
        return sum(m[:len(what)] == what for m in self.messages)

    def end(self):
        self.over = True
        self.join()
        self.socket.close()


class Server:
    """dnsmasq in the namespace of a wire, which can be stopped and started again with its leases."""

    def __init__(self, wire, *options):
        self.wire, self.place = wire, tempfile.TemporaryDirectory(prefix="skiff-dhcp-")
        self.log = open(f"{self.place.name}/log", "w+b")
        self.leases = f"{self.place.name}/leases"
        self.argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                     "--interface=tap0", "--bind-interfaces", "--user=root", "--pid-file=",
                     "--log-facility=-", "--log-dhcp", "--dhcp-authoritative", "--no-ping",
                     "--no-hosts", "--no-resolv", f"--dhcp-leasefile={self.leases}",
                     "--dhcp-range=10.0.2.50,10.0.2.60,255.255.255.0,2m"] + list(options)
        self.process = None
        self.start()

    def start(self):
        self.process = self.wire.start(self.argv, self.log)
        self.wire.wait_listening(67, udp=True)

    def stop(self):
        target.end(self.process)

    def text(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def leased(self):
        """Addresses that somebody has."""
        with open(self.leases) as f:
            return re.findall(r"^\d+ \S+ (\d+\.\S+)", f.read(), re.M)

    def end(self):
        self.stop()
        self.log.close()
        self.place.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()



OPTIONS = [
    ("address", "/usr/sbin/ip -4 addr show eth0",
     [r"inet 10\.0\.2\.5\d/24 brd 10\.0\.2\.127 ", r"mtu 1400 "]),
    ("routes", "/usr/sbin/ip -4 route",
     [r"^192\.168\.7\.0/24 via 10\.0\.2\.3 dev eth0", r"^default via 10\.0\.2\.2 dev eth0",
      r"^10\.0\.2\.0/24 dev eth0"]),
    ("names", "/usr/bin/cat /etc/resolv.conf",
     [r"^search eng\.example\.net example\.net$", r"^nameserver 10\.0\.2\.2$",
      r"^nameserver 10\.0\.2\.3$"]),
    ("time", "/usr/bin/cat /proc/net/ipconfig/ntp_servers", [r"\A10\.0\.2\.7\n10\.0\.2\.8\n\Z"]),
    ("host-name", "/usr/bin/uname -n", [r"^called$"]),
]


def options(score):
    """1 3 6 12 15 26 28 42 119 121 as the guest shows them; each boot ends with a release."""
    more = ["--dhcp-option=option:mtu,1400", "--dhcp-option=28,10.0.2.127",
            "--dhcp-option=option:ntp-server,10.0.2.7,10.0.2.8", "--dhcp-host=52:54:00:*:*:*,called",
            "--dhcp-option=option:domain-search,eng.example.net,example.net",
            "--dhcp-option=121,0.0.0.0/0,10.0.2.2,192.168.7.0/24,10.0.2.3"]
    with Wire() as wire, Server(wire, *OFFERS, *more) as server:
        for name, line, patterns in OPTIONS:
            with Guest(wire, line.split(), options=[]) as guest:
                heard(score, f"net/dhcp-options/{name}", guest, has(*patterns))
        gone = target.until(lambda: server.text().count("DHCPRELEASE") == len(OPTIONS)
                            and not server.leased())
        score.result("net/dhcp-options/released", gone, "\n".join(
            line for line in server.text().splitlines() if "(tap0)" in line))
    with Wire() as wire, Server(wire, *OFFERS) as server:
        with Guest(wire, ["/usr/bin/cat", "/etc/resolv.conf"], options=[]) as guest:
            heard(score, "net/dhcp-options/domain", guest, has(r"^search example\.net$"))
        with Guest(wire, ["/usr/bin/uname", "-n"], options=["--hostname", "mine"]) as guest:
            heard(score, "net/dhcp-options/own-host-name", guest, has(r"^mine$"))
        with Guest(wire, ["/usr/sbin/ip", "-4", "route"], options=[]) as guest:
            heard(score, "net/dhcp-options/router", guest, has(r"^default via 10\.0\.2\.2 dev eth0"))


def serving(wire, **how):
    return Guest(wire, [f"{DIR}/serve", str(PORT)], options=[], **how)


def life(score):
    """T1 and T2 of 6 and 12 seconds in a lease of two minutes: renewed at T1 by a word to the server
    alone; while it does not answer rebound at T2 by a word to all; and without any answer the address
    goes when the lease is over, and another life begins when the server is back."""
    with Wire() as wire, Server(wire, *OFFERS, "--dhcp-option=58,6", "--dhcp-option=59,12") as server:
        heard_all = Sniffer(wire)
        with serving(wire) as guest:
            good = guest.until("^serving$") and guest.until(lambda: server.leased())
            address = server.leased()[0] if good else None
            score.result("net/dhcp-life/leased", bool(address) and wire.answers(address, PORT),
                         guest.text() + server.text())
            if not address:
                return
            renewal = ("request", False, address)
            good = guest.until(lambda: heard_all.count(*renewal) >= 2 and heard_all.count("ack") >= 3)
            score.result("net/dhcp-life/renewed", good and heard_all.count("request", True) == 1,
                         str(heard_all.messages))
            server.stop()
            seen = heard_all.count(*renewal)
            asked = guest.until(lambda: heard_all.count(*renewal) > seen)
            server.start()
            acks = heard_all.count("ack")
            good = guest.until(lambda: heard_all.count("request", True, address) >= 1
                               and heard_all.count("ack") > acks)
            score.result("net/dhcp-life/rebound", asked and good and wire.answers(address, PORT),
                         str(heard_all.messages))
            server.stop()
            good = guest.until("the DHCP lease is over", 200)
            score.result("net/dhcp-life/expired", good and not wire.answers(address, PORT),
                         f"{heard_all.messages}\n{guest.text()}")
            server.start()
            good = guest.until(lambda: wire.answers(address, PORT), 100)
            score.result("net/dhcp-life/again", good, f"{heard_all.messages}\n{guest.text()}")
            guest.process.terminate()
            guest.wait()
            score.result("net/dhcp-life/released", heard_all.count("release", False, address) == 1,
                         str(heard_all.messages))
        heard_all.end()


def declined(score):
    """Another host, which the server does not know of, has the address that it offers first."""
    with Wire() as wire, Server(wire, *OFFERS) as server:
        heard_all = Sniffer(wire)
        with serving(wire) as guest:
            guest.until(server.leased)
            first = server.leased()
            guest.process.terminate()
            guest.wait()
        score.result("net/dhcp-decline/first", len(first) == 1, server.text())
        if len(first) != 1:
            return
        wire.ip(f"addr add {first[0]}/32 dev lo")  # the host answers ARP for all it has
        with serving(wire) as guest:
            good = guest.until(lambda: heard_all.count("decline", True, "0.0.0.0", first[0]))
            score.result("net/dhcp-decline/declined", good and f"DHCPDECLINE(tap0) {first[0]}"
                         in server.text(), f"{heard_all.messages}\n{guest.text()}")
            guest.until(lambda: [a for a in server.leased() if a not in first])
            others = [a for a in server.leased() if a not in first]
            score.result("net/dhcp-decline/another", len(others) == 1 and guest.until(
                lambda: wire.answers(others[0], PORT)), f"{heard_all.messages}\n{guest.text()}")
        heard_all.end()


def advertised(score):
    """IPv6 by what dnsmasq says as a router, and curl with the address that follows from it."""
    with Wire() as wire:
        wire.ip("-6 addr add fd00:5::1/64 dev tap0 nodad")
        with Server(wire, "--enable-ra", "--dhcp-range=fd00:5::,ra-only,64,10m", *OFFERS):
            with open(os.devnull, "w") as nowhere:
                wire.start(["python3", "-m", "http.server", "--bind", "::", "--directory", "test/net",
                            "8000"], nowhere)
            wire.wait_listening(8000)
            with before(wire, "addresses", "/usr/sbin/ip", "-6", "addr", options=[]) as guest:
                heard(score, "net/advertised/address", guest,
                      has(r"^    inet6 fd00:5::5054:ff:fe[0-9a-f:]+/64 scope global dynamic"))
            with before(wire, "addresses", "/usr/sbin/ip", "-6", "route", options=[]) as guest:
                heard(score, "net/advertised/route", guest, has(r"^default via fe80::\S+ dev eth0"))
            with open("test/net/nginx.conf") as f:
                want = f.read()
            with before(wire, "addresses", "/usr/bin/curl", "-s", "--max-time", "50",
                        "http://[fd00:5::1]:8000/nginx.conf", options=[]) as guest:
                heard(score, "net/advertised/curl", guest, lambda text: text == want)


def managed(score):
    """IPv6 where the router says that addresses come from DHCPv6, and only names: both by dnsmasq."""
    with Wire() as wire:
        wire.ip("-6 addr add fd00:6::1/64 dev tap0 nodad")
        def once(text):
            return re.findall("^(?:search|nameserver) .*", text, re.M) == [
                "search example.net six.example.net", "nameserver 10.0.2.2", "nameserver 10.0.2.3", "nameserver fd00:6::1"]
        names = ["--dhcp-option=option6:dns-server,[fd00:6::1]", "--dhcp-option=option6:domain-search,six.example.net"]
        with Server(wire, "--enable-ra", "--dhcp-range=fd00:6::50,fd00:6::5f,64,2m", *names, *OFFERS) as server:
            with before(wire, "addresses", "/usr/sbin/ip", "-6", "addr", options=[]) as guest:
                heard(score, "net/dhcp6/address", guest, has(r"^    inet6 fd00:6::5[0-9a-f]/128 scope global dynamic"))
            gone = target.until(lambda: "DHCPRELEASE(tap0)" in server.text()
                                and not re.search(r"fd00:6::5", open(server.leases).read()))
            score.result("net/dhcp6/released", gone, server.text())
            with before(wire, "addresses", "/usr/bin/cat", "/etc/resolv.conf", options=[]) as guest:
                heard(score, "net/dhcp6/names", guest, once)
        with Server(wire, "--enable-ra", "--dhcp-range=fd00:6::,ra-stateless,64,10m", *names, *OFFERS):
            with before(wire, "addresses", "/usr/bin/cat", "/etc/resolv.conf", options=[]) as guest:
                heard(score, "net/dhcp6/stateless-names", guest, once)


JOBS = {"dhcp-options": options, "dhcp-decline": declined, "advertised": advertised,
        "dhcp6": managed}
SLOW = {"dhcp-life": life}  # two minutes and more of waiting: beside all others
