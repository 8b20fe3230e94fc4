#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of ./skiff from outside: what it packs, what it says, how it supervises. Booting the real kernel is
tested by test/app and test/boot; here QEMU is a stand-in (fake_qemu.py)."""
import fcntl
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "test"))
from harness.score import Score  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
SKIFF = str(ROOT / "skiff")
score = Score()
tmp = pathlib.Path(tempfile.mkdtemp(prefix="skiff-test-"))
kernel = tmp / "kernel.elf"
kernel.write_bytes(b"not booted here")
ENV = dict(os.environ, XDG_CACHE_HOME=str(tmp / "cache"), SKIFF_KERNEL=str(kernel))
ENV.pop("LD_LIBRARY_PATH", None)
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Failed(Exception):
    pass


def check(condition, detail=""):
    if not condition:
        raise Failed(str(detail))


def skiff(*args, env=None, stdin=b"", timeout=120, cwd=None):
    return subprocess.run([SKIFF, *map(str, args)], env=dict(ENV, **(env or {})), input=stdin,
                          capture_output=True, timeout=timeout, cwd=cwd)


def refused(status, pattern, *args, **more):
    r = skiff(*args, **more)
    check(r.returncode == status and re.search(pattern, r.stderr.decode()),
          f"{args}: status {r.returncode}, said {r.stderr.decode()!r}")
    check(r.stderr.startswith(b"skiff: "), r.stderr)


def compile(name, source, *flags, cc="gcc"):
    path = tmp / name
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([cc, "-x", "c", "-", "-x", "none", "-o", str(path), *map(str, flags)],
                   input=source.encode(), check=True)
    return path


def inspect(image):
    r = skiff("inspect", image)
    check(r.returncode == 0, r.stderr)
    return r.stdout.decode()


def dry(*args, **more):
    r = skiff("run", "--dry-run", "--accel", "tcg", *args, **more)
    check(r.returncode == 0, r.stderr)
    return shlex.split(r.stdout.decode())


def appended(words):
    return words[words.index("-append") + 1]


# ---- the library closure ----

@test
def closure_same_as_ldd():
    """For many programs of this machine, the same libraries as the dynamic loader finds."""
    programs = []
    for folder in ("/usr/bin", "/usr/sbin"):
        for path in sorted(pathlib.Path(folder).iterdir()):
            try:
                with path.open("rb") as f:
                    if f.read(5) == b"\x7fELF\x02" and not path.is_symlink():
                        programs.append(str(path))
            except OSError:
                pass
    step = max(1, len(programs) // 150)
    programs = programs[::step] + [p for p in ("/usr/bin/memcached", "/usr/bin/redis-server",
                                                "/usr/bin/qemu-system-x86_64") if os.path.exists(p)]
    ours = {}
    r = subprocess.run([str(BUILD / "closure_list"), *programs], env=ENV, capture_output=True, text=True)
    for line in r.stdout.splitlines():
        if line.startswith("= "):
            current = ours.setdefault(line[2:], set())
        else:
            current.add(line)
    wrong, compared = [], 0
    for program in programs:
        ldd = subprocess.run(["ldd", program], env=ENV, capture_output=True, text=True)
        if ldd.returncode or "not found" in ldd.stdout or "statically" in ldd.stdout:
            continue
        expected = {os.path.realpath(p) for p in re.findall(r"=> (/\S+)", ldd.stdout)}
        loader = {os.path.realpath(p) for p in re.findall(r"^\s*(/\S+)", ldd.stdout, re.M)}
        found = {p for p in ours[program] if "libgcc_s" not in p}
        compared += 1
        if found != {p for p in expected if "libgcc_s" not in p} - loader:
            wrong.append(f"{program}: too many {found - expected}, missing {expected - found}")
    check(not wrong and compared > 50, f"{compared} compared\n" + "\n".join(wrong))


def library(folder, name, source, *flags):
    return compile(f"{folder}/{name}", source, "-shared", "-fPIC", f"-Wl,-soname,{name}", *flags)


@test
def run_paths():
    """RPATH is inherited, RUNPATH is not and comes after LD_LIBRARY_PATH; $ORIGIN is the program's folder."""
    base = tmp / "rp"
    library("rp/deep", "libdeep.so", "int deep(void){return 1;}")
    library("rp/lib", "libmid.so", "int deep(void); int mid(void){return deep();}", f"-L{base}/deep", "-ldeep")
    main = "int mid(void); int main(void){return mid();}"
    flags = [f"-L{base}/lib", "-lmid", f"-Wl,-rpath-link,{base}/deep"]
    old = compile("rp/bin/old", main, *flags, "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/../lib:$ORIGIN/../deep")
    skiff("build", "-o", tmp / "rp.img", old)
    text = inspect(tmp / "rp.img")
    check(f"{base}/deep/libdeep.so" in text and f"{base}/lib/libmid.so" in text, text)
    new = compile("rp/bin/new", main, *flags, "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../lib:${ORIGIN}/../deep")
    refused(125, r"libmid\.so needs the library libdeep\.so, which is not on this machine",
            "build", "-o", tmp / "x.img", new)
    r = skiff("build", "-o", tmp / "rp2.img", new, env={"LD_LIBRARY_PATH": f"{base}/deep"})
    check(r.returncode == 0, r.stderr)
    text = inspect(tmp / "rp2.img")
    check(f"variable:   LD_LIBRARY_PATH={base}/deep" in text, text)
    skiff("build", "-o", tmp / "rp5.img", new, env={"LD_LIBRARY_PATH": "rp/../rp/deep"}, cwd=tmp)
    check(f"variable:   LD_LIBRARY_PATH={base}/deep" in inspect(tmp / "rp5.img"), inspect(tmp / "rp5.img"))
    # LD_LIBRARY_PATH wins over RUNPATH, RPATH wins over it.
    library("rp/other", "libmid.so", "int deep(void); int mid(void){return deep();}", f"-L{base}/deep", "-ldeep")
    both = {"LD_LIBRARY_PATH": f"{base}/other:{base}/deep"}
    skiff("build", "-o", tmp / "rp3.img", new, env=both)
    check(f"{base}/other/libmid.so" in inspect(tmp / "rp3.img"), inspect(tmp / "rp3.img"))
    skiff("build", "-o", tmp / "rp4.img", old, env=both)
    check(f"{base}/lib/libmid.so" in inspect(tmp / "rp4.img"))


@test
def static_program():
    path = compile("static", "int main(void){return 0;}", "-static")
    check(skiff("build", "-o", tmp / "s.img", path).returncode == 0)
    text = inspect(tmp / "s.img")
    check("loader:" not in text and "library:" not in text, text)


@test
def musl_program():
    if not shutil.which("musl-gcc"):
        return "musl-gcc is not installed"
    path = compile("musl", "#include <stdio.h>\nint main(void){puts(\"x\");return 0;}", cc="musl-gcc")
    r = skiff("build", "-o", tmp / "musl.img", path)
    check(r.returncode == 0, r.stderr)
    text = inspect(tmp / "musl.img")
    check("loader:     /lib/ld-musl-x86_64.so.1" in text and "libc.so.6" not in text, text)
    check("ld-musl-x86_64.so.1 -> " in text, text)


@test
def libgcc_for_threads():
    quiet = compile("quiet", "int main(void){return 0;}")
    thread = compile("thread", "#include <pthread.h>\nvoid *f(void*p){return p;}int main(void){pthread_t t;"
                     "return pthread_create(&t,0,f,0);}")
    skiff("build", "-o", tmp / "q.img", quiet)
    skiff("build", "-o", tmp / "t.img", thread)
    check("libgcc_s" not in inspect(tmp / "q.img"))
    check("libgcc_s" in inspect(tmp / "t.img"))


@test
def scripts():
    script = tmp / "script"
    script.write_text("#!/usr/bin/env -S busybox sh\necho hi\n")
    script.chmod(0o755)
    r = skiff("build", "-o", tmp / "sc.img", script)
    check(r.returncode == 0, r.stderr)
    text = inspect(tmp / "sc.img")
    check(re.search(r" /usr/bin/env$", text, re.M) and re.search(r"bin/busybox$", text, re.M), text)
    script.write_text("#!/opt/nosuch/interp\n")
    refused(127, "is a script for /opt/nosuch/interp", "run", script)
    script.write_text(f"#!{script}\n")
    refused(126, "too many interpreters", "run", script)


@test
def links_and_files():
    """Links on the way stay links; modes, times and empty folders of -f stay."""
    d = tmp / "data"
    (d / "sub/empty").mkdir(parents=True)
    (d / "sub/a b").write_text("x")
    (d / "sub/a b").chmod(0o640)
    os.utime(d / "sub/a b", (1000000000, 1000000000))
    (d / "link").symlink_to("sub/a b")
    (tmp / "way").symlink_to("data")
    r = skiff("build", "-o", tmp / "f.img", "-f", tmp / "way", "-f", f"{d}/sub/a b:/etc/conf", "-v",
              f"{d}:/srv/d:ro", "true")
    check(r.returncode == 0, r.stderr)
    text = inspect(tmp / "f.img")
    for line in (rf"l 0777 .* {tmp}/way -> data", rf"- 0640 +1  {d}/sub/a b", rf"d 0755 .* {d}/sub/empty",
                 rf"l 0777 .* {d}/link -> sub/a b", r"- 0640 +1  /etc/conf", r"- 0640 +1  /srv/d/sub/a b"):
        check(re.search(f"^{line}$", text, re.M), f"{line}\n{text}")
    out = tmp / "out"
    subprocess.run(["fsck.erofs", f"--extract={out}", str(tmp / "f.img")], check=True, capture_output=True)
    check((out / "etc/conf").stat().st_mtime == 1000000000)
    check((out / "bin").is_symlink() == os.path.islink("/bin"))


@test
def file_libraries():
    """A program given with -f brings its libraries; one that is missing is a warning."""
    r = skiff("build", "-o", tmp / "fl.img", "-f", "/usr/bin/memcached", "true")
    check("libevent" in inspect(tmp / "fl.img"), r.stderr)


# ---- libskiff.so ----

@test
def preload():
    """A glibc program gets the library, unless told otherwise; its own list of libraries is kept."""
    image = tmp / "preload.img"
    skiff("build", "-o", image, "true")
    text = inspect(image)
    check("/.skiff/libskiff.so" in text and "/etc/ld.so.preload" in text, text)
    skiff("build", "-o", image, "--no-preload", "true")
    text = inspect(image)
    check("libskiff.so" not in text and "ld.so.preload" not in text, text)
    plain = compile("preload_static", "int main(void){return 0;}", "-static")
    skiff("build", "-o", image, plain)
    check("libskiff.so" not in inspect(image), "a static program")
    library("pl", "libasan.so.9", "int x;")
    program = compile("preload_asan", "extern int x; int main(void){return x;}", tmp / "pl/libasan.so.9",
                      f"-Wl,-rpath,{tmp}/pl")
    r = skiff("build", "-o", image, program)
    check(r.returncode == 0 and "libskiff.so" not in inspect(image), r.stderr)
    given = tmp / "list"
    given.write_text("/lib/own.so")
    skiff("build", "-o", image, "-f", f"{given}:/etc/ld.so.preload", "true")
    data = image.read_bytes()
    check(b"/lib/own.so\n/.skiff/libskiff.so\n" in data, "the given list")


@test
def preload_needs_nothing():
    """No library, no version of a symbol, and no symbol that an older glibc may not have."""
    lib = ROOT / "build/libskiff.so"
    if not lib.exists():
        return "no libskiff.so is built"
    def readelf(what):
        return subprocess.run(["readelf", "-W", what, lib], capture_output=True, text=True, check=True).stdout
    check("(NEEDED)" not in readelf("-d") and "(VER" not in readelf("-d"), readelf("-d"))
    wanted = {line.split()[7]: line.split()[4] for line in readelf("--dyn-syms").splitlines()
              if " UND " in line and len(line.split()) > 7}
    check(set(wanted) <= {"getauxval", "__errno_location", "pthread_setcanceltype", "pthread_testcancel", "__libc_single_threaded",
                          "__chk_fail"} and set(wanted.values()) == {"WEAK"}, wanted)


# ---- what it says ----

@test
def errors():
    hello = compile("hello", "int main(void){return 0;}")
    refused(127, "nosuchprogram: not found in PATH", "run", "nosuchprogram")
    refused(127, "No such file", "run", "./nosuch")
    refused(127, "name is empty", "run", "")
    refused(126, "is a folder", "run", ".")
    refused(126, "is a folder", "run", "/usr")
    text = tmp / "text"
    text.write_text("hello\n")
    refused(126, "not executable", "run", text)
    text.chmod(0o755)
    refused(126, "neither an ELF program nor a script", "run", text)
    for offset, value, words in ((18, b"\xb7", "64-bit ARM"), (18, b"\xf3", "RISC-V")):
        data = bytearray(hello.read_bytes())
        data[offset:offset + 1] = value
        (tmp / "foreign").write_bytes(data)
        (tmp / "foreign").chmod(0o755)
        refused(126, f"is a program for .*{words}", "run", tmp / "foreign")
    data = bytearray(hello.read_bytes())
    data[4], data[18] = 1, 3
    (tmp / "foreign").write_bytes(data)
    refused(126, "32-bit x86", "run", tmp / "foreign")
    (tmp / "foreign").write_bytes(hello.read_bytes()[:100])
    refused(126, "broken or cut off", "run", tmp / "foreign")
    shutil.copy(os.path.realpath("/lib/x86_64-linux-gnu/libm.so.6"), tmp / "foreign")
    (tmp / "foreign").chmod(0o755)
    refused(126, "is a shared library", "run", tmp / "foreign")
    odd = compile("odd", "int main(void){return 0;}", "-Wl,--dynamic-linker=/lib/ld-none.so.1")
    refused(127, "needs the dynamic loader /lib/ld-none.so.1", "run", odd)
    library("gone", "libgone.so", "int gone(void){return 0;}")
    needs = compile("needs", "int gone(void); int main(void){return gone();}", f"-L{tmp}/gone", "-lgone")
    refused(125, "needs needs the library libgone.so, which is not on this machine", "run", needs)


@test
def option_errors():
    for pattern, *args in (
            ("no program or image given", "run"), ("-c 0: use a number", "run", "-c", "0", "true"),
            ("-m 5Q: use a size", "run", "-m", "5Q", "true"), ("-p 80: use HOST:GUEST", "run", "-p", "80", "true"),
            ("--net", "run", "--net", "bridge", "true"), ("--machine vax: use one of microvm, q35, pc",
                                                           "run", "--machine", "vax", "true"),
            ("--isolate is not available yet", "run", "--isolate", "true"),
            ("volumes that can be written are not available yet", "run", "-v", "/tmp:/x", "true"),
            ("--bogus is no option", "run", "--bogus", "true"), ("-Z is no option", "run", "-Z", "true"),
            ("-m needs a value", "run", "-m"), ("is no command", "frobnicate"),
            ("skiff build -o IMAGE", "build", "true"), ("-p needs --net user", "run", "--net", "none", "-p",
                                                        "1:1", "true"),
            ("no network interface nosuchtap", "run", "--net", "tap=nosuchtap", "true"),
            ("-f /nosuch: No such file", "run", "-f", "/nosuch", "true"),
            ("the guest's /proc is its own", "run", "-f", "/proc/version", "true"),
            ("the guest's /dev is its own", "run", "/dev/shm/x"),
            ("the image alone has", "run", "-m", "2M", "--accel", "tcg", "--dry-run", "true"),
            ("use at least -m 11M", "run", "-m", "2M", "--accel", "tcg", "--dry-run", "true"),
            ("not the network's own or its broadcast", "run", "--ip", "10.0.2.255/24", "true"),
            ("not the network's own or its broadcast", "run", "--ip", "10.0.2.0/24", "true"),
            ("No such file or directory; start the program", "run", "--net", "unix=/nosuch", "true"),
            ("that is no socket", "run", "--net", "unix=/etc/passwd", "true"),
            ("lo is no tap interface", "run", "--net", "tap=lo", "true"),
            ("not an EROFS image", "inspect", "/bin/true"), ("not a file", "inspect", "/usr"),
            ("host's end; use another", "run", "--ip", "10.0.2.3/24", "--accel", "tcg", "--dry-run", "true")):
        refused(125, re.escape(pattern), *args)
    for args in (["--help"], ["run", "--help"], ["build", "-h"], ["inspect", "--help"], ["help", "run"]):
        r = skiff(*args)
        check(r.returncode == 0 and r.stdout.startswith(b"skiff") and not r.stderr, args)


@test
def host_errors():
    refused(125, "apt install qemu-system-x86", "run", "/bin/true", env={"PATH": "/nonexistent"})
    refused(125, "apt install qemu-system-x86|mkfs.erofs", "run", "/bin/ls", env={"PATH": "/nonexistent"})
    refused(125, "SKIFF_KERNEL=/nosuch", "run", "--accel", "tcg", "true", env={"SKIFF_KERNEL": "/nosuch"})
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind(("0.0.0.0", 0))
            if kind == socket.SOCK_STREAM:
                s.listen()
            port = s.getsockname()[1]
            udp = "/udp" if kind == socket.SOCK_DGRAM else ""
            refused(125, f"port {port} of this machine is in use", "run", "-p", f"{port}:80{udp}", "true")
    refused(125, "is given twice", "run", "-p", "0:80", "-p", "127.0.0.1:0:81", "-p", "64999:1", "-p", "64999:2",
            "true")


# ---- the QEMU line ----

@test
def dry_run_quoting():
    odd = ["a b", "it's", "$HOME", "x\\y", "", "tab\there", "new\nline", "\u00e4", "*", "#"]
    words = dry("true", *odd)
    args = [a[4:] for a in appended(words).split(" ") if a.startswith("arg=")]
    decoded = [re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), a.encode()).decode() for a in args]
    check(decoded == ["true", *odd], decoded)
    check(all(" " < c < "\x7f" for c in appended(words).replace(" ", "")))


@test
def dry_run_options():
    words = dry("-c", 3, "-m", "512M", "-e", "A=1", "-e", "A=2", "-w", "/w", "--hostname", "h", "--kernel-arg",
                "loglevel=6", "--qemu", "-gdb", "--qemu", "tcp::1", "--name", "a,b", "true")
    line = " ".join(words)
    for part in ("-smp 3", "-m 512M", "-M microvm,acpi=off", "-accel tcg", "-cpu max", "-gdb tcp::1", "-name a,,b",
                 "virtio-net-device", "-no-reboot", "-nodefaults", "force-legacy=false"):
        check(part in line, f"{part}: {line}")
    kernel_line = appended(words).split()
    for word in ("env=A=2", "workdir=/w", "hostname=h", "loglevel=6", "ip=dhcp", "arg=true", "env=HOME=/root"):
        check(word in kernel_line, f"{word}: {kernel_line}")
    check("env=A=1" not in kernel_line)
    line = " ".join(dry("--machine", "q35", "--net", "none", "true"))
    check("virtio-rng-pci,disable-legacy=on" in line and "virtio-net" not in line and "ip=none" in line, line)
    line = " ".join(dry("--ip", "10.9.8.7/24", "-p", "0:80", "-p", "127.0.0.1:0:53/udp", "true"))
    check(re.search(r"net=10\.9\.8\.0/24,host=10\.9\.8\.2,dns=10\.9\.8\.3", line), line)
    check(re.search(r"hostfwd=tcp::\d+-10\.9\.8\.7:80,hostfwd=udp:127\.0\.0\.1:\d+-10\.9\.8\.7:53", line), line)
    check("ip=10.9.8.7/24,10.9.8.2 dns=10.9.8.3" in line, line)
    check(" -m 256M " in " ".join(dry("true")))
    line = " ".join(dry("--ip", "2001:db8::7/64", "-p", "0:80", "true"))
    check("ipv6-net=2001:db8::/64,ipv6-host=2001:db8::2,ipv6-dns=2001:db8::3" in line, line)
    check("ip6=2001:db8::7/64,2001:db8::2 ip=dhcp" in line, line)
    check(re.search(r"hostfwd=tcp::\d+-:80", line), line)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp / "passt"))
        words = dry("--net", f"unix={tmp}/passt", "--ip", "10.9.8.7/24,10.9.8.1", "true")
    check(f"stream,id=net0,server=off,addr.type=unix,addr.path={tmp}/passt" in words, words)
    check("ip=10.9.8.7/24,10.9.8.1" in appended(words).split(), appended(words))


@test
def big_image_gets_memory():
    big = tmp / "big"
    with big.open("wb") as f:
        f.truncate(300 << 20)
    words = dry("-f", f"{big}:/big", "true")
    size = int(words[words.index("-m") + 1].rstrip("M"))
    check(300 * 1.25 + 96 <= size <= 500, size)
    big.unlink()


@test
def images():
    """build, inspect and run agree; the same input gives the same bytes; run adds arguments."""
    for name in ("i1.img", "i2.img"):
        r = skiff("build", "-o", tmp / name, "-e", "K=v w", "-w", "/srv", "echo", "one two", "three")
        check(r.returncode == 0, r.stderr)
        time.sleep(1.1)
    check((tmp / "i1.img").read_bytes() == (tmp / "i2.img").read_bytes(), "two builds differ")
    text = inspect(tmp / "i1.img")
    check("command:    echo 'one two' three" in text and "folder:     /srv" in text, text)
    check("variable:   K=v w" in text and "program:    /usr/bin/echo" in text, text)
    line = appended(dry(tmp / "i1.img", "four"))
    check("arg=echo arg=one\\x20two arg=three arg=four" in line and "workdir=/srv" in line, line)
    line = appended(dry("-e", "K=2", "i1.img", cwd=tmp))
    check("env=K=2" in line and "K=v" not in line, line)
    subprocess.run(["fsck.erofs", str(tmp / "i1.img")], check=True, capture_output=True)
    (tmp / "bad.img").write_bytes((tmp / "i1.img").read_bytes()[:8192])
    refused(125, "bad.img", "run", tmp / "bad.img")
    refused(125, "bad.img", "inspect", tmp / "bad.img")


@test
def long_arguments():
    """More than the kernel's line holds goes into the image."""
    words = dry("true", *["x" * 1000] * 20)
    check("arg=" not in appended(words) and len(appended(words)) < 4096, appended(words))
    text = inspect(words[words.index("-initrd") + 1])
    check("x" * 1000 in text, text[:300])


@test
def cache():
    """Packed once; again when a file changed, even with the same size."""
    program = compile("cached", "int main(void){return 1;}")

    def image():
        return (words := dry(program))[words.index("-initrd") + 1]

    first = image()
    stamp = os.stat(first).st_ino
    check(image() == first and os.stat(first).st_ino == stamp)
    data = program.read_bytes()
    program.write_bytes(data[:-1] + b"x")
    check(image() != first)
    os.unlink(first.replace(".img", ".key"))
    program.write_bytes(data)
    check(os.path.exists(image()))
    words = dry(program, env={"XDG_CACHE_HOME": "", "HOME": ""})
    check(not os.path.exists(words[words.index("-initrd") + 1]) or True)
    check(not [p for p in os.listdir(tempfile.gettempdir()) if p.startswith(f"skiff-pack-{os.getpid()}")])


# ---- supervision ----

def fake(mode, *args, **more):
    env = {"SKIFF_QEMU": str(HERE / "fake_qemu.py"), "FAKE": mode}
    return skiff("run", "--accel", "tcg", *args, "true", env=env, **more)


def default_signals():
    """For a child: what runs in the background of a script, or under nohup, starts with some ignored."""
    for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(sig, signal.SIG_DFL)


def start_fake(mode, **more):
    env = dict(ENV, SKIFF_QEMU=str(HERE / "fake_qemu.py"), FAKE=mode)
    return subprocess.Popen([SKIFF, "run", "--accel", "tcg", "true"], env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **more, preexec_fn=default_signals)


@test
def streams():
    for data in (b"", b"x", bytes(range(256)) * 5000):
        r = fake("cat", stdin=data)
        check(r.stdout == data and r.stderr == str(len(data)).encode() and r.returncode == 7,
              (len(r.stdout), r.stderr, r.returncode))
    # A file, and nothing at all, as input; output and error in one file go through one port.
    (tmp / "in").write_bytes(b"from a file")
    env = dict(ENV, SKIFF_QEMU=str(HERE / "fake_qemu.py"), FAKE="cat")
    command = [SKIFF, "run", "--accel", "tcg", "true"]
    with (tmp / "in").open() as f:
        r = subprocess.run(command, env=env, stdin=f, capture_output=True)
    check(r.stdout == b"from a file", r.stdout)
    r = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    check(r.stdout == b"" and r.returncode == 7, r.stdout)
    r = subprocess.run(["sh", "-c", f"exec {shlex.join(command)} <&-"], env=env, capture_output=True)
    check(r.stderr == b"0" and r.returncode == 7, r)


@test
def all_output_arrives():
    for _ in range(3):
        r = fake("flood")
        check(r.returncode == 0 and r.stdout == bytes(range(256)) * 200 * 200, len(r.stdout))
    p = start_fake("flood")  # a slow reader
    time.sleep(1)
    check(len(p.communicate()[0]) == 256 * 200 * 200)
    r = subprocess.run(f"FAKE=flood SKIFF_QEMU={HERE}/fake_qemu.py {SKIFF} run --accel tcg true | head -c 10",
                       shell=True, env=ENV, capture_output=True, timeout=60)
    check(len(r.stdout) == 10)
    with open("/dev/full", "w") as full:
        r = subprocess.run([SKIFF, "run", "--accel", "tcg", "true"], stdout=full, stderr=subprocess.PIPE,
                           env=dict(ENV, SKIFF_QEMU=str(HERE / "fake_qemu.py"), FAKE="flood"))
    check(r.returncode == 125 and b"No space left" in r.stderr, r)


@test
def kernel_log():
    r = fake("log")
    check(r.returncode == 0 and r.stdout == b"" and r.stderr == b"[    0.000002] loud\n", r)
    r = fake("log", "-V")
    check(b"quiet" in r.stderr and b"debug" in r.stderr and b"skiff-exit" not in r.stderr, r)
    r = fake("panic")
    check(r.returncode == 125 and re.search(rb"BUG somewhere.*quiet.*crashed", r.stderr, re.S), r)
    r = fake("vanish")
    check(r.returncode == 125 and re.search(rb"quiet.*without the program's exit status", r.stderr, re.S), r)
    r = fake("refuse")
    check(r.returncode == 125 and re.search(rb"no such thing.*failed with status 1", r.stderr, re.S), r)
    began = time.monotonic()
    r = fake("hang")
    check(r.returncode == 5 and time.monotonic() - began < 30, r)


@test
def signals():
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        p = start_fake("signals")
        check(p.stdout.read(6) == b"ready\n")
        p.send_signal(sig)
        check(p.wait(30) == sig, (sig, p.returncode))
    p = start_fake("stubborn")
    check(p.stdout.read(6) == b"ready\n")
    p.send_signal(signal.SIGINT)
    check(p.stdout.read(9) == b"signal 2\n")
    p.send_signal(signal.SIGINT)
    check(p.wait(30) == 130, p.returncode)
    p = start_fake("stubborn")
    check(p.stdout.read(6) == b"ready\n")
    p.send_signal(signal.SIGTERM)
    check(p.wait(60) == 143, p.returncode)


def children(parent):
    """Processes whose parent is @parent (there may be no ps on a small system)."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.parent.name, stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[1]) == parent:
            found.append(int(pid))
    return found


@test
def killed_skiff_takes_qemu_along():
    p = start_fake("stubborn")
    check(p.stdout.read(6) == b"ready\n")
    child = children(p.pid)[0]
    p.kill()
    p.wait()
    for _ in range(100):
        if not os.path.exists(f"/proc/{child}") or " Z " in open(f"/proc/{child}/stat").read():
            return
        time.sleep(0.1)
    check(False, "QEMU is still there")


@test
def terminal():
    """On a terminal: raw mode, tty=1, the window's size and its changes, and everything as before at the end."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
    before = termios.tcgetattr(side)
    env = dict(ENV, SKIFF_QEMU=str(HERE / "fake_qemu.py"), FAKE="tty", TERM="vt100")

    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    p = subprocess.Popen([SKIFF, "run", "--accel", "tcg", "true"], env=env, stdin=side, stdout=side, stderr=side,
                         preexec_fn=own_terminal)
    text = b""

    def until(pattern):
        nonlocal text
        end = time.monotonic() + 30
        while not re.search(pattern, text):
            check(time.monotonic() < end, text)
            if select.select([main], [], [], 1)[0]:
                text += os.read(main, 4096)

    until(rb"tty tty=1 winsize=31x97 env=TERM=vt100\r\n")
    check(not termios.tcgetattr(side)[3] & (termios.ICANON | termios.ECHO | termios.ISIG))
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    until(rb"winsize 40 80\r\n")
    os.write(main, b"\x03a")
    until(rb"b'\\x03a'\r\n")
    check(p.wait(30) == 3, p.returncode)
    check(termios.tcgetattr(side) == before, "terminal is not as before")
    os.close(side)
    os.close(main)


# ---- with the real kernel ----

BUILT = ROOT / "build/skiff.elf"
REAL = {k: v for k, v in ENV.items() if k != "SKIFF_KERNEL"}


def real(*args, **more):
    return subprocess.run([SKIFF, "run", "--net", "none", *map(str, args)], env=REAL, timeout=60, **more)


@test
def guest_streams():
    if not BUILT.exists():
        return "no kernel is built"
    data = bytes(range(256)) * 4000
    for machine in ("microvm", "q35", "pc"):
        r = real("--machine", machine, "cat", input=data, capture_output=True)
        check(r.returncode == 0 and r.stdout == data and not r.stderr, (machine, len(r.stdout), r.stderr[:500]))
    r = real("sh", "-c", "echo out; echo err >&2; exit 7", capture_output=True, input=b"")
    check(r.returncode == 7 and r.stdout == b"out\n" and r.stderr == b"err\n", r)
    r = real("sh", "-c", "echo a; echo b >&2; echo c; echo d >&2", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check(r.stdout == b"a\nb\nc\nd\n", r.stdout)
    r = subprocess.run(f"{SKIFF} run --net none yes | head -2; echo ${{PIPESTATUS[0]}}", shell=True, env=REAL,
                       executable="/bin/bash", capture_output=True, timeout=60)
    check(r.stdout == b"y\ny\n141\n", r)


@test
def guest_image():
    if not BUILT.exists():
        return "no kernel is built"
    image = tmp / "real.img"
    skiff("build", "-o", image, "-w", "/usr", "-e", "K=a b", "sh", "-c", 'pwd; echo "$K:$0:$1"', "zero")
    r = real(image, "one two", capture_output=True)
    check(r.returncode == 0 and r.stdout == b"/usr\na b:zero:one two\n", r)
    r = real("printf", "%s.", *["x" * 1000] * 20, capture_output=True)
    check(r.stdout == (b"x" * 1000 + b".") * 20, r)
    r = real("sh", "-c", "echo $# ${#1} ${10000}", "x", "y" * 131000, *range(2, 10001), capture_output=True)
    check(r.stdout == b"10000 131000 10000\n", r)


@test
def guest_preload_order():
    """The program's own preloaded library comes first, and finds libskiff's function as the next."""
    if not BUILT.exists():
        return "no kernel is built"
    source = """#define _GNU_SOURCE
    #include <dlfcn.h>
    #include <string.h>
    #include <unistd.h>
    pid_t getppid(void) {
        pid_t (*next)(void) = (pid_t (*)(void))dlsym(RTLD_NEXT, "getppid");
        Dl_info info;
        dladdr((void *)next, &info);
        next();
        return strstr(info.dli_fname, "libskiff.so") ? 4711 : strstr(info.dli_fname, "libc.so") ? 4712 : 4713;
    }"""
    library("order", "own.so", source)
    program = compile("order_program", "#include <stdio.h>\n#include <unistd.h>\n"
                      "int main(void){printf(\"%d\\n\", getppid());return 0;}")
    own = ("-f", f"{tmp}/order/own.so:/own.so", "-e", "LD_PRELOAD=/own.so")
    r = real(*own, program, capture_output=True)
    check(r.stdout == b"4711\n", r)
    r = real("--no-preload", *own, program, capture_output=True)
    check(r.stdout == b"4712\n", r)


@test
def guest_signals():
    if not BUILT.exists():
        return "no kernel is built"
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        p = subprocess.Popen([SKIFF, "run", "--net", "none", "sh", "-c", "echo up; read x"], env=REAL,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=default_signals)
        check(p.stdout.read(3) == b"up\n")
        p.send_signal(sig)
        check(p.wait(30) == 128 + sig, (sig, p.returncode))


@test
def guest_terminal():
    """The line discipline: echo, editing, Ctrl-C, Ctrl-D, size."""
    if not BUILT.exists():
        return "no kernel is built"
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))

    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def session(steps, status, *program):
        p = subprocess.Popen([SKIFF, "run", "--net", "none", *program], env=REAL, stdin=side, stdout=side,
                             stderr=side, preexec_fn=own_terminal)
        for send, expect in steps:
            os.write(main, send)
            text, end = b"", time.monotonic() + 30
            while not re.search(expect, text):
                check(time.monotonic() < end, (send, expect, text))
                if select.select([main], [], [], 1)[0]:
                    text += os.read(main, 4096)
        check(p.wait(30) == status, p.returncode)

    session([(b"", b"31 97")], 0, "stty", "size")
    session([(b"abx\x7fc\r", rb"abx\x08 \x08c\r\nabc\r\n"), (b"\x04", b"")], 0, "cat")
    session([(b"word one\x17two\r", rb"\r\nword two\r\n"), (b"zz\x15y\r", rb"\r\ny\r\n"), (b"\x03", rb"\^C")],
            130, "cat")
    session([(b"", b"1\r\n"), (b"\x1c", rb"\^\\")], 131, "sh", "-c", "echo 1; read x; read y")
    os.close(side)
    os.close(main)


# ---- installing ----


def example(tmp, d):
    """The example of the manual page compiles with what is installed, without a warning."""
    page = (d / "usr/share/man/man7/skiff_packets.7").read_text()
    body = re.search(r"^\.Sh EXAMPLES$.*?^\.Bd .*?$\n(.*?)^\.Ed$", page, re.M | re.S).group(1)
    file = tmp / "example.c"
    file.write_text("#include <skiff.h>\nint serve_by_calls(int fd);\nint serve(int fd);\nint serve(int fd)\n{\n"
                    + body + "}\n")
    r = subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-c", "-o", tmp / "example.o",
                        f"-I{d}/usr/include", file], capture_output=True, text=True)
    check(r.returncode == 0, r.stderr)


@test
def install():
    d = tmp / "dest"
    build = ROOT / "build/skiff.elf"
    if not build.exists():
        return "no kernel is built"
    r = subprocess.run(["make", "-s", "install", f"DESTDIR={d}", "PREFIX=/usr"], cwd=ROOT, capture_output=True)
    check(r.returncode == 0, r.stderr)
    env = {k: v for k, v in ENV.items() if k != "SKIFF_KERNEL"}
    r = subprocess.run([str(d / "usr/bin/skiff"), "run", "--dry-run", "--accel", "tcg", "true"], env=env,
                       capture_output=True, text=True)
    check(r.returncode == 0 and "lib/skiff/skiff.elf" in r.stdout, r)
    check((d / "usr/lib/skiff/libskiff.so").exists(), "libskiff.so is not installed")
    check((d / "usr/share/man/man7/skiff_packets.7").exists(), "the manual page is not installed")
    example(tmp, d)
    image = tmp / "installed.img"
    r = subprocess.run([str(d / "usr/bin/skiff"), "build", "-o", str(image), "true"], env=env, capture_output=True)
    check(r.returncode == 0 and "libskiff.so" in inspect(image), r.stderr)


def main():
    os.chdir(tmp)
    for function in TESTS:
        if len(sys.argv) > 2 and function.__name__ not in sys.argv[2:]:
            continue
        try:
            why = function()
            if why:
                score.skip(function.__name__, why)
            else:
                score.ok(function.__name__)
        except (Failed, subprocess.SubprocessError, OSError) as e:
            score.bad(function.__name__, f"{type(e).__name__}: {e}")
    image = tmp / "unit.img"
    skiff("build", "-o", image, "echo", "x")
    if len(sys.argv) == 2:
        r = subprocess.run([str(BUILD / "unit")], env=dict(ENV, TEST_IMAGE=str(image)), capture_output=True,
                           text=True)
        names = re.findall(r"^(ok|not ok) (\S+)", r.stdout, re.M)
        for word, name in names:
            score.result(f"unit/{name}", word == "ok", r.stderr)
        score.result("unit", r.returncode == 0 and names, r.stdout + r.stderr)
    os.chdir("/")
    shutil.rmtree(tmp, ignore_errors=True)
    sys.exit(score.finish())


main()
