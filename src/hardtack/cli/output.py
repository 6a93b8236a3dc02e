"""Files that a command writes for a person: whole or not at all, never a half one under the name that was asked for."""

from __future__ import annotations

import os
import stat

from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO


def write_file(path: str, write: Callable[[BinaryIO], None]) -> None:
    """Let `write` fill a file, and give it its name when it is complete.

    A device or a pipe (`/dev/stdout`, a FIFO) is written to directly.

    Raises:
        TackError: the directory does not exist, or `path` is one.
    """
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise TackError(f"cannot write {path}: the directory {folder} does not exist")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise TackError(f"cannot write {path}: it is a directory")
    if not stat.S_ISREG(mode):
        with open(path, "wb") as out:
            write(out)
        return
    draft = os.path.join(folder, f".{os.path.basename(path)}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as out:
            write(out)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
