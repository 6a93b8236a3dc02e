"""Our registry as processes on loopback, and a client of its API that shows every byte."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST

TACK = str(Path(sys.executable).parent / "tack")
_SECONDS_TO_START = 20


class Answer(NamedTuple):
    """A response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def code(self) -> str:
        """The error code of a refusal."""
        return str(self.json()["errors"][0]["code"])


class Client:
    """Speaks to a registry over connections of its own: a new one per request, unless it is told to keep it.

    Args:
        trust: speak TLS, and believe who is believed by this.
    """

    def __init__(self, host: str, keep: bool = False, trust: ssl.SSLContext | None = None) -> None:
        self.host = host
        self._trust = trust
        self._kept = self._connect() if keep else None

    def _connect(self) -> http.client.HTTPConnection:
        if self._trust is None:
            return http.client.HTTPConnection(self.host, timeout=30)
        return http.client.HTTPSConnection(self.host, timeout=30, context=self._trust)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; underscores in header names stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self._kept or self._connect()
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            lower = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, lower, response.read())
        finally:
            if self._kept is None:
                connection.close()

    def push_blob(self, repository: str, data: bytes, algorithm: str = "sha256") -> Digest:
        digest = Digest.of(data, algorithm)
        path = f"/v2/{repository}/blobs/uploads/"
        location = self("POST", path).headers["location"]
        separator = "&" if "?" in location else "?"
        answer = self("PUT", f"{location}{separator}digest={digest}", data)
        assert answer.status == 201, answer
        return digest

    def push_manifest(self, repository: str, reference: str, document: Any, media_type: str = OCI_MANIFEST) -> Digest:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        answer = self("PUT", f"/v2/{repository}/manifests/{reference}", raw, Content_Type=media_type)
        assert answer.status == 201, answer
        return Digest(answer.headers["docker-content-digest"])

    def push_image(
        self,
        repository: str,
        tag: str,
        layers: list[bytes] | None = None,
        config: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Digest:
        """An image of layers that are any bytes; returns its digest."""
        layers = [f"layer of {repository}".encode()] if layers is None else layers
        described = [
            {"mediaType": OCI_LAYER_GZIP, "digest": self.push_blob(repository, layer), "size": len(layer)}
            for layer in layers
        ]
        raw = json.dumps(config or image_config(len(layers))).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": self.push_blob(repository, raw), "size": len(raw)},
            "layers": described,
            **fields,
        }
        return self.push_manifest(repository, tag, document)

    def push_index(self, repository: str, tag: str, images: dict[str, Digest]) -> Digest:
        """An index over images that are there, keyed by architecture."""
        manifests = [
            {
                "mediaType": OCI_MANIFEST,
                "digest": digest,
                "size": len(self("GET", f"/v2/{repository}/manifests/{digest}").body),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, digest in images.items()
        ]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        return self.push_manifest(repository, tag, document, OCI_INDEX)


def image_config(layers: int = 1, architecture: str = "amd64", **config: Any) -> dict[str, Any]:
    """A config with as many diff ids; `config` becomes what runs."""
    diff_ids = [Digest.of(str(number).encode()) for number in range(layers)]
    return {
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }


class OurRegistry(NamedTuple):
    """A running registry."""

    host: str
    root: Path
    process: subprocess.Popen[str]
    client: Client

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def log(self) -> str:
        """What it wrote to standard error so far."""
        return (self.root.parent / f"{self.root.name}.log").read_text()

    def client_per_worker(self) -> list[Client]:
        """Clients with a kept connection each, so many that every worker has some: which one has which is chance."""
        return [Client(self.host, keep=True) for _ in range(16)]


@contextmanager
def our_registry(
    root: Path,
    *options: str,
    workers: int = 2,
    environment: dict[str, str] | None = None,
    trust: ssl.SSLContext | None = None,
) -> Iterator[OurRegistry]:
    """Run `tack registry serve`; ended by SIGTERM. Costs 600 ms.

    Args:
        workers: 0 leaves it to the options.
        environment: variables to add.
        trust: of the clients, where the options say that it speaks TLS.
    """
    words = [TACK, "registry", "serve", "--root", str(root), "--listen", "127.0.0.1:0"]
    words += ["--workers", str(workers)] if workers else []
    root.mkdir(parents=True, exist_ok=True)
    log = root.parent / f"{root.name}.log"
    with open(log, "w") as errors:
        process = subprocess.Popen(
            [*words, *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        match = re.search(r"127\.0\.0\.1:\d+", first)
        assert match is not None, f"the registry did not start: {first}{log.read_text()[-2000:]}"
        client = Client(match[0], trust=trust)
        _wait_for(client)
        yield OurRegistry(match[0], root, process, client)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _wait_for(client: Client) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while client("GET", "/v2/").status not in (200, 401):
        assert time.monotonic() < end
        time.sleep(0.02)
