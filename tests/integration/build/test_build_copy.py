"""COPY and ADD: which files go where, owners and permissions, archives, and contexts that mean harm."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import socket
import stat
import tarfile
from pathlib import Path

import pytest
from backports import zstd

from hardtack.build.errors import BuildError, ContextError, DockerfileError
from hardtack.build.stage import StepRefused
from support.kitchen import Kitchen
from support.tars import entry, tar_of

COPIES = [
    ("COPY f /new", {"new": "f"}),
    ("COPY f new", {"w/new": "f"}),
    ("COPY f /new/", {"new/f": "f"}),
    ("COPY f /etc", {"etc/f": "f"}),
    ("COPY f .", {"w/f": "f"}),
    ("COPY f ./", {"w/f": "f"}),
    ("COPY f sub/", {"w/sub/f": "f"}),
    ("COPY f ../up", {"up": "f"}),
    ("COPY /f /../../new", {"new": "f"}),
    ("COPY ../f /new", {"new": "f"}),
    ("COPY f d/one /new/", {"new/f": "f", "new/one": "1"}),
    ("COPY d /new", {"new/one": "1", "new/sub/two": "2"}),
    ("COPY d /new/", {"new/one": "1", "new/sub/two": "2"}),
    ("COPY d/ /new", {"new/one": "1", "new/sub/two": "2"}),
    ("COPY d/. /new", {"new/one": "1", "new/sub/two": "2"}),
    ("COPY d/sub d2 /new/", {"new/two": "2", "new/three": "3"}),
    ("COPY d* /new/", {"new/one": "1", "new/sub/two": "2", "new/three": "3"}),
    ("COPY d*/* /new/", {"new/one": "1", "new/two": "2", "new/three": "3"}),
    ("COPY d/su?/tw[a-z] /new/", {"new/two": "2"}),
    ("COPY ? /new/", {"new/f": "f", "new/one": "1", "new/sub/two": "2"}),
    ("COPY nothing* f /new/", {"new/f": "f"}),
    ('COPY ["with space", "/a b"]', {"a b": "s"}),
    ("COPY with\\ space /n", {}),
    ("COPY [[]x] /new/", {"new/[x]": "b"}),
    ("COPY link /new", {"new": "f"}),
    ("COPY linkd /new", {"new/one": "1", "new/sub/two": "2"}),
    ("COPY linkd/one /new/", {"new/one": "1"}),
    ("COPY --parents d/sub/two f /new/", {"new/d/sub/two": "2", "new/f": "f"}),
    ("COPY --parents d/./sub/two /new", {"new/sub/two": "2"}),
    ("COPY --parents d/**/t* /new", {"new/d/sub/two": "2"}),
    ("COPY --parents d /new", {"new/d/one": "1", "new/d/sub/two": "2"}),
    ("COPY --exclude=sub d /new", {"new/one": "1"}),
    ("COPY --exclude=* --exclude=!sub d /new", {"new/sub/two": "2"}),
    ("COPY --exclude=**/two d /new", {"new/one": "1"}),
    ("COPY --exclude=f f d/one /new/", {"new/one": "1"}),
    ("COPY --parents --exclude=d/one d /new/", {"new/d/sub/two": "2"}),
    ("COPY --parents --exclude=one d /new/", {"new/d/one": "1", "new/d/sub/two": "2"}),
    ("COPY li*k /new/", {"new/link": "f"}),
    ("COPY --link f /etc/", {"etc/f": "f"}),
    ("ENV T=/new S=f\nCOPY $S ${T}/x", {"new/x": "f"}),
    ("COPY f $NOTHING/x", {"x": "f"}),
]


@pytest.mark.parametrize(("line", "expected"), COPIES, ids=[line for line, _ in COPIES])
def test_what_copy_puts_where(shared: Kitchen, line: str, expected: dict[str, str]) -> None:
    for name, content in {
        "f": "f",
        "d/one": "1",
        "d/sub/two": "2",
        "d2/three": "3",
        "with space": "s",
        "[x]": "b",
    }.items():
        shared.write(name, content)
    (shared.context / "link").symlink_to("f")
    (shared.context / "linkd").symlink_to("/d")  # absolute: starts at the context, not at the host
    dockerfile = f"FROM busybox\nWORKDIR /w\n{line}\n"
    if not expected:
        shared.fails(dockerfile, StepRefused, "no such file")
        return
    dish = shared.build(dockerfile)
    before = set(shared.build("FROM busybox\nWORKDIR /w").tree())
    new = {path: facts[4] for path, facts in dish.tree().items() if path not in before and facts[0] == "-"}
    assert new == expected
    assert "etc/passwd" in dish.tree()


def test_permissions_times_and_owners_of_copied_files(shared: Kitchen) -> None:
    shared.write("d/plain", "x", 0o640)
    shared.write("d/run", "x", 0o4755)
    os.chmod(shared.context / "d", 0o700)
    os.utime(shared.context / "d/plain", (1_000_000_000, 1_000_000_000))
    os.chown(shared.context / "d/plain", 1234, 1234)
    dish = shared.build("FROM busybox\nCOPY d /a\nCOPY d/plain /made/deep/\n")
    tree = dish.tree()
    assert tree["a"][:4] == ("d", 0o755, 0, 0)  # made, not copied: only the content of a folder is
    assert tree["a/plain"][:4] == ("-", 0o640, 0, 0)
    assert tree["a/run"][1] == 0o4755
    assert tree["made/deep"][:4] == ("d", 0o755, 0, 0)
    times = {member.path: member.mtime for member in _members(dish)}
    assert times[b"made/deep/plain"] == 1_000_000_000


def _members(dish: object) -> list[object]:
    from hardtack.store.layer import LayerStore

    return [m for m in LayerStore(dish.root).listing(dish.image.config.diff_ids[-1]) if m.path]  # type: ignore[attr-defined]


CHOWNS = [
    ("--chown=5", (5, 5)),
    ("--chown=5:6", (5, 6)),
    ("--chown=nobody", (65534, 65534)),
    ("--chown=nobody:root", (65534, 0)),
    ("--chown=:7", (0, 7)),
    ("--chown=$OWNER", (9, 9)),
]


@pytest.mark.parametrize(("flag", "owner"), CHOWNS)
def test_owners_are_numbers_or_names_of_the_image(shared: Kitchen, flag: str, owner: tuple[int, int]) -> None:
    shared.write("d/f", "x")
    tree = shared.build(f"FROM busybox\nARG OWNER=9\nCOPY {flag} d /new/made/\n").tree()
    assert {path: facts[2:4] for path, facts in tree.items() if path.startswith("new")} == {
        "new": owner,
        "new/made": owner,
        "new/made/f": owner,
    }


CHMODS = [("600", 0o600, 0o600), ("u=rwX,go=rX", 0o644, 0o755), ("+x", 0o755, 0o755), ("a-r,u+s", 0o4200, 0o4311),
          ("g=u,o=", 0o660, 0o770), ("1777", 0o1777, 0o1777)]  # fmt: skip


@pytest.mark.parametrize(("mode", "file", "folder"), CHMODS)
def test_permissions_are_octal_or_symbolic(shared: Kitchen, mode: str, file: int, folder: int) -> None:
    shared.write("d/sub/f", "x", 0o644)
    tree = shared.build(f"FROM busybox\nCOPY --chmod={mode} d /new/\n").tree()
    assert (tree["new/sub/f"][1], tree["new/sub"][1]) == (file, folder)


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        ("COPY --chown=ghost f /", DockerfileError, "no user 'ghost'"),
        ("COPY --chown=0:ghosts f /", DockerfileError, "no group 'ghosts'"),
        ("COPY --chown=5000000000 f /", DockerfileError, "too large"),
        ("COPY --chmod=9 f /", DockerfileError, "no mode"),
        ("COPY --chmod=u+q f /", DockerfileError, "no mode"),
        ("COPY --link --chown=nobody f /", DockerfileError, "numbers"),
        ("COPY missing /", StepRefused, "'missing' of the build context"),
        ("COPY loop /x", StepRefused, "circles"),
        ("COPY f /etc/passwd/x", StepRefused, "a file is where a folder should be"),
        ("COPY d /etc/passwd", StepRefused, "a file is where a folder should be"),
        ("COPY [a /x", StepRefused, "pattern"),
        ("COPY $NOTHING /x", DockerfileError, "a source is empty"),
        ("COPY .wh.f /x/", StepRefused, "another use"),
    ],
)  # fmt: skip
def test_copies_that_cannot_be_are_refused_with_their_line(
    shared: Kitchen, line: str, kind: type[BaseException], reason: str
) -> None:
    shared.write("f", "f")
    shared.write("d/f", "f")
    shared.write(".wh.f", "f")
    (shared.context / "loop").symlink_to("loop")
    shared.fails(f"FROM busybox\n{line}\n", kind, f"Dockerfile:2: .*{reason}")
    assert shared.leftovers() == []


def test_no_link_of_a_context_leads_out_of_it(shared: Kitchen, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    context = shared.context
    (context / "rel").symlink_to("../outside/secret")
    (context / "abs").symlink_to(outside / "secret")
    (context / "dir").symlink_to("../outside")
    (context / "proc").symlink_to("/proc/self/root")
    for source in ("rel", "abs", "dir", "dir/secret", "proc/etc/passwd", "../outside/secret", "dir/*"):
        error = shared.fails(f"FROM busybox\nCOPY {source} /x/\n", BuildError)
        assert isinstance(error.cause, ContextError)
    links = shared.build("FROM busybox\nCOPY . /x/\n").tree()  # in a folder they are copied as links
    assert links["x/abs"][:1] + links["x/abs"][4:] == ("l", str(outside / "secret"))
    (context / "Dockerfile").unlink()
    (context / "Dockerfile").symlink_to(outside / "secret")
    shared.fails(None, BuildError, "no Dockerfile")  # type: ignore[arg-type]
    (context / ".dockerignore").symlink_to(outside / "secret")


def test_no_link_of_an_image_leads_out_of_it(shared: Kitchen, tmp_path: Path) -> None:
    target = tmp_path / "host"
    target.mkdir()
    shared.write("f", "f")
    shared.write("d/sub/f", "f")
    hostile = f"""FROM busybox AS bad
RUN ln -s {target} /abs && ln -s ../../../../../../../..{target} /rel && ln -s / /root2 && ln -s loop /loop
RUN ln -s {target}/created /dangling && ln -s {target} /etc/passwd2 && rm /etc/passwd && ln -s {target}/p /etc/passwd
"""
    dish = shared.build(
        hostile + "COPY f /abs/1\nCOPY f /rel/2\nCOPY f /dangling\nCOPY d /abs/\nADD f /root2/3\nWORKDIR /abs/wd\n"
    )
    assert os.listdir(target) == []
    inside = str(target).lstrip("/")
    tree = dish.tree()
    assert {f"{inside}/{name}" for name in ("1", "2", "created", "sub/f", "wd")} <= set(tree)
    assert "3" in tree
    shared.fails(hostile + "COPY f /loop/x\n", BuildError, "levels|circles|loop")
    shared.fails(hostile + "COPY --chown=root f /x\n", DockerfileError, "no user")
    shared.fails(hostile + "FROM busybox\nCOPY --from=bad /abs /x/\n", BuildError, "'/abs' of the stage bad")


def test_what_is_no_file_in_a_context(shared: Kitchen) -> None:
    context = shared.context
    shared.write("f", "f")
    os.mkfifo(context / "fifo")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(context / "sock"))
    os.link(context / "f", context / "hard")
    tree = shared.build("FROM busybox\nCOPY . /x/\n").tree()
    server.close()
    assert (tree["x/fifo"][0], "x/sock" in tree, tree["x/hard"][4]) == ("p", False, "f")
    os.mknod(context / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    shared.fails("FROM busybox\nCOPY . /x/\n", StepRefused, "a device")


def test_hard_links_and_capabilities_travel_between_stages(shared: Kitchen) -> None:
    shared.write("f", "tool")
    dish = shared.build(
        "FROM busybox AS a\nCOPY f /d/one\nRUN ln /d/one /d/two && chown 3:4 /d/one\nFROM scratch\nCOPY --from=a /d /e"
    )
    kinds = {member.path: member.kind for member in _members(dish)}  # type: ignore[attr-defined]
    assert kinds == {b"e": "d", b"e/one": "f", b"e/two": "h"}
    assert dish.tree()["e/two"][2:4] == (3, 4)


def test_a_copy_over_what_is_there_replaces_files_and_merges_folders(shared: Kitchen) -> None:
    shared.write("new/etc/group", "mine")
    shared.write("new/bin/sh", "not a link any more")
    os.chmod(shared.context / "new/etc", 0o711)
    dish = shared.build("FROM busybox\nCOPY new /\n")
    tree = dish.tree()
    assert (tree["etc/group"][4], tree["bin/sh"][0], tree["bin/busybox"][0]) == ("mine", "-", "-")
    assert tree["etc"][1] == 0o711
    assert dish.layer_files() == ["bin", "bin/sh", "etc", "etc/group"]


def archive() -> bytes:
    return tar_of(
        [
            (entry("top", mode=0o751, kind=tarfile.DIRTYPE), b""),
            (entry("top/file", b"hello", 0o640), b"hello"),
            (entry("top/link", kind=tarfile.SYMTYPE, link="file"), b""),
            (entry("top/hard", kind=tarfile.LNKTYPE, link="top/file"), b""),
            (entry("no/parent", b"x"), b"x"),
        ]
    )


@pytest.mark.parametrize("pack", ["plain", "gz", "bz2", "xz", "zst"])
def test_an_archive_is_unpacked_however_it_is_compressed_and_called(shared: Kitchen, pack: str) -> None:
    how = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}[pack]
    shared.write("thing.bin", how(archive()))
    tree = shared.build("FROM busybox\nADD thing.bin /a/\nADD --chown=7:8 thing.bin /b\nCOPY thing.bin /c/\n").tree()
    assert tree["a/top"][:4] == ("d", 0o751, 0, 0)
    assert tree["a/top/file"] == ("-", 0o640, 0, 0, "hello")
    assert (tree["a/top/link"][4], tree["a/top/hard"][4], tree["a/no/parent"][4]) == ("file", "hello", "x")
    assert tree["b/top/file"][2:4] == (7, 8)
    assert set(tree) >= {"c/thing.bin"}
    kept = shared.build("FROM busybox\nADD --unpack=false thing.bin /a/\n").tree()
    assert {path for path in kept if path.startswith("a/")} == {"a/thing.bin"}


def test_what_only_looks_like_an_archive_is_copied(shared: Kitchen) -> None:
    shared.write("fake.tar.gz", b"\x1f\x8b not gzip at all")
    shared.write("text.gz", gzip.compress(b"just text" * 100))
    shared.write("empty.tar", b"")
    tree = shared.build("FROM busybox\nADD fake.tar.gz text.gz empty.tar /x/\n").tree()
    assert {path for path in tree if path.startswith("x/")} == {"x/fake.tar.gz", "x/text.gz", "x/empty.tar"}


HOSTILE = {
    "climbs": [(entry("../../evil", b"x"), b"x")],
    "climbs inside": [(entry("a/../../evil", b"x"), b"x")],
    "links out": [
        (entry("out", kind=tarfile.SYMTYPE, link="../../../../../../.."), b""),
        (entry("out/evil", b"x"), b"x"),
    ],
    "absolute link": [(entry("out", kind=tarfile.SYMTYPE, link="/"), b""), (entry("out/evil", b"x"), b"x")],
    "hard link out": [(entry("hard", kind=tarfile.LNKTYPE, link="../../../../etc/passwd"), b"")],
    "hard link to nothing": [(entry("hard", kind=tarfile.LNKTYPE, link="nothing"), b"")],
    "whiteout": [(entry("etc/.wh.passwd", b""), b"")],
    "absolute": [(entry("/evil", b"x"), b"x")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_writes_nowhere_else(shared: Kitchen, name: str) -> None:
    shared.write("bad.tar", tar_of([(entry("ok", b"x"), b"x"), *HOSTILE[name]]))
    try:
        tree = shared.build("FROM busybox\nADD bad.tar /a/b/\n").tree()
    except StepRefused as error:
        assert "bad.tar" in str(error)
    else:
        assert {path for path in tree if path.endswith("evil")} <= {"evil", "a/b/evil"}
    assert not os.path.lexists("/evil")
    assert shared.leftovers() == []


def test_a_cut_archive_is_an_error(shared: Kitchen) -> None:
    whole = gzip.compress(tar_of([(entry("big", os.urandom(100_000)), os.urandom(100_000))]))
    shared.write("cut.tgz", whole[: len(whole) // 2])
    shared.fails("FROM busybox\nADD cut.tgz /a/\n", StepRefused, "cut.tgz.*(damaged|ends)")


def test_a_link_copy_does_not_depend_on_what_is_below(shared: Kitchen) -> None:
    shared.write("f", "f")
    shared.build("FROM busybox\nCOPY --link f /x/\n")
    other = shared.build("FROM busybox\nRUN echo other > /o\nCOPY --link f /x/\n")
    assert other.steps["COPY --link f /x/"] == "CACHED"
    assert {"o", "x/f", "bin/sh"} <= set(other.tree())
