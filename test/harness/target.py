# SPDX-License-Identifier: BSD-2-Clause
"""Running one program, on this host or in a guest by ./skiff run, always with a time limit."""
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time

SKIFF = os.path.abspath("skiff")


class Result:
    def __init__(self, status, out, err, late=False):
        self.status, self.out, self.err, self.late = status, out, err, late

    def text(self):
        lines = self.err.decode(errors="replace").splitlines()
        if len(lines) > 45: # a crash report says what matters first
            lines = lines[:40] + ["..."] + lines[-4:]
        how = "no answer in time" if self.late else f"status {self.status}"
        return "\n".join([how] + lines)


class Patience:
    """Seconds of waiting, by a clock that stands still while the whole machine does: between two
    ticks, which come every second or so, hardly more can pass unless nothing ran at all."""
    STEP = 3

    def __init__(self):
        self.waited, self.seen = 0, time.monotonic()

    def tick(self):
        now = time.monotonic()
        self.waited += min(now - self.seen, self.STEP)
        self.seen = now
        return self.waited


def until(good, limit=60, alive=lambda: True):
    """Whether good() becomes true while alive() is."""
    clock = Patience()
    while clock.tick() < limit:
        if good():
            return True
        if not alive():
            return bool(good())
        time.sleep(0.05)
    return False


def end(process):
    """SIGTERM lets skiff end its machine; SIGKILL takes both."""
    for sig, limit in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        if process.poll() is None:
            process.send_signal(sig)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                pass


def run(argv, stdin=b"", limit=60, idle=None, env=None, cwd=None, watch=None):
    """Run to the end. limit: seconds in all; idle: seconds without any output. watch is called
    with all of standard output so far whenever there is more of it."""
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(argv, stdin=given, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=env, cwd=cwd)
    parts = {process.stdout: bytearray(), process.stderr: bytearray()}
    clock = Patience()
    last = 0
    late = False
    with selectors.DefaultSelector() as waiting:
        for pipe in parts:
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select(0.5):
                data = os.read(key.fd, 65536)
                if not data:
                    waiting.unregister(key.fileobj)
                    continue
                parts[key.fileobj] += data
                last = clock.waited
                if watch and key.fileobj is process.stdout:
                    watch(parts[key.fileobj])
            now = clock.tick()
            if now > limit or (idle and now - last > idle):
                late = True
                end(process)
                break
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        end(process)
    out, err = (bytes(parts[p]) for p in (process.stdout, process.stderr))
    process.stdout.close()
    process.stderr.close()
    status = process.returncode
    return Result(128 - status if status < 0 else status, out, err, late)


def guest(program, args=(), cpus=1, memory=None, machine=None, files=(), env=(), net="none",
          options=()):
    """The command line that runs a program in a guest."""
    argv = [SKIFF, "run", "--cpus", str(cpus), "--net", net]
    if memory:
        argv += ["--memory", memory]
    if machine:
        argv += ["--machine", machine]
    for f in files:
        argv += ["--file", f]
    for e in env:
        argv += ["--env", e]
    return argv + list(options) + [program] + list(args)


def scratch():
    """A directory for files of the tests run on the host; in memory if there is such a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="skiff-test-", dir=place)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def on_host():
    """TARGET=host tries the drivers of the tests with the programs run on the host itself."""
    return os.environ.get("TARGET") == "host"
