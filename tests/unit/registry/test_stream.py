"""A stream that somebody else made: nothing lands where it does not belong, nothing wrong is taken."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.files import FileBlobs
from hardtack.registry.maintenance import portable
from hardtack.registry.maintenance.errors import BackupInvalid
from hardtack.registry.maintenance.folder import BackupFolder
from hardtack.registry.maintenance.stream import unpack

PART = f"metadata-{'0' * 32}/tag.000000.jsonl"
DIGITS = Digest.of(b"blob").hex
BLOB = f"blobs/sha256/{DIGITS[:2]}/{DIGITS}"
END = portable.written(portable.Manifest("0" * 32, 1.0, ()))


def stream(*members: tuple[str, bytes] | tarfile.TarInfo) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    out.seek(0)
    return out


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[FileBlobs]:
    blobs = FileBlobs(str(tmp_path / "target"))
    yield blobs
    await blobs.close()


async def taken(source: io.BytesIO, target: FileBlobs, tmp_path: Path) -> portable.Manifest:
    async with BackupFolder.writing(str(tmp_path / "spool")) as spool:
        return await unpack(source, spool, target, "there")


async def test_a_stream_of_ours_is_taken(target: FileBlobs, tmp_path: Path) -> None:
    manifest = await taken(stream((PART, b"[]\n"), (BLOB, b"blob"), ("backup.json", END)), target, tmp_path)
    assert manifest.id == "0" * 32
    assert await target.read(Digest.of(b"blob"), 10) == b"blob"
    assert (tmp_path / "spool" / PART).read_bytes() == b"[]\n"


HOSTILE = {
    "a path upwards": stream(("../outside", b"x")),
    "a path upwards within": stream((f"metadata-{'0' * 32}/../../outside", b"x")),
    "an absolute path": stream(("/tmp/outside", b"x")),
    "a link": stream(link("metadata-" + "0" * 32, "/tmp"), (PART, b"x")),
    "a link for a blob": stream(link(BLOB, "/etc/passwd")),
    "a hard link": stream(link("backup.json", "/etc/passwd", tarfile.LNKTYPE)),
    "a device": stream(link(BLOB, "", tarfile.CHRTYPE)),
    "something else": stream(("README", b"x"), ("backup.json", END)),
    "a blob in the wrong place": stream((BLOB.replace("sha256", "md5"), b"blob")),
    "no end": stream((BLOB, b"blob")),
    "an end that is none": stream(("backup.json", b"{}")),
    "an end of a newer program": stream(("backup.json", msgspec.json.encode({"format": 9, "schema": 1}))),
    "no tar": io.BytesIO(b"hello" * 1000),
    "nothing": io.BytesIO(b""),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_stream_of_somebody_else_is_refused(what: str, target: FileBlobs, tmp_path: Path) -> None:
    HOSTILE[what].seek(0)
    with pytest.raises(BackupInvalid):
        await taken(HOSTILE[what], target, tmp_path)
    assert not (tmp_path / "outside").exists() and not Path("/tmp/outside").exists()


async def test_a_blob_under_another_s_name_is_refused(target: FileBlobs, tmp_path: Path) -> None:
    with pytest.raises(BackupInvalid, match="another one"):
        await taken(stream((BLOB, b"evil"), ("backup.json", END)), target, tmp_path)
    assert [held async for held, _ in target.listing()] == []
    assert not list((tmp_path / "target" / "uploads").iterdir())


async def test_an_id_leads_nowhere(tmp_path: Path) -> None:
    async with BackupFolder.writing(str(tmp_path / "backup")) as folder:
        assert folder.place("../../etc") == f"{tmp_path}/backup/metadata-etc"
