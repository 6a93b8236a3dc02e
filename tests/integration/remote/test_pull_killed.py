"""A pull that is killed with SIGKILL half way through a layer, and the one after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hardtack.store.collect import collect
from hardtack.store.fsck import fsck
from hardtack.store.layer import LayerStore
from hardtack.store.root import Root
from support.bad_registry import BadRegistry, Handler
from support.published import publish
from support.tars import files_tar


def tack(*words: str) -> list[str]:
    return [sys.executable, "-c", "from hardtack.cli.main import script; script()", *words]


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration and no credentials of the machine."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HARDTACK_CONFIG", "")


def test_a_killed_pull_is_continued_at_the_byte_where_it_died(root: Root, registry: BadRegistry) -> None:
    small = publish(registry, "small", "1", [files_tar({"small": os.urandom(500_000)})])
    image = publish(registry, "a/b", "1", [files_tar({"small": b"x"}), files_tar({"noise": os.urandom(3_000_000)})])
    large = image.layers[1]
    half = 1_500_000
    released = threading.Event()

    def half_of_it(handler: Handler) -> bool:
        data = handler.content() or b""
        handler.answer(200, data[:half], length=len(data))
        released.wait(20)
        handler.hang_up()
        return True

    registry.fault(large, half_of_it, times=1)
    name = f"{registry.host}/a/b:1"
    process = subprocess.Popen(tack("pull", name), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    partial = Path(root.path) / "ingest" / large.replace(":", "-")
    try:
        deadline = time.monotonic() + 20
        while not (partial.exists() and partial.stat().st_size == half):
            assert time.monotonic() < deadline and process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        released.set()
        process.kill()
        process.communicate()
    assert root.db.execute("SELECT count(*) FROM reference").fetchone() == (0,)
    registry.seen.clear()
    done = subprocess.run(tack("pull", name), capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == name
    asked = {seen.path.split("/")[-1]: seen.headers.get("Range") for seen in registry.seen if "/blobs/" in seen.path}
    assert asked == {large: f"bytes={half}-"}  # the config and the other layer had been verified before
    layers = LayerStore(root)
    assert all(layers.has(diff_id) for diff_id in image.diff_ids)
    collect(root)  # the lease of the dead
    assert [(finding.kind, finding.message) for finding in fsck(root)] == []
    assert all(root.blobs.size(digest) is not None for digest in image.layers)
    assert small.digest not in str(root.db.execute("SELECT digest FROM blob").fetchall())


def test_processes_that_pull_the_same_image_together_fetch_it_once(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [files_tar({str(n): os.urandom(300_000)}) for n in range(4)])

    def slowly(handler: Handler) -> bool:
        time.sleep(0.3)
        return False

    for layer in image.layers:
        registry.fault(layer, slowly)
    name = f"{registry.host}/a/b:1"
    processes = [subprocess.Popen(tack("pull", "-q", name), stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in processes] == [f"{name}\n"] * 3
    assert sorted(
        path.split("/")[-1] for path in registry.paths("GET", "/blobs/") if image.config not in path
    ) == sorted(image.layers)
    assert [(finding.kind, finding.message) for finding in fsck(root)] == []


def test_an_interrupted_pull_ends_at_once_with_130(root: Root, registry: BadRegistry) -> None:
    image = publish(registry, "a/b", "1", [files_tar({"noise": os.urandom(300_000)})])
    reached = threading.Event()

    def hang(handler: Handler) -> bool:
        reached.set()
        time.sleep(10)
        return False

    registry.fault(image.layers[0], hang)
    process = subprocess.Popen(tack("pull", f"{registry.host}/a/b:1"), stdout=subprocess.DEVNULL)
    try:
        assert reached.wait(20)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert time.monotonic() - start < 3
    finally:
        process.kill()
        process.wait()
    assert root.db.execute("SELECT count(*) FROM lease").fetchone() == (0,)
