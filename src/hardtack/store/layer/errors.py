"""What can go wrong with layers, each with its facts as attributes."""

from __future__ import annotations

import os

from hardtack.store.errors import StoreError


class LayerError(StoreError):
    """The root of the layers' failures."""


class BadTar(LayerError):
    """The tar of a layer is damaged or not acceptable.

    Attributes:
        why: the reason alone.
        member: the name it concerns, "" when it concerns none.
        offset: of the header in the tar, -1 when it is not known.
    """

    def __init__(self, why: str, member: bytes = b"", offset: int = -1) -> None:
        self.why = why
        self.member = printable(member)
        self.offset = offset
        where = f" at byte {offset:,}" if offset >= 0 else ""
        about = f" ({self.member})" if member else ""
        super().__init__(f"cannot read the layer's tar: {why}{about}{where}")


class TruncatedTar(BadTar):
    """The tar, or the stream that holds it, ends before its last member does."""


class LayerTooLarge(LayerError):
    """A layer goes beyond a limit that keeps a hostile one from filling memory or disk."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"cannot accept the layer: more than {limit:,} {what}")
        self.what = what
        self.limit = limit


class BadCompression(LayerError):
    """The compressed bytes of a layer cannot be read."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(f"cannot decompress the layer: {kind} stream {why}")
        self.kind = kind
        self.why = why


class UnsupportedLayer(LayerError):
    """A blob in the place of a layer is something else."""

    def __init__(self, media_type: str) -> None:
        super().__init__(
            f"cannot unpack a layer of the type {media_type}", "Only tar, tar+gzip and tar+zstd are layers"
        )
        self.media_type = media_type


class DiffMismatch(LayerError):
    """The uncompressed tar is not the one that the image's config names."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"cannot accept layer {expected}: its uncompressed bytes are {actual}; they were discarded")
        self.expected = expected
        self.actual = actual


class LayerUnknown(LayerError):
    """The store holds no mountable layer of this diff id."""

    def __init__(self, diff_id: str) -> None:
        super().__init__(f"cannot use layer {diff_id}: the store does not hold it", "Pull or load its image again")
        self.diff_id = diff_id


class MountFailed(LayerError):
    """The kernel did not mount a layer or a stack of them."""

    def __init__(self, what: str, error: OSError, hint: str = "") -> None:
        super().__init__(f"cannot mount {what}: {(error.strerror or str(error)).lower()}", hint)
        self.errno = error.errno


class DriverUnusable(LayerError):
    """A layer driver that was asked for does not work here."""

    def __init__(self, driver: str, why: str) -> None:
        hint = "Unset HARDTACK_LAYERS to let a working one be chosen" if "HARDTACK_LAYERS" in os.environ else ""
        if os.geteuid() != 0:
            hint = "Run it as root: other users cannot mount layers yet"
        super().__init__(f"cannot keep layers with the {driver} driver: {why}", hint)
        self.driver = driver
        self.why = why


def printable(name: bytes) -> str:
    """A name from a stranger for a message: no control characters, not too long."""
    text = "".join(c if c.isprintable() else "?" for c in name[:200].decode("utf-8", "replace"))
    return text + "…" if len(name) > 200 else text
