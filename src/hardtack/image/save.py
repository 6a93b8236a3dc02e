"""Images as one archive that everybody reads: an OCI layout with docker's manifest.json and repositories beside it.

Blobs go in verbatim, each once; the same images give the same bytes. The archive is written front to back, so that it
can go through a pipe.

Source: OCI image-spec 1.1, image-layout.md; Docker image spec 1.2, "Combined Image JSON + Filesystem Changeset".
"""

from __future__ import annotations

import tarfile

from hardtack.errors import TackError
from hardtack.image.errors import ImageError
from hardtack.image.find import Image, find
from hardtack.image.held import is_whole
from hardtack.jsontext import dumps
from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidReference
from hardtack.oci.manifest import Index, build_index
from hardtack.oci.reference import Reference
from hardtack.store.content import Content
from hardtack.store.lease import Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO

    from hardtack.oci.platform import Platform
    from hardtack.store.root import Root

NAME_ANNOTATION = "io.containerd.image.name"
TAG_ANNOTATION = "org.opencontainers.image.ref.name"
_DOCUMENTS = (*mediatypes.MANIFESTS, *mediatypes.INDEXES)
_CHUNK = 1 << 20


class SaveIncomplete(ImageError):
    """Some bytes of an image are not held, so that no archive of it would load."""

    def __init__(self, name: str, digest: str, cause: TackError) -> None:
        super().__init__(f"cannot save {name}: its part {digest} is not held ({cause.message})", f"Pull {name} again")
        self.digest = digest


class _Chosen:
    """An image that goes into the archive, with the names that go with it."""

    def __init__(self, image: Image, text: str) -> None:
        self.image = image
        self.text = text
        self.names: list[Reference] = []


def save(root: Root, texts: Sequence[str], out: BinaryIO, platform: Platform | None = None) -> None:
    """Write images as one tar.

    Args:
        texts: names, ids or digests; a name without a tag means all tags of its repository.
        out: what to write to; need not be seekable.
        platform: take this one's image out of each index, instead of whatever is held of it.
    Raises:
        ImageUnknown, ImageAmbiguous, PlatformMissing: of a name.
        SaveIncomplete: a part of an image is not held.
    """
    with Lease(root, f"save {' '.join(texts)}"[:200]) as lease:
        chosen = _choose(root, texts, platform)
        lease.keep(item.image.digest for item in chosen)
        parts: dict[Digest, int] = {}
        descriptors: list[Descriptor] = []
        for item in chosen:
            top = _top(root, item, platform is not None)
            _add_parts(root, item, top, parts, lease)
            descriptors += _named(top, item.names)
        _write(root, out, build_index(descriptors), _manifest_json(chosen), _repositories(chosen), parts)


def _choose(root: Root, texts: Sequence[str], platform: Platform | None) -> list[_Chosen]:
    found: dict[tuple[Digest, Digest], _Chosen] = {}
    for text in texts:
        for name in _names(root, text):
            image = find(root, str(name) if name else text, platform)
            item = found.setdefault((image.digest, image.id), _Chosen(image, text))
            if name is not None and name not in item.names:
                item.names.append(name)
    return list(found.values())


def _names(root: Root, text: str) -> list[Reference | None]:
    """The names that a text means; None for an image that is named by its id."""
    try:
        asked = Reference.parse(text)
    except InvalidReference:
        return [None]
    if asked.digest:
        return [None]
    rows = root.db.execute(
        "SELECT name FROM reference WHERE name > ? AND name < ? ORDER BY name",
        (asked.repository + ":", asked.repository + ";"),
    ).fetchall()
    held: list[Reference | None] = [Reference.parse(row[0]) for row in rows]
    if asked.tag:
        return [asked] if asked in held else [None]
    return held or [None]


def _top(root: Root, item: _Chosen, single: bool) -> Descriptor:
    """What the archive's index points at: the image's own index where all of it can be had, else its manifest."""
    content = Content(root)
    found = content.manifest(item.image.digest)
    if isinstance(found, Index) and (
        single or not all(is_whole(root, child, foreign=False) for child in found.manifests)
    ):
        found = item.image.manifest
    return Descriptor(found.media_type, found.digest, len(found.raw))


def _add_parts(root: Root, item: _Chosen, top: Descriptor, parts: dict[Digest, int], lease: Lease) -> None:
    content = Content(root)
    pending = [top]
    while pending:
        descriptor = pending.pop()
        if descriptor.digest in parts:
            continue
        if not content.has(descriptor.digest):
            _bring_back(root, item, descriptor, lease)
        parts[descriptor.digest] = root.blobs.size(descriptor.digest) or 0
        if descriptor.media_type in _DOCUMENTS:
            pending += content.manifest(descriptor.digest).children()


def _bring_back(root: Root, item: _Chosen, part: Descriptor, lease: Lease) -> None:
    """A layer may be mountable while its blob is not held: another image brought the same tar, packed otherwise."""
    from hardtack.image.refetch import refetch

    try:
        refetch(root, part, lease)
    except TackError as error:
        raise SaveIncomplete(item.text, part.digest, error) from error


def _named(top: Descriptor, names: Sequence[Reference]) -> list[Descriptor]:
    if not names:
        return [top]
    return [
        Descriptor(
            top.media_type,
            top.digest,
            top.size,
            annotations={NAME_ANNOTATION: str(name), TAG_ANNOTATION: name.tag},
        )
        for name in names
    ]


def _manifest_json(chosen: Sequence[_Chosen]) -> list[dict[str, Any]]:
    return [
        {
            "Config": _place(item.image.id),
            "RepoTags": [name.familiar() for name in item.names] or None,
            "Layers": [_place(layer.digest) for layer in item.image.manifest.layers],
        }
        for item in chosen
    ]


def _repositories(chosen: Sequence[_Chosen]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for item in chosen:
        layers = item.image.manifest.layers
        if layers:
            for name in item.names:
                found.setdefault(name.familiar_repository(), {})[name.tag] = layers[-1].digest.hex
    return found


def _place(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _write(
    root: Root,
    out: BinaryIO,
    index: bytes,
    manifests: list[dict[str, Any]],
    repositories: dict[str, dict[str, str]],
    parts: dict[Digest, int],
) -> None:
    # The small documents first, so that a reader of a pipe knows what is coming.
    documents = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": index,
        "manifest.json": dumps(manifests).encode(),
    }
    if repositories:
        documents["repositories"] = dumps(repositories, sort_keys=True).encode()
    for name, data in documents.items():
        out.write(_header(name, len(data)) + data + _padding(len(data)))
    directories = {"blobs", *(f"blobs/{digest.algorithm}" for digest in parts)}
    for name in sorted(directories):
        out.write(_header(name, 0, tarfile.DIRTYPE))
    for digest in sorted(parts):
        _write_blob(root, out, digest, parts[digest])
    out.write(bytes(2 * tarfile.BLOCKSIZE))
    out.flush()


def _write_blob(root: Root, out: BinaryIO, digest: Digest, size: int) -> None:
    out.write(_header(_place(digest), size))
    with root.blobs.open(digest) as blob:
        while chunk := blob.read(_CHUNK):
            out.write(chunk)
    out.write(_padding(size))


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
