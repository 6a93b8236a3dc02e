"""What lists and quotas cost must not grow with what they are not about; counted in steps of SQLite, not in seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hardtack.registry.access import READ, Caller, Grant
from hardtack.registry.metadata import quotas
from hardtack.registry.metadata.sqlite.database import connect, prepare
from hardtack.registry.metadata.sqlite.running import run
from hardtack.registry.repositories import finding

FEW, MANY = 200, 20_000
BOB = Caller("bob", (Grant("own/**", READ), Grant("team/*", READ), Grant("others/r000007", READ)))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A registry with a few repositories of everybody's."""
    prepare(str(tmp_path / "registry.db"))
    connection = connect(str(tmp_path / "registry.db"), writing=True)
    fill(connection, [f"own/r{number}" for number in range(20)] + ["team/a"], "private")
    fill(connection, [f"pub/r{number}" for number in range(20)], "public")
    yield connection
    connection.close()


def fill(db: sqlite3.Connection, names: list[str], visibility: str) -> None:
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO repository (name, created, updated, visibility, summary) VALUES (?, 0, 0, ?, 'about')"
        " ON CONFLICT DO NOTHING",
        ((name, visibility) for name in names),
    )
    db.execute("COMMIT")


def steps(db: sqlite3.Connection, script: Any) -> int:
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    db.set_progress_handler(step, 1)
    run(db, script)
    db.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize("caller", [BOB, Caller(), Caller("eve")], ids=["few rights", "nobody", "no rights"])
@pytest.mark.parametrize("text", [None, "", "own", "nowhere"])
def test_private_repositories_of_others_cost_nothing(db: sqlite3.Connection, caller: Caller, text: str | None) -> None:
    def cost() -> int:
        return steps(db, finding.names(caller, "", 50) if text is None else finding.search(caller, text, "", 50))

    fill(db, [f"others/r{number:06d}" for number in range(FEW)], "private")
    before = cost()
    fill(db, [f"others/r{number:06d}" for number in range(MANY)], "private")
    assert cost() <= before * 1.5 + 100


def test_a_page_costs_the_same_wherever_it_is(db: sqlite3.Connection) -> None:
    admin = Caller("root", (Grant("**", READ),))
    fill(db, [f"others/r{number:06d}" for number in range(MANY)], "private")
    first = steps(db, finding.names(admin, "", 100))
    assert steps(db, finding.names(admin, f"others/r{MANY - 200:06d}", 100)) <= first * 1.5


def test_a_quota_costs_what_is_in_its_namespace_and_no_reading_of_rows(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO namespace (name, quota) VALUES ('own', 1000)")
    before = steps(db, quotas.room("own/x"))
    fill(db, [f"others/r{number:06d}" for number in range(MANY)], "private")
    assert steps(db, quotas.room("own/x")) <= before * 1.5
    plan = db.execute("EXPLAIN QUERY PLAN SELECT sum(size) FROM repository WHERE name > ? AND name < ?", ("a", "b"))
    assert "COVERING INDEX repository_usage" in plan.fetchone()[3]
