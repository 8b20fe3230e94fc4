# SPDX-License-Identifier: BSD-2-Clause
"""A network of its own for one guest: a namespace with a tap device. QEMU's user network is not
enough for clients that connect many times at once: it listens with a backlog of one, so the host
drops their handshakes and they wait for its retransmissions."""
import functools
import os
import shutil
import subprocess

HOST, GUEST, DEVICE = "10.0.2.2", "10.0.2.15", "tap0"


class Network:
    """The namespace lives as long as a process in it, which waits for the end of its input: nothing
    is left on the machine, however the test ends. kind: "multi_queue", or nothing."""

    def __init__(self, kind=""):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; read end"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.prefix = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        try:
            if self.holder.stdout.read(1) != b"\n":
                raise OSError("no network namespace")
            for words in ("link set lo up", f"tuntap add {DEVICE} mode tap {kind}",
                          f"addr add {HOST}/24 dev {DEVICE}", f"link set {DEVICE} up"):
                subprocess.run(self.prefix + ["ip"] + words.split(), check=True)
        except (OSError, subprocess.SubprocessError):
            self.end()
            raise

    def end(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()

    options = ["--net", f"tap={DEVICE}", "--ip", f"{GUEST}/24,{HOST}"]


@functools.cache
def possible():
    """Needs root, and a machine that lets it make networks: many containers do not."""
    if os.geteuid() != 0 or not shutil.which("ip") or not os.path.exists("/dev/net/tun"):
        return False
    try:
        Network().end()
    except (OSError, subprocess.SubprocessError):
        print("    no networks can be made here: servers are reached through QEMU's own")
        return False
    return True
