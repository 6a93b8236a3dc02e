"""Docker's own archives: manifest.json names, for each image, a config and the files of its layers, bottom first.

Layers are tars, mostly plain; old archives link one that occurs in several images. A plain one is packed, so that the
manifest which this store makes for the image has gzip layers; a compressed one stays as it is.

Source: Docker image spec 1.2, "Combined Image JSON + Filesystem Changeset"; moby, image/tarexport.
"""

from __future__ import annotations

from hardtack.errors import TackError
from hardtack.image.archive import Archive, ArchiveError, chunks
from hardtack.image.load import Found
from hardtack.jsontext import loads
from hardtack.oci import mediatypes
from hardtack.oci.config import ImageConfig
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest, hasher
from hardtack.oci.errors import InvalidReference
from hardtack.oci.limits import DOCUMENT_LIMIT
from hardtack.oci.manifest import build_manifest
from hardtack.oci.reference import Reference
from hardtack.store.layer.errors import DiffMismatch
from hardtack.store.layer.pack import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.image.intake import Intake
    from hardtack.store.lease import Lease

_IMAGES = 1000
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_HEX = frozenset("0123456789abcdef")


class Saved:
    """One entry of manifest.json.

    Attributes:
        config: name of the config's file.
        names: its RepoTags.
        layers: names of the layers' files, bottom first.
    """

    __slots__ = ("config", "layers", "names")

    def __init__(self, config: str, names: list[Reference], layers: list[str]) -> None:
        self.config = config
        self.names = names
        self.layers = layers


def images_of_docker(archive: Archive, intake: Intake, lease: Lease) -> list[Found]:
    """Take in every image that manifest.json names.

    Raises:
        ArchiveError: it cannot be read, or a part is missing or is not what it should be.
    """
    found = []
    packed: dict[Digest, Descriptor] = {}
    for saved in parse_saved(archive.read("manifest.json", DOCUMENT_LIMIT)):
        raw = archive.read(saved.config, DOCUMENT_LIMIT)
        digest = Digest.of(raw)
        _check_name(saved.config, digest)
        config = ImageConfig.parse(raw)
        if len(config.diff_ids) != len(saved.layers):
            raise ArchiveError(f"{saved.config} has {len(config.diff_ids)} layers, manifest.json {len(saved.layers)}")
        layers = []
        for diff_id, name in zip(config.diff_ids, saved.layers, strict=True):
            if diff_id not in packed:
                packed[diff_id] = _layer(archive, name, diff_id, intake, lease)
            layers.append(packed[diff_id])
        document = intake.content.put(raw, mediatypes.OCI_CONFIG, lease)
        manifest = intake.content.put(build_manifest(document, layers), mediatypes.OCI_MANIFEST, lease)
        found.append(Found(manifest.digest, digest, saved.names))
    return found


def names_by_config(archive: Archive) -> dict[Digest, list[Reference]]:
    """What manifest.json calls the images of a layout, by the digests of their configs; nothing where there is none."""
    if not archive.has("manifest.json"):
        return {}
    found: dict[Digest, list[Reference]] = {}
    for saved in parse_saved(archive.read("manifest.json", DOCUMENT_LIMIT)):
        try:
            digest = Digest("sha256:" + saved.config.rpartition("/")[2].removesuffix(".json"))
        except TackError:
            continue
        found.setdefault(digest, []).extend(saved.names)
    return found


def parse_saved(raw: bytes) -> list[Saved]:
    """Read manifest.json.

    Raises:
        ArchiveError: it is not what docker writes.
    """
    try:
        value = loads(raw)
    except ValueError as error:
        raise ArchiveError(f"its manifest.json is no JSON: {error}") from None
    if not isinstance(value, list) or not value or len(value) > _IMAGES:
        raise ArchiveError(f"its manifest.json must list between one and {_IMAGES} images")
    return [_saved(item) for item in value]


def _saved(item: Any) -> Saved:
    config = item.get("Config") if isinstance(item, dict) else None
    tags, layers = (item.get(key) or [] for key in ("RepoTags", "Layers")) if isinstance(item, dict) else ([], [])
    if not isinstance(config, str) or not _texts(tags) or not _texts(layers) or len(layers) > 4096:
        raise ArchiveError("an entry of its manifest.json has no Config, or RepoTags or Layers are no lists of text")
    names = []
    for tag in tags:
        try:
            name = Reference.parse(tag)
        except InvalidReference as error:
            raise ArchiveError(f"its manifest.json has an {error.message}") from None
        if name.digest or not name.tag:
            raise ArchiveError(f"its manifest.json has a name that is no tag: {tag}")
        names.append(name)
    return Saved(_plain(config), names, [_plain(name) for name in layers])


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and len(text) <= 4096 for text in value)


def _plain(name: str) -> str:
    """A name as the archive's own names are written.

    Raises:
        ArchiveError: it leads outside.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or name.startswith("/"):
        raise ArchiveError(f"its manifest.json names {name}, outside of it")
    return "/".join(parts)


def _check_name(name: str, digest: Digest) -> None:
    """A config whose name is a digest must have that digest."""
    stem = name.rpartition("/")[2].removesuffix(".json")
    if len(stem) == 64 and _HEX.issuperset(stem) and stem != digest.hex:
        raise ArchiveError(f"{name} does not have the digest that it is called by; it is {digest}")


def _layer(archive: Archive, name: str, diff_id: Digest, intake: Intake, lease: Lease) -> Descriptor:
    lease.keep([diff_id])
    held = _held(intake, diff_id)
    if held is not None:
        lease.keep([held.digest])
        if intake.content.has(held.digest) and intake.layers.has(diff_id):
            return held
    with archive.open(name) as file:
        head = file.read(4)
    if head.startswith((_GZIP, _ZSTD)):
        return _compressed(archive, name, head, diff_id, intake)
    with archive.open(name) as file:
        descriptor, layer = pack(intake.layers, chunks(file), lease)
    if layer.diff_id != diff_id:
        raise DiffMismatch(diff_id, layer.diff_id)
    return descriptor


def _held(intake: Intake, diff_id: Digest) -> Descriptor | None:
    """The gzip blob of a layer that this store has packed or verified before."""
    row = intake.root.db.execute(
        "SELECT blob.digest, blob.size, blob.media_type FROM diff JOIN blob ON blob.digest = diff.blob"
        " WHERE diff.diff_id = ? AND blob.media_type LIKE '%gzip' ORDER BY blob.digest",
        (diff_id,),
    ).fetchone()
    if row is None:
        return None
    media_type = mediatypes.OCI_LAYER_GZIP  # the bytes are the same, whatever docker's schema calls them
    return Descriptor(media_type, Digest(row[0]), row[1])


def _compressed(archive: Archive, name: str, head: bytes, diff_id: Digest, intake: Intake) -> Descriptor:
    running, size = hasher(), 0
    with archive.open(name) as file:
        for chunk in chunks(file):
            running.update(chunk)
            size += len(chunk)
    media_type = mediatypes.OCI_LAYER_GZIP if head.startswith(_GZIP) else mediatypes.OCI_LAYER_ZSTD
    descriptor = Descriptor(media_type, Digest(f"sha256:{running.hexdigest()}"), size)
    intake.layer(descriptor, diff_id, lambda: archive.open(name))
    return descriptor
