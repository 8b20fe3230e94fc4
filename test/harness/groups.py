# SPDX-License-Identifier: BSD-2-Clause
"""Groups and broadcasts over a switch that passes a group on only to who asked for it: a bridge of Linux
that listens to IGMP and MLD, and asks itself."""
import os
import re
import socket
import struct
import subprocess

from harness import tap
from harness.netapps import before
from harness.wire import DIR, GUEST, GUEST6, HOST, HOST6, Wire

PORT = 7100
QUICK = {"mcast_query_interval": 100, "mcast_query_response_interval": 20, "mcast_membership_interval": 260,
         "mcast_startup_query_interval": 50, "mcast_last_member_interval": 20}  # hundredths of a second


def switch(wire):
    """Puts a bridge between the host and the tap. False: this host's kernel has none that listens."""
    words = [f"{k} {v}" for k, v in QUICK.items()]
    try:
        wire.ip("link add br0 type bridge mcast_snooping 1 mcast_querier 1 " + " ".join(words))
        wire.ip("link set br0 type bridge mcast_igmp_version 3 mcast_mld_version 2")
    except subprocess.CalledProcessError:
        return False
    wire.ip(f"addr flush dev {tap.DEVICE}")
    wire.ip(f"-6 addr flush dev {tap.DEVICE} scope global")
    wire.ip(f"link set {tap.DEVICE} master br0")
    wire.ip("link set br0 up")
    wire.ip(f"addr add {HOST}/24 brd 10.0.2.255 dev br0")
    wire.ip("route add 255.255.255.255 dev br0")
    wire.ip(f"-6 addr add {HOST6}/64 dev br0 nodad")
    return True


def passed_on(wire, group):
    """For how many more seconds the switch passes the group on to the guest; None: it does not."""
    said = wire.run(["bridge", "-s", "mdb", "show", "dev", "br0"]).out.decode()
    found = re.search(rf"port {tap.DEVICE} grp {re.escape(group)} .*?(\d+\.\d+)", said)
    return float(found.group(1)) if found else None


class Member:
    """The host as another member of the group, which speaks to it, too."""

    def __init__(self, wire, group, guest):
        v4 = ":" not in group
        family, host = (socket.AF_INET, "0.0.0.0") if v4 else (socket.AF_INET6, "::")
        with wire.inside():
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
            index = socket.if_nametoindex("br0")
            member = struct.pack("=4s4si" if v4 else "=16sI", *[socket.inet_pton(family, group)]
                                 + ([bytes(4)] if v4 else []), index)
            if v4:
                self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
                self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            else:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            self.socket.bind((host, PORT + 1))
        self.socket.settimeout(20)
        self.group, self.guest = group, guest

    def say(self, text, to=None):
        self.socket.sendto(text.encode(), (to or self.group, PORT))

    def hears(self, text):
        try:
            data, who = self.socket.recvfrom(2000)
        except OSError as error:
            return str(error)
        return "" if (data.decode(), who[0]) == (text, self.guest) else f"{data} from {who}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def group(score, name, wire, address, guest_address):
    with before(wire, "addresses", os.path.abspath(f"{DIR}/group"), address, str(PORT)) as guest, \
            Member(wire, address, guest_address) as host:
        joined = guest.until("^joined$") and guest.until(lambda: passed_on(wire, address))
        score.result(f"{name}/join-is-reported", joined, guest.text())
        host.say("hello")
        score.result(f"{name}/is-heard", guest.until("^heard hello$"), guest.text())
        wrong = host.hears("hello")
        score.result(f"{name}/hears", not wrong, f"{wrong}\n{guest.text()}")
        left = [passed_on(wire, address) or 0]

        def asked_again():
            left.append(passed_on(wire, address) or 0)
            return left[-1] > left[-2] > 0
        score.result(f"{name}/queries-are-answered", guest.until(asked_again), str(left))
        host.say("leave", guest_address)
        gone = guest.until("^left$") and guest.until(lambda: passed_on(wire, address) is None)
        score.result(f"{name}/leaving-is-reported", gone, guest.text())
        host.say("unheard")
        host.say("join", guest_address)
        again = guest.until(lambda: guest.said().count("joined") == 2)
        score.result(f"{name}/who-has-left-hears-nothing", again and "unheard" not in guest.said(), guest.text())
        if ":" not in address:
            broadcast(score, name, guest, host)
        host.say("end", guest_address)
        score.result(f"{name}/ends", guest.wait() == 0, guest.text())


def broadcast(score, name, guest, host):
    for to in ("10.0.2.255", "255.255.255.255"):
        seen = guest.said().count("heard broadcast")
        host.say("broadcast", to)
        heard = guest.until(lambda: guest.said().count("heard broadcast") > seen)
        wrong = host.hears("broadcast")
        score.result(f"{name}/broadcast-{to}", heard and not wrong, f"{wrong}\n{guest.text()}")


def groups(score):
    with Wire() as wire:
        if not switch(wire):
            score.skip("net/groups", "this host's kernel has no bridge that listens to IGMP")
            return
        group(score, "net/groups4", wire, "239.1.2.3", GUEST)
        group(score, "net/groups6", wire, "ff15::77", GUEST6)


JOBS = {"groups": groups}
