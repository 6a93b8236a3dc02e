"""Names and ids: what a person types finds what docker would find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.oci.reference import Reference
from hardtack.store.database import open_database
from hardtack.store.errors import ContentMissing, ImageAmbiguous
from hardtack.store.reference import (
    add_image,
    find_image,
    images,
    mark_used,
    references_of,
    remove_image,
    remove_reference,
    set_reference,
)
from hardtack.store.sqlite import Connection

MANIFEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
CONFIG = "sha256:" + "abc" + "0" * 61
OTHER_CONFIG = "sha256:" + "abd" + "0" * 61
NAMED_LIKE_AN_ID = "abd"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(str(tmp_path / "state.db"))
    for digest in (MANIFEST, OTHER):
        connection.execute("INSERT INTO blob VALUES (?, 1, '', 0, 0)", (digest,))
    add_image(connection, MANIFEST, CONFIG, 1.0)
    add_image(connection, OTHER, OTHER_CONFIG, 2.0)
    set_reference(connection, Reference.parse("nginx:1.27"), MANIFEST)
    set_reference(connection, Reference.parse("nginx:latest"), MANIFEST)
    set_reference(connection, Reference.parse(f"localhost:5000/team/app@{OTHER}"), OTHER)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("nginx", MANIFEST),
        ("nginx:1.27", MANIFEST),
        ("docker.io/library/nginx", MANIFEST),
        ("index.docker.io/nginx:latest", MANIFEST),
        ("nginx:2", None),
        (f"nginx@{MANIFEST}", MANIFEST),
        (f"nginx:whatever@{MANIFEST}", MANIFEST),
        (f"nginx@{OTHER}", None),
        (f"ngin@{MANIFEST}", None),
        (f"localhost:5000/team/app@{OTHER}", OTHER),
        ("localhost:5000/team/app", None),
        (MANIFEST, MANIFEST),
        (MANIFEST[7:], MANIFEST),
        (CONFIG, MANIFEST),
        (CONFIG[7:], MANIFEST),
        (CONFIG[7:19], MANIFEST),
        (CONFIG[:12], MANIFEST),
        ("abc", MANIFEST),
        ("abd", OTHER),
        ("sha256:abd", OTHER),
        ("abe", None),
        ("ABC", None),
        ("", None),
        ("sha256:", None),
        ("no such thing", None),
        ("-", None),
        ("%", None),
        ("a_b'; --", None),
    ],
)
def test_what_is_typed_finds_its_image(db: Connection, text: str, digest: str | None) -> None:
    found = find_image(db, text)
    assert (found and found.digest) == digest


def test_the_beginning_of_two_ids_is_refused_with_their_number(db: Connection) -> None:
    with pytest.raises(ImageAmbiguous, match="fits 2 images"):
        find_image(db, "ab")


def test_two_manifests_of_one_config_are_one_image_to_people(db: Connection) -> None:
    db.execute("UPDATE image SET config = ?", (CONFIG,))
    found = find_image(db, "ab")
    assert found is not None
    assert found.digest == OTHER  # the one used last
    assert found.config == CONFIG


def test_a_name_wins_over_the_beginning_of_an_id(db: Connection) -> None:
    set_reference(db, Reference.parse(NAMED_LIKE_AN_ID).tagged(), MANIFEST)
    found = find_image(db, NAMED_LIKE_AN_ID)
    assert found is not None
    assert found.digest == MANIFEST


def test_a_moved_name_says_where_it_pointed_before(db: Connection) -> None:
    name = Reference.parse("nginx").tagged()
    assert set_reference(db, name, OTHER) == MANIFEST
    assert set_reference(db, name, OTHER) == OTHER
    assert [str(found) for found in references_of(db, MANIFEST)] == ["docker.io/library/nginx:1.27"]
    assert remove_reference(db, name)
    assert not remove_reference(db, name)


def test_an_image_that_loses_its_last_name_stays_unless_another_manifest_of_it_is_there(db: Connection) -> None:
    set_reference(db, Reference.parse("other:1"), MANIFEST)
    set_reference(db, Reference.parse("other:1"), OTHER)
    assert len(images(db)) == 2  # MANIFEST has other names
    for name in ("nginx:1.27", "nginx:latest"):
        set_reference(db, Reference.parse(name), OTHER)
    assert len(images(db)) == 2  # untagged now, and still an image of its own
    db.execute("UPDATE image SET config = ?", (CONFIG,))
    set_reference(db, Reference.parse("nginx:2"), MANIFEST)
    set_reference(db, Reference.parse("nginx:2"), OTHER)
    assert [row.digest for row in images(db)] == [OTHER]


def test_an_image_whose_manifest_is_not_held_is_refused(db: Connection) -> None:
    with pytest.raises(ContentMissing):
        add_image(db, "sha256:" + "9" * 64, CONFIG)


def test_adding_an_image_again_keeps_when_it_came_and_notes_its_use(db: Connection) -> None:
    add_image(db, MANIFEST, OTHER_CONFIG, 9.0)
    row = next(row for row in images(db) if row.digest == MANIFEST)
    assert (row.created, row.used, row.config) == (1.0, 9.0, OTHER_CONFIG)
    mark_used(db, MANIFEST, 10.0)
    assert max(row.used for row in images(db)) == 10.0


def test_a_removed_image_leaves_no_name_and_keeps_nothing(db: Connection) -> None:
    remove_image(db, MANIFEST)
    assert find_image(db, "nginx") is None
    assert db.execute("SELECT holder FROM keep").fetchall() == [(f"image:{OTHER}",)]
