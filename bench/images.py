"""The images that are measured with: a busybox of one layer, and a Debian root of 11,097 files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "hardtack-tests"
PACKAGES = "python3,perl,ca-certificates"


def busybox_archive(folder: Path, reference: str) -> Path:
    """A docker-archive whose one layer is /bin/busybox and a link for each of its applets."""
    archive = folder / "busybox.tar"
    if archive.exists():
        return archive
    busybox = Path("/bin/busybox").read_bytes()
    applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name in ("bin", "etc", "tmp", "root", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        add(tar, "bin/busybox", busybox, 0o755)
        add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        add(tar, "etc/group", b"root:x:0:\n", 0o644)
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
    data = layer.getvalue()
    config = json.dumps(config_of(data)).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        add(tar, "layer.tar", data, 0o644)
        add(tar, name, config, 0o644)
        add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)
    return archive


def add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def config_of(layer: bytes) -> dict[str, object]:
    diff = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    run = {"Cmd": ["sh"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
    return {"architecture": "amd64", "os": "linux", "config": run, "rootfs": {"type": "layers", "diff_ids": [diff]}}


def debian_layout(folder: Path) -> Path:
    """An OCI layout of one gzip layer made from a Debian root; the root is cached, it takes half a minute."""
    CACHE.mkdir(parents=True, exist_ok=True)
    root = CACHE / "debian-bookworm.tar"
    if not root.exists():
        part = root.with_suffix(".part.tar")
        words = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(part)]
        subprocess.run(words, check=True, capture_output=True)
        part.rename(root)
    data = root.read_bytes()
    layout = folder / "debian"
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(raw: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(raw).hexdigest()
        (blobs / digest).write_bytes(raw)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(raw)}

    oci = "application/vnd.oci.image"
    layer = put(gzip.compress(data, 6, mtime=0), f"{oci}.layer.v1.tar+gzip")
    config = put(json.dumps(config_of(data)).encode(), f"{oci}.config.v1+json")
    body = {"schemaVersion": 2, "mediaType": f"{oci}.manifest.v1+json", "config": config, "layers": [layer]}
    manifest = put(json.dumps(body).encode(), f"{oci}.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return layout
