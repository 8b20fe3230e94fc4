# SPDX-License-Identifier: BSD-2-Clause
"""A network namespace with a tap device and a guest behind it, directly or through the link emulator
(test/net/link.c). Only addresses in the namespace are ever spoken to."""
import contextlib
import ctypes
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from harness import tap, target

DIR = "build/test/net"
HOST, GUEST = tap.HOST, tap.GUEST
HOST6, GUEST6 = "fd00:2::2", "fd00:2::15"
PORT = 7000  # of serve.c
LIMIT = 280  # seconds that any program in a namespace may live, whatever happens to the tests
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def namespace(path):
    """Sockets that are made and programs that are started by this thread are in that network."""
    with open("/proc/thread-self/ns/net") as home, open(path) as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET) < 0:
                os._exit(3)  # this thread would go on in a network that is not its own


class Wire(tap.Network):
    """rules: words for the emulator, as "loss=1"; None: the tap is QEMU's own, offloads and all."""

    def __init__(self, rules=None):
        super().__init__()
        self.link = self.place = None
        self.programs = []
        try:
            self.ip(f"-6 addr add {HOST6}/64 dev {tap.DEVICE} nodad")
            self.interface = ["--net", f"tap={tap.DEVICE}"]
            if rules is not None:
                self.start_link(rules)
        except BaseException:
            self.end()
            raise
        self.static = ["--ip", f"{GUEST}/24,{HOST}", "--ip", f"{GUEST6}/64,{HOST6}"]

    def start_link(self, rules):
        self.place = tempfile.TemporaryDirectory(prefix="skiff-net-")
        path = f"{self.place.name}/link"
        with self.inside():
            self.link = subprocess.Popen([f"{DIR}/link", tap.DEVICE, path] + list(rules), text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.link.stdout.readline() != "ready\n":
            raise OSError("no link")
        self.interface = ["--net", f"unix={path}"]

    def inside(self):
        return namespace(f"/proc/{self.holder.pid}/ns/net")

    def ip(self, words):
        subprocess.run(self.prefix + ["ip"] + words.split(), check=True)

    def run(self, argv, limit=60, **how):
        with self.inside():
            return target.run(["timeout", "-k", "5", str(LIMIT)] + argv, limit=limit, **how)

    def start(self, argv, log):
        """A program that stays until the wire ends; its output goes to the file."""
        with self.inside():
            process = subprocess.Popen(["timeout", "-k", "5", str(LIMIT)] + argv,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.programs.append(process)
        return process

    def connect(self, host, port, words=None, limit=60):
        """A connection to a server in the guest, which is given its first line."""
        with self.inside():
            s = socket.create_connection((host, port), limit)
        if words:
            s.sendall(words.encode() + b"\n")
        return s

    def answers(self, host, port):
        """Whether somebody listens there."""
        try:
            self.connect(host, port, limit=5).close()
        except OSError:
            return False
        return True

    def wait_listening(self, port, udp=False):
        """Until a program of ours on the host has its port."""
        files = ("udp", "udp6") if udp else ("tcp", "tcp6")

        def there():
            lines = "".join(open(f"/proc/thread-self/net/{f}").read() for f in files)
            return re.search(rf":{port:04X} 0+:0000 (07|0A) ", lines)
        with self.inside():
            if not target.until(there, 30):
                raise OSError(f"nobody has port {port}")

    def mac(self):
        """The hardware address of the host's end."""
        said = subprocess.run(self.prefix + ["ip", "-br", "link", "show", tap.DEVICE], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        return re.search(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", said).group()

    def end_programs(self):
        for process in self.programs:
            target.end(process)
        self.programs = []

    def tell(self, word):
        """Tell the emulator "cut", "join" or "stats": its counters, {"up": {"put": 7...}...}"""
        self.link.stdin.write(word + "\n")
        self.link.stdin.flush()
        stats = {}
        for _ in range(2):
            way, _, rest = self.link.stdout.readline().partition(": ")
            numbers = rest.split()
            stats[way] = dict(zip(numbers[::2], map(int, numbers[1::2])))
        return stats

    def end(self):
        self.end_programs()
        if self.link:
            self.link.stdin.close()
            self.link.wait()
            self.link.stdout.close()
            self.link = None
        if self.place:
            self.place.cleanup()
            self.place = None
        super().end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Guest:
    """A program in a guest on a wire."""

    def __init__(self, wire, argv, cpus=1, memory="256M", files=(), options=None, env=()):
        self.wire = wire
        self.log = tempfile.TemporaryFile(dir=DIR)
        program = shutil.which(argv[0], path="/usr/bin:/bin:/usr/sbin:" + os.getcwd()) or argv[0]
        line = [target.SKIFF, "run", "--cpus", str(cpus), "--memory", memory] + wire.interface
        for f in files:
            line += ["--file", f]
        for e in env:
            line += ["--env", e]
        line += wire.static if options is None else list(options)
        self.process = wire.start(line + [program] + list(argv[1:]), self.log)

    def text(self):
        said = self.said()
        stopped = said.find("the kernel stopped")
        said = said[stopped:stopped + 3000] if stopped >= 0 else said[-1500:]
        return f"the guest said:\n{said}\n(its status now: {self.process.poll()})"

    def said(self):
        return os.pread(self.log.fileno(), 1 << 22, 0).decode(errors="replace")

    def until(self, ready, limit=60):
        """Whether it happens while the guest lives: a pattern in its output, or ready() is true."""
        def good():
            return bool(re.search(ready, self.said(), re.M)) if isinstance(ready, str) else ready()
        return target.until(good, limit, lambda: self.process.poll() is None)

    def wait(self, limit=60):
        """The program's status, None if it does not end."""
        target.until(lambda: self.process.poll() is not None, limit)
        return self.process.poll()

    def end(self):
        target.end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        self.log.close()


def serving(wire, score, name, **how):
    """serve.c in a guest that is ready, or None, which is told."""
    guest = Guest(wire, [f"{DIR}/serve", str(PORT)], **how)
    if guest.until("^serving$"):
        return guest
    score.bad(name, "does not serve\n" + guest.text())
    guest.end()
    return None


def attempt(score, name, guest, what, *args):
    """One result: what(*args) gives None, or what is wrong."""
    begin = time.monotonic()
    try:
        wrong = what(*args)
    except OSError as error:
        wrong = str(error)
    if wrong:
        score.bad(name, f"{wrong}\n{guest.text()}")
    else:
        score.ok(name, f"{time.monotonic() - begin:.1f} s")
    return not wrong
