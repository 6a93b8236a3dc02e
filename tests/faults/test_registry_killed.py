"""kill -9 of the whole registry under load: what was acknowledged is there afterwards, and nothing is there by half.

Told `TACK_FAULT_ROUNDS` times (6; the release runs 200). The moments come from a generator whose seed is printed.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.our_registry import Client, OurRegistry, our_registry
from support.registry_ledger import Ledger
from support.registry_truth import Seen, wrongs

ROUNDS = int(os.environ.get("TACK_FAULT_ROUNDS", "6"))
SEED = int(os.environ.get("TACK_FAULT_SEED", str(random.SystemRandom().randrange(1 << 32))))
CLIENTS = 4
GRACES = ("900s", "900s", "0.2s")  # with the last one, collection is what it dies in
pytestmark = [pytest.mark.faults, pytest.mark.timeout(120 + 10 * ROUNDS)]


def layers(chance: random.Random) -> list[bytes]:
    """A few that all images share, so that many push and delete the same blobs; one is spliced."""
    return [chance.randbytes(size) for size in (300, 5_000, 70_000, 300_000, 1_500_000, 5_000_000)]


@contextmanager
def at_work(registry: OurRegistry, ledgers: list[Ledger]) -> Iterator[None]:
    """A thread per ledger until the server stops answering."""

    def run(ledger: Ledger) -> None:
        for _ in ledger.work(registry.host):
            pass

    threads = [threading.Thread(target=run, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a client still waits for an answer"


def kill(registry: OurRegistry, chance: random.Random) -> None:
    """The parent and its workers, in any order; again whom the parent has started meanwhile."""
    doomed = [registry.process.pid, *registry.workers()]
    chance.shuffle(doomed)
    while doomed:
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        registry.process.wait(20)
        doomed = _orphans(registry)


def _orphans(registry: OurRegistry) -> list[int]:
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


def test_nothing_acknowledged_is_lost_and_nothing_is_half_visible(tmp_path: Path) -> None:
    print(f"TACK_FAULT_SEED={SEED}")
    chance = random.Random(SEED)
    contents = layers(chance)
    ledgers = [Ledger(f"killed/r{number}", contents, random.Random(chance.random())) for number in range(CLIENTS)]
    root, seen = tmp_path / "root", Seen()
    for number in range(ROUNDS):
        grace = GRACES[number % len(GRACES)]
        with our_registry(root, "--grace", grace) as registry, at_work(registry, ledgers):
            time.sleep(chance.uniform(0.01, 0.8))
            kill(registry, chance)
        if grace == "0.2s":
            for ledger in ledgers:
                ledger.blobs.clear()  # those that no manifest needs were collected, by right
        with our_registry(root, "--grace", "900s", workers=1) as registry:
            found = [loss for ledger in ledgers for loss in ledger.losses(registry.client)]
            assert found == [], f"round {number}"
            _still_takes_pushes(registry.client, number)
        assert wrongs(root, seen) == [], f"round {number}"
    pushed = sum(ledger.pushed for ledger in ledgers)
    print(f"{ROUNDS} deaths, {pushed} images acknowledged, nothing lost")
    assert pushed > ROUNDS, "the load was no load"


def _still_takes_pushes(client: Client, number: int) -> None:
    client.push_image("killed/after", "latest", [f"round {number}".encode()])
    assert client("GET", "/v2/killed/after/manifests/latest").status == 200
