"""Removing a tree of a stranger's making: no recursion, no long paths, no link followed, however deep it is.

Directories are moved up beside the tree's own root before they are emptied, so every path stays short.
"""

from __future__ import annotations

import os


def remove_tree(path: str) -> None:
    """Remove a directory and all below it; what is gone already is no failure.

    Args:
        path: a directory, no link; nobody adds to it meanwhile, somebody else may be removing it too.
    """
    ours, number, pending = f"{path}.{os.urandom(4).hex()}", 0, [path]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(current) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except FileNotFoundError:
            continue
        for name, is_directory in found:
            try:
                if is_directory:
                    number += 1
                    os.rename(f"{current}/{name}", f"{ours}.{number}")
                    pending.append(f"{ours}.{number}")
                else:
                    os.unlink(f"{current}/{name}")
            except FileNotFoundError:
                continue
        try:
            os.rmdir(current)
        except FileNotFoundError:
            continue
