"""What the metadata promise, over every database in `support.databases.DATABASES`."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.access import EVERYBODY
from hardtack.registry.errors import BlobInUse, ManifestBlobUnknown, RepositoryUnknown, StorageBroken, UploadUnknown
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.rows import Child, NewManifest
from hardtack.registry.metadata.sqlite.database import prepare
from hardtack.registry.metadata.sqlite.writer import Writer
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.repositories.store import Repositories
from support.databases import DATABASES, Clock, Kind

REPO = "a/b"
OCI = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def store(database: Database) -> Metadata:
    return Metadata(database)


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


async def put_blob(store: Metadata, text: str, repository: str = REPO, upload: str = "") -> Digest:
    name = upload or f"upload of {text} to {repository}"
    await store.claim(name, repository, "ada", digest(text), len(text))
    await store.finish_upload(name, repository, digest(text), len(text))
    return digest(text)


def manifest(text: str, *needs: str, subject: str = "", kind: str = "", optional: Sequence[str] = ()) -> NewManifest:
    children = [Child(digest(need), "layer", True) for need in needs]
    children += [Child(digest(need), "manifest", False) for need in optional]
    raw = text.encode()
    return NewManifest(Digest.of(raw), OCI, raw, kind, subject, '{"n":"1"}' if subject else "", tuple(children))


def let(tag: str, before: str | None) -> None:
    """The guard that refuses nothing."""


async def put_manifest(store: Metadata, new: NewManifest, *tags: str, repository: str = REPO) -> str:
    await store.put_manifest(repository, new, tags, "ada", let)
    return str(new.digest)


async def collected(store: Metadata, idle: float) -> list[str]:
    removed: list[str] = []

    async def remove(digests: Sequence[str]) -> None:
        removed.extend(digests)

    while await store.drop_links(idle):
        pass
    while gone := await store.drop_blobs(idle, remove):
        assert removed[-len(gone) :] == [name for name, _ in gone]
    return removed


async def test_a_blob_is_seen_in_the_repository_that_links_it_and_no_other(store: Metadata) -> None:
    one = await put_blob(store, "one")
    assert await store.blob_size(REPO, one) == 3
    assert await store.blob_size("a/c", one) is None
    assert await store.linked_in(one) == [(REPO, "private")]


async def test_a_claim_alone_links_nothing_and_makes_no_repository(store: Metadata) -> None:
    await store.begin_upload("u", REPO, "ada")
    await store.claim("u", REPO, "ada", digest("x"), 1)
    assert await store.blob_size(REPO, digest("x")) is None
    assert not await store.has_repository(REPO)


async def test_a_session_is_kept_with_its_owner_until_it_is_forgotten(store: Metadata, clock: Clock) -> None:
    await store.begin_upload("u", REPO, "ada")
    session = await store.upload("u")
    assert session is not None
    assert (session.repository, session.who, session.finished, session.digest) == (REPO, "ada", False, "")
    await put_blob(store, "x", upload="u")
    session = await store.upload("u")
    assert session is not None
    assert (session.finished, session.digest) == (True, digest("x"))
    assert await store.cancel_upload("u")
    assert not await store.cancel_upload("u")
    assert await store.upload("u") is None


async def test_old_sessions_are_dropped_and_the_finished_have_no_bytes_left(store: Metadata, clock: Clock) -> None:
    await store.begin_upload("old", REPO, "ada")
    await store.begin_upload("alive", REPO, "ada")
    await put_blob(store, "x", upload="done")
    clock.now += 50
    await store.touch_upload("alive")
    assert await store.drop_uploads(60) == []
    clock.now += 20
    assert await store.drop_uploads(60) == ["old"]
    assert await store.upload("done") is None
    assert await store.upload("alive") is not None


async def test_a_mount_follows_links(store: Metadata) -> None:
    one = await put_blob(store, "one")
    assert not await store.mount("a/c", one, "a/d")
    assert not await store.mount("a/c", digest("two"), REPO)
    assert not await store.has_repository("a/c")
    assert await store.mount("a/c", one, REPO)
    assert await store.blob_size("a/c", one) == 3
    assert await store.linked_in(one) == [(REPO, "private"), ("a/c", "private")]
    assert await store.linked_in(one, REPO, 5) == [("a/c", "private")]


async def test_a_manifest_is_found_by_tag_and_by_digest_verbatim(store: Metadata) -> None:
    await put_blob(store, "layer")
    name = await put_manifest(store, manifest("m", "layer"), "v1", "v2")
    for reference in ("v1", "v2", name):
        found = await store.manifest(REPO, reference)
        assert found is not None
        assert found == (name, OCI, b"m", "private")
        assert store.manifest_at_once(REPO, reference) in (found, None)
    assert await store.manifest(REPO, "v3") is None
    assert await store.manifest("a/c", "v1") is None
    assert await store.manifest("a/c", name) is None


async def test_a_manifest_that_lacks_a_child_leaves_nothing(store: Metadata) -> None:
    await put_blob(store, "here")
    with pytest.raises(ManifestBlobUnknown) as caught:
        await put_manifest(store, manifest("m", "here", "gone", "gone"), "v1", repository="a/new")
    assert set(caught.value.digests) == {digest("here"), digest("gone")}
    assert not await store.has_repository("a/new")
    await put_manifest(store, manifest("index", optional=["not there"]), "v1")


async def test_a_guard_sees_what_a_tag_points_to_and_its_refusal_undoes_all(store: Metadata) -> None:
    seen: list[tuple[str, str | None]] = []

    def guard(tag: str, before: str | None) -> None:
        seen.append((tag, before))
        if tag == "no":
            raise PermissionError

    first, second = manifest("first"), manifest("second")
    await store.put_manifest(REPO, first, ["v1"], "ada", guard)
    with pytest.raises(PermissionError):
        await store.put_manifest(REPO, second, ["v1", "no"], "ada", guard)
    assert seen == [("v1", None), ("v1", first.digest), ("no", None)]
    assert await store.manifest(REPO, second.digest) is None
    found = await store.manifest(REPO, "v1")
    assert found is not None
    assert found.digest == first.digest


async def test_listings_are_in_the_order_of_bytes_and_begin_after_a_name(store: Metadata) -> None:
    for tag in ("b", "A", "a", "_", "10", "9"):
        await put_manifest(store, manifest("m"), tag)
    assert await store.tag_names(REPO) == ["10", "9", "A", "_", "a", "b"]
    assert await store.tag_names(REPO, "A", 2) == ["_", "a"]
    assert [tag.name for tag in await store.tags(REPO, "a")] == ["b"]
    for name in ("z", "a-b", "a/c", "a"):
        await put_manifest(store, manifest("m"), "v", repository=name)
    assert [name for name, _ in await store.repositories()] == ["a", "a-b", REPO, "a/c", "z"]
    assert [name for name, _ in await store.repositories("a-b", 2)] == [REPO, "a/c"]
    assert await store.tags_of(REPO, digest("m")) == ["10", "9", "A", "_", "a", "b"]


async def test_the_latest_tags_come_first_by_pages(store: Metadata, clock: Clock) -> None:
    for number in range(7):
        clock.now += number % 2
        await put_manifest(store, manifest(f"m{number}"), f"t{number}")
    seen: list[str] = []
    before = None
    while page := await store.latest_tags(REPO, "", before, 3):
        seen += [tag.name for tag in page]
        before = (page[-1].updated, page[-1].name)
    assert seen == ["t6", "t5", "t4", "t3", "t2", "t1", "t0"]
    assert [tag.name for tag in await store.latest_tags(REPO, "4")] == ["t4"]
    assert await store.latest_tags(REPO, "%") == []


async def test_history_tells_every_change_of_a_tag(store: Metadata) -> None:
    first, second = manifest("first"), manifest("second")
    await store.put_manifest(REPO, first, ["v1"], "ada", let)
    await store.put_manifest(REPO, first, ["v1"], "bob", let)
    await store.put_manifest(REPO, second, ["v1"], "eve", let)
    await store.delete_tag(REPO, "v1", "kim")
    events = [(event.digest, event.who) for event in await store.tag_history(REPO, "v1")]
    assert events == [("", "kim"), (second.digest, "eve"), (first.digest, "ada")]


async def test_a_search_is_literal_and_figures_are_those_of_the_content(database: Database, store: Metadata) -> None:
    await put_blob(store, "layer")
    await put_manifest(store, manifest("m", "layer"), "v1", "v2")
    await put_manifest(store, manifest("n"), "v", repository="a_b")
    repositories = Repositories(database)
    (found,) = await repositories.search(EVERYBODY, "a_b")
    assert found.name == "a_b"
    details = await repositories.details(REPO)
    assert (details.tags, details.manifests, details.size) == (2, 1, 6)
    with pytest.raises(RepositoryUnknown):
        await repositories.details("none")
    totals = await store.totals()
    assert (totals.repositories, totals.tags, totals.blobs, totals.size) == (2, 3, 1, 5)


async def test_referrers_are_those_with_the_subject(store: Metadata) -> None:
    subject = str(digest("subject"))
    names = sorted([await put_manifest(store, manifest(f"r{n}", subject=subject, kind=f"k{n % 2}")) for n in range(4)])
    await put_manifest(store, manifest("other", subject=str(digest("x"))))
    assert [found.digest for found in await store.referrers(REPO, subject)] == names
    assert [found.digest for found in await store.referrers(REPO, subject, "", names[1], 1)] == [names[2]]
    assert len(await store.referrers(REPO, subject, "k1")) == 2
    assert await store.referrers("a/c", subject) == []
    assert await store.referrers(REPO, "") == []


async def test_deleting_a_manifest_forgets_its_tags_and_what_only_it_needed(store: Metadata, clock: Clock) -> None:
    for name in ("shared", "own"):
        await put_blob(store, name)
    first = await put_manifest(store, manifest("first", "shared", "own"), "v1", "latest")
    await put_manifest(store, manifest("second", "shared"), "v2")
    clock.now += 100
    assert await store.delete_manifest(REPO, first, "ada", 50)
    assert not await store.delete_manifest(REPO, first, "ada", 50)
    assert await store.tag_names(REPO) == ["v2"]
    assert await store.blob_size(REPO, digest("own")) is None
    assert await store.blob_size(REPO, digest("shared")) == 6
    assert await store.parents(REPO, digest("shared")) == [(digest("second"), "layer")]


async def test_a_link_made_just_now_is_spared(store: Metadata, clock: Clock) -> None:
    await put_blob(store, "layer")
    name = await put_manifest(store, manifest("m", "layer"))
    clock.now += 100
    await put_blob(store, "layer", upload="again")
    await store.delete_manifest(REPO, name, "ada", 50)
    assert await store.blob_size(REPO, digest("layer")) == 5
    clock.now += 100
    assert await collected(store, 50) == [digest("layer")]


async def test_a_blob_in_use_is_not_unlinked(store: Metadata) -> None:
    await put_blob(store, "layer")
    name = await put_manifest(store, manifest("m", "layer"))
    with pytest.raises(BlobInUse):
        await store.delete_blob(REPO, digest("layer"))
    await store.delete_manifest(REPO, name, "ada", 1e9)
    assert await store.delete_blob(REPO, digest("layer"))
    assert not await store.delete_blob(REPO, digest("layer"))


async def test_collection_takes_what_is_idle_and_nothing_else(store: Metadata, clock: Clock) -> None:
    for name in ("needed", "idle", "mounted"):
        await put_blob(store, name)
    await put_manifest(store, manifest("m", "needed"))
    await store.mount("a/c", digest("mounted"), REPO)
    await put_manifest(store, manifest("n", "mounted"), repository="a/c")
    assert await collected(store, 60) == []
    clock.now += 100
    assert await collected(store, 60) == [digest("idle")]
    assert await store.blob_size(REPO, digest("idle")) is None
    assert await store.blob_size(REPO, digest("mounted")) is None
    assert await store.blob_size(REPO, digest("needed")) == 6
    assert await store.blob_size("a/c", digest("mounted")) == 7


async def test_a_claim_and_a_push_in_the_repository_hold_off_the_collector(store: Metadata, clock: Clock) -> None:
    await put_blob(store, "first layer")
    clock.now += 1000
    await store.begin_upload("second layer", REPO, "ada")
    assert await collected(store, 60) == []
    assert await store.blob_size(REPO, digest("first layer")) == 11
    await store.claim("second layer", REPO, "ada", digest("second layer"), 12)
    clock.now += 1000
    await store.touch_upload("second layer")
    assert await collected(store, 60) == []
    await store.cancel_upload("second layer")
    clock.now += 1000
    assert set(await collected(store, 60)) == {digest("first layer"), digest("second layer")}


async def test_claims_that_nobody_ends_do_not_keep_other_blobs_from_being_collected(
    store: Metadata, clock: Clock
) -> None:
    """Each was left by a process that was killed before the end of a push, and holds its blob for a day."""
    for number in range(100):
        await store.claim(f"left {number}", REPO, "ada", digest(f"claimed {number}"), 9)
    clock.now += 1
    await put_blob(store, "idle")
    await store.delete_blob(REPO, digest("idle"))
    clock.now += 1000
    assert await collected(store, 60) == [digest("idle")]


async def test_a_claim_makes_an_idle_blob_fresh_again(store: Metadata, clock: Clock) -> None:
    await put_blob(store, "layer")
    await store.delete_blob(REPO, digest("layer"))
    clock.now += 1000
    await store.claim("again", REPO, "ada", digest("layer"), 5)
    await store.cancel_upload("again")
    assert await collected(store, 60) == []


async def test_a_claim_with_a_wrong_size_is_put_right(store: Metadata) -> None:
    await store.claim("liar", "a/c", "eve", digest("x"), 999)
    await put_blob(store, "x")
    assert await store.blob_size(REPO, digest("x")) == 1
    assert await store.blob_size("a/c", digest("x")) is None


async def test_a_blob_that_a_sparse_manifest_waited_for_is_needed_from_the_start(store: Metadata, clock: Clock) -> None:
    await put_manifest(store, manifest("m", optional=["late"]))
    await put_blob(store, "late")
    clock.now += 1000
    assert await collected(store, 60) == []
    assert await store.blob_size(REPO, digest("late")) == 4


async def test_bytes_that_could_not_be_removed_leave_the_blob_known(store: Metadata, clock: Clock) -> None:
    await put_blob(store, "layer")
    await store.delete_blob(REPO, digest("layer"))
    clock.now += 1000

    async def fails(digests: Sequence[str]) -> None:
        raise StorageBroken("no")

    with pytest.raises(StorageBroken):
        await store.drop_blobs(60, fails)
    assert await collected(store, 60) == [digest("layer")]


async def test_empty_repositories_are_forgotten_and_others_are_not(store: Metadata, clock: Clock) -> None:
    name = await put_manifest(store, manifest("m"), "v1", repository="empty/soon")
    await put_manifest(store, manifest("m"), "v1", repository="full")
    await store.delete_manifest("empty/soon", name, "ada", 0)
    await put_manifest(store, manifest("m2"), "v1", repository="pushed/to")
    await store.delete_manifest("pushed/to", digest("m2"), "ada", 0)
    assert await store.drop_repositories(60) == []
    clock.now += 100
    await store.begin_upload("u", "pushed/to", "ada")
    assert await store.drop_repositories(60) == ["empty/soon"]
    assert [name for name, _ in await store.repositories()] == ["full", "pushed/to"]
    found = await store.manifest("full", "v1")
    assert found is not None
    assert found.raw == b"m"


async def test_changes_asked_for_at_once_all_happen(store: Metadata) -> None:
    await asyncio.gather(*(put_manifest(store, manifest(f"m{n}"), f"t{n}") for n in range(100)))
    assert len(await store.tag_names(REPO)) == 100


async def test_one_refusal_among_many_takes_nothing_of_the_others(store: Metadata) -> None:
    async def one(number: int) -> bool:
        try:
            await put_manifest(store, manifest(f"m{number}", *(["none"] if number % 3 == 0 else [])), f"t{number}")
        except ManifestBlobUnknown:
            return False
        return True

    outcomes = await asyncio.gather(*(one(number) for number in range(60)))
    assert outcomes == [number % 3 != 0 for number in range(60)]
    assert len(await store.tag_names(REPO)) == 40


@pytest.mark.parametrize("kind", DATABASES, ids=lambda kind: kind.__name__)
async def test_a_second_process_on_the_same_database_sees_everything_at_once(
    kind: Kind, tmp_path: Path, clock: Clock
) -> None:
    async with kind(tmp_path, clock) as one, kind(tmp_path, clock) as two:
        store, other = Metadata(one), Metadata(two)
        name = await put_manifest(store, manifest("m"), "v1")
        assert await other.manifest(REPO, "v1") is not None
        await other.delete_manifest(REPO, name, "ada", 0)
        assert await store.manifest(REPO, "v1") is None
        for number in range(10):
            await put_manifest(store if number % 2 else other, manifest(f"m{number}"), f"t{number}")
        assert await store.tag_names(REPO) == await other.tag_names(REPO)


@pytest.mark.parametrize("kind", DATABASES, ids=lambda kind: kind.__name__)
async def test_only_one_is_alone_under_a_name(kind: Kind, tmp_path: Path, clock: Clock) -> None:
    async with kind(tmp_path, clock) as one, kind(tmp_path, clock) as two:
        async with one.alone("x") as first, two.alone("x") as second, two.alone("y") as other:
            assert (first, second, other) == (True, False, True)
        with pytest.raises(ZeroDivisionError):
            async with two.alone("x") as first:
                assert first
                raise ZeroDivisionError
        async with one.alone("x") as first:
            assert first


async def test_an_upload_does_not_end_without_the_claim_that_protects_its_bytes(store: Metadata) -> None:
    await store.begin_upload("u", REPO, "ada")
    with pytest.raises(UploadUnknown):
        await store.finish_upload("u", REPO, digest("x"), 1)
    await store.claim("u", REPO, "ada", digest("y"), 1)
    with pytest.raises(UploadUnknown):
        await store.finish_upload("u", REPO, digest("x"), 1)
    assert not await store.has_repository(REPO)


@pytest.mark.parametrize("short", [True, False])
async def test_a_fault_in_a_change_does_not_stop_the_writer(tmp_path: Path, short: bool) -> None:
    prepare(str(tmp_path / "registry.db"))
    writer = Writer(str(tmp_path / "registry.db"))

    def faulty(db: sqlite3.Connection, _: bool) -> None:
        db.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StorageBroken):
        await writer.do(faulty, short=short)
    with pytest.raises(ZeroDivisionError):
        await writer.do(lambda *_: 1 // 0, short=short)
    assert await writer.do(lambda db, _: db.execute("SELECT 7").fetchone()[0], short=short) == 7
    await writer.close()
