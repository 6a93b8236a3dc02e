"""Everything about an image, in the shape of docker's API."""

from __future__ import annotations

from hardtack.image.catalog import entry_of
from hardtack.image.find import find
from hardtack.image.listing import created_at
from hardtack.image.sizes import image_size
from hardtack.oci.moment import format_time
from hardtack.store.content import Content
from hardtack.store.errors import ImageUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.image.catalog import Entry
    from hardtack.oci.config import ImageConfig
    from hardtack.oci.platform import Platform
    from hardtack.store.root import Root

# The fields that docker's Config always has; scripts read them without asking whether they are there.
_CONFIG: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}


def inspect(root: Root, text: str, platform: Platform | None = None) -> dict[str, Any]:
    """Docker's ImageInspect.

    Args:
        text: a name, an id or its beginning, a digest.
        platform: which image of an index, where it is not this host's.
    Raises:
        ImageUnknown, ImageAmbiguous, PlatformMissing: as `find`.
    """
    entry = entry_of(root.db, text)
    if entry is None:
        raise ImageUnknown(text)
    image = find(root, text, platform)
    config = image.config
    return {
        "Id": image.id,
        "RepoTags": entry.tags,
        "RepoDigests": entry.digests,
        "Parent": "",
        "Comment": _comment(config),
        "Created": config.created or format_time(created_at(config, entry)),
        "DockerVersion": str(config.value.get("docker_version") or ""),
        "Author": config.author,
        "Config": {**_CONFIG, **config.config},
        "Architecture": config.platform.architecture,
        **({"Variant": config.platform.variant} if config.platform.variant else {}),
        "Os": config.platform.os,
        **({"OsVersion": config.platform.os_version} if config.platform.os_version else {}),
        "Size": image_size(root.db, config),
        "GraphDriver": _driver(root, config),
        "RootFS": {"Type": "layers", "Layers": list(config.diff_ids)},
        "Metadata": {"LastTagTime": format_time(_tagged(root, entry))},
        "Descriptor": _descriptor(root, image.digest),
    }


def _comment(config: ImageConfig) -> str:
    comment = config.value.get("comment")
    if isinstance(comment, str) and comment:
        return comment
    return config.history[-1].comment if config.history else ""


def _driver(root: Root, config: ImageConfig) -> dict[str, Any]:
    row = None
    if config.diff_ids:
        row = root.db.execute("SELECT driver FROM layer WHERE diff_id = ?", (config.diff_ids[-1],)).fetchone()
    return {"Name": row[0] if row else "", "Data": None}


def _tagged(root: Root, entry: Entry) -> float:
    digests = [row.digest for row in entry.rows]
    marks = ",".join("?" * len(digests))
    row = root.db.execute(f"SELECT max(updated) FROM reference WHERE digest IN ({marks})", digests).fetchone()
    return row[0] or 0.0


def _descriptor(root: Root, digest: str) -> dict[str, Any]:
    found = Content(root).manifest(digest)
    return {"mediaType": found.media_type, "digest": str(digest), "size": len(found.raw)}
