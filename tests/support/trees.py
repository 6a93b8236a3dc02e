"""Trees of files as values, to compare what two ways of unpacking have made."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any


class Facts(dict[str, Any]):
    """What is to be known of one file: mode, uid, gid, mtime in ns, and by kind size, content, link, device, nlink."""


def facts(path: bytes, content: bool = True) -> Facts:
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    found = Facts(mode=oct(status.st_mode), uid=status.st_uid, gid=status.st_gid, mtime=status.st_mtime_ns)
    found["xattrs"] = {
        name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
    }
    if kind != stat.S_IFDIR:
        found["nlink"] = status.st_nlink
    if kind == stat.S_IFREG:
        found["size"] = status.st_size
        if content:
            with open(path, "rb") as file:
                found["content"] = hashlib.file_digest(file, "sha256").hexdigest()
    elif kind == stat.S_IFLNK:
        found["link"] = os.readlink(path)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        found["device"] = status.st_rdev
    return found


def snapshot(top: str | Path, content: bool = True) -> dict[bytes, Facts]:
    """Every file below a directory by its relative path, the directory itself as b"."."""
    base = os.fsencode(top)
    found = {b".": facts(base)}
    pending = [b""]
    while pending:
        where = pending.pop()
        for name in os.listdir(os.path.join(base, where) if where else base):
            path = os.path.join(where, name) if where else name
            full = os.path.join(base, path)
            found[path] = facts(full, content)
            if stat.S_ISDIR(os.lstat(full).st_mode):
                pending.append(path)
    return found


def hard_links(top: str | Path) -> list[list[bytes]]:
    """The groups of names that share an inode."""
    base = os.fsencode(top)
    groups: dict[tuple[int, int], list[bytes]] = {}
    for folder, _, names in os.walk(base):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if status.st_nlink > 1:
                groups.setdefault((status.st_dev, status.st_ino), []).append(os.path.relpath(path, base))
    return sorted(sorted(group) for group in groups.values())


def differences(left: dict[bytes, Facts], right: dict[bytes, Facts]) -> list[str]:
    """In words, at most twenty."""
    lines = [f"only left: {path!r}" for path in sorted(left.keys() - right.keys())]
    lines += [f"only right: {path!r}" for path in sorted(right.keys() - left.keys())]
    for path in sorted(left.keys() & right.keys()):
        one, other = left[path], right[path]
        lines += [
            f"{path!r}: {key} {one.get(key)!r} / {other.get(key)!r}"
            for key in sorted(one.keys() | other.keys())
            if one.get(key) != other.get(key)
        ]
    return lines[:20]
