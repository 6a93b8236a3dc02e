"""The root: made once by whoever is first, opened by anybody after, refused when it is not ours to read."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.store.database import MIGRATIONS, open_database
from hardtack.store.errors import RootUnusable
from hardtack.store.root import Root
from support.faults import in_child


@pytest.fixture(autouse=True)
def own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDTACK_RUN", str(tmp_path / "run"))


def test_processes_that_make_one_root_at_once_agree_on_its_id_and_its_tables(tmp_path: Path) -> None:
    path, count = str(tmp_path / "root"), 6
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                root = Root.open(path)
                with root.transaction() as db:
                    db.execute("INSERT INTO origin VALUES (?, ?)", (root.id, str(number)))
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * count
    root = Root.open(path)
    try:
        rows = root.db.execute("SELECT digest, count(*) FROM origin GROUP BY digest").fetchall()
        assert rows == [(root.id, count)]
        leftover = {"blobs", "ingest", "layers", "containers", "volumes", "build", "tmp", "id", "ballast", "state.db"}
        assert set(os.listdir(path)) - {"state.db-wal", "state.db-shm"} == leftover
    finally:
        root.close()


def test_a_root_that_does_not_exist_is_not_made_when_it_must_not_be(tmp_path: Path) -> None:
    with pytest.raises(RootUnusable, match="there is none"):
        Root.open(str(tmp_path / "root"), create=False)
    assert not (tmp_path / "root").exists()


def test_the_run_directory_is_made_again_after_a_reboot_took_it(root: Root) -> None:
    os.rmdir(f"{root.run}/locks")
    Root.open().close()
    assert os.path.isdir(f"{root.run}/locks")


def as_nobody(act: Callable[[], object]) -> str:
    """What a call says to a user who owns nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            act()
        except RootUnusable as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as file:
        return file.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.skipif(bool(os.stat("/run").st_mode & 0o002), reason="everybody may write in /run here")
def test_a_user_without_rights_is_told_which_directory_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, 65534, 65534)
        theirs = Root.open(f"{home}/theirs")
        theirs.db.execute("SELECT 1")
        theirs.close()
        said = as_nobody(lambda: open_database(f"{home}/theirs/state.db"))
        assert "somebody else's: permission denied. Run it as root" in said
        monkeypatch.delenv("HARDTACK_RUN")
        said = as_nobody(lambda: Root.open(f"{home}/mine"))
        assert ": /run/user" in said and "permission denied" in said and "HARDTACK_RUN" in said


def test_a_database_of_a_newer_program_is_refused_with_both_versions(root: Root) -> None:
    root.db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 7}")
    root.close()
    with pytest.raises(RootUnusable, match=rf"version {len(MIGRATIONS) + 7}.*up to {len(MIGRATIONS)}"):
        _ = root.db


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(root: Root) -> None:
    Path(root.path, "state.db").write_bytes(b"not a database, but somebody's only copy" * 100)
    with pytest.raises(RootUnusable, match="not a database"):
        _ = root.db
    assert Path(root.path, "state.db").read_bytes().startswith(b"not a database, but")


def test_an_older_database_gets_what_is_missing(root: Root) -> None:
    _ = root.db
    root.close()
    with sqlite3.connect(f"{root.path}/state.db") as db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            db.execute(f"DROP TABLE {name}")
        db.execute("PRAGMA user_version = 0")
    db.close()
    found = {row[0] for row in root.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert found == tables


def test_a_transaction_that_fails_changes_nothing(root: Root) -> None:
    with pytest.raises(ZeroDivisionError), root.transaction() as db:
        db.execute("INSERT INTO origin VALUES ('a', 'b')")
        _ = 1 / 0
    assert root.db.execute("SELECT count(*) FROM origin").fetchone() == (0,)
    with root.transaction(durable=True) as db:
        db.execute("INSERT INTO origin VALUES ('a', 'b')")
    assert root.db.execute("PRAGMA synchronous").fetchone() == (1,)


def test_every_thread_has_a_connection_of_its_own(root: Root) -> None:
    seen: list[object] = []
    barrier = threading.Barrier(3)

    def look() -> None:
        seen.append(root.db)
        barrier.wait()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    look()
    for thread in threads:
        thread.join()
    assert len({id(connection) for connection in seen}) == 3


def test_a_forked_child_uses_its_own_connection_and_leaves_its_parents_open(root: Root) -> None:
    inherited = root.db
    with root.transaction() as db:
        db.execute("INSERT INTO origin VALUES ('parent', '1')")

    def child() -> None:
        assert root._connections == {}  # let go by the fork itself, and never closed
        assert root.db is not inherited
        with root.transaction() as db:
            db.execute("INSERT INTO origin VALUES ('child', '1')")
        root.close()

    assert in_child(child) == 0
    with root.transaction() as db:
        db.execute("INSERT INTO origin VALUES ('parent', '2')")
    rows = root.db.execute("SELECT digest, repository FROM origin ORDER BY 1, 2").fetchall()
    assert rows == [("child", "1"), ("parent", "1"), ("parent", "2")]
    assert root.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
