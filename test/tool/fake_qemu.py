#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Stands in for QEMU in tests of skiff run's supervision: finds the channels on the command line as QEMU
does and behaves as $FAKE says."""
import os
import signal
import socket
import sys
import time

fds = {}
sets = {}
arguments = sys.argv[1:]
for flag, value in zip(arguments, arguments[1:]):
    if flag == "-add-fd":
        words = dict(w.split("=") for w in value.split(","))
        sets[words["set"]] = int(words["fd"])
    if flag == "-chardev" and value.startswith("pipe,"):
        words = dict(w.split("=") for w in value.split(",")[1:])
        fds[words["id"].removeprefix("skiff-")] = sets[words["path"].removeprefix("/dev/fdset/")]
port = {name: socket.socket(fileno=fd) for name, fd in fds.items()}


def log(text):
    port["console"].sendall(text.encode())


def leave(status):
    log(f"\x1eskiff-exit {status}\n")
    sys.exit(0)


def read_all(name):
    data = b""
    while part := port[name].recv(65536):
        data += part
    return data


def lines(name):
    text = b""
    while part := port[name].recv(4096):
        text += part
        while b"\n" in text:
            line, text = text.split(b"\n", 1)
            yield line.decode()


mode = os.environ["FAKE"]
if mode == "cat":  # input to output, and its length to error; output after end of input
    data = read_all("stdin")
    port["stdout"].sendall(data)
    if "stderr" in port:
        port["stderr"].sendall(str(len(data)).encode())
    leave(7)
elif mode == "flood":  # much output, then the end at once
    for i in range(200):
        port["stdout"].sendall(bytes(range(256)) * 200)
    leave(0)
elif mode == "log":
    log("<6>[    0.000001] quiet\n<4>[    0.000002] loud\n<7>[    0.000003] debug\n")
    leave(0)
elif mode == "panic":
    log("<6>[    0.000001] quiet\n<0>[    0.000002] BUG somewhere\n\x1eskiff-panic\n")
    time.sleep(60)
elif mode == "vanish":
    log("<6>[    0.000001] quiet\n")
    sys.exit(0)
elif mode == "refuse":
    sys.exit("qemu: no such thing")
elif mode == "signals":  # ends with the number of the first signal told
    port["stdout"].sendall(b"ready\n")
    for line in lines("control"):
        if line.startswith("signal"):
            leave(int(line.split()[1]))
elif mode == "stubborn":
    port["stdout"].sendall(b"ready\n")
    for line in lines("control"):
        port["stdout"].sendall((line + "\n").encode())
elif mode == "hang":  # the exit line, and no power-off; the pid is left for the test
    log("\x1eskiff-exit 5\n")
    time.sleep(60)
elif mode == "tty":
    port["stdout"].sendall(("tty " + " ".join(
        w for w in arguments[arguments.index("-append") + 1].split()
        if w.startswith(("tty=", "winsize=", "env=TERM"))) + "\r\n").encode())
    for line in lines("control"):
        port["stdout"].sendall((line + "\r\n").encode())
        if line.startswith("winsize"):
            break
    data = port["stdin"].recv(100)
    port["stdout"].sendall(repr(data).encode() + b"\r\n")
    leave(3)
