"""Pulls beside other processes: one that is stopped, one that collects, one that wants the same blob."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hardtack.image.pull import PullFailed, pull
from hardtack.oci.reference import Reference
from hardtack.remote.errors import NotFound
from hardtack.remote.retry import RetryPolicy
from hardtack.store.collect import remove_blob
from hardtack.store.content import Content
from hardtack.store.layer import LayerStore
from hardtack.store.root import Root
from support.bad_registry import BadRegistry, Handler, status
from support.clients import client_of, quick_config
from support.published import Published, publish
from support.tars import files_tar

HOLDER = """
import fcntl, os, signal, sys
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def two_layers(registry: BadRegistry) -> Published:
    return publish(registry, "a/b", "1", [files_tar({"a": os.urandom(300_000)}), files_tar({"b": b"b"})])


def fetch(root: Root, registry: BadRegistry, **more: Any) -> None:
    client = client_of(registry.host, config=quick_config())
    for name, value in more.items():
        setattr(client.config, name, value)
    pull(root, Reference.parse(f"{registry.host}/a/b:1"), client=client)


def partial(root: Root, digest: str) -> Path:
    return Path(root.path) / "ingest" / digest.replace(":", "-")


@pytest.fixture
def stopped() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to be ended, stopped as they are."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def hold(root: Root, digest: str, started: list[subprocess.Popen[str]]) -> int:
    """Have a process begin a blob and be stopped; returns its pid."""
    command = [sys.executable, "-c", HOLDER, str(partial(root, digest))]
    started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    assert started[-1].stdout is not None and started[-1].stdout.readline() == "held\n"
    return started[-1].pid


@pytest.mark.timeout(20)
def test_a_failure_is_told_although_another_process_holds_another_layer(
    root: Root, registry: BadRegistry, stopped: list[subprocess.Popen[str]]
) -> None:
    image = two_layers(registry)
    hold(root, image.layers[0], stopped)
    registry.fault(image.layers[1], status(404))
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry)
    assert isinstance(caught.value.cause, NotFound)


@pytest.mark.timeout(20)
def test_a_stopped_process_that_holds_a_layer_is_named_and_not_waited_for_without_end(
    root: Root, registry: BadRegistry, stopped: list[subprocess.Popen[str]]
) -> None:
    image = two_layers(registry)
    pid = hold(root, image.layers[0], stopped)
    policy = RetryPolicy(attempts=1, base=0.01, cap=0.01)
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry, retry=policy, stall_timeout=0.3, connect_timeout=0.3)
    assert f"process {pid} " in str(caught.value)
    assert "has brought nothing" in str(caught.value)
    assert root.db.execute("SELECT count(*) FROM lease").fetchone() == (0,)


def test_a_process_that_goes_on_bringing_bytes_is_waited_for(root: Root, registry: BadRegistry) -> None:
    image = two_layers(registry)
    blob = registry.blobs[image.layers[0]]
    held = os.open(partial(root, image.layers[0]), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)

    def bring() -> None:
        for start in range(0, len(blob), 40_000):
            time.sleep(0.2)
            os.write(held, blob[start : start + 40_000])
        os.close(held)

    bringing = threading.Thread(target=bring)
    bringing.start()
    policy = RetryPolicy(attempts=1, base=0.01, cap=0.01)
    fetch(root, registry, retry=policy, stall_timeout=0.3, connect_timeout=0.3)
    bringing.join()
    assert not registry.paths("GET", image.layers[0])


@pytest.mark.parametrize("which", ["config", "layer"])
def test_a_blob_that_a_collection_takes_before_it_is_kept_is_fetched_again(
    root: Root, registry: BadRegistry, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    image = two_layers(registry)
    victim = image.config if which == "config" else image.layers[0]
    with root.blobs.ingest(victim) as ingest:  # its row went, its file has not yet
        ingest.write(registry.blobs[victim])
        ingest.commit()
    collected: list[int | None] = []
    ordinary = Content.register

    def register(self: Content, digest: str, *rest: Any, **more: Any) -> None:
        if digest == victim and not collected:
            collected.append(remove_blob(root, ingest.digest))
        ordinary(self, digest, *rest, **more)

    monkeypatch.setattr(Content, "register", register)
    fetch(root, registry)
    assert collected != [None]
    assert root.blobs.size(victim) == len(registry.blobs[victim])
    assert all(LayerStore(root).has(diff_id) for diff_id in image.diff_ids)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("after", "last"), [(0, False), (1000, False), (1000, True)])
def test_a_failure_does_not_wait_for_a_layer_of_which_nothing_comes(
    root: Root, registry: BadRegistry, after: int, last: bool
) -> None:
    image = two_layers(registry)
    begun = threading.Event()

    def silent(handler: Handler) -> bool:
        if after:
            data = handler.content() or b""
            handler.answer(200, data[:after], {"Connection": "close"} if last else None, length=len(data))
        begun.set()
        time.sleep(12)
        handler.hang_up()
        return True

    def refuse(handler: Handler) -> bool:
        begun.wait(10)
        time.sleep(0.1)
        handler.error(404, "BLOB_UNKNOWN")
        return True

    registry.fault(image.layers[0], silent)
    registry.fault(image.layers[1], refuse)
    before = time.monotonic()
    with pytest.raises(PullFailed) as caught:
        fetch(root, registry, stall_timeout=20.0)
    assert isinstance(caught.value.cause, NotFound)
    assert time.monotonic() - before < 8
    assert partial(root, image.layers[0]).exists() is bool(after)
