"""A root file system in a tar becomes an image of one layer."""

from __future__ import annotations

import io
import time

from hardtack.image.archive import chunks
from hardtack.image.changes import apply_changes
from hardtack.image.compressed import plain_stream
from hardtack.image.errors import ImageError
from hardtack.jsontext import dumps
from hardtack.oci import mediatypes
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import build_manifest
from hardtack.oci.moment import format_time
from hardtack.oci.platform import host
from hardtack.store.content import Content
from hardtack.store.layer import LayerStore
from hardtack.store.layer.errors import BadCompression, BadTar
from hardtack.store.layer.pack import pack
from hardtack.store.lease import Lease
from hardtack.store.reference import add_image, set_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO

    from hardtack.oci.platform import Platform
    from hardtack.oci.reference import Reference
    from hardtack.store.root import Root


_TIMEOUT = 60


class ImportFailed(ImageError):
    """What came is no tar of a root file system."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot import the tarball: {why}")
        self.why = why


def import_image(
    root: Root,
    source: BinaryIO,
    name: Reference | None = None,
    changes: Sequence[str] = (),
    message: str = "Imported from -",
    platform: Platform | None = None,
    created: float | None = None,
) -> Digest:
    """Make an image of the bytes of a tar, plain or compressed by gzip, zstd, bzip2 or xz.

    Args:
        name: what shall point at it; `latest` where it has no tag.
        changes: instructions as `changes.apply_changes` takes them.
        message: the comment of its history.
        platform: what it runs on; this host where not given.
        created: seconds since 1970; now where not given.
    Returns:
        The image's id.
    Raises:
        ImportFailed: the bytes are no tar.
        BadChange: an instruction cannot be read; nothing was stored.
        StoreFull: no space.
    """
    run = apply_changes({}, changes)
    content = Content(root)
    with Lease(root, "import") as lease:
        try:
            stream, _ = plain_stream(source)
            descriptor, layer = pack(LayerStore(root), chunks(stream), lease)
        except (BadTar, BadCompression) as error:
            raise ImportFailed(error.why) from error
        if layer.diff_id == Digest.of(b""):  # a tar without members is one, and a customary way to an empty image
            raise ImportFailed("it is empty")
        document = _document(run, layer.diff_id, message, platform or host(), created)
        config = content.put(dumps(document).encode(), mediatypes.OCI_CONFIG, lease)
        manifest = content.put(build_manifest(config, [descriptor]), mediatypes.OCI_MANIFEST, lease)
        with root.transaction(durable=True) as db:
            add_image(db, manifest.digest, config.digest)
            if name is not None:
                set_reference(db, name.tagged(), manifest.digest)
    return config.digest


def open_address(address: str) -> BinaryIO:
    """What a web server sends for an address, as a stream that fails when less comes than was announced.

    Raises:
        ImportFailed: the server cannot be reached, or refuses.
    """
    import urllib.error
    import urllib.request

    try:
        answer = urllib.request.urlopen(address, timeout=_TIMEOUT)  # noqa: S310 - the caller has checked the scheme
    except (urllib.error.URLError, ValueError) as error:
        raise ImportFailed(f"{address}: {getattr(error, 'reason', error)}") from error
    return io.BufferedReader(_Whole(answer, address))


class _Whole(io.RawIOBase):
    """An answer of a web server, which ends only where the server said that it would."""

    def __init__(self, answer: Any, address: str) -> None:
        super().__init__()
        self._answer = answer
        self._address = address
        announced = answer.headers.get("Content-Length", "")
        self._left = int(announced) if announced.isdigit() else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._answer.read(len(buffer))
        except (OSError, ValueError) as error:
            raise ImportFailed(f"{self._address}: {error}") from error
        if self._left is not None:
            self._left -= len(chunk)
            if not chunk and self._left > 0:
                raise ImportFailed(f"{self._address}: the server closed {self._left:,} bytes before the end")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._answer.close()
        super().close()


def _document(
    run: dict[str, Any], diff_id: Digest, message: str, platform: Platform, created: float | None
) -> dict[str, Any]:
    moment = format_time(time.time() if created is None else created)
    return {
        "created": moment,
        **platform.to_json(),
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id)]},
        "history": [{"created": moment, "comment": message}],
    }
