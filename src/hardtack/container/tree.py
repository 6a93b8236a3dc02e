"""Remove a directory with everything in it, through directory descriptors, so that no link leads elsewhere.

Whatever a container has built there goes: what lies deep is moved up first, so that neither descriptors nor the
stack run out.
"""

from __future__ import annotations

import os
import stat

_DEEPEST = 64
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Remove a directory tree; one that is not there is no error.

    Raises:
        OSError: something cannot be removed.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return
    try:
        while _empty(descriptor, descriptor, 0):
            pass  # what was moved up comes in the next round
    finally:
        os.close(descriptor)
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return


def _empty(directory: int, top: int, depth: int) -> bool:
    """Remove what a directory holds. Returns whether something was moved to the top instead."""
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    moved = False
    for name, is_directory in found:
        try:
            if not is_directory:
                os.unlink(name, dir_fd=directory)
            elif depth >= _DEEPEST:
                os.rename(name, f".{os.urandom(8).hex()}", src_dir_fd=directory, dst_dir_fd=top)
                moved = True
            else:
                moved |= _remove_directory(directory, name, top, depth)
        except FileNotFoundError:
            continue
    return moved


def _remove_directory(parent: int, name: str, top: int, depth: int) -> bool:
    try:
        descriptor = os.open(name, _OPEN, dir_fd=parent)
    except PermissionError:
        # overlayfs leaves a directory of mode 000 in its work directory; root opens it anyway, others have to say so.
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
        descriptor = os.open(name, _OPEN, dir_fd=parent)
    try:
        moved = _empty(descriptor, top, depth + 1)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=parent)
    return moved
