"""What PostgreSQL adds to the promises of a database: races, lost connections, restarts, migrations."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.config.document import Config
from hardtack.registry.config.options import Secret
from hardtack.registry.config.stores import MetadataSection
from hardtack.registry.errors import CannotServe, StorageBroken, StorageUnreachable
from hardtack.registry.metadata import changes, collecting, migrations
from hardtack.registry.metadata.postgres import PostgresDatabase, migrating, pool, transactions
from hardtack.registry.metadata.rows import NewManifest
from hardtack.registry.metadata.script import Effect
from hardtack.registry.metadata.store import Metadata
from support.databases import postgres_url
from support.postgres_server import postgres_server
from support.registry_worker import registry_worker

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

BLOB = Digest.of(b"a blob")


@pytest.fixture
async def url(tmp_path: Path) -> str:
    return await postgres_url(tmp_path)


@pytest.fixture
async def db(url: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(url)
    yield database
    await database.close()


@pytest.fixture
async def raw(url: str) -> AsyncIterator[Any]:
    """A connection that is nobody's."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


def note(name: str, value: str = "") -> Script[None]:
    yield "INSERT INTO fact (name, value) VALUES (?, ?)", (name, value)


def facts() -> Script[set[str]]:
    rows = yield "SELECT name FROM fact", ()
    return {name for (name,) in rows}


async def push(db: PostgresDatabase, home: str, digest: Digest = BLOB) -> None:
    await db.note(changes.claim, f"to {home}", home, "", digest, 1, 0.0)
    await db.write(changes.finish_upload, f"to {home}", home, digest, 1, 0.0)


OPEN = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"


async def test_a_link_that_loses_against_the_collector_is_tried_again(db: PostgresDatabase, raw: Any) -> None:
    await push(db, "a/one")
    await raw.execute("BEGIN")
    await raw.execute("SELECT 1 FROM blob FOR UPDATE")
    mounting = asyncio.create_task(db.write(changes.mount, "a/two", BLOB, "a/one", 1.0))
    await asyncio.sleep(0.2)
    await raw.execute("DELETE FROM link")
    await raw.execute("DELETE FROM blob")
    await raw.execute("COMMIT")
    assert not await mounting


async def test_a_deadlock_is_tried_again(db: PostgresDatabase) -> None:
    for name in ("one", "two"):
        await db.write(note, name)

    def both(first: str, second: str) -> Script[None]:
        yield "UPDATE fact SET value = ? WHERE name = ?", (first, first)
        yield Effect(lambda: asyncio.sleep(0.1))
        yield "UPDATE fact SET value = ? WHERE name = ?", (first, second)

    await asyncio.gather(db.write(both, "one", "two"), db.write(both, "two", "one"))


async def test_a_claim_waits_until_the_bytes_of_the_old_blob_are_gone(db: PostgresDatabase) -> None:
    await push(db, "a/one")
    await db.write(changes.delete_blob, "a/one", BLOB, 1.0)
    claiming: list[asyncio.Task[None]] = []

    async def remove(digests: Sequence[str]) -> None:
        claiming.append(asyncio.create_task(db.note(changes.claim, "u", "a/two", "", BLOB, 1, 9.0)))
        await asyncio.sleep(0.2)
        assert not claiming[0].done()

    assert await db.free(collecting.drop_blobs, 5.0, 10, remove) == [(BLOB, 1)]
    await claiming[0]
    assert await db.free(collecting.drop_blobs, 50.0, 10, remove) == []


async def test_an_effect_ends_with_the_connection_that_protects_it(db: PostgresDatabase, raw: Any) -> None:
    await push(db, "a/one")
    await db.write(changes.delete_blob, "a/one", BLOB, 1.0)
    removed = []

    async def remove(digests: Sequence[str]) -> None:
        await raw.execute(f"SELECT pg_terminate_backend(pid) FROM ({OPEN}) o")
        await asyncio.sleep(5)
        removed.append(digests)

    with pytest.raises(StorageUnreachable, match="in the middle of a change"):
        await db.free(collecting.drop_blobs, 5.0, 10, remove)
    assert removed == []
    assert await raw.fetchval("SELECT count(*) FROM blob") == 1


async def test_what_hands_something_out_is_not_begun_again(db: PostgresDatabase, raw: Any) -> None:
    handed: list[int] = []

    def hand_out() -> Script[None]:
        yield "SELECT 1", ()
        yield Effect(hand)
        yield "SELECT 2 FROM pg_sleep(5)", ()

    async def hand() -> None:
        handed.append(1)
        asyncio.get_running_loop().call_later(0.1, lambda: killing.append(asyncio.ensure_future(kill())))

    async def kill() -> None:
        await raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%pg_sleep(5)' AND pid <> pg_backend_pid()"
        )

    killing: list[asyncio.Future[None]] = []
    with pytest.raises(StorageUnreachable):
        await db.browse(hand_out)
    assert handed == [1]


@pytest.mark.parametrize("what", ["write", "note", "read", "browse"])
async def test_who_is_cancelled_leaves_no_transaction_behind(db: PostgresDatabase, raw: Any, what: str) -> None:
    started = asyncio.Event()

    def slowly() -> Script[None]:
        started.set()
        if what in ("write", "note"):
            yield from note("one")
        yield "SELECT pg_sleep(0.3)", ()
        if what in ("write", "note"):
            yield from note("two")

    for _ in range(3):
        task = asyncio.create_task(getattr(db, what)(slowly))
        await started.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        started.clear()
    await asyncio.sleep(0.8)
    assert await raw.fetch(OPEN) == []
    assert ("one" in await db.read(facts)) == ("two" in await db.read(facts)) == (what in ("write", "note"))


async def test_waiting_for_a_connection_ends_in_turn_and_loses_none(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection for all: who gives up while waiting, or while having it, takes nothing from the others."""

    def slowly() -> Script[int]:
        rows = yield "SELECT 1 FROM pg_sleep(0.02)", ()
        return len(rows)

    database = await PostgresDatabase.open(f"{url}?pool_size=1")
    tasks = [asyncio.create_task(database.read(slowly)) for _ in range(12)]
    await asyncio.sleep(0.03)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1::2] == [1] * 6
    monkeypatch.setattr(pool, "_WAIT_SECONDS", 0.01)
    outcomes = await asyncio.gather(*(database.read(slowly) for _ in range(4)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(StorageUnreachable) >= 2
    assert await database.read(slowly) == 1
    await database.close()


async def test_a_fault_in_a_script_is_told_and_leaves_nothing(db: PostgresDatabase, raw: Any) -> None:
    def faulty() -> Script[None]:
        yield from note("one")
        yield "INSERT INTO nowhere VALUES (1)", ()

    def refusing() -> Script[None]:
        yield from note("one")
        raise PermissionError(1, "no")

    with pytest.raises(StorageBroken, match="nowhere"):
        await db.write(faulty)
    with pytest.raises(PermissionError):
        await db.write(refusing)
    assert "one" not in await db.read(facts)
    assert await raw.fetch(OPEN) == []


async def test_requests_survive_a_restart_of_the_server(db: PostgresDatabase) -> None:
    """What was acknowledged is there; what was not, was told so; and afterwards all is as before."""
    server, told, failed, stop = postgres_server(), set(), [], asyncio.Event()

    async def client(number: int) -> None:
        count = 0
        while not stop.is_set():
            name, count = f"{number}/{count}", count + 1
            try:
                await db.write(note, name)
                told.add(name)
                assert name in await db.read(facts)
            except StorageUnreachable as error:
                failed.append(error)
            await asyncio.sleep(0.01)

    clients = [asyncio.create_task(client(number)) for number in range(6)]
    await asyncio.sleep(0.3)
    for how in (signal.SIGINT, signal.SIGQUIT):
        before = len(told)
        await asyncio.to_thread(server.stop, how)
        server.begin()
        await asyncio.to_thread(server.wait)
        await asyncio.sleep(0.5)
        assert len(told) > before
    stop.set()
    await asyncio.gather(*clients)
    assert told <= await db.read(facts)
    assert len(failed) < 30  # only those that were being confirmed at that moment


async def test_a_server_that_stays_away_is_told_clearly_and_soon(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE_SECONDS", 0.5)
    server = postgres_server()
    await asyncio.to_thread(server.stop)
    try:
        async with asyncio.timeout(4):
            for ask in (db.read, db.write):
                with pytest.raises(StorageUnreachable, match=r"refused|closed|shut"):
                    await ask(facts)
            with pytest.raises(StorageUnreachable):
                async with db.alone("x"):
                    pass
    finally:
        server.begin()
        await asyncio.to_thread(server.wait)
    assert "rights" in await db.read(facts)


async def test_the_block_of_a_lock_that_is_lost_is_cancelled(db: PostgresDatabase, url: str, raw: Any) -> None:
    finished = False
    with pytest.raises(StorageUnreachable):
        async with db.alone("collector") as ours:
            assert ours
            await raw.execute(f"SELECT pg_terminate_backend(pid) FROM ({OPEN}) o")
            await asyncio.sleep(5)
            finished = True
    assert not finished
    async with db.alone("collector") as ours:
        assert ours


async def test_a_lock_ends_with_the_process_that_had_it(db: PostgresDatabase, url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from hardtack.registry.metadata.postgres import PostgresDatabase\n"
        "async def main():\n"
        "    database = await PostgresDatabase.open(sys.argv[1])\n"
        "    async with database.alone('collector') as ours:\n"
        "        print(ours, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == "True\n"
        async with db.alone("collector") as ours:
            assert not ours
        async with db.alone("another") as ours:
            assert ours
        holder.kill()
    async with asyncio.timeout(5):
        while True:
            async with db.alone("collector") as ours:
                if ours:
                    break
            await asyncio.sleep(0.02)


async def test_a_pooler_that_mixes_connections_needs_nothing_of_them(url: str) -> None:
    """Without prepared statements and settings of a session; locks are those of transactions."""
    database = await PostgresDatabase.open(f"{url}?statement_cache_size=0&pool_size=2")
    try:
        store = Metadata(database)
        new = NewManifest(Digest.of(b"m"), "application/json", b"m")
        await asyncio.gather(*(store.put_manifest("a/b", new, [f"t{n}"], "", lambda *_: None) for n in range(20)))
        assert len(await store.tag_names("a/b")) == 20
        async with database.alone("x") as ours, database.alone("x") as theirs:
            assert (ours, theirs) == (True, False)
    finally:
        await database.close()


# Opening and migrating


async def empty_database(name: str) -> str:
    server = postgres_server()
    await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    return server.url(name)


async def test_eight_that_open_a_new_database_at_once_make_it_once() -> None:
    url = await empty_database("raced")
    databases = await asyncio.gather(*(PostgresDatabase.open(url) for _ in range(8)))
    assert all([await database.read(facts) == {"rights"} for database in databases])
    await asyncio.gather(*(database.close() for database in databases))


async def test_a_migration_happens_while_the_previous_version_serves(
    db: PostgresDatabase, url: str, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its index is built beside a writer who has not finished, and one that was left half built is made anew."""
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, "more"))
    monkeypatch.setattr(migrating, "MIGRATIONS", migrations.MIGRATIONS)
    more = ["CREATE TABLE more (name TEXT NOT NULL)", "CREATE INDEX fact_value ON fact (value)", "DROP INDEX audit_who"]
    real = migrations.statements
    monkeypatch.setattr(migrating, "statements", lambda name: more if name == "more" else real(name))
    await raw.execute("CREATE INDEX fact_value ON fact (name)")
    await raw.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'fact_value'::regclass")
    await raw.execute("BEGIN")
    await raw.execute("INSERT INTO fact VALUES ('unfinished', '')")
    opening = asyncio.create_task(PostgresDatabase.open(url))
    await asyncio.sleep(0.5)
    assert not opening.done()
    await db.write(note, "written meanwhile")
    await raw.execute("COMMIT")
    await (await opening).close()
    assert "(value)" in await raw.fetchval("SELECT pg_get_indexdef('fact_value'::regclass)")
    assert await raw.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'fact_value'::regclass")
    assert await raw.fetchval("SELECT to_regclass('audit_who')") is None
    assert await raw.fetchval("SELECT version FROM schema_version") == len(migrations.MIGRATIONS)
    assert await db.read(facts) >= {"unfinished", "written meanwhile"}


async def test_a_newer_schema_is_used_when_it_says_so_and_refused_otherwise(db: PostgresDatabase, url: str) -> None:
    async def say(oldest: int) -> None:
        def script() -> Script[None]:
            yield "UPDATE schema_version SET version = 99, indexed = 99, oldest = ?", (oldest,)

        await db.write(script)

    await say(len(migrations.MIGRATIONS))
    await (await PostgresDatabase.open(url)).close()
    await say(len(migrations.MIGRATIONS) + 1)
    with pytest.raises(CannotServe, match="version is 99"):
        await PostgresDatabase.open(url)


async def test_a_database_that_will_not_do_is_refused_with_the_reason_and_no_password() -> None:
    server = postgres_server()
    await server.execute("DROP DATABASE IF EXISTS latin")
    await server.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    at = f"postgresql://registry:s3cret@127.0.0.1:{server.port}"
    for url, why in (
        (f"{at}/latin", "encoding is LATIN1"),
        (f"{at}/none", 'database "none" does not exist'),
        (f"postgresql://nobody:s3cret@127.0.0.1:{server.port}/postgres", 'role "nobody" does not exist'),
        (f"{at}/postgres?search_path=nowhere", "no schema"),
    ):
        with pytest.raises(CannotServe, match=why) as caught:
            await PostgresDatabase.open(url)
        assert "s3cret" not in str(caught.value)


def test_clients_are_told_503_while_the_database_is_away_and_served_as_soon_as_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE_SECONDS", 0.2)
    url = asyncio.run(postgres_url(tmp_path))
    server = postgres_server()
    config = Config(metadata=MetadataSection(Secret(url)))
    with registry_worker(tmp_path / "root", base=config) as worker:
        worker.client.push_image("a/b", "v1")
        server.stop()
        try:
            refused = [worker.client("GET", "/v2/a/b/manifests/v1"), worker.client("POST", "/v2/a/b/blobs/uploads/")]
            assert [(answer.status, answer.code()) for answer in refused] == [(503, "UNAVAILABLE")] * 2
            assert refused[0].headers["retry-after"] == "1"
            assert worker.client("GET", "/readyz").status == 503
        finally:
            server.start()
        assert worker.client("GET", "/v2/a/b/manifests/v1").status == 200
        worker.client.push_image("a/b", "v2")
