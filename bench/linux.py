# SPDX-License-Identifier: BSD-2-Clause
"""Linux as the guest to compare with: Debian's cloud kernel, and a root of the very files that Skiff packs."""
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build" / "bench"
SKIFF = TOP / "skiff"
MODULES = ["virtio_mmio", "virtio_pci", "virtio_net"]  # and what they depend on
# What a fair user would switch off too: mitigations (Skiff has none), self-tests of ciphers (740 M instructions),
# zeroing that the program does not ask for, accounting for containers.
ARGS = ("console=ttyS0 quiet mitigations=off init_on_alloc=0 cgroup_disable=memory randomize_kstack_offset=off "
        "cryptomgr.notests tsc=reliable tsc_early_khz={khz} panic=-1 rdinit=/init")


class Failure(Exception):
    """Something that the user can put right: the text says what to do."""


def sh(*command, **kw):
    words = [str(c) for c in command]
    try:
        return subprocess.run(words, check=True, capture_output=True, text=True, **kw).stdout
    except FileNotFoundError:
        raise Failure(f"there is no command {words[0]}; run: tool/setup bench") from None
    except subprocess.CalledProcessError as e:
        raise Failure(f"{shlex.join(words)} failed with status {e.returncode}: {e.stderr.strip()[-400:]}") from None


def host_tsc_khz():
    """The host's time-stamp counter, which TCG hands through, against its clock for 50 ms."""
    return int(sh(BUILD / "hello", "rate"))


def download(there):
    try:
        depends = sh("apt-cache", "depends", "linux-image-cloud-amd64")
        package = re.search(r"Depends: (linux-image-\d\S+)", depends).group(1)
        print(f"bench: downloading {package} into {there}", file=sys.stderr)
        sh("apt-get", "download", package, cwd=there)
    except (Failure, AttributeError) as e:
        raise Failure(f"Debian's cloud kernel cannot be downloaded ({e}).\nRun `apt-get update`, look whether Debian's "
                      f"archive can be reached, or put a linux-image-*-cloud-amd64_*.deb into {there} yourself") from None
    return package


def kernel():
    """(vmlinux, folder of its modules, name of the package). Downloaded and unpacked once, kept under build/."""
    there = BUILD / "linux"
    if not (there / "done").exists():
        there.mkdir(parents=True, exist_ok=True)
        if not list(there.glob("*.deb")):
            download(there)
        deb = next(there.glob("*.deb"))
        shutil.rmtree(there / "root", ignore_errors=True)
        sh("dpkg-deb", "-x", deb, there / "root")
        modules = next(there.glob("root/lib/modules/*"))
        sh("depmod", "-b", there / "root", modules.name)
        # Uncompressed, for the PVH entry: unpacking itself would cost Linux a billion instructions.
        packed = next(there.glob("root/boot/vmlinuz-*")).read_bytes()
        offset, length = struct.unpack_from("<II", packed, 0x248)  # payload, in the boot protocol's header
        payload = packed[(packed[0x1f1] + 1) * 512 + offset:][:length - 4]
        try:
            unpacked = subprocess.run(["lz4", "-dc"], input=payload, capture_output=True, check=True).stdout
        except (FileNotFoundError, subprocess.CalledProcessError) as e:
            raise Failure(f"the kernel in {deb} cannot be unpacked ({e}); run: tool/setup bench") from None
        (there / "vmlinux").write_bytes(unpacked)
        (there / "done").write_text(deb.name.split("_")[0] + " " + deb.name.split("_")[1])
    return there / "vmlinux", next(there.glob("root/lib/modules/*")), (there / "done").read_text()


def module_files(folder):
    """The modules' files in the order in which they can be inserted."""
    depends = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        name, _, needs = line.partition(":")
        depends[pathlib.Path(name).stem] = [*reversed(needs.split()), name]
    files = []
    for module in MODULES:
        files += [f for f in depends[module] if f not in files]
    return [folder / f for f in files]


def initrd(program, modules, pack=()):
    """An initramfs with the files that skiff packs for the program, our init and virtio modules; made anew each time."""
    path = BUILD / f"initrd-{pathlib.Path(program).name}{'' if modules else '-bare'}.cpio"
    _, folder, _ = kernel()
    with tempfile.TemporaryDirectory() as tmp:
        tree, image = pathlib.Path(tmp) / "tree", pathlib.Path(tmp) / "image"
        sh(SKIFF, "build", *pack, "-o", image, program)
        sh("fsck.erofs", f"--extract={tree}", image)
        shutil.copy(BUILD / "init", tree / "init")
        names = []
        for source in module_files(folder) if modules else []:
            shutil.copy(source, tree / source.name)
            names.append("/" + source.name)
        (tree / "modules").write_text("".join(n + "\n" for n in names))
        files = sh("find", ".", cwd=tree)
        try:
            with open(path, "wb") as out:
                subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=files.encode(), stdout=out, cwd=tree, check=True)
        except FileNotFoundError:
            raise Failure("there is no command cpio; run: tool/setup bench") from None
    return path


def line(skiff_line, root, command, env=()):
    """Skiff's own QEMU line with another kernel, root and command line, and a serial console on stdout."""
    out, it = [], iter(skiff_line)
    for word in it:
        if word == "-kernel":
            next(it)
            out += ["-kernel", str(kernel()[0])]
        elif word == "-initrd":
            next(it)
            out += ["-initrd", str(root)]
        elif word == "-append":
            next(it)
            # Under -icount the counter runs at 1 GHz; otherwise Linux is told ours, as it cannot find it everywhere.
            khz = 1000000 if "-icount" in skiff_line else host_tsc_khz()
            words = " ".join([ARGS.format(khz=khz), *env])
            out += ["-append", f"{words} -- {shlex.join([str(c) for c in command])}"]
        elif word in ("-chardev", "-serial"):
            next(it)
        elif word == "-device":
            device = next(it)
            if not device.startswith(("virtserialport", "virtio-serial")):
                out += ["-device", device]
        elif word == "-M":
            machine = next(it)
            # Linux finds virtio-mmio and power-off on microvm through ACPI only.
            out += ["-M", machine.replace("acpi=off", "acpi=on")]
        else:
            out.append(word)
    return out + ["-serial", "stdio"]
