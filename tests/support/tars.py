"""Root file systems as tars: a busybox made in memory, a Debian made by mmdebstrap and cached."""

from __future__ import annotations

import fcntl
import functools
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hardtack-tests"
_BUSYBOX = Path("/bin/busybox")
_PACKAGES = "python3,perl,ca-certificates"
_DIRECTORIES = ("bin", "etc", "tmp", "root", "proc", "sys", "dev", "var")


def entry(
    name: str, data: bytes = b"", mode: int = 0o644, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    """One member's header, with a fixed time."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
    info.mtime = 1_600_000_000
    return info


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar of these headers and bytes, in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return out.getvalue()


def files_tar(files: dict[str, bytes]) -> bytes:
    """A tar of plain files, directories above them left out."""
    return tar_of((entry(name, data), data) for name, data in files.items())


@functools.cache
def busybox_tar() -> bytes:
    """A root file system of 2 MB: the static busybox, a symbolic link per applet, passwd and group. Costs 30 ms."""
    if not _BUSYBOX.exists():
        pytest.skip("needs /bin/busybox (Debian: busybox-static)")
    busybox = _BUSYBOX.read_bytes()
    listed = subprocess.run([_BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    files = {
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "etc/group": b"root:x:0:\nnobody:x:65534:\n",
    }
    members = [
        (entry(name, mode=0o1777 if name == "tmp" else 0o755, kind=tarfile.DIRTYPE), b"") for name in _DIRECTORIES
    ]
    members.append((entry("bin/busybox", busybox, 0o755), busybox))
    members += [
        (entry(f"bin/{name}", mode=0o777, kind=tarfile.SYMTYPE, link="busybox"), b"")
        for name in listed
        if name != "busybox"
    ]
    members += [(entry(name, data), data) for name, data in files.items()]
    return tar_of(members)


@contextmanager
def cache_lock() -> Iterator[Path]:
    """Only one test process at a time fills the cache; the others wait, then find it filled."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield CACHE


def debian_tar() -> Path:
    """A Debian bookworm root of 220 MB and 11,097 entries as a tar. Costs 40 s once per machine, then nothing."""
    tar = CACHE / "debian-bookworm.tar"
    if tar.exists():
        return tar
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap to make a Debian root")
    with cache_lock():
        part = tar.with_suffix(".part.tar")
        if not tar.exists():
            command = ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(part)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                part.unlink(missing_ok=True)
                pytest.skip(f"mmdebstrap cannot make a Debian root: {done.stderr.strip()[-200:]}")
            part.rename(tar)
    return tar
