# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own network programs over a real network: as servers in the guest with clients on the host,
and as clients in the guest."""
import json
import os
import re
import socket

from harness import tap
from harness.wire import DIR, GUEST, GUEST6, HOST, HOST6, PORT, Guest, Wire

# A link that is not good, but on which programs are not slow.
FAIR = ["seed=2", "loss=0.5", "doubled=0.5", "held=1", "hold=2", "delay=0.5"]
# And on which they are; each way, so a round trip has twice the delay.
POOR = ["seed=2", "loss=5", "doubled=1", "held=2", "hold=3", "delay=5"]
LINKS = {"tap": None, "fair": FAIR, "lossy": ["seed=3", "loss=1", "delay=10"],
         "poor": POOR, "far": ["seed=4", "delay=50"]}


def told(score, name, done, check, guest):
    """The result of a client on the host: it ended well, and what it said satisfies check."""
    out = done.out.decode(errors="replace")
    good = done.status == 0 and not done.late and check(out)
    score.result(name, good, f"{out[-2000:]}\n{done.text()}\n{guest.text()}")


def heard(score, name, guest, check, limit=60):
    """The same of a client in the guest."""
    status = guest.wait(limit)
    score.result(name, status == 0 and check(guest.said()), f"status {status}\n{guest.text()}")


def has(*patterns):
    def check(text):
        return all(re.search(p, text, re.M) for p in patterns)
    return check


def iperf_result(streams):
    """iperf3's own account: every stream was there and moved bytes, and nothing went wrong."""
    def check(text):
        try:
            said = json.loads(text[text.index("{"):])
        except ValueError:
            return False
        end = said.get("end", {})
        moved = [s["receiver"]["bytes"] for s in end.get("streams", [])]
        return "error" not in said and len(moved) == streams and all(b > 0 for b in moved)
    return check


IPERF = [("1", 1, []), ("8", 8, []), ("1-reverse", 1, ["-R"]), ("8-reverse", 8, ["-R"])]


# How long a program that measures for a time may take until each of its connections has moved
# something: a second is enough, unless the host is busy. What is stuck is stuck after ten.
SECONDS = ("1", "10")


def iperf_server(score):
    for where, rules in LINKS.items():
        with Wire(rules) as wire, Guest(wire, ["iperf3", "-s", "--forceflush"], cpus=2) as guest:
            runs = 0

            def client(host, check, *more):
                nonlocal runs
                for seconds in SECONDS:
                    runs += 1
                    # It listens anew for each test: a client that comes between two is reset.
                    guest.until(rf"Server listening.*#{runs}\)")
                    done = wire.run(["iperf3", "-c", host, "-t", seconds, "-J"] + list(more))
                    if check(done.out.decode(errors="replace")):
                        break
                return done
            for name, streams, more in IPERF:
                check = iperf_result(streams)
                told(score, f"net/iperf3-server-{where}/{name}",
                     client(GUEST, check, "-P", str(streams), *more), check, guest)

            def datagrams(text):
                return '"error"' not in text and '"lost_percent"' in text
            told(score, f"net/iperf3-server-{where}/udp6",
                 client(GUEST6, datagrams, "-u", "-b", "5M"), datagrams, guest)


def iperf_client(score):
    for where, tests in (("tap", IPERF), ("poor", IPERF[1::2])):
        with Wire(LINKS[where]) as wire, open(os.devnull, "w") as nowhere:
            for name, streams, more in tests:
                for seconds in SECONDS:
                    wire.start(["iperf3", "-s", "-1"], nowhere)
                    wire.wait_listening(5201)
                    argv = ["iperf3", "-c", HOST, "-t", seconds, "-J", "-P", str(streams)] + more
                    with Guest(wire, argv) as guest:
                        if guest.wait() == 0 and iperf_result(streams)(guest.said()) or seconds == SECONDS[-1]:
                            heard(score, f"net/iperf3-client-{where}/{name}", guest, iperf_result(streams))
                            break
                    wire.end_programs()
                wire.end_programs()


SOCKPERF = has(r"dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0",
               r"Valid Duration\].*ReceivedMessages=[1-9]")


def sockperf(score):
    with Wire() as wire:
        for name, more in (("udp", []), ("tcp", ["--tcp"])):
            argv = ["sockperf", "sr", "-i", "0.0.0.0", "-p", "11111"] + more
            with Guest(wire, argv) as guest:
                guest.until("to block on socket")
                for kind in ("ping-pong", "under-load"):
                    argv = ["sockperf", kind, "-i", GUEST, "-p", "11111", "-t", "1", "--mps", "500"]
                    argv += ["--reply-every", "2"] if kind == "under-load" else []
                    told(score, f"net/sockperf-server/{name}-{kind}", wire.run(argv + more),
                         SOCKPERF, guest)
            with open(os.devnull, "w") as nowhere:
                server = ["sockperf", "sr", "-i", "0.0.0.0", "-p", "11112"] + more
                wire.start(server, nowhere)
                wire.wait_listening(11112, udp=not more)
                argv = ["sockperf", "ping-pong", "-i", HOST, "-p", "11112", "-t", "1"] + more
                with Guest(wire, argv) as guest:
                    heard(score, f"net/sockperf-client/{name}", guest, SOCKPERF)
                wire.end_programs()


BLASTS = {  # words for blast.c: datagrams, bytes, how, sockets, SO_SNDBUF
    "blocking": "20000 64 send", "poll": "20000 64 poll", "sendmmsg": "20000 64 many",
    "segments": "20000 1000 gso", "four-sockets": "10000 64 send 4",
    "small-buffer": "3000 64 poll 1 4096", "fragments": "3000 4000 send"}


def frames(wire):
    """How many have come out of the guest."""
    said = wire.run(["cat", "/proc/net/dev"]).out.decode()
    return int(re.search(rf"{tap.DEVICE}: *\d+ +(\d+)", said).group(1))


def blast(score):
    """UDP at full speed from the guest: its senders wait for the card, and all of it comes out. What
    the receiver loses in its own buffer is its own affair."""
    with Wire() as wire:
        with wire.inside():
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver:
            receiver.bind((HOST, 9000))
            for name, words in BLASTS.items():
                count, size, _, *sockets = words.split()
                sent = int(count) * int(sockets[0] if sockets else 1)
                want = sent * (3 if int(size) > 1472 else 1)
                seen = frames(wire)
                with Guest(wire, [f"{DIR}/blast", HOST, "9000"] + words.split(), cpus=2) as guest:
                    heard(score, f"net/blast/{name}", guest,
                          has(rf"^sent {sent} .* refused 0 .* dropped 0 "))
                came = frames(wire) - seen
                score.result(f"net/blast/{name}-came", came >= want, f"{came} frames of {want}")


def before(wire, words, program, *args, **how):
    """A program in the guest that finds what before.c makes for it."""
    return Guest(wire, [f"{DIR}/before"] + words.split() + ["--", program] + list(args),
                 files=[program], **how)


def ping(score):
    """Fragments both ways, on a good link and on one that changes their order."""
    answers = has(r" 0% packet loss", r"^8008 bytes .*seq=3")
    for where, rules in (("clean", []), ("reorder", ["held=30", "hold=5", "doubled=10"])):
        with Wire(["seed=3"] + rules) as wire:
            guest = Guest(wire, [f"{DIR}/serve", str(PORT)])
            with guest:
                guest.until("^serving$")
                for family, host in (("4", GUEST), ("6", GUEST6)):
                    argv = ["ping", "-c", "3", "-i", "0.2", "-s", "8000", host]
                    guest.until(lambda h=host: wire.run(["ping", "-c", "1", h]).status == 0)
                    told(score, f"net/ping-{where}/to-guest{family}", wire.run(argv), answers, guest)
            for family, host in (("4", HOST), ("6", HOST6)):
                with before(wire, "addresses", "/usr/bin/ping", "-c", "3", "-i", "0.2", "-s", "8000",
                            host) as guest:
                    heard(score, f"net/ping-{where}/from-guest{family}", guest, answers)


def tools(score):
    """What ip and ss say of a guest with a listener, a UDP socket and two connections."""
    four, six = re.escape(GUEST), re.escape(GUEST6)
    lines = {
        "addr": ("/usr/sbin/ip addr", [
            r"^1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536", r"^    inet 127\.0\.0\.1/8 scope host lo",
            r"^2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 ",
            r"^    link/ether 52:54:00:[0-9a-f:]{8} brd ff:ff:ff:ff:ff:ff",
            rf"^    inet {four}/24 brd 10\.0\.2\.255 scope global eth0",
            r"valid_lft forever preferred_lft forever"]),
        "addr6": ("/usr/sbin/ip -6 addr", [
            r"^    inet6 ::1/128 scope host", rf"^    inet6 {six}/64 scope global $",
            r"^    inet6 fe80::5054:ff:fe[0-9a-f:]+/64 scope link $"]),
        "route": ("/usr/sbin/ip route", [
            rf"^10\.0\.2\.0/24 dev eth0 proto kernel scope link src {four}",
            rf"^default via {re.escape(HOST)} dev eth0"]),
        "route6": ("/usr/sbin/ip -6 route", [
            r"^fe80::/64 dev eth0 ", r"^fd00:2::/64 dev eth0 ", rf"^default via {HOST6} dev eth0"]),
        "neigh": ("/usr/sbin/ip neigh", [
            rf"^{re.escape(HOST)} dev eth0 lladdr MAC (REACHABLE|DELAY|STALE)",
            rf"^{HOST6} dev eth0 lladdr MAC (router )?(REACHABLE|DELAY|STALE)"]),
        "link": ("/usr/sbin/ip -s link", [r"^2: eth0:", r"^    RX: .*\n +[1-9]\d+ +[1-9]",
                                          r"^    TX: .*\n +[1-9]\d+ +[1-9]"]),
        "ss-tcp": ("/usr/bin/ss -tan", [
            r"^LISTEN +0 +\d+ +\S*:80 ", rf"^ESTAB +0 +0 +{four}:\d+ +{re.escape(HOST)}:{PORT}",
            rf"^ESTAB +0 +0 +\[{six}\]:\d+ +\[{HOST6}\]:{PORT}"]),
        "ss-udp": ("/usr/bin/ss -uan", [r"^UNCONN +0 +0 +\S*:53 "]),
    }
    with Wire() as wire, open(os.devnull, "w") as nowhere:
        wire.start([f"{DIR}/serve", str(PORT)], nowhere)
        wire.wait_listening(PORT)
        mac = wire.mac()
        words = f"addresses listen 80 bind 53 connect {HOST} {PORT} connect {HOST6} {PORT}"
        for name, (line, patterns) in lines.items():
            with before(wire, words, *line.split()) as guest:
                heard(score, f"net/tools/{name}", guest, has(*(p.replace("MAC", mac)
                                                               for p in patterns)))


def nginx(score):
    """nginx in the guest, curl over both families and wrk; then curl in the guest over IPv6."""
    www = os.path.abspath(f"{DIR}/www")
    os.makedirs(www, exist_ok=True)
    for file, count in (("big", 12000), ("page", 200)):
        with open(f"{www}/{file}", "wb") as f:
            f.write(bytes(range(256)) * count)
    files = [os.path.abspath("test/net/nginx.conf") + ":/etc/nginx/nginx.conf", www + ":/www"]
    calm = ["wrk", "-t2", "-c64", "--timeout", "20s"]
    for where in ("tap", "fair", "poor"):
        with Wire(LINKS[where]) as wire, Guest(wire, ["nginx"], cpus=2, files=files) as guest:
            name = f"net/nginx-{where}"
            curl = ["curl", "-s", "--max-time", "50"]
            guest.until(lambda: wire.run(curl + [f"http://{GUEST}/hello"]).out == b"hello\n")
            for family, host in (("4", GUEST), ("6", f"[{GUEST6}]")):
                got = wire.run(curl + [f"http://{host}/big"])
                score.result(f"{name}/curl{family}", got.out == bytes(range(256)) * 12000,
                             f"{len(got.out)} bytes\n{got.text()}\n{guest.text()}")
            for what in ("hello", "page"):
                for seconds in SECONDS:
                    done = wire.run(calm + [f"-d{seconds}s", f"http://{GUEST}/{what}"])
                    if has(r"[1-9]\d* requests in")(done.out.decode(errors="replace")):
                        break
                told(score, f"{name}/wrk-{what}", done,
                     lambda out: has(r"[1-9]\d* requests in")(out) and "Non-2xx" not in out
                     and "Socket errors" not in out, guest)
            guest.process.terminate()
            score.result(f"{name}/ends", guest.wait() == 0, guest.text())


def curl_client(score):
    """curl in the guest, over IPv6 and IPv4, from a server on the host."""
    with Wire(FAIR) as wire, open(os.devnull, "w") as nowhere:
        wire.start(["python3", "-m", "http.server", "--bind", "::", "--directory", "test/net", "8000"],
                   nowhere)
        wire.wait_listening(8000)
        with open("test/net/nginx.conf") as f:
            want = f.read()
        for family, host in (("4", HOST), ("6", f"[{HOST6}]")):
            with before(wire, "addresses", "/usr/bin/curl", "-s", "--max-time", "50",
                        f"http://{host}:8000/nginx.conf") as guest:
                heard(score, f"net/curl-client/{family}", guest, lambda text: text == want)


def redis(score):
    def no_error(out):
        return "rror" not in out and out.count("requests per second") >= 3

    for where, rules, count in (("tap", None, "20000"), ("fair", FAIR, "3000"), ("poor", POOR, "500")):
        argv = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]
        with Wire(rules) as wire, Guest(wire, argv) as guest:
            name, client = f"net/redis-{where}", ["-h", GUEST]
            guest.until(lambda: wire.run(["redis-cli"] + client + ["ping"]).out == b"PONG\n")
            for more in ([], ["-P", "16"]):
                bench = ["redis-benchmark", "-q", "-t", "set,get,lrange_100", "-n", count, "-c", "50"]
                told(score, f"{name}/benchmark" + "".join(more), wire.run(bench + client + more, 120),
                     no_error, guest)


def memcached(score):
    for where, rules, keys in (("tap", None, "50000"), ("fair", FAIR, "5000"), ("poor", POOR, "500")):
        argv = ["memcached", "-u", "root", "-U", "0", "-m", "100", "-t", "2"]
        with Wire(rules) as wire, Guest(wire, argv, cpus=2) as guest:
            guest.until(lambda: wire.answers(GUEST, 11211))
            argv = ["build/test/app/mc_client", GUEST, "11211", keys, "8"]
            told(score, f"net/memcached-{where}/{keys}-keys", wire.run(argv, 120),
                 lambda out: True, guest)


JOBS = {"iperf3-server": iperf_server, "iperf3-client": iperf_client, "sockperf": sockperf,
        "blast": blast, "ping": ping, "tools": tools, "nginx": nginx, "curl-client": curl_client,
        "redis": redis, "memcached": memcached}
