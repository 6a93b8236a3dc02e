"""kill -9 at random moments: nothing is lost, nothing stays behind, and the same command then succeeds.

Each story is told `TACK_FAULT_ROUNDS` times (20). The moments are spread over the time that the whole command needs,
from a generator whose seed is printed, so that a failure can be told again with TACK_FAULT_SEED.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.store.root import Root
from support.daemons import call
from support.remains import remains
from support.tars import busybox_tar
from support.world import take_down

TACK = str(Path(sys.executable).parent / "tack")
ROUNDS = int(os.environ.get("TACK_FAULT_ROUNDS", "20"))
SEED = int(os.environ.get("TACK_FAULT_SEED", str(random.SystemRandom().randrange(1 << 32))))
pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: containers run"),
]


def tack(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return call([TACK, *words], check)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our own registry on a free port; its address."""
    import socket

    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    words = [TACK, "registry", "serve", "--root", str(folder), "--listen", address]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://{address}/v2/", timeout=2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build of several layers, one of them 24 MB that do not compress, so that there is time to die in."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "root.tar").write_bytes(busybox_tar())
    (folder / "noise").write_bytes(random.Random(1).randbytes(24 << 20))
    (folder / "Dockerfile").write_text(
        "FROM scratch\nADD root.tar /\nCOPY noise /noise\nRUN echo one > /one\nRUN echo two > /two && rm /etc/group\n"
        'CMD ["cat", "/one", "/two"]\n'
    )
    return folder


class Story:
    """A command, how to undo it, and the moments at which it dies."""

    def __init__(self, root: Root, words: list[str]) -> None:
        self.root = root
        self.words = words
        self.dice = random.Random(SEED)
        print(f"TACK_FAULT_SEED={SEED}")

    def whole(self) -> float:
        """Run it to its end; the seconds it took."""
        began = time.monotonic()
        tack(*self.words)
        return time.monotonic() - began

    def die(self, within: float) -> None:
        """Start it and kill it, that process alone, at a moment of the given span."""
        process = subprocess.Popen([TACK, *self.words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.dice.uniform(0.005, within))
        process.send_signal(signal.SIGKILL)
        process.wait()

    def check_store(self) -> None:
        tack("system", "fsck")


def wait_until_clean(root: Root) -> None:
    """Everything removed and collected: nothing of this world may be left in the kernel or in the rows."""
    left: list[str] = []
    for _ in range(60):
        left = remains(root)
        if not left:
            return
        time.sleep(0.1)
    pytest.fail("left behind:\n" + "\n".join(left))


def remove_everything() -> None:
    names = tack("ps", "-aq").stdout.split()
    if names:
        tack("rm", "-f", "-v", *names)
    tack("system", "prune", "--all", "--force")
    tack("system", "fsck")


def forget_images() -> None:
    images = set(tack("images", "-q").stdout.split())
    if images:
        tack("rmi", "-f", *images)
    tack("system", "prune", "--all", "--force")


def test_a_killed_build_leaves_nothing_half_made_and_the_next_one_succeeds(root: Root, context: Path) -> None:
    story = Story(root, ["build", "-q", "-t", "t:1", str(context)])
    span = story.whole()
    expected = tack("image", "inspect", "--format", "{{json .RootFS.Layers}}", "t:1").stdout
    assert expected.count("sha256:") == 4
    for _ in range(ROUNDS):
        forget_images()
        story.die(span)
        story.check_store()
        assert tack("images", "-q").stdout.split() in ([], tack("images", "-q", "t:1").stdout.split())
        story.whole()
        assert tack("run", "--rm", "--network", "none", "t:1").stdout == "one\ntwo\n"
    forget_images()
    remove_everything()
    wait_until_clean(root)


def test_a_killed_pull_goes_on_where_it_stopped(root: Root, context: Path, registry: str) -> None:
    name = f"{registry}/faults/pull:1"
    tack("build", "-q", "-t", name, str(context))
    tack("push", name)
    forget_images()
    story = Story(root, ["pull", name])
    span = story.whole()
    for _ in range(ROUNDS):
        forget_images()
        story.die(span)
        story.check_store()
        story.whole()
        assert tack("run", "--rm", "--network", "none", name).stdout == "one\ntwo\n"
    forget_images()
    remove_everything()
    wait_until_clean(root)


def test_a_killed_push_goes_on_and_the_registry_shows_nothing_half(
    root: Root, context: Path, registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tack("build", "-q", "-t", "t:1", str(context))
    span = 0.0
    for number in range(ROUNDS):
        name = f"{registry}/faults/push-{number}:1"
        tack("tag", "t:1", name)
        story = Story(root, ["push", name])
        if not number:
            span = story.whole()
            continue
        story.dice.seed(SEED + number)
        story.die(span)
        story.check_store()
        story.whole()
    elsewhere = tmp_path / "elsewhere"
    here = tack("images", "-q", "--no-trunc", "t:1").stdout
    monkeypatch.setenv("HARDTACK_ROOT", str(elsewhere))
    monkeypatch.setenv("HARDTACK_RUN", str(elsewhere / "run"))
    try:
        for number in range(ROUNDS):
            name = f"{registry}/faults/push-{number}:1"
            tack("pull", "-q", name)
            assert tack("images", "-q", "--no-trunc", name).stdout == here
        tack("system", "fsck")
    finally:
        take_down(elsewhere)


def test_a_killed_run_leaves_no_trace_that_rm_does_not_take(root: Root, context: Path) -> None:
    tack("build", "-q", "-t", "t:1", str(context))
    dice = random.Random(SEED)
    for number in range(ROUNDS):
        story = Story(root, ["run", "--name", f"r{number}", "-p", "127.0.0.1::80", "t:1", "sleep", "0.05"])
        story.dice = dice
        story.die(0.15)
        tack("rm", "-f", f"r{number}", check=False)
        assert tack("run", "--rm", "--name", f"r{number}", "t:1").stdout == "one\ntwo\n"
    remove_everything()
    wait_until_clean(root)


def test_a_killed_monitor_loses_no_container_and_leaves_nothing(root: Root, context: Path) -> None:
    tack("build", "-q", "-t", "t:1", str(context))
    dice = random.Random(SEED)
    for number in range(ROUNDS):
        name = f"m{number}"
        starter = subprocess.Popen([TACK, "run", "-d", "--name", name, "-p", "127.0.0.1::80", "t:1", "sleep", "60"])
        monitor = 0
        until = time.monotonic() + 5
        while not monitor and time.monotonic() < until:
            row = root.db.execute("SELECT monitor FROM container WHERE name = ?", (name,)).fetchone()
            monitor = row[0] if row and row[0] != starter.pid else 0
        assert monitor, "no monitor appeared"
        time.sleep(dice.uniform(0, 0.08))
        try:
            os.kill(monitor, signal.SIGKILL)
        except ProcessLookupError:
            pass
        starter.wait(30)
        listed = tack("ps", "-a", "--format", "{{.Names}} {{.State}}").stdout.split()
        assert name in listed, "the container was lost"
        state = listed[listed.index(name) + 1]
        if state == "running":
            assert tack("exec", name, "cat", "/one").stdout == "one\n"
            tack("stop", "-t", "0", name)
        else:
            tack("start", name)
        tack("rm", "-f", name)
    remove_everything()
    wait_until_clean(root)
