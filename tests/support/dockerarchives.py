"""Docker archives as its versions wrote them: the one directory per layer of old, the flat blobs of new."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from support.layouts import sha256
from support.tars import entry, tar_of

Members = list[tuple[tarfile.TarInfo, bytes]]


def config_of(layers: Sequence[bytes], **fields: Any) -> bytes:
    """A config document that fits these layers."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        **fields,
    }
    return json.dumps(document).encode()


def file(name: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, data), data


def old_archive(images: Mapping[str, Sequence[bytes]]) -> bytes:
    """As docker before 25 saved it: `<id>/layer.tar`, a layer that occurs again is a symbolic link to the first."""
    members: Members = []
    listed: list[dict[str, Any]] = []
    seen: dict[bytes, str] = {}
    for number, (name, layers) in enumerate(images.items()):
        config = config_of(layers)
        places = []
        for depth, layer in enumerate(layers):
            ident = hashlib.sha256(f"{number} {depth}".encode()).hexdigest()
            members.append((entry(f"{ident}/", mode=0o755, kind=tarfile.DIRTYPE), b""))
            members.append(file(f"{ident}/VERSION", b"1.0"))
            members.append(file(f"{ident}/json", b"{}"))
            place = f"{ident}/layer.tar"
            if layer in seen:
                members.append((entry(place, kind=tarfile.SYMTYPE, link=f"../{seen[layer]}"), b""))
            else:
                members.append(file(place, layer))
                seen[layer] = place
            places.append(place)
        stem = hashlib.sha256(config).hexdigest()
        members.append(file(f"{stem}.json", config))
        listed.append({"Config": f"{stem}.json", "RepoTags": [name] if name else None, "Layers": places})
    members.append(file("manifest.json", json.dumps(listed).encode()))
    members.append(file("repositories", b"{}"))
    return tar_of(members)


def archive_of(manifest: Any, files: Mapping[str, bytes]) -> bytes:
    """An archive of a manifest.json, whatever is in it, and files."""
    members: Members = [file(name, data) for name, data in files.items()]
    members.append(file("manifest.json", json.dumps(manifest).encode()))
    return tar_of(members)
