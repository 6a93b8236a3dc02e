"""kill -9 of the whole registry under load: what was acknowledged is there afterwards, and nothing is there by half.

Told `TACK_FAULT_ROUNDS` times (4; the release runs 200). The moments come from a generator whose seed is printed.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from support.our_registry import Client, our_registry
from support.registry_ledger import Ledger
from support.registry_load import at_work, kill, shared_layers
from support.registry_truth import Seen, wrongs

ROUNDS = int(os.environ.get("TACK_FAULT_ROUNDS", "4"))
SEED = int(os.environ.get("TACK_FAULT_SEED", str(random.SystemRandom().randrange(1 << 32))))
CLIENTS = 4
GRACES = ("900s", "900s", "0.2s")  # with the last one, collection is what it dies in
pytestmark = [pytest.mark.faults, pytest.mark.timeout(120 + 10 * ROUNDS)]


def test_nothing_acknowledged_is_lost_and_nothing_is_half_visible(tmp_path: Path) -> None:
    print(f"TACK_FAULT_SEED={SEED}")
    chance = random.Random(SEED)
    contents = shared_layers(chance)
    ledgers = [Ledger(f"killed/r{number}", contents, random.Random(chance.random())) for number in range(CLIENTS)]
    root, seen = tmp_path / "root", Seen()
    for number in range(ROUNDS):
        grace = GRACES[number % len(GRACES)]
        with our_registry(root, "--grace", grace, "--undelete", grace) as registry, at_work(registry, ledgers):
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
