# SPDX-License-Identifier: BSD-2-Clause
"""Running the same program in a Skiff and in a Linux guest, and saying with which command line."""
import contextlib
import os
import re
import shlex
import subprocess
import tempfile

import linux
from linux import BUILD, SKIFF, TOP, sh

CPU = "max,-erms,-fsrm"  # TCG runs `rep movsb` a byte at a time: see the head of RESULTS.md
ICOUNT = ["--qemu=-icount", "--qemu=shift=0,sleep=off", "--qemu=-cpu", f"--qemu={CPU}"]
SAME_CPU = ["--qemu=-cpu", f"--qemu={CPU}"]
KINDS = ("skiff", "linux")
FLOOR = "floor"  # a third kind: Skiff's line, with the kernel that does the least (bench/floor), which runs no program


class Guest:
    """What to run: options of `skiff run`, a program and its arguments. Linux needs modules for a network card."""

    def __init__(self, options, program, args=(), modules=False, pack=(), env=(), wrap=()):
        self.options = [str(o) for o in options]
        self.program = str(program)
        self.args = [str(a) for a in args]
        self.modules = modules
        self.pack = list(pack)  # options for files to add, of `skiff run` and `skiff build` alike
        self.env = list(env)  # K=V
        self.wrap = list(wrap)  # a command that runs the QEMU of either guest
        self.root = None

    def skiff_command(self, *more):
        env = [w for e in self.env for w in ("-e", e)]
        return [str(SKIFF), "run", *more, *self.options, *self.pack, *env, self.program, *self.args]

    def skiff_line(self):
        """The QEMU line that `skiff run` would use."""
        return shlex.split(sh(*self.skiff_command("--dry-run")).strip().splitlines()[-1])

    def linux_line(self):
        if self.root is None:
            self.root = linux.initrd(self.program, self.modules, self.pack)
        ports = sum(a == "-p" and not b.endswith("/udp") for a, b in zip(self.options, self.options[1:]))
        widen = [str(BUILD / "widen"), str(ports)] if ports else []  # as `skiff run` does itself
        return widen + linux.line(self.skiff_line(), self.root, [self.program, *self.args], self.env)

    def line(self, kind):
        if kind == FLOOR:
            return ["env", f"SKIFF_KERNEL={BUILD}/floor.elf", *self.skiff_command()]
        return self.skiff_command() if kind == "skiff" else self.linux_line()

    def commands(self):
        """Both, for people to read and repeat: without the names of folders of this machine."""
        def tidy(words):
            text = shlex.join(words).replace(str(TOP) + "/", "")
            return re.sub(r"tsc_early_khz=(?!1000000\b)\d+", "tsc_early_khz=$HOST_KHZ", text)
        return tidy([*self.wrap, *self.skiff_command()]), tidy([*self.wrap, *self.linux_line()])

    @contextlib.contextmanager
    def running(self, kind, limit):
        """The guest with its output on a pipe, its last errors by p.why(); ended by its process id, after `limit` seconds at the latest."""
        errors = tempfile.TemporaryFile()
        p = subprocess.Popen(["timeout", str(limit), *self.wrap, *self.line(kind)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=errors)
        p.why = lambda: os.pread(errors.fileno(), 1 << 16, 0)[-1000:].decode(errors="replace").strip()
        try:
            yield p
        finally:
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            errors.close()


HELLO = BUILD / "hello"
MICRO = BUILD / "micro"
GC = BUILD / "gc"
