# SPDX-License-Identifier: BSD-2-Clause
"""Real programs from the distribution: servers with real clients, and command lines whose output
and status must be those of the same line on the host."""
import contextlib
import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from harness import tap, target
from harness.guest import wanted

DIR = "build/test/app"
DATABASE = f"/tmp/skiff-test-{os.getpid()}.db"


class Server:
    """A server in a guest (or on the host) with one port published."""

    def __init__(self, program, args, port, cpus, memory="512M", own_network=False,
                 udp=False):
        self.network = None
        self.host, self.prefix, self.port = "127.0.0.1", [], target.free_port()
        options = ["--publish", f"{self.port}:{port}" + "/udp" * udp]
        if own_network and tap.possible() and not target.on_host():
            self.network = tap.Network()
            self.host, self.prefix, self.port = tap.GUEST, self.network.prefix, port
            options = self.network.options
        argv = [program] + [a.replace("PORT", str(self.port if target.on_host() else port))
                            for a in args]
        if not target.on_host():
            argv = self.prefix + target.guest(program, argv[1:], cpus=cpus, memory=memory,
                                              net="user", options=options)
        self.argv = argv
        self.log = open(f"{DIR}/{os.path.basename(program)}-{self.port}.log", "w+b")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)

    def command(self, argv):
        """A client's command line: where to find the server, and in which network."""
        words = {"PORT": str(self.port), "HOST": self.host}
        for name, value in words.items():
            argv = [a.replace(name, value) for a in argv]
        return self.prefix + argv

    def answers(self, ready, limit=60):
        """Whether the server becomes ready: ready(self) is asked until it says so."""
        clock = target.Patience()
        while clock.tick() < limit and self.process.poll() is None:
            if ready(self):
                return True
            time.sleep(0.1)
        return False

    def end(self):
        target.end(self.process)
        if self.network:
            self.network.end()
            self.network = None

    def text(self):
        self.log.seek(0)
        said = self.log.read().decode(errors="replace")
        stopped = said.find("the kernel stopped")
        said = said[stopped:stopped + 3000] if stopped >= 0 else said[-3000:]
        return f"{said}\n(its status now: {self.process.poll()})"

    def stop(self):
        """End it by SIGTERM; the status of a server that ended by itself."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            target.end(self.process)
        return self.process.returncode


def speaks(question, answer):
    """Ready when it answers a question on its port."""
    def ready(server):
        try:
            with socket.create_connection((server.host, server.port), 5) as s:
                s.sendall(question)
                s.settimeout(5)
                return s.recv(100).startswith(answer)
        except OSError:
            return False
    return ready


def client(score, name, server, argv, limit, check=None):
    """One client against the server: status 0, and check(output) if there is one."""
    done = target.run(server.command(argv), limit=limit)
    good = done.status == 0 and not done.late and (check is None or check(done.out))
    score.result(name, good, done.out.decode(errors="replace")[-1500:] + done.text()
                 + "\nthe server said:\n" + server.text())
    return done


def memcached(score, threads, cpus, only=None):
    name = f"app/memcached-t{threads}-cpus{cpus}"
    server = Server("/usr/bin/memcached", ["-u", "root", "-t", str(threads), "-p", "PORT", "-U",
                                           "0", "-l", "0.0.0.0", "-m", "200"], 11211, cpus)
    try:
        if not server.answers(speaks(b"version\r\n", b"VERSION")):
            score.bad(name, "no answer\n" + server.text())
            return
        score.ok(name + "/answers")
        client(score, name + "/100000-keys", server,
               [f"{DIR}/mc_client", "127.0.0.1", "PORT", "100000", "8"], 240)
        client(score, name + "/memcping", server, ["memcping", "--servers=127.0.0.1:PORT"], 20)
        client(score, name + "/memcstat", server, ["memcstat", "--servers=127.0.0.1:PORT"], 20,
               lambda out: b"curr_items: 100000" in out and b"cmd_set: 100000" in out)
        client(score, name + "/memcslap", server,
               ["memcslap", "--servers=127.0.0.1:PORT", "--concurrency=32",
                "--execute-number=100", "--initial-load=1000", "--test=set"], 120)
        client(score, name + "/memcslap-get", server,
               ["memcslap", "--servers=127.0.0.1:PORT", "--concurrency=32",
                "--execute-number=100", "--initial-load=1000", "--test=get"], 120)
        score.result(name + "/ends", server.process.poll() is None and server.stop() == 0,
                     server.text())
    finally:
        target.end(server.process)


def redis(score, cpus):
    name = f"app/redis-cpus{cpus}"
    server = Server("/usr/bin/redis-server",
                    ["--port", "PORT", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
                     "--appendonly", "no"], 6379, cpus, own_network=True)
    cli = ["redis-cli", "-h", "HOST", "-p", "PORT"]
    bench = ["redis-benchmark", "-h", "HOST", "-p", "PORT", "-q", "-t",
             "ping,set,get,incr,lpush,lrange_100", "-n", "20000", "-c", "20"]

    def no_error(out):
        return b"rror" not in out and out.count(b"requests per second") >= 6

    try:
        def ready(s):
            return target.run(s.command(cli + ["ping"]), limit=10).out == b"PONG\n"

        if not server.answers(ready):
            score.bad(name, "no answer\n" + server.text())
            return
        score.ok(name + "/answers")
        client(score, name + "/set", server, cli + ["set", "key", "a value"], 20,
               lambda out: out == b"OK\n")
        client(score, name + "/get", server, cli + ["get", "key"], 20,
               lambda out: out == b"a value\n")
        client(score, name + "/list", server, cli + ["eval", "for i=1,1000 do "
               "redis.call('rpush','l',i) end return redis.call('lrange','l',-2,-1)", "0"], 20,
               lambda out: out == b"999\n1000\n")
        client(score, name + "/benchmark", server, bench, 300, no_error)
        client(score, name + "/benchmark-P16", server, bench + ["-P", "16"], 120, no_error)
        client(score, name + "/dbsize", server, cli + ["exists", "key", "l"], 20,
               lambda out: out == b"2\n")
        score.result(name + "/ends", server.process.poll() is None and server.stop() == 0,
                     server.text())
    finally:
        server.end()


def same(score, name, argv, stdin=b"", files=(), env=(), limit=120, cpus=1, memory=None,
         workdir=None):
    """The same command line on the host and in the guest. Paths of files are the same in both."""
    program = shutil.which(argv[0], path="/usr/bin:/bin:" + os.getcwd()) or argv[0]
    host_env = dict({"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/tmp", "TZ": "UTC"},
                    **dict(e.split("=", 1) for e in env))
    want = target.run([program] + argv[1:], stdin, limit=limit, env=host_env, cwd=workdir or "/")
    if target.on_host():
        got = want
    else:
        got = target.run(target.guest(
            program, argv[1:], cpus=cpus, memory=memory, files=files,
            env=[f"{k}={v}" for k, v in host_env.items()],
            options=["-w", workdir] if workdir else []), stdin, limit=limit)
    good = (got.out, got.status) == (want.out, want.status) and not got.late and not want.late
    score.result("app/" + name, good, f"status {got.status}, on the host {want.status}\n"
                 f"guest: {got.out[:800]!r}\nhost:  {want.out[:800]!r}\n{got.text()}")
    return got


def data_file():
    """A megabyte of text that is the same everywhere, and its compressed forms."""
    path = os.path.abspath(f"{DIR}/data.txt")
    if not os.path.exists(path):
        with open(path, "w") as f:
            for i in range(20000):
                f.write(f"{i * 7919 % 20011:06d} the quick brown fox jumps over line {i}\n")
        subprocess.run(["gzip", "-kf", path], check=True)
        subprocess.run(["xz", "-kf", path], check=True)
    return path


def command_lines():
    data = data_file()
    text = b"pear\napple\nfig\napple\nzebra\n" * 200
    f = [data]
    return [
        ("true", ["true"], {}), ("false", ["false"], {}),
        ("echo", ["echo", "-e", r"a\tb\\n", "two  blanks"], {}),
        ("printf", ["printf", "%s %05d %x\n", "text", "42", "255"], {}),
        ("cat", ["cat"], {"stdin": bytes(range(256)) * 500}),
        ("cat-files", ["cat", data, "/absent"], {"files": f}),
        ("sort", ["sort", "-u"], {"stdin": text}),
        ("sort-file", ["sort", "-n", data], {"files": f}),
        ("wc", ["wc", data], {"files": f}),
        ("head", ["head", "-n", "3", data], {"files": f}),
        ("tail", ["tail", "-n", "3", data], {"files": f}),
        ("cut", ["cut", "-d", " ", "-f", "1,3"], {"stdin": b"a b c d\n1 2 3 4\n"}),
        ("tr", ["tr", "a-z", "A-Z"], {"stdin": text}),
        ("seq", ["seq", "1", "3", "100"], {}),
        ("sha256sum", ["sha256sum", data], {"files": f}),
        ("md5sum", ["md5sum", data], {"files": f}),
        ("base64", ["base64", data], {"files": f}),
        ("od", ["od", "-A", "x", "-t", "x1z", "-N", "100", data], {"files": f}),
        ("ls", ["ls", "-1", os.path.dirname(data) + "/data.txt"], {"files": f}),
        ("ls-absent", ["ls", "/absent"], {}),
        ("stat", ["stat", "-c", "%s %F", data], {"files": f}),
        ("test", ["test", "-d", "/tmp"], {}),
        ("expr", ["expr", "6", "*", "7"], {}),
        ("factor", ["factor", "1234567890123", "97"], {}),
        ("date", ["date", "-u", "-d", "@86400", "+%Y-%m-%d %H:%M:%S"], {}),
        ("env", ["env", "printenv", "LC_ALL"][0:1] + ["-i"], {}),
        ("mktemp-fails", ["mktemp", "/absent/XXXXXX"], {}),
        ("busybox-sed", ["busybox", "sed", "s/apple/orange/"], {"stdin": text}),
        ("busybox-awk", ["busybox", "awk", "{ n[$1]++ } END { print n[\"apple\"], NR }"],
         {"stdin": text}),
        ("busybox-sh", ["busybox", "sh", "-c", "x=1; while [ $x -lt 5 ]; do echo $x; "
                        "x=$((x+1)); done; exit 6"], {}),
        ("busybox-find", ["busybox", "find", os.path.dirname(data), "-name", "data.txt"],
         {"files": f}),
        ("sqlite3", ["sqlite3", ":memory:",
                     "create table t(a,b); insert into t values(1,'x'),(2,'y');"
                     "with recursive c(n) as (select 1 union all select n+1 from c where n<1000)"
                     "insert into t select n, 'row '||n from c; select count(*), sum(a), max(b)"
                     " from t; select * from absent;"], {}),
        ("sqlite3-file", ["sqlite3", DATABASE,
                          "pragma journal_mode=wal; drop table if exists t; create table t(a);"
                          "insert into t values(1),(2); select sum(a) from t; drop table t;"], {}),
        ("lua", ["lua5.4", "-e", "local t={} for i=1,1000 do t[#t+1]=i*i end print(#t,t[1000],"
                 "string.format('%.3f',math.sqrt(2)),('x'):rep(3)) os.exit(5)"], {}),
        ("gzip", ["gzip", "-9nc", data], {"files": f}),
        ("gunzip", ["gzip", "-dc", data + ".gz"], {"files": [data + ".gz"]}),
        ("gzip-bad", ["gzip", "-dc"], {"stdin": b"not compressed"}),
        ("xz", ["xz", "-1c"], {"stdin": text * 20}),
        ("unxz", ["xz", "-dc", data + ".xz"], {"files": [data + ".xz"], "memory": "512M"}),
        ("xz-threads", ["xz", "-1", "-T2", "-c"], {"stdin": text * 20, "cpus": 2,
                                                    "memory": "512M"}),
        ("openssl-sha256", ["openssl", "dgst", "-sha256", data], {"files": f}),
        ("openssl-enc", ["openssl", "enc", "-aes-256-cbc", "-K", "00" * 32, "-iv", "11" * 16,
                         "-base64"], {"stdin": text}),
        ("openssl-prime", ["openssl", "prime", "1000003"], {}),
    ]


def static_programs(score, only):
    for kind in ("glibc", "pie", "musl", "go"):
        path = f"{DIR}/static_{kind}"
        if not wanted("static-" + kind, only):
            continue
        if not os.path.exists(path):
            score.skip(f"app/static-{kind}", "its compiler is not installed")
            continue
        for cpus in (1, 4):
            same(score, f"static-{kind}-cpus{cpus}", [os.path.abspath(path), "4"], cpus=cpus)


def python(score, only):
    lib = ["/usr/lib/python3.11"]
    here = os.path.abspath("test/app")
    how = {"files": lib + [here + ":" + here], "memory": "512M", "limit": 200}
    runs = [("python-print", ["/usr/bin/python3", "-c", "print('hello', 6 * 7)"]),
            ("python-status", ["/usr/bin/python3", "-c", "import sys; sys.exit(3)"]),
            ("python-error", ["/usr/bin/python3", "-c", "1 / 0"]),
            ("python-basics", ["/usr/bin/python3", here + "/python_basics.py", "a", "b c"])]
    if os.path.exists("/usr/lib/python3.11/test/test_json"):
        runs.append(("python-unittest", ["/usr/bin/python3", here + "/python_unittest.py",
                                         "test_json.test_decode", "test_json.test_unicode",
                                         "test_re", "test_struct", "test_heapq", "test_textwrap",
                                         "test_queue", "test_bisect"]))
    elif not only:
        score.skip("app/python-unittest", "libpython3.11-testsuite is not installed")
    for name, argv in runs:
        if wanted(name, only):
            for cpus in (1, 2) if name == "python-basics" else (1,):
                same(score, f"{name}-cpus{cpus}", argv, cpus=cpus, **how)


def openssl_speed(score):
    argv = ["openssl", "speed", "-seconds", "1", "-bytes", "1024", "sha256"]
    program = shutil.which(argv[0])
    line = [program] + argv[1:] if target.on_host() else target.guest(program, argv[1:])
    got = target.run(line, limit=60)
    score.result("app/openssl-speed", got.status == 0 and b"sha256" in got.out, got.text())


def run(score, only):
    os.makedirs(DIR, exist_ok=True)
    jobs = []
    for name, argv, how in command_lines():
        if wanted(name, only):
            jobs.append(lambda n=name, a=argv, h=how: same(score, n, a, **h))
    if wanted("openssl-speed", only):
        jobs.append(lambda: openssl_speed(score))
    jobs.append(lambda: static_programs(score, only))
    jobs.append(lambda: python(score, only))
    for threads, cpus in ((1, 1), (4, 1), (1, 2), (4, 2)):
        if wanted(f"memcached-t{threads}-cpus{cpus}", only):
            jobs.append(lambda t=threads, c=cpus: memcached(score, t, c))
    if wanted("redis", only):
        jobs.append(lambda: redis(score, 1))
        jobs.append(lambda: redis(score, 2))
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(j) for j in jobs]:
            score.guarded("app", job.result)
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(DATABASE + suffix)
