"""What a loss of power must find: bytes are on disk before their name, names before rows, rows go before files."""

from __future__ import annotations

import os

import pytest

from hardtack.oci.digest import Digest
from hardtack.store.collect import collect
from hardtack.store.content import Content
from hardtack.store.root import Root, Transaction

DATA = b"precious" * 1000


@pytest.fixture
def steps(root: Root, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to the disk, in order: fsync of which file, renames, unlinks, commits and how hard they are."""
    happened: list[str] = []
    _ = root.db  # made before anybody watches
    fsync, rename, unlink, commit = os.fsync, os.rename, os.unlink, Transaction._commit

    def short(path: str) -> str:
        return "/".join("*" if len(part) >= 64 else part for part in path.removeprefix(root.path + "/").split("/"))

    def traced_fsync(descriptor: int) -> None:
        happened.append("fsync " + short(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def traced_rename(source: str, target: str) -> None:
        rename(source, target)
        happened.append("rename to " + short(target))

    def traced_unlink(path: str, **options: int) -> None:
        happened.append("unlink " + short(path))
        unlink(path, **options)  # type: ignore[arg-type]

    def traced_commit(transaction: Transaction) -> None:
        (level,) = root.db.execute("PRAGMA synchronous").fetchone()
        happened.append("commit durably" if level == 2 else "commit")
        commit(transaction)

    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(os, "rename", traced_rename)
    monkeypatch.setattr(os, "unlink", traced_unlink)
    monkeypatch.setattr(Transaction, "_commit", traced_commit)
    return happened


def test_a_blob_is_on_disk_before_it_has_a_name_and_named_before_it_has_a_row(root: Root, steps: list[str]) -> None:
    shard = Digest.of(DATA).hex[:2]
    Content(root).put(DATA, "text/plain", None)
    assert steps == [
        "fsync ingest/*",
        "fsync blobs/sha256",
        "fsync blobs",
        f"fsync {root.path}",
        f"rename to blobs/sha256/{shard}/*",
        f"fsync blobs/sha256/{shard}",
        "commit",
    ]


def test_a_row_is_gone_for_good_before_its_file_goes(root: Root, steps: list[str]) -> None:
    Content(root).put(DATA, "text/plain", None)
    steps.clear()
    collect(root)
    shard = Digest.of(DATA).hex[:2]
    assert steps[:2] == ["commit durably", f"unlink blobs/sha256/{shard}/*"]
