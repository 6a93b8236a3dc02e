"""What each question of the registry costs in a large PostgreSQL: which index answers, how much it reads, how long.

    python -m bench.postgres_scale postgresql://SUPERUSER@HOST/EMPTY_DATABASE [REPOSITORIES]

Fills an empty database with synthetic rows, 15 images per repository and a third of all in one of them, prints the size
of every table and index per row, then asks. Takes two minutes and 3 GB for 20,000 repositories.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from hardtack.oci.digest import Digest
from hardtack.registry.metadata import changes, collecting, reading
from hardtack.registry.metadata.postgres import PostgresDatabase
from hardtack.registry.metadata.postgres.translation import numbered
from hardtack.registry.metadata.rows import Child, NewManifest

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_DEFINE = (
    "CREATE FUNCTION pg_temp.d(t text) RETURNS text LANGUAGE sql IMMUTABLE AS"
    " $$ SELECT 'sha256:' || encode(sha256(convert_to(t, 'UTF8')), 'hex') $$"
)
# $r: repositories. Image i has three blobs of its own and two of its repository; 10 in 15 are spread, 5 are in one.
_HOME = "CASE WHEN i <= 10 * $r THEN 1 + i % $r ELSE $r + 1 END"
_FILL = (
    "INSERT INTO repository (id, name, created, updated, visibility, size) SELECT i, 'org' || i / 100 || '/app' || i,"
    " 1e9, 1e9 + i, CASE i % 10 WHEN 0 THEN 'public' ELSE 'private' END, 1e9 FROM generate_series(1, $r) i",
    "INSERT INTO repository (id, name, created, updated, size) VALUES ($r + 1, 'big/one', 1e9, 1e9, 1e12)",
    "INSERT INTO blob SELECT pg_temp.d('own' || i), 1e6 + i, 1e9, NULL FROM generate_series(1, 45 * $r) i",
    "INSERT INTO blob SELECT pg_temp.d('base' || i), 3e7, 1e9, NULL FROM generate_series(0, 99) i",
    "INSERT INTO blob SELECT pg_temp.d('idle' || i), 1, 1e9, 1e9 + i FROM generate_series(1, 1000) i",
    "INSERT INTO content SELECT pg_temp.d('image' || i), convert_to(repeat(md5(i::text), 38), 'UTF8')"
    " FROM generate_series(1, 15 * $r) i",
    f"INSERT INTO manifest SELECT {_HOME}, pg_temp.d('image' || i), 'application/vnd.oci.image.manifest.v1+json', 1216,"
    " 'application/vnd.example', CASE WHEN i % 10 = 0 THEN pg_temp.d('image' || i - 1) ELSE '' END, '', 1e9, 'somebody'"
    " FROM generate_series(1, 15 * $r) i",
    f"INSERT INTO link SELECT {_HOME}, pg_temp.d('own' || i * 3 - j), 1e9, NULL"
    " FROM generate_series(1, 15 * $r) i, generate_series(0, 2) j",
    "INSERT INTO link SELECT i, pg_temp.d('base' || i % 99 + j), 1e9, NULL"
    " FROM generate_series(1, $r + 1) i, generate_series(0, 1) j",
    "INSERT INTO link SELECT i, pg_temp.d('base99'), 1e9, NULL FROM generate_series(1, $r + 1) i"
    " ON CONFLICT DO NOTHING",
    f"INSERT INTO edge SELECT {_HOME}, pg_temp.d('image' || i), pg_temp.d('own' || i * 3 - j), 'layer'"
    " FROM generate_series(1, 15 * $r) i, generate_series(0, 2) j",
    f"INSERT INTO edge SELECT {_HOME}, pg_temp.d('image' || i), pg_temp.d('base' || ({_HOME}) % 99 + j), 'layer'"
    " FROM generate_series(1, 15 * $r) i, generate_series(0, 1) j",
    f"INSERT INTO tag SELECT {_HOME}, 'v' || i, pg_temp.d('image' || i), 1e9, 1e9 + i, 'somebody'"
    " FROM generate_series(1, 15 * $r) i",
    f"INSERT INTO tag_event (repository, name, digest, moment, who) SELECT {_HOME}, 'v' || i, pg_temp.d('image' || i),"
    " 1e9, 'somebody' FROM generate_series(1, 15 * $r) i",
    f"INSERT INTO pulled SELECT {_HOME}, 'v' || i, 7, 1e9 FROM generate_series(1, 15 * $r) i",
    "INSERT INTO upload SELECT gen_random_uuid(), 'org0/app' || i % 99, 'somebody', 1e9, 1e9 + i, '', 0"
    " FROM generate_series(1, 5000) i",
)


def named(text: str) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")


class Question(NamedTuple):
    what: str
    script: Callable[[int], Script[Any]]
    """Made for the n-th time it is asked."""


def questions(count: int) -> list[Question]:
    small, big = 10 * count, 15 * count

    def home(n: int) -> str:
        number = 1 + (n % small + 1) % count
        return f"org{number // 100}/app{number}"

    def own(n: int) -> str:
        return str(named(f"own{(n % small + 1) * 3}"))

    def image(n: int) -> str:
        return str(named(f"image{n % small + 1}"))

    return [
        Question("manifest by tag", lambda n: reading.manifest(home(n), f"v{n % small + 1}")),
        Question("manifest by digest", lambda n: reading.manifest(home(n), image(n))),
        Question("HEAD of a blob", lambda n: reading.blob_size(home(n), own(n))),
        Question("rights: visibility", lambda n: reading.visibility(home(n))),
        Question("page of tags, small", lambda n: reading.tag_names(home(n), "", 100)),
        Question("page of tags, first of many", lambda _: reading.tag_names("big/one", "", 100)),
        Question("page of tags, last of many", lambda _: reading.tag_names("big/one", f"v{big - 200}", 100)),
        Question("latest tags of many", lambda _: reading.latest_tags("big/one", "", None, 50)),
        Question("page of the catalog", lambda n: reading.repositories(home(n), 100)),
        Question(
            "referrers, of many", lambda _: reading.referrers("big/one", str(named(f"image{big - 1}")), "", "", 100)
        ),
        Question("where a popular blob is", lambda n: reading.linked_in(str(named("base99")), home(n), 100)),
        Question("what is idle, for the collector", lambda n: collecting.drop_blobs(1e9 + n, 100, _nothing)),
    ]


def change(n: int, count: int) -> list[Question]:
    number = 1 + n % count
    repository, now = f"org{number // 100}/app{number}", 2e9 + n
    new = f"new{n}"
    children = tuple(Child(named(f"{new}-{layer}"), "layer", True) for layer in range(3))
    raw = new.encode() * 100
    image = NewManifest(Digest.of(raw), "application/vnd.oci.image.manifest.v1+json", raw, children=children)
    blobs = [(f"{new}-{layer}", named(f"{new}-{layer}")) for layer in range(3)]
    return [
        *(Question("claim", lambda _, b=b: changes.claim(b[0], repository, "x", b[1], 1, now)) for b in blobs),  # type: ignore[misc]
        *(Question("link", lambda _, b=b: changes.finish_upload(b[0], repository, b[1], 1, now)) for b in blobs),  # type: ignore[misc]
        Question(
            "put of a manifest with a tag", lambda _: changes.put_manifest(repository, image, ["new"], "x", _let, now)
        ),
        Question("mount", lambda _: changes.mount("big/one", str(blobs[0][1]), repository, now)),
        Question(
            "delete of the manifest", lambda _: changes.delete_manifest(repository, str(image.digest), "x", 0, now)
        ),
    ]


def _let(tag: str, before: str | None) -> None:
    """The guard that refuses nothing."""


async def _nothing(digests: object) -> None:
    """Bytes that are not there."""


async def fill(connection: Any, repositories: int) -> None:
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(_DEFINE)
    for statement in _FILL:
        begun = time.monotonic()
        await connection.execute(statement.replace("$r", str(repositories)))
        print(f"  {time.monotonic() - begun:6.1f} s  {statement[:60]}", file=sys.stderr)
    await connection.execute("VACUUM (ANALYZE)")


_INDEXES = (
    "SELECT relname, pg_relation_size(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE i.indrelid = $1 ORDER BY 1"
)


async def print_sizes(connection: Any) -> None:
    print("| table | rows | bytes per row | its indexes, bytes per row |\n| --- | --- | --- | --- |")
    tables = await connection.fetch("SELECT relname, oid FROM pg_class WHERE relkind = 'r' AND reltuples > 100"
                                    " AND relnamespace = current_schema()::regnamespace ORDER BY relname")  # fmt: skip
    for name, oid in tables:
        rows = await connection.fetchval(f"SELECT count(*) FROM {name}")
        heap = await connection.fetchval("SELECT pg_table_size($1::oid)", oid)
        indexes = await connection.fetch(_INDEXES, oid)
        told = ", ".join(f"{index} {size / rows:.0f}" for index, size in indexes)
        print(f"| {name} | {rows:,} | {heap / rows:.0f} | {told} |")


async def print_questions(connection: Any, count: int) -> None:
    print("\n| question | answered by | pages | ms in the server | ms with the way there |")
    print("| --- | --- | --- | --- | --- |")
    for question in questions(count):
        times, plans = [], []
        for n in range(60):
            sql, values = next(question.script(n * 7919))  # type: ignore[misc]
            begun = time.perf_counter()
            await connection.fetch(numbered(sql), *values)
            times.append((time.perf_counter() - begun) * 1e3)
            if n >= 40:
                rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {numbered(sql)}", *values)
                plans.append(json.loads(rows[0][0])[0])
        indexes = ", ".join(dict.fromkeys(index for plan in plans for index in _indexes(plan["Plan"])))
        pages = statistics.median(p["Plan"]["Shared Hit Blocks"] + p["Plan"]["Shared Read Blocks"] for p in plans)
        inside = statistics.median(plan["Execution Time"] for plan in plans)
        print(f"| {question.what} | {indexes} | {pages:.0f} | {inside:.2f} | {statistics.median(times[10:]):.2f} |")


def _indexes(plan: dict[str, Any]) -> list[str]:
    here = [plan["Index Name"]] if "Index Name" in plan else []
    if plan["Node Type"] == "Seq Scan":
        here = [f"all of {plan['Relation Name']}"]
    return here + [index for part in plan.get("Plans", []) for index in _indexes(part)]


async def print_changes(database: PostgresDatabase, connection: Any, count: int) -> None:
    print("\n| change | statements | ms | bytes of WAL |\n| --- | --- | --- | --- |")
    found: dict[str, list[tuple[int, float, int]]] = {}
    for n in range(200):
        for question in change(n, count):
            statements = 0

            def counted(script: Script[Any]) -> Script[Any]:
                nonlocal statements
                rows: Any = None
                try:
                    while True:
                        step = script.send(rows)
                        statements += 1
                        rows = yield step
                except StopIteration:
                    return

            before = await connection.fetchval("SELECT pg_current_wal_insert_lsn()")
            begun = time.perf_counter()
            await database.write(lambda question=question: counted(question.script(0)))  # type: ignore[misc]
            took = (time.perf_counter() - begun) * 1e3
            wal = await connection.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", before)
            found.setdefault(question.what, []).append((statements, took, int(wal)))
    for what, all_of in found.items():
        statements, took, wal = (statistics.median(column) for column in zip(*all_of, strict=True))
        print(f"| {what} | {statements:.0f} | {took:.1f} | {wal:,.0f} |")


async def main(url: str, repositories: int) -> None:
    database = await PostgresDatabase.open(url)
    connection = await asyncpg.connect(url)
    try:
        await fill(connection, repositories)
        await print_sizes(connection)
        await connection.execute("SET session_replication_role = origin")
        await print_questions(connection, repositories)
        await print_changes(database, connection, repositories)
    finally:
        await connection.close()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20_000))
