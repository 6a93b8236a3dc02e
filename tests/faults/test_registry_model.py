"""Push, delete and collection of the same blobs by many clients: what can be named can be pulled whole, always.

For `TACK_MODEL_SECONDS` (3; the release runs minutes). What is deleted stays for a fifth of a second, so nearly
everything that nobody needs is collected while somebody else is about to push it again.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from support.our_registry import Client, our_registry
from support.registry_truth import wrongs

SECONDS = float(os.environ.get("TACK_MODEL_SECONDS", "3"))
SEED = int(os.environ.get("TACK_FAULT_SEED", str(random.SystemRandom().randrange(1 << 32))))
CLIENTS = 16
REPOSITORIES = ("model/one", "model/two")
TAGS = 3
pytestmark = [pytest.mark.faults, pytest.mark.timeout(120 + 2 * SECONDS)]

# What may be answered to who counts on something that others delete at the same time.
GONE_MEANWHILE = {"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "DENIED"}


class Player:
    """One client; draws what to do next.

    Args:
        pushed: manifests that anybody has pushed, tagged or not any more.
    """

    def __init__(self, host: str, contents: list[bytes], pushed: dict[str, list[str]], chance: random.Random) -> None:
        self.client = Client(host, keep=True)
        self._contents = contents
        self._pushed = pushed
        self._chance = chance
        self.wrong: list[str] = []
        self.done: Counter[str] = Counter()

    def play(self, end: float) -> None:
        moves = {self.push: 30, self.push_index: 5, self.delete: 30, self.delete_blob: 7, self.pull: 20}
        while time.monotonic() < end and not self.wrong:
            move = self._chance.choices(list(moves), list(moves.values()))[0]
            try:
                move(self._chance.choice(REPOSITORIES))
            except Exception as error:
                self.wrong.append(f"{move.__name__}: {error!r}")

    def _tag(self) -> str:
        return f"t{self._chance.randrange(TAGS)}"

    def _expect(self, what: str, answer: object, *statuses: int) -> bool:
        status = answer.status  # type: ignore[attr-defined]
        if status in statuses:
            self.done[what] += 1
            return True
        if status >= 500 or answer.code() not in GONE_MEANWHILE:  # type: ignore[attr-defined]
            self.wrong.append(f"{what}: {answer}")
        self.done[f"{what}, refused"] += 1
        return False

    def push(self, repository: str) -> None:
        """As docker does it: look whether a blob is there, try to mount it, else upload it."""
        parts = [b'{"n":%d}' % self._chance.randrange(4), *self._chance.sample(self._contents, 2)]
        for part in parts:
            digest = Digest.of(part)
            if self.client("HEAD", f"/v2/{repository}/blobs/{digest}").status != 200:
                self._upload(repository, part, digest)
        described = [{"mediaType": OCI_LAYER_GZIP, "digest": Digest.of(part), "size": len(part)} for part in parts]
        config = {**described[0], "mediaType": OCI_CONFIG}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": described[1:]}
        if self._chance.random() < 0.2 and (subject := self._some(repository)):
            document["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
        path = f"/v2/{repository}/manifests/{self._tag()}"
        answer = self.client("PUT", path, json.dumps(document), Content_Type=OCI_MANIFEST)
        if self._expect("push", answer, 201):
            self._pushed[repository].append(answer.headers["docker-content-digest"])

    def _upload(self, repository: str, part: bytes, digest: str) -> None:
        uploads, other = f"/v2/{repository}/blobs/uploads/", self._chance.choice(REPOSITORIES)
        begun = self.client("POST", f"{uploads}?mount={digest}&from={other}")
        if not self._expect("mount or begin", begun, 201, 202) or begun.status == 201:
            return
        location = begun.headers["location"]
        if self._chance.random() < 0.1:
            self._expect("cancel", self.client("DELETE", location), 204)
            return
        rest = part
        if self._chance.random() < 0.3:
            cut = self._chance.randrange(1, len(part))
            self._expect("chunk", self.client("PATCH", location, part[:cut]), 202)
            rest = part[cut:]
        self._expect("upload", self.client("PUT", f"{location}?digest={digest}", rest), 201)

    def _some(self, repository: str) -> str:
        answer = self.client("HEAD", f"/v2/{repository}/manifests/{self._tag()}")
        return answer.headers.get("docker-content-digest", "")

    def push_index(self, repository: str) -> None:
        children = [digest for digest in (self._some(repository), self._some(repository)) if digest]
        entries = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 1} for digest in children]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        path = f"/v2/{repository}/manifests/i{self._chance.randrange(2)}"
        self._expect("push of an index", self.client("PUT", path, json.dumps(document), Content_Type=OCI_INDEX), 201)

    def delete(self, repository: str) -> None:
        pushed = self._pushed[repository]
        count = self._chance.choice((1, 1, 1, 50))
        doomed, pushed[:count] = pushed[:count], []
        for reference in doomed or [self._tag()]:
            self._expect("delete", self.client("DELETE", f"/v2/{repository}/manifests/{reference}"), 202)

    def delete_blob(self, repository: str) -> None:
        digest = Digest.of(self._chance.choice(self._contents))
        self._expect("delete of a blob", self.client("DELETE", f"/v2/{repository}/blobs/{digest}"), 202)

    def pull(self, repository: str) -> None:
        self.wrong += pulled(self.client, repository, self._tag())
        self.done["pull"] += 1


def pulled(client: Client, repository: str, tag: str) -> list[str]:
    """Pull everything behind a tag; what is missing although its manifest is not."""
    answer = client("GET", f"/v2/{repository}/manifests/{tag}")
    if answer.status == 404:
        return []
    document, digest = answer.json(), answer.headers["docker-content-digest"]
    if answer.status != 200 or Digest.of(answer.body) != digest:
        return [f"{repository}:{tag}: {answer}"]
    parts = [document["config"], *document["layers"]] if "config" in document else []
    return [
        f"{repository}:{tag} lacks {part['digest']}" for part in parts if _is_missing(client, repository, digest, part)
    ]


def _is_missing(client: Client, repository: str, manifest: str, part: dict[str, str]) -> bool:
    """Whether a manifest is there and its blob is not. Others delete and push both between two questions, so ask on."""
    for _ in range(5):
        blob = client("GET", f"/v2/{repository}/blobs/{part['digest']}")
        if blob.status == 200:
            return Digest.of(blob.body) != part["digest"]
        if client("HEAD", f"/v2/{repository}/manifests/{manifest}").status == 404:
            return False
    return True


@pytest.mark.parametrize("undelete", ["0s", "1s"])
def test_what_is_tagged_can_be_pulled_while_others_push_delete_and_collect(tmp_path: Path, undelete: str) -> None:
    print(f"TACK_FAULT_SEED={SEED}")
    chance = random.Random(SEED)
    contents = [chance.randbytes(size) for size in (50, 4_000, 30_000, 200_000) for _ in range(5)]
    root = tmp_path / "root"
    with our_registry(root, "--grace", "0.2s", "--undelete", undelete) as registry:
        pushed: dict[str, list[str]] = {repository: [] for repository in REPOSITORIES}
        players = [Player(registry.host, contents, pushed, random.Random(chance.random())) for _ in range(CLIENTS)]
        end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=player.play, args=(end,)) for player in players]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [wrong for player in players for wrong in player.wrong] == []
        for repository in REPOSITORIES:
            for tag in (*(f"t{number}" for number in range(TAGS)), "i0", "i1"):
                assert pulled(registry.client, repository, tag) == []
        if undelete == "0s":
            _everything_goes(registry.client, root)
    assert wrongs(root) == []
    done = sum((player.done for player in players), Counter())
    print(dict(done))
    assert sum(done.values()) > 10 * SECONDS, "the load was no load"


def _everything_goes(client: Client, root: Path) -> None:
    """When all manifests are deleted, all space is returned."""
    for repository in REPOSITORIES:
        tags = client("GET", f"/v2/{repository}/tags/list")
        for tag in tags.json()["tags"] if tags.status == 200 else ():
            answer = client("HEAD", f"/v2/{repository}/manifests/{tag}")
            client("DELETE", f"/v2/{repository}/manifests/{answer.headers.get('docker-content-digest', '')}")
    kept = set()
    for repository in REPOSITORIES:
        kept |= _still_needed(root, repository)
    end = time.monotonic() + 15
    while (left := {path.name for path in root.glob("blobs/*/*/*")}) - kept or list(root.glob("trash/*")):
        assert time.monotonic() < end, f"not collected: {left - kept}"
        time.sleep(0.1)


def _still_needed(root: Path, repository: str) -> set[str]:
    """Blobs of manifests that no tag names: nobody has deleted those."""
    import sqlite3

    db = sqlite3.connect(f"file:{root / 'registry.db'}?mode=ro", uri=True)
    try:
        rows = db.execute(
            "SELECT e.child FROM edge e JOIN repository r ON r.id = e.repository WHERE r.name = ?", (repository,)
        )
        return {child.partition(":")[2] for (child,) in rows}
    finally:
        db.close()
