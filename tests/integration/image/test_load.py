"""Loading: every form of archive gives the same image, and nothing that an archive claims is believed."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from hardtack.errors import TackError
from hardtack.image.archive import ArchiveError
from hardtack.image.find import find
from hardtack.image.load import Loaded, load
from hardtack.image.save import save
from hardtack.oci.digest import Digest
from hardtack.oci.platform import Platform
from hardtack.store.collect import collect, remove_blob
from hardtack.store.content import Content
from hardtack.store.errors import DigestMismatch, SizeMismatch, StoreFull
from hardtack.store.fsck import fsck
from hardtack.store.layer import LayerStore
from hardtack.store.layer.errors import DiffMismatch
from hardtack.store.root import Root
from support.consistency import assert_consistent
from support.disks import small_disk
from support.dockerarchives import archive_of, config_of, file, old_archive
from support.layouts import OCI, Layout, alpine_layout, python_layout, sha256, tar_directory
from support.tars import entry, files_tar, tar_of

BASE = files_tar({"etc/base": b"base" * 1000})
TOP = files_tar({"etc/top": b"top" * 1000})
OTHER = files_tar({"etc/other": b"other" * 1000})


def take(root: Root, data: bytes, **options: Any) -> list[Loaded]:
    """Load from bytes that cannot be sought in, as out of a pipe."""
    return load(root, Pipe(data), **options)


class Pipe(io.RawIOBase):
    """A stream that gives a few bytes at a time and cannot go back."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), len(self.data), 3001)
        buffer[:count] = self.data[:count]
        self.data = self.data[count:]
        return count


def contents(root: Root, name: str) -> list[bytes]:
    """The files of an image's layers, bottom first."""
    found = []
    for diff_id in find(root, name).config.diff_ids:
        with LayerStore(root).open_tar(diff_id) as tar:
            found.append(tar.read())
    return found


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_an_old_docker_archive_with_linked_layers_loads(root: Root) -> None:
    archive = old_archive({"app:1": [BASE, TOP], "app:2": [BASE, OTHER], "": [BASE]})
    loaded = take(root, archive)
    assert [image.lines()[-1] for image in loaded] == [
        "Loaded image: app:1",
        "Loaded image: app:2",
        f"Loaded image ID: {sha256(config_of([BASE]))}",
    ]
    assert contents(root, "app:1") == [BASE, TOP]
    assert contents(root, "app:2") == [BASE, OTHER]
    assert find(root, "app:1").id == sha256(config_of([BASE, TOP]))
    assert fsck(root) == []


def test_a_plain_layer_becomes_a_gzip_blob_that_is_the_same_on_every_host(root: Root, tmp_path: Path) -> None:
    archive = old_archive({"app:1": [BASE, TOP]})
    (first,) = take(root, archive)
    manifest = find(root, "app:1").manifest
    assert [layer.media_type for layer in manifest.layers] == [f"{OCI}.layer.v1.tar+gzip"] * 2
    elsewhere = Root.open(str(tmp_path / "elsewhere"))
    try:
        (second,) = take(elsewhere, archive)
    finally:
        elsewhere.close()
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "squeeze", [bytes, gzip.compress, zstd.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "zst", "bz2", "xz"]
)
@pytest.mark.parametrize("form", ["file", "pipe"])
def test_an_archive_loads_however_it_is_compressed_and_wherever_it_comes_from(
    root: Root, layout: Layout, tmp_path: Path, squeeze: Callable[[bytes], bytes], form: str
) -> None:
    layout.image([BASE, TOP], "docker.io/library/app:1")
    data = squeeze(layout.tar())
    if form == "file":
        (tmp_path / "archive").write_bytes(data)
        loaded = load(root, str(tmp_path / "archive"))
    else:
        loaded = take(root, data)
    assert [image.lines() for image in loaded] == [["Loaded image: app:1"]]
    assert contents(root, "app:1") == [BASE, TOP]
    assert os.listdir(root.tmp) == []


def test_a_directory_loads_and_its_links_are_not_followed(root: Root, layout: Layout, tmp_path: Path) -> None:
    image = layout.image([BASE], "docker.io/library/app:1")
    load(root, str(layout.path))
    assert find(root, "app:1").digest == image["digest"]
    blob = layout.path / "blobs" / "sha256" / image["digest"][7:]
    blob.rename(tmp_path / "outside")
    blob.symlink_to(tmp_path / "outside")
    with root.transaction() as db:
        for table in ("image", "keep", "reference"):
            db.execute(f"DELETE FROM {table}")
    collect(root)
    with pytest.raises(ArchiveError, match="does not hold"):
        load(root, str(layout.path))


def test_the_bytes_of_an_oci_archive_stay_as_they_are(root: Root) -> None:
    load(root, str(python_layout()))
    index = json.loads((python_layout() / "index.json").read_text())
    assert Content(root).has(index["manifests"][0]["digest"])
    for file_ in (python_layout() / "blobs" / "sha256").iterdir():
        assert root.blobs.read(f"sha256:{file_.name}", 1 << 30) == file_.read_bytes()


def test_what_is_saved_and_loaded_elsewhere_is_the_same_image_and_the_same_archive(
    root: Root, tmp_path: Path, layout: Layout
) -> None:
    load(root, str(alpine_layout()))
    layout.image([BASE, TOP], "docker.io/library/app:1")
    load(root, str(layout.path))
    out = io.BytesIO()
    save(root, ["alpine:3.22", "app:1"], out)
    elsewhere = Root.open(str(tmp_path / "elsewhere"))
    try:
        loaded = take(elsewhere, out.getvalue())
        assert {str(image.name) for image in loaded} == {"docker.io/library/alpine:3.22", "docker.io/library/app:1"}
        for name in ("alpine:3.22", "app:1"):
            assert find(elsewhere, name).digest == find(root, name).digest
        again = io.BytesIO()
        save(elsewhere, ["alpine:3.22", "app:1"], again)
    finally:
        elsewhere.close()
    assert again.getvalue() == out.getvalue()


def test_a_name_without_a_tag_saves_all_tags_and_an_id_saves_none(root: Root, layout: Layout, tmp_path: Path) -> None:
    layout.image([BASE], "docker.io/library/app:1")
    layout.image([TOP], "docker.io/library/app:2")
    load(root, str(layout.path))
    out = io.BytesIO()
    save(root, ["app"], out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        repositories = json.load(tar.extractfile("repositories"))  # type: ignore[arg-type]
    assert [image["RepoTags"] for image in manifest] == [["app:1"], ["app:2"]]
    assert sorted(repositories["app"]) == ["1", "2"]
    out = io.BytesIO()
    save(root, [find(root, "app:1").id[7:19]], out)
    elsewhere = Root.open(str(tmp_path / "elsewhere"))
    try:
        assert [image.name for image in take(elsewhere, out.getvalue())] == [None]
    finally:
        elsewhere.close()


def test_an_index_loads_for_this_host_keeps_the_others_and_is_saved_whole(
    root: Root, layout: Layout, tmp_path: Path
) -> None:
    amd = layout.image([BASE, TOP], list_it=False)
    arm = layout.image([BASE, OTHER], architecture="arm64", list_it=False)
    index = layout.several({"linux/arm64": arm, "linux/amd64": amd}, "docker.io/library/app:1")
    (loaded,) = take(root, layout.tar())
    assert loaded.digest == index["digest"]
    assert find(root, "app:1").manifest.digest == amd["digest"]
    assert find(root, "app:1", Platform.parse("linux/arm64")).manifest.digest == arm["digest"]
    layers = LayerStore(root)
    assert layers.has(sha256(TOP))
    assert not layers.has(sha256(OTHER))
    out = io.BytesIO()
    save(root, ["app:1"], out)
    elsewhere = Root.open(str(tmp_path / "elsewhere"))
    try:
        (again,) = take(elsewhere, out.getvalue(), platform=Platform.parse("linux/arm64"))
        assert again.digest == index["digest"]
        assert LayerStore(elsewhere).has(sha256(OTHER))
    finally:
        elsewhere.close()


@pytest.mark.parametrize("missing", ["manifest", "layer"])
def test_an_index_of_which_one_platform_is_there_loads_and_is_saved_as_that_one(
    root: Root, layout: Layout, missing: str
) -> None:
    amd = layout.image([BASE], list_it=False)
    arm = layout.image([OTHER], architecture="arm64", list_it=False)
    index = layout.several({"linux/arm64": arm, "linux/amd64": amd}, "docker.io/library/app:1")
    blobs = layout.path / "blobs" / "sha256"
    layer = json.loads((blobs / arm["digest"][7:]).read_bytes())["layers"][0]["digest"]
    (blobs / (arm["digest"] if missing == "manifest" else layer)[7:]).unlink()
    (loaded,) = take(root, layout.tar())
    assert loaded.digest == index["digest"]
    out = io.BytesIO()
    save(root, ["app:1"], out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        written = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
    assert [item["digest"] for item in written["manifests"]] == [amd["digest"]]


def test_a_name_that_moves_says_which_image_lost_it(root: Root) -> None:
    take(root, old_archive({"app:1": [BASE]}))
    (loaded,) = take(root, old_archive({"app:1": [TOP]}))
    old = sha256(config_of([BASE]))
    assert loaded.lines() == [
        f"The image app:1 already exists, renaming the old one with ID {old} to empty string",
        "Loaded image: app:1",
    ]
    assert find(root, old).references == []
    (again,) = take(root, old_archive({"app:1": [TOP]}))
    assert again.lines() == ["Loaded image: app:1"]


def test_names_beside_a_layout_are_found_by_the_config(root: Root, layout: Layout) -> None:
    layout.image([BASE])
    manifest = [{"Config": f"blobs/sha256/{sha256(config_bytes(layout))[7:]}", "RepoTags": ["app:1"], "Layers": []}]
    (layout.path / "manifest.json").write_text(json.dumps(manifest))
    assert [image.lines() for image in take(root, layout.tar())] == [["Loaded image: app:1"]]


def config_bytes(layout: Layout) -> bytes:
    manifest = json.loads((layout.path / "blobs" / "sha256" / layout.index[0]["digest"][7:]).read_text())
    return (layout.path / "blobs" / "sha256" / manifest["config"]["digest"][7:]).read_bytes()


def twice(_: Layout) -> bytes:
    return tar_of([file("manifest.json", b"[]"), file("manifest.json", b"[]")])


def climbs(_: Layout) -> bytes:
    return tar_of([file("../manifest.json", b"[]")])


def linked_outside(_: Layout) -> bytes:
    link = entry("layer.tar", kind=tarfile.SYMTYPE, link="../../etc/passwd")
    return tar_of([(link, b""), file("manifest.json", b"[]")])


def linked_absolutely(_: Layout) -> bytes:
    link = entry("layer.tar", kind=tarfile.SYMTYPE, link="/etc/passwd")
    return tar_of([(link, b""), file("manifest.json", b"[]")])


def linked_in_a_circle(_: Layout) -> bytes:
    links = [
        entry(name, kind=tarfile.SYMTYPE, link=link) for name, link in (("manifest.json", "b"), ("b", "manifest.json"))
    ]
    return tar_of([(link, b"") for link in links])


def a_device(_: Layout) -> bytes:
    return tar_of([(entry("disk", kind=tarfile.BLKTYPE), b""), file("manifest.json", b"[]")])


def no_images(_: Layout) -> bytes:
    return files_tar({"etc/passwd": b"root"})


def a_root_file_system_of_old(_: Layout) -> bytes:
    return files_tar({"repositories": b"{}"})


def no_tar(_: Layout) -> bytes:
    return b"this is not a tar at all" * 1000


def nothing(_: Layout) -> bytes:
    return b""


def cut(layout: Layout) -> bytes:
    layout.image([BASE], "docker.io/library/app:1")
    return layout.tar()[:-12_000]


def cut_gzip(layout: Layout) -> bytes:
    layout.image([BASE], "docker.io/library/app:1")
    return gzip.compress(layout.tar())[:-200]


def no_json(_: Layout) -> bytes:
    return archive_of([], {"x": b""}).replace(b"[]", b"[}")


def empty_list(_: Layout) -> bytes:
    return archive_of([], {})


def wrong_types(_: Layout) -> bytes:
    return archive_of([{"Config": 5, "RepoTags": "app", "Layers": {}}], {})


def config_outside(_: Layout) -> bytes:
    return archive_of([{"Config": "../../etc/passwd", "RepoTags": [], "Layers": []}], {})


def config_missing(_: Layout) -> bytes:
    return archive_of([{"Config": "c.json", "RepoTags": [], "Layers": []}], {})


def config_misnamed(_: Layout) -> bytes:
    name = "0" * 64 + ".json"
    return archive_of([{"Config": name, "RepoTags": [], "Layers": []}], {name: config_of([])})


def layer_missing(_: Layout) -> bytes:
    return archive_of([{"Config": "c.json", "RepoTags": [], "Layers": ["l.tar"]}], {"c.json": config_of([BASE])})


def layers_fewer_than_diff_ids(_: Layout) -> bytes:
    saved = [{"Config": "c.json", "RepoTags": [], "Layers": ["l.tar"]}]
    return archive_of(saved, {"c.json": config_of([BASE, TOP]), "l.tar": BASE})


def name_with_a_digest(_: Layout) -> bytes:
    saved = [{"Config": "c.json", "RepoTags": [f"app@{sha256(b'')}"], "Layers": []}]
    return archive_of(saved, {"c.json": config_of([])})


def name_that_is_none(_: Layout) -> bytes:
    saved = [{"Config": "c.json", "RepoTags": ["App:1"], "Layers": []}]
    return archive_of(saved, {"c.json": config_of([])})


def layout_of_the_future(layout: Layout) -> bytes:
    layout.image([BASE])
    (layout.path / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')
    return layout.tar()


def layout_of_nothing(layout: Layout) -> bytes:
    return layout.tar()


def layout_without_its_layer(layout: Layout) -> bytes:
    layout.image([BASE])
    (layout.path / "blobs" / "sha256" / sha256(gzip.compress(BASE, 1, mtime=0))[7:]).unlink()
    return layout.tar()


def index_in_itself(layout: Layout) -> bytes:
    below = layout.image([BASE], list_it=False)
    for _ in range(7):
        below = layout.several({"linux/amd64": below})
        layout.index.clear()
    layout.list(below)
    return layout.tar()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (twice, "manifest.json occurs in it twice"),
        (climbs, r"climbs out with `\.\.`"),
        (linked_outside, "layer.tar is a link to .*, outside of it"),
        (linked_absolutely, "layer.tar is a link to /etc/passwd, outside of it"),
        (linked_in_a_circle, "go in circles"),
        (a_device, "disk is neither a file nor a directory nor a link"),
        (no_images, "it holds no images"),
        (a_root_file_system_of_old, "older than 1.10"),
        (no_tar, "it is no tar"),
        (nothing, "it is empty"),
        (cut, "ends inside a member"),
        (cut_gzip, "ends early"),
        (no_json, "manifest.json is no JSON"),
        (empty_list, "must list between one and"),
        (wrong_types, "has no Config, or RepoTags or Layers are no lists"),
        (config_outside, "names ../../etc/passwd, outside of it"),
        (config_missing, "does not hold c.json"),
        (config_misnamed, "does not have the digest that it is called by"),
        (layer_missing, "does not hold l.tar"),
        (layers_fewer_than_diff_ids, "c.json has 2 layers, manifest.json 1"),
        (name_with_a_digest, "a name that is no tag"),
        (name_that_is_none, "invalid reference format"),
        (layout_of_the_future, "version '2.0.0'"),
        (layout_of_nothing, "its index lists nothing"),
        (layout_without_its_layer, "does not hold blobs/sha256/"),
        (index_in_itself, "nested more than"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_archive_that_is_hostile_or_broken_is_refused_and_leaves_nothing(
    root: Root, layout: Layout, make: Callable[[Layout], bytes], why: str
) -> None:
    data = make(layout)
    with pytest.raises(ArchiveError, match=why):
        take(root, data)
    assert root.db.execute("SELECT count(*) FROM image").fetchone() == (0,)
    collect(root)
    assert list(root.blobs) == []
    assert os.listdir(root.tmp) == []
    assert fsck(root) == []


def test_a_layer_that_is_not_the_one_of_its_config_is_refused(root: Root) -> None:
    saved = [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["l.tar"]}]
    for layer in (TOP, gzip.compress(TOP)):
        with pytest.raises(DiffMismatch):
            take(root, archive_of(saved, {"c.json": config_of([BASE]), "l.tar": layer}))
    assert root.db.execute("SELECT count(*) FROM reference").fetchone() == (0,)


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
@pytest.mark.parametrize("damage", ["rot", "cut", "grown"])
def test_a_part_that_is_not_what_its_digest_says_is_refused(root: Root, layout: Layout, part: str, damage: str) -> None:
    image = layout.image([BASE], "docker.io/library/app:1")
    blobs = layout.path / "blobs" / "sha256"
    manifest = json.loads((blobs / image["digest"][7:]).read_text())
    digest = {"manifest": image, "config": manifest["config"], "layer": manifest["layers"][0]}[part]["digest"]
    data = (blobs / digest[7:]).read_bytes()
    wrong = {"rot": data[:-3] + b"xyz", "cut": data[:-1], "grown": data + b" "}[damage]
    (blobs / digest[7:]).write_bytes(wrong)
    with pytest.raises(TackError) as caught:
        take(root, layout.tar())
    assert isinstance(caught.value, (DigestMismatch, SizeMismatch)) or part == "layer"
    assert root.db.execute("SELECT count(*) FROM image").fetchone() == (0,)
    assert os.listdir(f"{root.path}/ingest") == []
    collect(root)
    assert list(root.blobs) == []


@pytest.mark.parametrize("part", ["config", "layer"])
def test_a_part_that_a_collection_takes_before_it_is_kept_is_taken_in_again(
    root: Root, layout: Layout, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    found = layout.image([BASE], "docker.io/a/b:1")
    manifest = json.loads((layout.path / "blobs" / "sha256" / found["digest"][7:]).read_text())
    victim = (manifest["config"] if part == "config" else manifest["layers"][0])["digest"]
    with root.blobs.ingest(victim) as ingest:  # its row went, its file has not yet
        ingest.write((layout.path / "blobs" / "sha256" / victim[7:]).read_bytes())
        ingest.commit()
    collected: list[int | None] = []
    ordinary = Content.register

    def register(self: Content, digest: str, *rest: Any, **more: Any) -> None:
        if digest == victim and not collected:
            collected.append(remove_blob(root, Digest(victim)))
        ordinary(self, digest, *rest, **more)

    monkeypatch.setattr(Content, "register", register)
    load(root, str(layout.path))
    assert collected not in ([], [None])
    assert fsck(root) == []
    assert root.blobs.size(victim) is not None


def test_a_damaged_partial_of_another_attempt_does_not_matter(root: Root, layout: Layout) -> None:
    layout.image([BASE], "docker.io/library/app:1")
    digest = Digest(sha256(gzip.compress(BASE, 1, mtime=0)))
    with root.blobs.ingest(digest) as ingest:
        ingest.write(b"rubbish")
    take(root, layout.tar())
    assert fsck(root) == []


def test_an_archive_that_does_not_fit_on_the_disk_is_refused_and_the_store_stays_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Layout
) -> None:
    monkeypatch.setenv("HARDTACK_RUN", str(tmp_path / "run"))
    layout.image([BASE], "docker.io/library/small:1")
    big = files_tar({f"etc/{number}": os.urandom(1 << 20) for number in range(12)})
    large = Layout(tmp_path / "large")
    large.image([big], "docker.io/library/big:1")
    with small_disk(tmp_path / "disk", "20m") as disk:
        root = Root.open(str(disk / "root"))
        try:
            load(root, str(layout.path))
            with pytest.raises(StoreFull):
                load(root, str(large.path))
            with pytest.raises(StoreFull):
                take(root, large.tar())
            collect(root, partials_older=0)
            assert contents(root, "small:1") == [BASE]
            assert fsck(root) == []
            assert_consistent(root.path)
        finally:
            root.close()


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
@pytest.mark.clients
@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_skopeo_reads_what_is_saved_and_writes_what_loads(root: Root, tmp_path: Path, form: str) -> None:
    load(root, str(alpine_layout()))
    with open(tmp_path / "ours.tar", "wb") as out:
        save(root, ["alpine:3.22"], out)
    copy = ["skopeo", "--insecure-policy", "--tmpdir", str(tmp_path), "copy", "-q"]
    reading = f"{form}:{tmp_path}/ours.tar"
    writing = f"{form}:{tmp_path}/theirs.tar:docker.io/library/again:1"
    subprocess.run([*copy, reading, writing], check=True, capture_output=True, timeout=60)
    (loaded,) = load(root, str(tmp_path / "theirs.tar"))
    assert str(loaded.name) == "docker.io/library/again:1"
    assert find(root, "again:1").config.diff_ids == find(root, "alpine:3.22").config.diff_ids


def test_the_archive_is_an_oci_layout_and_a_docker_archive_at_once(root: Root, tmp_path: Path) -> None:
    load(root, str(alpine_layout()))
    with open(tmp_path / "ours.tar", "wb") as out:
        save(root, ["alpine:3.22"], out)
    with tarfile.open(tmp_path / "ours.tar") as tar:
        tar.extractall(tmp_path / "unpacked")  # our own archive; Python before 3.11.4 knows no filter
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
    assert json.loads((tmp_path / "unpacked" / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (image,) = json.loads((tmp_path / "unpacked" / "manifest.json").read_text())
    assert image["RepoTags"] == ["alpine:3.22"]
    for name in (image["Config"], *image["Layers"]):
        data = (tmp_path / "unpacked" / name).read_bytes()
        assert sha256(data)[7:] == name.rpartition("/")[2]
    assert tar_directory(tmp_path / "unpacked")


def test_an_attestation_beside_an_image_comes_along_and_is_saved_again(root: Root, layout: Layout) -> None:
    amd = layout.image([BASE], list_it=False)
    statement = layout.blob(b'{"_type":"https://in-toto.io/Statement/v0.1"}', "application/vnd.in-toto+json")
    attested = layout.blob(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": layout.blob(b'{"architecture":"unknown","os":"unknown"}', f"{OCI}.config.v1+json"),
                "layers": [statement],
            }
        ).encode(),
        f"{OCI}.manifest.v1+json",
    )
    index = layout.several({"linux/amd64": amd, "unknown/unknown": attested}, "docker.io/library/app:1")
    (loaded,) = take(root, layout.tar())
    assert (loaded.digest, find(root, "app:1").manifest.digest) == (index["digest"], amd["digest"])
    out = io.BytesIO()
    save(root, ["app:1"], out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        names = tar.getnames()
    assert f"blobs/sha256/{statement['digest'][7:]}" in names
    assert f"blobs/sha256/{index['digest'][7:]}" in names
