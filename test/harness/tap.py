# SPDX-License-Identifier: BSD-2-Clause
"""A network of its own for one guest: a namespace with a tap device. QEMU's user network is not
enough for clients that connect many times at once: it listens with a backlog of one, so the host
drops their handshakes and they wait for its retransmissions."""
import itertools
import os
import shutil
import subprocess

HOST, GUEST, DEVICE = "10.0.2.2", "10.0.2.15", "tap0"
_number = itertools.count()


def possible():
    return os.geteuid() == 0 and shutil.which("ip") and os.path.exists("/dev/net/tun")


class Network:
    def __init__(self):
        self.name = f"skiff-test-{os.getpid()}-{next(_number)}"
        self.prefix = ["ip", "netns", "exec", self.name]
        self._ip("netns", "add", self.name)
        try:
            for words in (["link", "set", "lo", "up"], ["tuntap", "add", DEVICE, "mode", "tap"],
                          ["addr", "add", f"{HOST}/24", "dev", DEVICE],
                          ["link", "set", DEVICE, "up"]):
                self._ip("-n", self.name, *words)
        except subprocess.CalledProcessError:
            self.end()
            raise

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True)

    def end(self):
        self._ip("netns", "del", self.name)

    options = ["--net", f"tap={DEVICE}", "--ip", f"{GUEST}/24,{HOST}"]
