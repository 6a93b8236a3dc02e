"""Real clients push to, pull from, copy within and delete from our registry; digests are equal on every side."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from support.daemons import Docker, Podman, call
from support.our_registry import TACK, OurRegistry, our_registry
from support.peers import found
from support.tars import busybox_tar

pytestmark = pytest.mark.clients
OCI = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurRegistry]:
    with our_registry(tmp_path_factory.mktemp("clients") / "root") as running:
        yield running


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OCI layout of busybox in two layers. Costs 50 ms."""
    folder = tmp_path_factory.mktemp("layout")
    layers = [busybox_tar(), _tar_of("hello", b"hello from the second layer\n")]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["cat", "/hello"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer)) for layer in layers]},
        "history": [{"created_by": "ADD root.tar /"}, {"created_by": "COPY hello /"}],
    }
    packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
    described = [_blob(folder, layer, "application/vnd.oci.image.layer.v1.tar+gzip") for layer in packed]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": _blob(folder, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": described,
    }
    entry = _blob(folder, json.dumps(document).encode(), OCI)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return folder


def _tar_of(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _blob(folder: Path, data: bytes, media_type: str) -> dict[str, object]:
    digest = Digest.of(data)
    path = folder / "blobs" / "sha256" / digest.hex
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": media_type, "digest": str(digest), "size": len(data)}


def served(registry: OurRegistry, name: str, reference: str = "v1") -> str:
    """The digest under which the registry has a name, with every blob of the image checked."""
    manifest = registry.client("GET", f"/v2/{name}/manifests/{reference}")
    assert manifest.status == 200, manifest
    assert manifest.headers["docker-content-digest"] == Digest.of(manifest.body)
    for part in (manifest.json()["config"], *manifest.json()["layers"]):
        assert Digest.of(registry.client("GET", f"/v2/{name}/blobs/{part['digest']}").body) == part["digest"]
    return manifest.headers["docker-content-digest"]


def test_skopeo(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    skopeo = found("skopeo")
    there = f"docker://{registry.host}/skopeo/image:v1"
    copy = [skopeo, "copy", "-q"]
    call([*copy, "--dest-tls-verify=false", f"oci:{layout}:v1", there])
    digest = served(registry, "skopeo/image")
    inspected = json.loads(call([skopeo, "inspect", "--tls-verify=false", there]).stdout)
    assert inspected["Digest"] == digest
    assert inspected["RepoTags"] == ["v1"]
    call([*copy, "--src-tls-verify=false", there, f"oci:{tmp_path}:v1"])
    assert json.loads((tmp_path / "index.json").read_text())["manifests"][0]["digest"] == digest
    call([*copy, "--src-tls-verify=false", "--dest-tls-verify=false", there, there.replace("image", "copy")])
    assert served(registry, "skopeo/copy") == digest
    call([*copy, "--format=v2s2", "--dest-tls-verify=false", f"oci:{layout}:v1", there.replace("image", "schema2")])
    schema2 = registry.client("HEAD", "/v2/skopeo/schema2/manifests/v1")
    assert schema2.headers["content-type"] == "application/vnd.docker.distribution.manifest.v2+json"
    call([skopeo, "delete", "--tls-verify=false", there])
    assert registry.client("HEAD", "/v2/skopeo/image/manifests/v1").status == 404
    assert served(registry, "skopeo/copy") == digest


def test_crane(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    crane = found("crane")
    there = f"{registry.host}/crane/image:v1"
    call([crane, "push", "--insecure", str(layout), there])
    entry = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    pushed = registry.client("HEAD", "/v2/crane/image/manifests/v1").headers["docker-content-digest"]
    assert served(registry, "crane/image", entry) == entry
    assert call([crane, "digest", "--insecure", there]).stdout.strip() == pushed
    assert call([crane, "ls", "--insecure", there.rpartition(":")[0]]).stdout.split() == ["v1"]
    assert "crane/image" in call([crane, "catalog", "--insecure", registry.host]).stdout.split()
    call([crane, "copy", "--insecure", there, there.replace("image", "copy")])
    assert registry.client("HEAD", "/v2/crane/copy/manifests/v1").headers["docker-content-digest"] == pushed
    call([crane, "tag", "--insecure", there, "v2"])
    call([crane, "pull", "--insecure", "--format=oci", there, str(tmp_path / "pulled")])
    assert pushed in (tmp_path / "pulled" / "index.json").read_text()
    call([crane, "validate", "--insecure", "--remote", f"{registry.host}/crane/image@{entry}"])
    call([crane, "delete", "--insecure", f"{registry.host}/crane/image@{pushed}"])
    assert call([crane, "ls", "--insecure", there.rpartition(":")[0]]).stdout.split() == []


def test_docker(registry: OurRegistry, docker: Docker, layout: Path) -> None:
    there = f"{registry.host}/docker/image:v1"
    call([found("skopeo"), "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{there}"])
    digest = served(registry, "docker/image")
    docker("pull", "-q", there)
    (repo_digest,) = json.loads(docker("inspect", "--format", "{{json .RepoDigests}}", there).stdout)
    assert repo_digest.rpartition("@")[2] == digest
    assert docker("run", "--rm", "--network", "none", there).stdout == "hello from the second layer\n"
    again = there.replace("image", "pushed")
    docker("tag", there, again)
    said = docker("push", again).stdout
    assert served(registry, "docker/pushed") in said
    docker("rmi", "-f", there, again)
    docker("pull", "-q", again)
    assert docker("run", "--rm", "--network", "none", again).stdout == "hello from the second layer\n"
    docker("rmi", "-f", again)


def test_podman(registry: OurRegistry, their_podman: Podman, layout: Path) -> None:
    there = f"{registry.host}/podman/image:v1"
    their_podman("pull", "-q", f"oci:{layout}:v1")
    identity = their_podman("images", "-q", "--no-trunc").stdout.split()[0]
    with tempfile.NamedTemporaryFile() as digest:
        their_podman("push", "-q", "--tls-verify=false", "--digestfile", digest.name, identity, there)
        assert served(registry, "podman/image") == Path(digest.name).read_text().strip()
    their_podman("rmi", "-f", identity)
    their_podman("pull", "-q", "--tls-verify=false", there)
    assert their_podman("images", "-q", "--no-trunc", there).stdout.split() == [identity]
    inspected = json.loads(their_podman("inspect", there).stdout)[0]["Digest"]
    assert inspected == served(registry, "podman/image")
    their_podman("rmi", "-f", there)


def test_buildah(registry: OurRegistry, tmp_path: Path, layout: Path) -> None:
    buildah = found("buildah")
    words = [buildah, "--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run", "--storage-driver", "vfs"]
    there = f"{registry.host}/buildah/image:v1"
    call([*words, "pull", "-q", f"oci:{layout}:v1"])
    identity = call([*words, "images", "-q", "--no-trunc"]).stdout.split()[0]
    call([*words, "push", "-q", "--tls-verify=false", identity, f"docker://{there}"])
    digest = served(registry, "buildah/image")
    call([*words, "rmi", "-f", identity])
    call([*words, "pull", "-q", "--tls-verify=false", there])
    images = json.loads(call([*words, "images", "--json"]).stdout)
    assert [image["digest"] for image in images] == [digest]


@pytest.mark.parametrize("program", ["oras", "regctl"])
def test_others_read_what_is_there(registry: OurRegistry, program: str) -> None:
    path = found(program)
    digest = registry.client.push_image("others/image", "v1", config={"architecture": "amd64", "os": "linux"})
    reference = f"{registry.host}/others/image:v1"
    words = {
        "oras": [path, "manifest", "fetch", "--plain-http", "--descriptor", reference],
        "regctl": [path, "image", "digest", "--host", f"reg={registry.host},tls=disabled", reference],
    }[program]
    assert digest in call(words).stdout


def test_tack_itself(registry: OurRegistry, layout: Path, tmp_path: Path) -> None:
    there = f"{registry.host}/tack/image:v1"
    call([found("skopeo"), "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{there}"])
    digest = served(registry, "tack/image")
    environment = os.environ | {"HARDTACK_ROOT": str(tmp_path / "root"), "HARDTACK_RUN": str(tmp_path / "run")}

    def tack(*words: str) -> str:
        done = subprocess.run([TACK, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    tack("pull", "-q", there)
    tack("tag", there, there.replace("image", "pushed"))
    tack("push", "-q", there.replace("image", "pushed"))
    assert served(registry, "tack/pushed") == digest
