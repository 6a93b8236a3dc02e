"""Whiteouts: names in a layer's tar that say what of the layers below is gone.

Source: OCI image-spec 1.1, layer.md, "Whiteouts".
"""

from __future__ import annotations

from hardtack.store.layer.member import OPAQUE, WHITEOUT

MARK = b".wh."
META_MARK = b".wh..wh."  # the name space of aufs' own files; `..opq` is the only one with a meaning left
OPAQUE_NAME = b".wh..wh..opq"


def read_name(path: bytes) -> tuple[str, bytes] | None:
    """What a plain path that contains ".wh." means.

    Returns:
        (WHITEOUT, the path that is gone), (OPAQUE, the directory that hides what is below it),
        ("", b"") for aufs' bookkeeping, which is to be passed over, or None for an ordinary name.
    Raises:
        ValueError: a whiteout of nothing, of `.` or `..`, or with members of its own.
    """
    parent, _, name = path.rpartition(b"/")
    if b"/.wh." in b"/" + parent:
        if b"/" + META_MARK in b"/" + parent:
            return "", b""
        raise ValueError("a whiteout has members of its own")
    if not name.startswith(MARK):
        return None
    if name == OPAQUE_NAME:
        return OPAQUE, parent
    if name.startswith(META_MARK):
        return "", b""
    target = name[len(MARK) :]
    if target in (b"", b".", b".."):
        raise ValueError("a whiteout names nothing that can exist")
    return WHITEOUT, parent + b"/" + target if parent else target


def written_name(path: bytes) -> bytes:
    """The tar's name for the whiteout of `path`."""
    parent, slash, name = path.rpartition(b"/")
    return parent + slash + MARK + name
