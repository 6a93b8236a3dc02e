"""A disk that is full, or that fails at a write, an fsync or a rename: clients are told so, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import OCI_MANIFEST
from support.disks import fill, small_disk
from support.failing_disk import ERRORS, KINDS, FailingDisk, failing_disk
from support.our_registry import Answer, Client, OurRegistry, our_registry
from support.registry_ledger import Ledger
from support.registry_load import at_work, kill, shared_layers
from support.registry_truth import wrongs
from support.registry_worker import registry_worker

ROUNDS = int(os.environ.get("TACK_FAULT_ROUNDS", "4"))
SEED = int(os.environ.get("TACK_FAULT_SEED", str(random.SystemRandom().randrange(1 << 32))))
pytestmark = [pytest.mark.faults, pytest.mark.timeout(120 + 10 * ROUNDS)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def disk(tmp_path: Path, root: Path) -> FailingDisk:
    return failing_disk(tmp_path, root)


@contextmanager
def on(disk: FailingDisk, root: Path) -> Iterator[OurRegistry]:
    with our_registry(root, workers=1, environment=disk.environment) as registry:
        yield registry


def is_refused(answer: Answer, error: str, kind: str = "") -> bool:
    """Whether an answer says, in the form of the API, that the disk is to blame."""
    said = (answer.status, answer.code())
    if (kind, error) == ("fsync", "ENOSPC") and said == (500, "UNKNOWN"):
        return True  # SQLite does not tell why an fsync of its own has failed
    return said == ((507, "INSUFFICIENT_STORAGE") if error == "ENOSPC" else (500, "UNKNOWN"))


STEPS = ("begin", "whole", "chunk", "end", "large", "manifest", "delete")


class Deed:
    """One request that needs the disk, with everything before it done while the disk was well."""

    def __init__(self, client: Client, step: str, number: int) -> None:
        self.step = step
        self.data = number.to_bytes(4, "big") * (1_500_000 if step == "large" else 50_000)
        self.digest = Digest.of(self.data)
        self.path = "/v2/sick/app/blobs/uploads/"
        if step in ("chunk", "end"):
            self.path = client("POST", self.path).headers["location"]
        elif step == "manifest":
            config = client.push_blob("sick/app", json.dumps({"n": number}).encode())
            described = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 1}
            document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": []}
            self.data = json.dumps(document).encode()
            self.path = f"/v2/sick/app/manifests/v{number}"
        elif step == "delete":
            self.path = f"/v2/sick/app/manifests/{client.push_image('sick/app', f'old{number}')}"

    def go(self, client: Client) -> Answer:
        match self.step:
            case "begin":
                return client("POST", self.path)
            case "whole" | "large":
                return client("POST", f"{self.path}?digest={self.digest}", self.data)
            case "chunk":
                return client("PATCH", self.path, self.data)
            case "end":
                return client("PUT", f"{self.path}?digest={self.digest}", self.data)
            case "manifest":
                return client("PUT", self.path, self.data, Content_Type=OCI_MANIFEST)
            case _:
                return client("DELETE", self.path)

    def is_visible(self, client: Client) -> bool:
        """Whether what was to be made is there, or what was to be deleted is not."""
        match self.step:
            case "whole" | "large" | "end":
                return client("GET", f"/v2/sick/app/blobs/{self.digest}").status == 200
            case "manifest":
                return client("GET", self.path).status == 200
            case "delete":
                return client("GET", self.path).status == 404
            case _:
                return False

    def is_done(self, client: Client) -> bool:
        if self.step == "begin":
            return True
        if self.step == "chunk":  # acknowledged, so it must be there to go on from
            return client("GET", self.path).headers.get("range") == f"0-{len(self.data) - 1}"
        if self.step in ("whole", "large", "end"):
            return client("GET", f"/v2/sick/app/blobs/{self.digest}").body == self.data
        return self.is_visible(client)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_request_survives_an_error_at_each_of_its_calls(
    root: Path, disk: FailingDisk, kind: str, error: str
) -> None:
    """Every request of a push and a deletion, failing at its first call of the kind, its second, until none fails."""
    number = 0
    with on(disk, root) as registry:
        client = registry.client
        kept = client.push_image("sick/kept", "v1", [b"kept" * 1000])
        for step in STEPS:
            for after in range(12):
                number += 1
                deed = Deed(client, step, number)
                with disk.failing(kind, error, after):
                    answer = deed.go(client)
                if disk.failed:
                    assert answer.status < 300 or is_refused(answer, error, kind), (step, after, answer)
                else:
                    assert answer.status < 300, (step, after, answer)
                if answer.status >= 300:
                    assert not deed.is_visible(client), f"{step} failed and is visible"
                    deed = Deed(client, step, number) if step in ("chunk", "end") else deed
                    answer = deed.go(client)
                    assert answer.status < 300, f"{step} cannot be repeated: {answer}"
                assert deed.is_done(client), (step, after)
                assert client("GET", f"/v2/sick/kept/manifests/{kept}").status == 200
                if not disk.failed:
                    break
        kill(registry, random.Random(1))
    with our_registry(root, workers=1) as registry:
        assert registry.client("GET", f"/v2/sick/kept/manifests/{kept}").status == 200
    assert wrongs(root) == []


def test_nothing_is_acknowledged_before_it_survives_a_loss_of_power(root: Path, disk: FailingDisk) -> None:
    """The bytes, then their name, then the directory that has the name, then the database; only then 201."""
    disk.keep_diary()
    with on(disk, root) as registry:
        for step in ("whole", "end"):
            for size in (1000, 3_000_000, 6_000_000):
                deed = Deed(registry.client, step, 1)
                deed.data = os.urandom(size)
                deed.digest = Digest.of(deed.data)
                before = len(disk.diary())
                assert deed.go(registry.client).status == 201
                _in_order(disk.diary()[before:], deed.digest.hex)
        assert {"sync blobs/sha256", "sync blobs"} <= set(disk.diary()), "the first blob made these folders"
        for step in ("manifest", "delete"):
            deed = Deed(registry.client, step, 2)
            before = len(disk.diary())
            assert deed.go(registry.client).status < 300
            assert "sync registry.db-wal" in disk.diary()[before:], step


def _in_order(diary: list[str], digits: str) -> None:
    name = f"blobs/sha256/{digits[:2]}/{digits}"
    renamed = diary.index(f"rename {name}")
    assert any(line.startswith("sync uploads/") for line in diary[:renamed]), diary
    named = diary.index(f"sync {os.path.dirname(name)}", renamed)
    assert "sync registry.db-wal" in diary[named:], diary


def test_errors_under_load_lose_nothing(root: Path, disk: FailingDisk) -> None:
    """Clients push and delete while calls fail in bursts; then the server dies as well."""
    print(f"TACK_FAULT_SEED={SEED}")
    chance = random.Random(SEED)
    contents = shared_layers(chance)
    ledgers = [Ledger(f"sick/r{number}", contents, random.Random(chance.random())) for number in range(4)]
    failed = 0
    for number in range(max(1, ROUNDS // 3)):
        with on(disk, root) as registry:
            with at_work(registry, ledgers, tolerated=(500, 507)):
                for _ in range(4):
                    kind, error = chance.choice(list(KINDS)), chance.choice(list(ERRORS))
                    with disk.failing(kind, error, chance.randrange(40), chance.choice((1, 3, 50))):
                        time.sleep(0.15)
                    failed += disk.failed
                    time.sleep(0.05)
            assert [loss for ledger in ledgers for loss in ledger.losses(registry.client)] == [], f"round {number}"
            kill(registry, chance)
        with our_registry(root, workers=1) as registry:
            assert [loss for ledger in ledgers for loss in ledger.losses(registry.client)] == [], f"round {number}"
        assert wrongs(root) == [], f"round {number}"
    pushed = sum(ledger.pushed for ledger in ledgers)
    print(f"{failed} calls failed, {pushed} images acknowledged, nothing lost")
    assert failed
    assert pushed


@pytest.mark.parametrize("left", [0, 4096, 150_000])
def test_on_a_full_disk_everything_is_readable_and_deletable(tmp_path: Path, left: int) -> None:
    """Every request of a push while so many bytes are left; 507 or success, and after some space is freed, success."""
    with small_disk(tmp_path / "disk", "24m") as folder, registry_worker(folder / "root") as worker:
        client, layer = worker.client, os.urandom(50_000)
        digests = [client.push_image("sick/kept", f"v{number}", [layer, b"%d" % number]) for number in range(4)]
        deeds = [Deed(client, step, number) for number, step in enumerate(STEPS)]
        filler = fill(folder, leave=left)
        refused = []
        for deed in deeds[:-1]:
            answer = deed.go(client)
            assert answer.status < 300 or is_refused(answer, "ENOSPC"), (deed.step, answer)
            if answer.status == 507:
                assert not deed.is_visible(client), deed.step
                refused.append(deed)
        assert "large" in [deed.step for deed in refused]
        assert left or {"whole", "chunk", "end"} <= {deed.step for deed in refused}
        _all_readable(client, digests, layer)
        assert deeds[-1].go(client).status == 202
        assert client("DELETE", f"/v2/sick/kept/manifests/{digests.pop()}").status == 202
        assert client("DELETE", "/v2/sick/kept/manifests/v0").status == 202
        _all_readable(client, digests, layer)
        filler.unlink()
        for deed in refused:
            again = Deed(client, deed.step, 1000 + STEPS.index(deed.step))
            assert again.go(client).status < 300, deed.step
            assert again.is_done(client), deed.step
        assert wrongs(folder / "root") == []


def _all_readable(client: Client, digests: list[Digest], layer: bytes) -> None:
    for path in (
        "/v2/",
        "/v2/_catalog",
        "/v2/sick/kept/tags/list",
        "/",
        "/sick/kept",
        f"/v2/sick/kept/referrers/{digests[0]}",
    ):
        assert client("GET", path).status == 200, path
    for digest in digests:
        assert client("GET", f"/v2/sick/kept/manifests/{digest}").status == 200
        assert client("HEAD", f"/v2/sick/kept/manifests/{digest}").status == 200
    assert client("GET", f"/v2/sick/kept/blobs/{Digest.of(layer)}").body == layer
    assert client("GET", f"/v2/sick/kept/blobs/{Digest.of(layer)}", Range="bytes=5-9").body == layer[5:10]
