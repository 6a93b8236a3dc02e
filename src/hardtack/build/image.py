"""The image that a stage's end becomes: config and manifest, the same bytes for the same state.

Times come from the layers, not from the clock, so a build in which everything was known gives the image that is there
already; SOURCE_DATE_EPOCH bounds them. Source: OCI image-spec 1.1; what BuildKit writes where that is silent.
"""

from __future__ import annotations

from hardtack.build.keys import sha256
from hardtack.jsontext import dumps
from hardtack.oci import mediatypes
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.manifest import build_manifest
from hardtack.oci.moment import format_time, parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.build.state import Note, State
    from hardtack.oci.reference import Reference
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root

_CONFIG_ORDER = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal",
    "ArgsEscaped", "Healthcheck", "OnBuild", "StopTimeout", "Shell",
)  # fmt: skip
_OCI_LAYERS = {
    mediatypes.DOCKER_LAYER: mediatypes.OCI_LAYER,
    mediatypes.DOCKER_LAYER_GZIP: mediatypes.OCI_LAYER_GZIP,
    mediatypes.DOCKER_LAYER_ZSTD: mediatypes.OCI_LAYER_ZSTD,
}


class Written:
    """An image's documents, not stored yet."""

    __slots__ = ("config", "config_digest", "manifest", "manifest_digest")

    def __init__(self, config: bytes, manifest: bytes, config_digest: Digest, manifest_digest: Digest) -> None:
        self.config = config
        self.manifest = manifest
        self.config_digest = config_digest
        self.manifest_digest = manifest_digest


def moment(seconds: float) -> str:
    """A moment as configs have it. The beginning of 1970 is one too, the favourite of reproducible builds."""
    return format_time(seconds) if seconds > 0 else "1970-01-01T00:00:00Z"


def write(state: State, labels: dict[str, str], epoch: int | None) -> Written:
    """Make an image's documents.

    Args:
        state: the end of the stage.
        labels: from the command line; they win.
        epoch: no time is later (seconds since 1970), except those of the base image.
    """
    history, created = _timed(state.history, state.inherited, epoch)
    config = dict(state.config)
    if labels:
        config["Labels"] = {**config.get("Labels", {}), **labels}
    value: dict[str, Any] = {
        "architecture": state.platform.architecture,
        "author": state.author,
        "config": {key: _sorted(config[key]) for key in _CONFIG_ORDER if config.get(key) not in (None, "", [], {})},
        "created": created,
        "history": [note.to_json() for note in history],
        "os": state.platform.os,
        "os.version": state.platform.os_version,
        "os.features": list(state.platform.os_features),
        "rootfs": {"type": "layers", "diff_ids": state.diff_ids},
        "variant": state.platform.variant,
    }
    raw = dumps({key: item for key, item in value.items() if item not in ("", [])}).encode()
    digest = digest_of(raw)
    layers = [_oci(layer.blob) for layer in state.layers]
    manifest = build_manifest(Descriptor(mediatypes.OCI_CONFIG, digest, len(raw)), layers)
    return Written(raw, manifest, digest, digest_of(manifest))


def digest_of(data: bytes) -> Digest:
    """The digest of a small document."""
    return Digest(f"sha256:{sha256(data).hexdigest()}")


def _sorted(value: Any) -> Any:
    return dict(sorted(value.items())) if isinstance(value, dict) and "Test" not in value else value


def _oci(layer: Descriptor) -> Descriptor:
    kind = _OCI_LAYERS.get(layer.media_type)
    return layer if kind is None else Descriptor(kind, layer.digest, layer.size, urls=layer.urls)


def _timed(history: list[Note], inherited: int, epoch: int | None) -> tuple[list[Note], str]:
    """Give every entry a time: its layer's; metadata get that of the layer before, or of the first new one.

    Returns:
        The history, and when the image was made, "" when nothing says.
    """
    limit = "" if epoch is None else moment(epoch)
    new = history[inherited:]
    present = next((note.created for note in new if note.created), "")
    if not present:
        present = next((note.created for note in reversed(history[:inherited]) if note.created), "")
    for note in new:
        if note.created:
            present = note.created
        note.created = present
        if limit and (not note.created or later(note.created, limit)):
            note.created = limit
    created = next((note.created for note in reversed(history) if note.created), "")
    if limit and (not created or later(created, limit)):
        created = limit
    return history, created


def later(text: str, limit: str) -> bool:
    """Whether one moment is later than another; what is no moment (a stranger wrote it) is later than all."""
    try:
        return parse_time(text) > parse_time(limit)
    except ValueError:
        return True


def is_stored(root: Root, written: Written, names: list[Reference]) -> bool:
    """Whether the image is there and every name points at it, so that nothing has to be written."""
    db = root.db
    if not db.execute("SELECT 1 FROM image WHERE digest = ?", (written.manifest_digest,)).fetchone():
        return False
    query = "SELECT 1 FROM reference WHERE name = ? AND digest = ?"
    return all(db.execute(query, (str(name), written.manifest_digest)).fetchone() for name in names)


def store(root: Root, written: Written, names: list[Reference], lease: Lease) -> None:
    """Put an image into the store, with its names: all of them or nothing.

    Raises:
        StoreFull: no space for it.
    """
    from hardtack.store.content import Content
    from hardtack.store.reference import add_image, set_reference

    content = Content(root)
    content.put(written.config, mediatypes.OCI_CONFIG, lease)
    content.put(written.manifest, mediatypes.OCI_MANIFEST, lease)
    with root.transaction(durable=True) as db:
        add_image(db, written.manifest_digest, written.config_digest)
        for name in names:
            set_reference(db, name, written.manifest_digest)
