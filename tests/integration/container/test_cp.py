"""cp: docker's rules both ways, streams, and hostile content. Costs some 300 ms a test: real containers."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.containers import TACK, World
from support.tack import Tack, tack

__all__ = ["tack"]


@pytest.fixture(params=["running", "stopped"])
def box(request: pytest.FixtureRequest, tack: Tack) -> str:
    """A container with some files, running or stopped."""
    make = (
        "mkdir -p /tmp/dir/sub; echo one >/tmp/dir/file; echo two >/tmp/dir/sub/file; ln -s dir /tmp/to-dir;"
        " ln -s /tmp/new-name /tmp/to-nothing; ln -s dir/file /tmp/to-file; echo three >/tmp/file; touch /tmp/ready"
    )
    if request.param == "running":
        tack("run", "-d", "--name", "box", "-v", "vol:/vol", "busybox", "sh", "-c", f"{make}; sleep 1000")
        tack.until_there("box", "/tmp/ready")
    else:
        tack("run", "--name", "box", "-v", "vol:/vol", "busybox", "sh", "-c", make)
    return "box"


def there(tack: Tack, path: str) -> dict[str, bytes]:
    """What lies at a path of the container: names and content, links with an arrow."""
    data = tack.run("cp", f"box:{path}", "-").stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for entry in archive:
            if entry.issym():
                found[entry.name] = b"-> " + entry.linkname.encode()
            else:
                file = archive.extractfile(entry)
                found[entry.name] = file.read() if file else b"/"
    return found


@pytest.fixture
def here(tmp_path: Path) -> Path:
    place = tmp_path / "here"
    (place / "dir/sub").mkdir(parents=True)
    (place / "dir/file").write_text("one\n")
    (place / "dir/sub/file").write_text("two\n")
    (place / "file").write_text("three\n")
    (place / "to-dir").symlink_to("dir")
    (place / "to-file").symlink_to("dir/file")
    return place


def test_the_rules_of_cp_into_a_container(tack: Tack, box: str, here: Path) -> None:
    def cp(source: str, target: str, *flags: str) -> None:
        tack("cp", *flags, f"{here}/{source}", f"{box}:{target}")

    cp("file", "/tmp/renamed")
    cp("file", "/tmp/dir")
    assert there(tack, "/tmp/dir") == {"dir": b"/", "dir/file": b"three\n", "dir/sub": b"/", "dir/sub/file": b"two\n"}
    cp("dir", "/tmp/fresh")
    cp("dir", "/tmp/fresh")
    assert set(there(tack, "/tmp/fresh")) == {
        "fresh", "fresh/file", "fresh/sub", "fresh/sub/file", "fresh/dir", "fresh/dir/file", "fresh/dir/sub",
        "fresh/dir/sub/file",
    }  # fmt: skip
    cp("dir/.", "/tmp/to-dir")
    assert there(tack, "/tmp/dir/file") == {"file": b"one\n"}
    cp("file", "/tmp/to-nothing")
    assert there(tack, "/tmp/new-name") == {"new-name": b"three\n"}
    cp("to-file", "/tmp/as-link")
    cp("to-file", "/tmp/as-file", "-L")
    cp("to-dir/", "/tmp/as-dir")
    assert there(tack, "/tmp/as-link") == {"as-link": b"-> dir/file"}
    assert there(tack, "/tmp/as-file") == {"as-file": b"one\n"}
    assert there(tack, "/tmp/as-dir")["as-dir/file"] == b"one\n"
    cp("file", "/vol")
    assert (tack.path / "volumes/vol/_data/file").read_text() == "three\n"


def test_the_rules_of_cp_out_of_a_container(tack: Tack, box: str, here: Path) -> None:
    def cp(source: str, target: str, *flags: str) -> Path:
        tack("cp", *flags, f"{box}:{source}", f"{here}/{target}")
        return here / target

    assert cp("/tmp/file", "renamed").read_text() == "three\n"
    assert (cp("/tmp/file", "dir") / "file").read_text() == "three\n"
    assert (cp("/tmp/dir", "fresh") / "sub/file").read_text() == "two\n"
    assert (cp("/tmp/dir", "fresh") / "dir/sub/file").read_text() == "two\n"
    assert (cp("/tmp/dir/.", "flat") / "sub/file").read_text() == "two\n"
    assert os.readlink(cp("/tmp/to-file", "as-link")) == "dir/file"
    assert cp("/tmp/to-file", "as-file", "-L").read_text() == "one\n"
    assert (cp("/tmp/to-dir/", "as-dir") / "file").read_text() == "one\n"
    assert (cp("tmp/dir", "relative") / "file").read_text() == "one\n"


REFUSED = [
    ("{here}/nix", "box:/tmp", "Could not find the file"),
    ("box:/nix", "{here}", "Could not find the file /nix in container box"),
    ("{here}/file", "box:/nix/file", "Could not find the directory /nix in container box"),
    ("{here}/file", "box:/tmp/nix/", "no such directory"),
    ("{here}/file", "box:/tmp/file/", "no such directory"),
    ("{here}/dir", "box:/tmp/file", "it is a file"),
    ("{here}/file", "box:/tmp/dir/file/x", "Could not find the directory"),
    ("box:/tmp/dir", "{here}/file", "it is a file"),
    ("box:/tmp/file", "{here}/nix/", "no such directory"),
    ("{here}/dir/sub", "box:/tmp/block", "cannot overwrite non-directory"),
    ("{here}/file", "box:/tmp/other", "cannot overwrite directory"),
    ("box:/tmp", "box:/opt", "copying between containers is not supported"),
    ("{here}/file", "{here}/x", "must specify at least one container source"),
    ("{here}/file", "nobody:/tmp", "No such container: nobody"),
    ("-", "box:/tmp/file", "must be a directory"),
    ("", "box:/tmp", "can not be empty"),
]


def test_what_cp_refuses(tack: Tack, here: Path) -> None:
    make = "mkdir -p /tmp/dir /tmp/other/file /tmp/block; echo >/tmp/dir/file; echo >/tmp/file; echo >/tmp/block/sub"
    tack("run", "--name", "box", "busybox", "sh", "-c", make)
    for source, target, said in REFUSED:
        assert said in tack.fails("cp", source.format(here=here), target.format(here=here)), (source, target)


def test_owners_modes_times_and_holes_arrive(tack: Tack, box: str, here: Path) -> None:
    file = here / "file"
    with open(file, "r+b") as opened:
        opened.truncate(1 << 30)
    os.chown(file, 1234, 4321)
    os.chmod(file, 0o4751)
    os.utime(file, ns=(1, 1_600_000_000_500_000_000))
    tack("cp", str(file), f"{box}:/vol/copy")
    status = os.stat(f"{tack.path}/volumes/vol/_data/copy")
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o4751)
    assert status.st_mtime_ns == 1_600_000_000_500_000_000
    assert status.st_size == 1 << 30 and status.st_blocks * 512 < 1 << 20


def test_what_leaves_belongs_to_the_caller_without_powers_unless_asked(tack: Tack, box: str, here: Path) -> None:
    (here / "tool").write_text("x")
    os.chown(here / "tool", 1234, 4321)
    os.chmod(here / "tool", 0o4755)
    tack("cp", f"{here}/tool", f"{box}:/tmp/tool")
    tack("cp", f"{box}:/tmp/tool", f"{here}/plain")
    tack("cp", "-a", f"{box}:/tmp/tool", f"{here}/same")
    plain, same = os.stat(here / "plain"), os.stat(here / "same")
    assert (plain.st_uid, stat.S_IMODE(plain.st_mode)) == (0, 0o755)
    assert (same.st_uid, same.st_gid, stat.S_IMODE(same.st_mode)) == (1234, 4321, 0o4755)


def test_names_that_are_one_file_stay_one_file(tack: Tack, box: str, here: Path) -> None:
    os.link(here / "dir/file", here / "dir/sub/again")
    tack("cp", f"{here}/dir", f"{box}:/vol/linked")
    data = tack.path / "volumes/vol/_data/linked"
    assert os.stat(data / "file").st_ino == os.stat(data / "sub/again").st_ino


def archive(*entries: tuple[str, bytes, str, bytes]) -> bytes:
    """A tar of (name, type, link, content)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, link, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


FILE, LINK, HARD, FOLDER, DEVICE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.BLKTYPE


def test_a_stream_goes_in_and_comes_out_again(tack: Tack, box: str) -> None:
    long = "n" * 200
    data = archive(
        ("deep/er/" + long, FILE, "", b"x" * 5000),
        ("deep/link", LINK, "er", b""),
        ("again", HARD, "deep/er/" + long, b""),
    )
    tack("cp", "-", f"{box}:/tmp/dir/sub", stdin=data)
    found = there(tack, "/tmp/dir/sub/.")
    assert found["deep/er/" + long] == b"x" * 5000 and found["deep/link"] == b"-> er"
    assert set(found) >= {"again", "file"}
    import gzip

    tack("cp", "-", f"{box}:/tmp/dir", stdin=gzip.compress(archive(("zipped", FILE, "", b"z"))))
    assert there(tack, "/tmp/dir/zipped") == {"zipped": b"z"}


HOSTILE: list[tuple[list[tuple[str, bytes, str, bytes]], str]] = [
    ([("../escape", FILE, "", b"x")], "climbs out"),
    ([("a/../../escape", FILE, "", b"x")], "climbs out"),
    ([("link", LINK, "{out}", b""), ("link/escape", FILE, "", b"x")], "it is no directory"),
    ([("link", LINK, "/", b""), ("link/escape", FILE, "", b"x")], "it is no directory"),
    ([("hard", HARD, "../../escape", b"")], "climbs out"),
    ([("link", LINK, "{out}", b""), ("hard", HARD, "link/secret", b"")], ""),
]


def test_no_archive_writes_or_links_outside(tack: Tack, box: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "secret").write_text("secret")
    for entries, said in HOSTILE:
        data = archive(*[(name, kind, link.format(out=out), content) for name, kind, link, content in entries])
        assert said in tack.fails("cp", "-", f"{box}:/vol", stdin=data), entries
    assert os.listdir(out) == ["secret"] and os.stat(out / "secret").st_nlink == 1


def test_an_absolute_name_is_relative_and_a_device_is_left_out(tack: Tack, box: str) -> None:
    data = archive(("/rooted", FILE, "", b"x"), ("disk", DEVICE, "", b""))
    done = tack.run("cp", "-", f"{box}:/vol", stdin=data)
    assert os.listdir(f"{tack.path}/volumes/vol/_data") == ["rooted"]
    assert b"1 device node was left out, the first is disk" in done.stderr


def test_a_stream_that_is_cut_is_an_error(tack: Tack, box: str) -> None:
    for cut in (200, 700, 1500):
        data = archive(("file", FILE, "", b"x" * 3000))[:cut]
        assert "cannot unpack" in tack.fails("cp", "-", f"{box}:/tmp", stdin=data)


def test_links_of_a_hostile_container_never_lead_out(tack: Tack, here: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    up = "../" * 20
    make = f"mkdir /evil; ln -s {secret} /evil/abs; ln -s {up}{secret} /evil/rel; ln -s /proc/self/root /evil/magic"
    tack("run", "-d", "--name", "box", "busybox", "sh", "-c", f"{make}; touch /ready; sleep 1000")
    tack.until_there("box", "/ready")
    for name in ("abs", "rel", f"magic{secret}"):
        assert "Could not find" in tack.fails("cp", f"box:/evil/{name}/key", str(here))
        assert "Could not find" in tack.fails("cp", f"{here}/file", f"box:/evil/{name}/new")
    tack("cp", "-L", "box:/evil/.", f"{here}/taken")
    assert sorted(os.listdir(here / "taken")) == ["abs", "magic", "rel"]
    assert all((here / "taken" / name).is_symlink() for name in ("abs", "magic", "rel"))
    assert os.listdir(secret) == ["key"]


def test_a_pipe_or_a_socket_does_not_hold_cp_up(tack: Tack, here: Path) -> None:
    tack("run", "-d", "--name", "box", "busybox", "sh", "-c", "mkdir /t; mkfifo /t/pipe; echo x >/t/file; sleep 1000")
    tack.until_there("box", "/t/file")
    tack("cp", "box:/t", str(here))
    assert stat.S_ISFIFO(os.lstat(here / "t/pipe").st_mode)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(here / "dir/socket"))
        tack("cp", f"{here}/dir", "box:/t")
    assert "socket" not in "".join(there(tack, "/t/dir"))


def test_read_only_stays_read_only(tack: Tack, here: Path) -> None:
    tack("create", "--name", "box", "--read-only", "-v", "vol:/vol:ro", "-v", "rw:/rw", "busybox", "true")
    assert "read-only file system" in tack.fails("cp", f"{here}/file", "box:/tmp")
    assert "read-only file system" in tack.fails("cp", f"{here}/file", "box:/vol")
    tack("cp", f"{here}/file", "box:/rw")


def test_a_container_that_never_ran_takes_files_and_has_them_when_it_runs(tack: Tack, here: Path) -> None:
    tack("create", "--name", "box", "-v", "vol:/vol", "busybox", "cat", "/tmp/file", "/vol/file")
    tack("cp", f"{here}/file", "box:/tmp")
    tack("cp", f"{here}/file", "box:/vol")
    assert tack("start", "-a", "box") == "three\nthree"


def test_nothing_is_left_of_a_visit(tack: Tack, world: World) -> None:
    tack("create", "--name", "box", "busybox", "true")
    tack.run("cp", "box:/bin/busybox", "-")
    assert (world.container("box").state, world.container("box").monitor) == ("created", 0)
    assert os.listdir(f"{world.root.run}/containers") == []
    assert not any(world.root.run in line for line in Path("/proc/self/mountinfo").read_text().splitlines())
    tack("rm", "box")
    assert world.left() == []


@pytest.mark.faults
def test_a_killed_cp_leaves_a_container_that_starts(tack: Tack, world: World) -> None:
    tack("create", "--name", "box", "-v", "vol:/vol", "busybox", "ls", "/vol")
    data = archive(*[(f"file{number}", FILE, "", b"x" * 100_000) for number in range(20)])
    with subprocess.Popen([TACK, "cp", "-", "box:/vol"], stdin=subprocess.PIPE, env=tack.environment) as copying:
        assert copying.stdin is not None
        copying.stdin.write(data[:1_000_000])
        copying.stdin.flush()
        world.wait_for((tack.path / "volumes/vol/_data/file5").exists, "the sixth file")
        copying.kill()
    assert "file5" in tack("start", "-a", "box").split()
    tack("rm", "box")
    assert world.left() == []
