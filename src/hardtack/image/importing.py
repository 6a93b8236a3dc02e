"""A root file system in a tar becomes an image of one layer."""

from __future__ import annotations

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
