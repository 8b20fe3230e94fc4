# SPDX-License-Identifier: BSD-2-Clause
"""A walk through the interpreter: threads, loopback sockets, json, re, sqlite3, hashlib, files."""
import hashlib
import json
import os
import re
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import zlib

print("python", sys.version_info[:2], sys.argv[1:])

lock, total = threading.Lock(), 0


def work(n):
    global total
    for _ in range(1000):
        with lock:
            total += n


threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("threads", total)

listener = socket.create_server(("127.0.0.1", 0))


def serve():
    for _ in range(3):
        conn, _ = listener.accept()
        with conn, conn.makefile("rwb") as f:
            for line in f:
                f.write(line.upper())
                f.flush()


server = threading.Thread(target=serve)
server.start()
for i in range(3):
    with socket.create_connection(listener.getsockname()) as s, s.makefile("rwb") as f:
        for j in range(10):
            f.write(b"hello %d %d\n" % (i, j))
            f.flush()
            assert f.readline() == b"HELLO %d %d\n" % (i, j)
        s.shutdown(socket.SHUT_WR)
        print("echoed", i)
server.join()

data = {"numbers": list(range(10)), "text": "äöü\n", "nested": {"a": None, "b": [True, 1.5]}}
print(json.dumps(data, sort_keys=True), json.loads(json.dumps(data)) == data)
print(re.findall(r"(\w+)@(\w+)\.org", "a@b.org, cd@ef.org; x@y.com"))

for place in (":memory:", os.path.join(tempfile.mkdtemp(), "db")):
    db = sqlite3.connect(place)
    db.execute("create table t (n integer primary key, s text)")
    with db:
        db.executemany("insert into t (s) values (?)", [(f"row {i}",) for i in range(500)])
    print(db.execute("select count(*), sum(n), max(s) from t").fetchone())
    db.close()

for name in ("md5", "sha256", "blake2b", "sha3_256"):
    print(name, hashlib.new(name, b"skiff" * 1000).hexdigest()[:32])
print("zlib", zlib.crc32(zlib.decompress(zlib.compress(b"x" * 100000))))

with tempfile.NamedTemporaryFile("w+") as f:
    f.write("line\n" * 1000)
    f.flush()
    print("file", os.stat(f.name).st_size, sum(1 for _ in open(f.name)))
try:
    open("/absent/file")
except OSError as e:
    print(e.errno, e.strerror)
start = time.monotonic()
time.sleep(0.01)
print("slept", time.monotonic() - start >= 0.01)
print(sorted(os.listdir("/proc/self/fd"))[:3], os.getcwd() != "")
print(sum(i * i for i in range(100000)), 2 ** 200 % 1000007)
sys.exit(3)
