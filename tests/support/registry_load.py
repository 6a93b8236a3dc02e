"""Clients at work on a registry of ours, and its sudden end."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.our_registry import OurRegistry
from support.registry_ledger import Ledger


def shared_layers(chance: random.Random) -> list[bytes]:
    """A few that all images share, so that many push and delete the same blobs; one is spliced."""
    return [chance.randbytes(size) for size in (300, 5_000, 70_000, 300_000, 1_500_000, 5_000_000)]


@contextmanager
def at_work(registry: OurRegistry, ledgers: list[Ledger], tolerated: tuple[int, ...] = ()) -> Iterator[None]:
    """A thread per ledger, until the block ends or the server stops answering.

    Args:
        tolerated: statuses that a sick server may answer with.
    """
    end = threading.Event()

    def run(ledger: Ledger) -> None:
        for _ in ledger.work(registry.host, tolerated):
            if end.is_set():
                return

    threads = [threading.Thread(target=run, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join(60)
        assert not any(map(threading.Thread.is_alive, threads)), "a client still waits for an answer"


def kill(registry: OurRegistry, chance: random.Random) -> None:
    """The parent and its workers at once, in any order; again whom the parent has started meanwhile."""
    doomed = [registry.process.pid, *registry.workers()]
    chance.shuffle(doomed)
    while doomed:
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        registry.process.wait(20)
        doomed = _survivors(registry)


def _survivors(registry: OurRegistry) -> list[int]:
    """Processes that serve this root and are not dead yet."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if str(registry.root).encode() in words:
            found.append(int(entry.name))
    return found
