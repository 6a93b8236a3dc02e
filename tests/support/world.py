"""Taking a test's world down: whatever is still mounted below a directory goes, the innermost first."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_MNT_DETACH = 2


def mounts_below(directory: Path | str) -> list[str]:
    """Mount points at or below a directory, the innermost first."""
    prefix = os.path.realpath(directory)
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split(" ")[4].encode().decode("unicode_escape")
        if point == prefix or point.startswith(prefix + "/"):
            found.append(point)
    return sorted(found, key=len, reverse=True)


def take_down(directory: Path | str) -> None:
    """Unmount everything below a directory, lazily, however often something was mounted over itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(8):
        points = mounts_below(directory)
        if not points:
            return
        for point in points:
            libc.umount2(os.fsencode(point), _MNT_DETACH)
