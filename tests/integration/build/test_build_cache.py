"""What the cache knows again and what it does not, stages at once, and builds that are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hardtack.build import cache
from hardtack.build.dockerfile.mounts import parse_mount
from hardtack.build.errors import BuildError, StepFailed
from hardtack.build.steps.caches import CacheFolder
from hardtack.build.workspace import Workspace
from hardtack.cli.units import size
from hardtack.image.remove import remove
from hardtack.oci.reference import Reference
from hardtack.store.collect import collect
from hardtack.store.fsck import fsck
from hardtack.store.root import Root
from hardtack.store.usage import REST, usage
from support.kitchen import Kitchen, Recorder

TACK = str(Path(sys.executable).parent / "tack")
BASE = """FROM busybox
ARG VERSION=1
ENV MODE=a
WORKDIR /w
COPY one /x/
RUN echo $RANDOM > /tmp/made
COPY two /y/
"""
RUN, ONE, TWO = "RUN echo $RANDOM > /tmp/made", "COPY one /x/", "COPY two /y/"

Change = Callable[[Kitchen], None]
CHANGES: list[tuple[str, Change, str, dict[str, object], set[str]]] = [
    ("nothing", lambda _: None, BASE, {}, set()),
    ("time of a file", lambda k: os.utime(k.context / "one"), BASE, {}, set()),
    ("content of a file", lambda k: k.write("two", "changed") and None, BASE, {}, {TWO}),
    ("content before a command", lambda k: k.write("one", "changed") and None, BASE, {}, {ONE, RUN, TWO}),
    ("permissions", lambda k: os.chmod(k.context / "two", 0o755), BASE, {}, {TWO}),
    ("another file", lambda k: k.write("three", "x") and None, BASE, {}, set()),
    ("a label", lambda _: None, BASE.replace("WORKDIR", "LABEL a=b\nWORKDIR"), {}, set()),
    ("a variable of the image", lambda _: None, BASE.replace("MODE=a", "MODE=b"), {}, {RUN, TWO}),
    ("an argument", lambda _: None, BASE, {"arguments": {"VERSION": "2"}}, {RUN, TWO}),
    ("an argument that nobody declares", lambda _: None, BASE, {"arguments": {"OTHER": "2"}}, set()),
    ("a proxy", lambda _: None, BASE, {"arguments": {"HTTP_PROXY": "http://p"}}, set()),
    ("the user", lambda _: None, BASE.replace("COPY one", "USER 5\nCOPY one"), {}, {RUN, TWO}),
    ("the working directory", lambda _: None, BASE.replace("/w", "/v"), {}, {"WORKDIR /v", ONE, RUN, TWO}),
    ("the words of a command", lambda _: None, BASE.replace("made", "made2"), {}, {RUN + "2", TWO}),
    ("white space of a line", lambda _: None, BASE.replace("COPY one", "COPY   one"), {}, set()),
    ("an epoch", lambda _: None, BASE, {"epoch": 1_700_000_000}, {"WORKDIR /w", ONE, RUN, TWO}),
    ("no cache", lambda _: None, BASE, {"no_cache": True}, {"WORKDIR /w", ONE, RUN, TWO}),
]


@pytest.mark.parametrize(("what", "change", "dockerfile", "options", "missed"), CHANGES, ids=[c[0] for c in CHANGES])
def test_what_a_change_makes_new(
    shared: Kitchen, what: str, change: Change, dockerfile: str, options: dict[str, object], missed: set[str]
) -> None:
    salt = os.urandom(8).hex()  # what other tests have cached is of no use here
    shared.write("one", salt)
    shared.write("two", salt)
    first = shared.build(BASE)
    time.sleep(0.01)
    change(shared)
    second = shared.build(dockerfile, **options)
    done = {" ".join(name.split()) for name, outcome in second.steps.items() if outcome == "DONE"}
    assert done == {" ".join(name.split()) for name in missed}
    if what in ("nothing", "time of a file", "another file", "white space of a line"):
        assert (second.image.digest, second.image.id) == (first.image.digest, first.image.id)
    assert shared.leftovers() == []


def test_a_stage_that_gives_the_same_files_again_spares_what_follows(kitchen: Kitchen) -> None:
    def dockerfile(word: str) -> str:
        first = f"FROM busybox AS b\nRUN echo {word} > /noise && echo same > /art\n"
        return first + "FROM busybox\nCOPY --from=b /art /\nRUN cat /art\n"

    kitchen.build(dockerfile("one"))
    second = kitchen.build(dockerfile("two"))
    assert second.steps["COPY --from=b /art /"] == second.steps["RUN cat /art"] == "CACHED"
    third = kitchen.build(dockerfile("two"))
    assert set(third.steps.values()) == {"CACHED"}


def test_a_changed_file_is_seen_even_when_size_and_time_are_the_same(kitchen: Kitchen) -> None:
    path = kitchen.write("one", "abc")
    old = path.stat()
    for content in ("xyz", "abc", "xxx"):
        path.write_text(content)
        os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
        assert kitchen.build("FROM busybox\nCOPY one /\n").tree()["one"][4] == content


REPRODUCIBLE = """FROM scratch
COPY bb /bin/busybox
WORKDIR /w
COPY d /d/
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox mkdir -p a/b; echo $((1+1)) > a/n"]
LABEL a=b
"""


def test_the_same_context_gives_the_same_digest_in_two_roots(
    kitchen: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen.write("d/f", "x")
    kitchen.write("bb", Path("/bin/busybox").read_bytes(), 0o755)
    first = kitchen.build(REPRODUCIBLE, epoch=1_600_000_000)
    monkeypatch.setenv("HARDTACK_ROOT", str(tmp_path / "root2"))
    monkeypatch.setenv("HARDTACK_RUN", str(tmp_path / "run2"))
    other = Kitchen(Root.open(), kitchen.context)
    time.sleep(1.1)
    (kitchen.context / "d/f").touch()
    second = other.build(REPRODUCIBLE, epoch=1_600_000_000)
    assert (second.image.digest, second.image.id) == (first.image.digest, first.image.id)
    assert first.image.config.created == "2020-09-13T12:26:40Z"
    assert set(second.steps.values()) == {"DONE"}
    from hardtack.network.world import destroy_world

    destroy_world(other.root, force=True)
    other.root.close()


def test_pruning_forgets_steps_and_keeps_what_images_use(kitchen: Kitchen) -> None:
    kitchen.write("one", "1")
    kitchen.build("FROM busybox AS a\nRUN echo big > /a\nFROM busybox\nCOPY one /\nRUN --mount=from=a,target=/m true")
    assert len(cache.entries(kitchen.root)) == 3
    assert cache.prune(kitchen.root, unused_since=time.time() - 100) == []
    kitchen.root.db.execute("UPDATE build_step SET used = 5")
    kitchen.build()
    assert all(entry.used > 5 for entry in cache.entries(kitchen.root))
    layers = kitchen.root.db.execute("SELECT count(*) FROM layer").fetchone()[0]
    collect(kitchen.root)
    assert kitchen.root.db.execute("SELECT count(*) FROM layer").fetchone()[0] == layers
    assert len(cache.prune(kitchen.root, dry_run=True)) == 3
    assert len(cache.prune(kitchen.root)) == 3
    collect(kitchen.root)
    assert kitchen.root.db.execute("SELECT count(*) FROM layer").fetchone()[0] == layers - 1
    again = kitchen.build()
    assert again.steps["COPY one /"] == "DONE"
    assert list(fsck(kitchen.root)) == []


def test_what_df_says_can_be_freed_is_what_a_prune_frees_and_says(kitchen: Kitchen) -> None:
    kitchen.write("one", "1" * 100_000)
    kitchen.build(
        "FROM busybox AS a\nRUN echo big > /a\nFROM busybox\nCOPY one /\nCOPY --from=a /a /\n"
        "RUN --mount=type=cache,target=/c echo kept > /c/f && echo x > /x"
    )
    assert os.listdir(f"{kitchen.root.path}/build/cache")
    root = kitchen.root
    before = {share.kind: share for share in usage(root)}
    reclaimable = sum(share.reclaimable for share in before.values())
    assert reclaimable > 200_000
    said = subprocess.run([TACK, "system", "prune", "-af"], capture_output=True, text=True, check=True).stdout
    assert said.endswith(f"Total reclaimed space: {size(reclaimable)}\n")
    after = {share.kind: share for share in usage(root)}
    assert [(kind, share.size, share.reclaimable) for kind, share in after.items() if share.size] == [
        (REST, after[REST].size, 0)
    ]
    assert sum(share.size for kind, share in before.items() if kind != REST) == reclaimable
    assert os.listdir(f"{root.path}/build/cache") == []


def test_a_prune_without_all_takes_only_what_no_image_has_and_caches_that_nobody_uses(kitchen: Kitchen) -> None:
    lines = "FROM busybox AS a\nRUN echo big > /a\nFROM busybox\nCOPY one /\nCOPY --from=a /a /b\n"
    kitchen.write("one", "1")
    kitchen.build(lines + "RUN --mount=type=cache,target=/c,id=idle echo kept > /c/f")
    used = CacheFolder(kitchen.root, "used", parse_mount("type=cache,target=/c", str))
    with used:
        subprocess.run([TACK, "system", "prune", "-f"], capture_output=True, text=True, check=True)
        assert os.path.isdir(used.path)
        assert len(os.listdir(f"{kitchen.root.path}/build/cache")) == 1
    again = kitchen.build()
    assert again.steps["COPY one /"] == "CACHED"
    assert again.steps["RUN echo big > /a"] == "DONE"


def test_what_a_command_nested_deeper_than_any_recursion_goes_with_its_build(root: Root) -> None:
    with Workspace(root) as workspace:
        here = os.open(workspace.folder("upper"), os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            there = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = there
        os.close(here)
    assert os.listdir(f"{root.path}/build/work") == []


def test_an_image_that_is_gone_is_made_again_from_the_cache(kitchen: Kitchen) -> None:
    first = kitchen.build("FROM busybox\nRUN echo x > /x\n")
    remove(kitchen.root, "test/dish:1")
    collect(kitchen.root)
    second = kitchen.build()
    assert second.steps["RUN echo x > /x"] == "CACHED"
    assert second.image.digest == first.image.digest
    assert list(fsck(kitchen.root)) == []


def test_stages_that_do_not_need_each_other_go_at_once(kitchen: Kitchen) -> None:
    def meet(me: str, other: str) -> str:
        wait = f"for i in $(seq 100); do touch /m/{me}; [ -e /m/{other} ] && break; sleep 0.1; done; test -e /m/{other}"
        return f"RUN --mount=type=cache,target=/m {wait} && echo {me} > /{me}\n"

    dish = kitchen.build(
        f"FROM busybox AS a\n{meet('a', 'b')}FROM busybox AS b\n{meet('b', 'a')}FROM busybox AS unused\nRUN false\n"
        "FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
    )
    assert {"a", "b"} == set(dish.tree())
    assert "RUN false" not in dish.steps


def test_the_failure_of_one_stage_ends_the_others(kitchen: Kitchen) -> None:
    begun = time.monotonic()
    error = kitchen.fails(
        "FROM busybox AS a\nRUN sleep 30\nFROM busybox AS b\nRUN sleep 0.5; exit 3\n"
        "FROM scratch\nCOPY --from=a /x /\nCOPY --from=b /x /\n",
        StepFailed,
    )
    assert error.code == 3
    assert time.monotonic() - begun < 15
    assert kitchen.leftovers() == []


def test_two_builds_of_the_same_at_once_both_end_well(kitchen: Kitchen) -> None:
    kitchen.write("one", "1")
    kitchen.write("Dockerfile", "FROM busybox\nCOPY one /\nRUN sleep 0.3; echo x > /x\nRUN echo y > /y\n")
    results: list[object] = []

    def run() -> None:
        try:
            results.append(kitchen.build(watcher=Recorder()).tree()["y"][4])
        except BaseException as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["y\n"] * 3
    assert kitchen.leftovers() == []
    assert list(fsck(kitchen.root)) == []


SLOW = """FROM busybox AS a
COPY one /
RUN echo first > /first
RUN --mount=type=secret,id=s sleep 0.4; echo second > /second
FROM busybox
COPY --from=a /first /second /
RUN sleep 0.2; echo third > /third
"""


def start(kitchen: Kitchen) -> subprocess.Popen[bytes]:
    secret = kitchen.context.parent / "secret"
    secret.write_text("sugar")
    command = [str(Path(sys.executable).parent / "tack"), "build", "-t", "test/dish:1", f"--secret=id=s,src={secret}"]
    return subprocess.Popen([*command, str(kitchen.context)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("after", [0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.1])
def test_a_build_killed_at_any_moment_leaves_nothing_and_the_next_one_ends_well(kitchen: Kitchen, after: float) -> None:
    kitchen.write("one", "1")
    kitchen.write("Dockerfile", SLOW)
    process = start(kitchen)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    image = kitchen.root.db.execute("SELECT digest FROM reference WHERE name = 'docker.io/test/dish:1'").fetchone()
    secret = {"s": (str(kitchen.context.parent / "secret"),)}
    dish = kitchen.build(secrets=secret)
    assert {path: dish.tree()[path][4] for path in ("first", "second", "third")} == {
        "first": "first\n",
        "second": "second\n",
        "third": "third\n",
    }
    if image is not None:
        assert dish.image.digest == image[0]
    deadline = time.monotonic() + 5
    while (left := _without_dead_leases(kitchen)) and time.monotonic() < deadline:
        time.sleep(0.1)  # the container of the killed build is still being taken down by its keeper
    assert left == []
    assert list(fsck(kitchen.root)) == []


def _without_dead_leases(kitchen: Kitchen) -> list[str]:
    collect(kitchen.root)
    return kitchen.leftovers()


def test_an_interrupted_build_ends_its_command(kitchen: Kitchen) -> None:
    kitchen.write("Dockerfile", "FROM busybox\nRUN touch /begun; sleep 60\n")
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "tack"), "build", str(kitchen.context)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in output
    assert kitchen.leftovers() == []


def test_a_file_that_changes_while_it_is_copied_is_told(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    from hardtack.build.files import copier

    path = kitchen.write("one", "1" * 10)
    real = copier.copy_bytes

    def meddle(source: int, made: int, size: int) -> None:
        real(source, made, size)
        path.write_text("2" * 10)

    monkeypatch.setattr(copier, "copy_bytes", meddle)
    kitchen.fails("FROM busybox\nCOPY one /\n", BuildError, "changed while it was being read")
    monkeypatch.undo()
    assert kitchen.build().tree()["one"][4] == "2" * 10


def test_names_of_images(kitchen: Kitchen) -> None:
    names = [Reference.parse("a/b:1"), Reference.parse("localhost:5000/c:2")]
    dish = kitchen.build("FROM busybox\nLABEL x=y\n", tags=names)
    assert sorted(map(str, dish.image.references)) == ["docker.io/a/b:1", "localhost:5000/c:2"]
    without = kitchen.build("FROM busybox\nLABEL x=z\n", tags=[])
    assert without.image.references == []
