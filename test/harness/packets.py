# SPDX-License-Identifier: BSD-2-Clause
"""The UDP memcached on packets by reference: every answer is that of Debian's memcached to the same datagram."""
import contextlib
import re
import socket
import struct
import subprocess

from harness import target
from harness.app import Server, client
from harness.guest import wanted

PROGRAM, LOAD = "build/bench/udp_memcached", "build/bench/udp_load"
FRAME = struct.Struct(">HHHH")
LAST = 0x1a57  # opaque of the request behind the one that is looked at


class Peer:
    """A client of one server: sends datagrams, puts answers of several together."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.connect(("127.0.0.1", port))
        self.id = 0

    def send(self, body, head=None):
        self.id = self.id % 65535 + 1
        self.socket.send((head or FRAME.pack(self.id, 0, 1, 0)) + body)

    def receive(self, limit):
        parts, total = {}, 1
        self.socket.settimeout(limit)
        while len(parts) < total:
            try:
                datagram = self.socket.recv(65536)
            except OSError:  # nothing came, or nobody listens
                return b"no answer"
            number, at, total, zero = FRAME.unpack(datagram[:8])
            if number != self.id:  # an answer to an older one that came late
                total = 1
                continue
            if zero or len(datagram) > 1400 or at >= total:
                return b"a bad frame: %r" % datagram
            parts[at] = datagram[8:]
        return b"".join(parts[i] for i in range(total))


def binary(opcode, key=b"", value=b"", extra=b"", cas=0, body=None, opaque=0xabcd):
    size = len(extra) + len(key) + len(value) if body is None else body
    return struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extra), 0, 0, size, opaque, cas) + extra + key + value


def set_extra(flags=0, expires=0):
    return struct.pack(">II", flags, expires)


def by(delta, initial=0, expires=0xffffffff):
    return struct.pack(">QQI", delta, initial, expires)


def dialogue():
    """(datagram's body, whether it is answered) in an order that makes sense to both servers."""
    big = bytes(i * 7 % 251 for i in range(900)).replace(b"\r", b".").replace(b"\n", b".")
    ascii_lines = [
        b"get nothing", b"get ", b"get", b"gets", b"nonsense", b"", b"set a 5 0 3\r\none", b"get a", b"get a b a",
        b"get  a   b ", b"add a 0 0 1\r\nx", b"add b 4294967295 0 2\r\nbb", b"get b a", b"replace a 7 0 5\r\nthree",
        b"replace c 0 0 1\r\nx", b"append a 1 0 2\r\n++", b"prepend a 1 0 2\r\n--", b"append c 0 0 1\r\nx", b"get a",
        b"set n 0 0 2\r\n10", b"incr n 5", b"decr n 3", b"decr n 100", b"incr n 18446744073709551615", b"incr n 1",
        b"incr n x", b"incr a 1", b"incr none 1", b"get n", b"delete n", b"delete n", b"delete n 5", b"delete",
        b"touch a 0", b"touch none 0", b"touch a x", b"touch", b"set a 0 0", b"set a x 0 1\r\ny", b"set a 0 0 -1\r\ny",
        b"set a 0 0 0\r\n", b"get a", b"cas a 0 0 1 999999999\r\nx", b"cas none 0 0 1 5\r\nx",
        b"cas a 0 0 1\r\nx", b"set long 0 0 900\r\n" + big, b"get long", b"get long a long", b"get long long long long long",
        b"get " + b"k" * 250, b"get " + b"k" * 251, b"set " + b"k" * 251 + b" 0 0 1\r\nx", b"set gone 0 -1 1\r\nx", b"get gone",
        b"get a\r\nget b\r\nget none", b"set p 0 0 1\r\np\r\nget p\r\ndelete p\r\nget p", b"verbosity 1", b"get " + b" ".join(
            b"key%d" % i for i in range(40)), b"flush_all", b"get a b long", b"set z 0 0 1\r\nz", b"get z"]
    for line in ascii_lines:
        yield line + b"\r\n", True
    for line in (b"set q 1 0 2 noreply\r\nqq\r\n", b"delete none noreply\r\n", b"incr q2 1 noreply\r\n"):
        yield line, False
    yield b"get q\r\n", True
    get = 0x00  # binary, from here on
    for request, answered in [
            (binary(get, b"none"), True), (binary(0x09, b"none"), False), (binary(0x0c, b"none"), True), (binary(0x0d, b"none"), False),
            (binary(1, b"x", b"value", set_extra(3)), True), (binary(get, b"x"), True), (binary(0x0c, b"x"), True),
            (binary(0x09, b"x"), True), (binary(2, b"x", b"no", set_extra()), True), (binary(2, b"y", b"yes", set_extra()), True),
            (binary(3, b"x", b"new", set_extra(9)), True), (binary(3, b"w", b"new", set_extra()), True),
            (binary(1, b"x", b"cas", set_extra(), cas=987654321), True), (binary(1, b"w", b"cas", set_extra(), cas=5), True),
            (binary(0x0e, b"x", b"+"), True), (binary(0x0f, b"x", b"-"), True), (binary(0x0e, b"w", b"+"), True), (binary(get, b"x"), True),
            (binary(5, b"c", extra=by(3)), True), (binary(5, b"c", extra=by(3, 10, 0)), True), (binary(5, b"c", extra=by(3)), True),
            (binary(6, b"c", extra=by(100)), True), (binary(5, b"x", extra=by(1)), True), (binary(4, b"x"), True), (binary(4, b"x"), True),
            (binary(0x0a), True), (binary(0x11, b"x", b"quiet", set_extra()), False), (binary(get, b"x"), True),
            (binary(0x12, b"x", b"quiet", set_extra()), True), (binary(0x14, b"x"), False), (binary(0x14, b"x"), True),
            (binary(0x09, b"none") + binary(0x0a), True), (binary(get, b"y") + binary(get, b"c"), True), (binary(8), True), (binary(get, b"y"), True)]:
        yield request, answered


def plain(answer):
    """Without what may differ: the cas of binary answers, and of gets."""
    out, rest = b"", answer
    while rest[:1] == b"\x81" and len(rest) >= 24:
        size = 24 + struct.unpack(">I", rest[8:12])[0]
        out += rest[:16] + rest[24:size]
        rest = rest[size:]
    return out + rest


def asked_by_tcp(port, body):
    """What memcached says to it, by TCP: its UDP puts each value of a get into an answer of its own."""
    is_binary = body[:1] == b"\x80"
    last, end = (binary(0x0a, opaque=LAST), struct.pack(">I", LAST)) if is_binary else (b"version\r\n", b"VERSION")
    said = b""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.settimeout(2)  # some errors make it skip what follows
        s.sendall(body + last)
        with contextlib.suppress(OSError):
            while end not in said:
                piece = s.recv(65536)
                if not piece:
                    break
                said += piece
    at = said.find(end)
    if at < 0:
        return said or b"no answer"
    return said[:at - 12 if is_binary else at] or b"no answer"


def compare(score, name, peer, oracle):
    wrong = []
    asked_by_tcp(oracle, b"flush_all\r\n")
    for body, answered in dialogue():
        peer.send(body)
        ours, theirs = plain(peer.receive(20 if answered else 0.3)), plain(asked_by_tcp(oracle, body))
        if ours != theirs:
            wrong.append(f"{body[:80]!r}:\n  {ours[:200]!r}\n  memcached: {theirs[:200]!r}")
    score.result(name + "/as-memcached", not wrong, "\n".join(wrong))


def hostile(score, name, peer):
    """What is no request is not answered, and does no harm."""
    for head in (b"", b"\0", b"\0\1\0\0\0\1\0", FRAME.pack(1, 0, 1, 0), FRAME.pack(1, 0, 2, 0), FRAME.pack(1, 1, 2, 0), FRAME.pack(1, 0, 0, 0)):
        peer.socket.send(head)
        if len(head) == 8 and head[5] != 1:
            peer.socket.send(head + b"version\r\n")
    peer.send(b"set a 0 0 5\r\nabc\r\n")
    got = peer.receive(20)
    score.result(name + "/cut-off", got == b"CLIENT_ERROR bad data chunk\r\n", repr(got))
    for body in (b"\x80", b"\x80\x00" + b"\xff" * 22, binary(0, b"k", body=1 << 31), binary(1, b"k", b"v", b"", body=2), b"\xff" * 100,
                 b"get " + b"x" * 60000, b"set k 0 0 99999999\r\n", b"get\0\0\r\n", b"\r\n" * 500):
        peer.send(body)
    peer.send(b"version\r\n")
    got = peer.receive(20)
    score.result(name + "/hostile", got.startswith(b"VERSION"), repr(got))


def figures(port):
    """The server's stats; a datagram may be lost behind a flood."""
    for _ in range(10):
        peer = Peer(port)
        peer.send(b"stats\r\n")
        found = re.findall(rb"STAT (\S+) (\d+)\r\n", peer.receive(3))
        if found:
            return {k.decode(): int(v) for k, v in found}
    return {}


def serve(score, threads, cpus, oracle, more=()):
    kind = "calls" if more else "rings"
    name = f"app/packets-{kind}-t{threads}-cpus{cpus}"
    server = Server(PROGRAM, ["-U", "PORT", "-t", str(threads), *more], 11211, cpus, udp=True)
    try:
        def ready(s):
            peer = Peer(s.port)
            peer.send(b"version\r\n")
            return peer.receive(2).startswith(b"VERSION")

        if not server.answers(ready):
            score.bad(name, "no answer\n" + server.text())
            return
        score.ok(name + "/answers")
        peer = Peer(server.port)
        compare(score, name, peer, oracle)
        hostile(score, name, peer)
        before = figures(server.port)
        client(score, name + "/load", server, [LOAD, "HOST", "PORT", "4", "16", "20000"], 120)
        after = figures(server.port)
        if kind == "rings" and not target.on_host():
            packets, copied, calls, refused = (after.get(k, 0) - before.get(k, 0) for k in (
                "ring_packets", "ring_copied", "ring_calls", "ring_refused"))
            score.result(name + "/not-copied", packets >= 20000 and copied == 0 and refused == 0, f"{before}\n{after}")
            score.result(name + "/fewer-calls-than-packets", 0 < calls < packets, f"{before}\n{after}")
        client(score, name + "/memcslap", server, ["memcslap", "--udp", "--servers=127.0.0.1:PORT", "--concurrency=4",
                                                   "--execute-number=100", "--test=set"], 60)
        score.result(name + "/still-answers", figures(server.port).get("cmd_set", 0) > after["cmd_set"], server.text())
        score.result(name + "/still-there", server.process.poll() is None, server.text())
    finally:
        target.end(server.process)


def run(score, only):
    if not wanted("packets", only):
        return
    port = target.free_port()
    oracle = subprocess.Popen(["/usr/bin/memcached", "-u", "root", "-p", str(port), "-l", "127.0.0.1"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for threads, cpus, more in ((1, 1, ()), (2, 2, ()), (1, 1, ("--calls",))):
            score.guarded("app", lambda t=threads, c=cpus, m=more: serve(score, t, c, port, m))
    finally:
        target.end(oracle)
