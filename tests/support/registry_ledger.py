"""A client that pushes in every way there is and writes down what was acknowledged, to be held against it later.

What was asked for and not answered may have happened or not, and both are right; half of it never is.
"""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from support.our_registry import Answer, Client

Refused = (OSError, http.client.HTTPException)
TAGS = 5
_MANY = 12


class Unanswered(Exception):
    """The server went away before it said what became of a request."""


class Ledger:
    """One client with one repository to itself.

    Args:
        layers: what images are made of; shared with other clients, so that blobs are too.
    Attributes:
        tags: what each tag may point to; one digest when that is certain, "" for nothing.
        manifests: the acknowledged ones that were not asked to be deleted, and their bytes.
        blobs: the latest acknowledged ones; such as no manifest needs stay for the grace.
        surprises: answers that no story explains.
        pushed: how many images were acknowledged.
    """

    def __init__(self, repository: str, layers: list[bytes], chance: random.Random) -> None:
        self.repository = repository
        self._layers = layers
        self._chance = chance
        self._client: Client | None = None
        self.tags: dict[str, set[str]] = {}
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.surprises: list[str] = []
        self.pushed = 0

    def work(self, host: str, tolerated: tuple[int, ...] = ()) -> Iterator[None]:
        """Push and delete for ever, one step at a time; ends when the server no longer answers.

        Args:
            tolerated: statuses that a sick server may answer with, which leave a request undone or done.
        """
        self._client = Client(host, keep=True)
        self._tolerated = tolerated
        while True:
            try:
                if len(self.manifests) < _MANY and (self._chance.random() < 0.8 or not self.manifests):
                    self._push_image()
                else:
                    self._delete_image()
            except Unanswered:
                if not tolerated:
                    return
            yield

    def _ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        assert self._client is not None
        try:
            answer = self._client(method, path, body, **headers)
        except Refused:
            raise Unanswered from None
        if answer.status in self._tolerated:
            raise Unanswered
        return answer

    def _push_image(self) -> None:
        config = json.dumps({"n": self._chance.random()}).encode()
        parts = [config, *self._chance.sample(self._layers, self._chance.randint(1, 2))]
        for part in parts:
            self._push_blob(part)
        described = [{"mediaType": OCI_LAYER_GZIP, "digest": Digest.of(part), "size": len(part)} for part in parts]
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {**described[0], "mediaType": OCI_CONFIG},
            "layers": described[1:],
        }
        raw = json.dumps(document).encode()
        tag, digest = f"v{self._chance.randrange(TAGS)}", Digest.of(raw)
        self.tags[tag] = self.tags.get(tag, {""}) | {str(digest)}
        answer = self._ask("PUT", f"/v2/{self.repository}/manifests/{tag}", raw, Content_Type=OCI_MANIFEST)
        if self._is_expected(answer, 201, f"push of {tag}"):
            self.tags[tag] = {str(digest)}
            self.manifests[digest] = raw
            self.pushed += 1

    def _push_blob(self, data: bytes) -> None:
        path, digest = f"/v2/{self.repository}/blobs/uploads/", Digest.of(data)
        how = self._chance.choice(("whole", "put", "chunks", "stream"))
        if how == "whole":
            answer = self._ask("POST", f"{path}?digest={digest}", data)
        else:
            begun = self._ask("POST", path)
            if not self._is_expected(begun, 202, "beginning of an upload"):
                return
            answer = self._send(begun.headers["location"], data, digest, how)
        if self._is_expected(answer, 201, f"{how} of {len(data)} bytes"):
            self.blobs[digest] = data
            while len(self.blobs) > _MANY * 3:
                del self.blobs[next(iter(self.blobs))]

    def _send(self, location: str, data: bytes, digest: str, how: str) -> Answer:
        if how == "put":
            return self._ask("PUT", f"{location}?digest={digest}", data)
        cut = self._chance.randrange(1, len(data))
        for start, part in ((0, data[:cut]), (cut, data[cut:])):
            body = iter([part]) if how == "stream" else part
            span = {} if how == "stream" else {"Content_Range": f"{start}-{start + len(part) - 1}"}
            answer = self._ask("PATCH", location, body, **span)
            self._is_expected(answer, 202, f"chunk at {start}")
        return self._ask("PUT", f"{location}?digest={digest}")

    def _delete_image(self) -> None:
        digest = self._chance.choice(list(self.manifests))
        del self.manifests[digest]
        for tag, possible in self.tags.items():
            if digest in possible:
                self.tags[tag] = possible | {""}
        answer = self._ask("DELETE", f"/v2/{self.repository}/manifests/{digest}")
        if self._is_expected(answer, 202, f"deletion of {digest}"):
            for tag, possible in self.tags.items():
                self.tags[tag] = (possible - {digest}) or {""}

    def _is_expected(self, answer: Answer, status: int, what: str) -> bool:
        if answer.status != status:
            self.surprises.append(f"{self.repository}: {what}: {answer.status} {answer.body[:200]!r}")
        return answer.status == status

    def losses(self, client: Client) -> list[str]:
        """What was acknowledged and is not there, and what is there by half."""
        found = list(self.surprises)
        base = f"/v2/{self.repository}"
        for tag, possible in self.tags.items():
            answer = client("GET", f"{base}/manifests/{tag}")
            actual = answer.headers.get("docker-content-digest", "") if answer.status == 200 else ""
            if actual not in possible:
                found.append(f"{self.repository}:{tag} is {actual or answer.status}, acknowledged was {possible}")
            self.tags[tag] = {actual}
            if answer.status == 200:
                self.manifests[actual] = answer.body
        for digest, raw in self.manifests.items():
            answer = client("GET", f"{base}/manifests/{digest}")
            if (answer.status, answer.body) != (200, raw):
                found.append(f"{self.repository}@{digest}: {answer.status}")
                continue
            document = answer.json()
            for part in (document["config"], *document["layers"]):
                found += self._missing(client, part["digest"])
        for digest in self.blobs:
            found += self._missing(client, digest)
        return found

    def _missing(self, client: Client, digest: str) -> list[str]:
        answer = client("GET", f"/v2/{self.repository}/blobs/{digest}")
        if answer.status == 200 and Digest.of(answer.body) == digest:
            return []
        return [f"{self.repository}: blob {digest}: {answer.status}, {len(answer.body)} bytes"]
