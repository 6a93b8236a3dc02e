"""What a registry that serves sends to receivers: only to addresses that it may call, and never along a redirect."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hardtack.registry.config.document import Config
from hardtack.registry.config.upstreams import NetworkSection
from support.registry_worker import Worker, registry_worker

INDEX = b'{"schemaVersion":2,"manifests":[]}'


class Receiver(ThreadingHTTPServer):
    """Sends whoever calls /hook on to /inside, and remembers every path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(302 if self.path == "/hook" else 204)
        self.send_header("Location", "/inside")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def told(root: Path, receiver: Receiver, *allow: str) -> Iterator[str]:
    """What came of the first attempt to tell the receiver of a push."""
    with registry_worker(root, base=Config(network=NetworkSection(allow=allow))) as worker:
        hook = {"pattern": "team/**", "url": receiver.url}
        made = worker.client("POST", "/api/v1/webhooks", json.dumps(hook).encode()).json()
        put = worker.client(
            "PUT", "/v2/team/app/manifests/v1", INDEX, Content_Type="application/vnd.oci.image.index.v1+json"
        )
        assert put.status == 201
        yield _status(worker, made["webhook"]["id"])


def _status(worker: Worker, hook: int) -> str:
    for _ in range(200):
        tried = [one for one in worker.client("GET", f"/api/v1/webhooks/{hook}/deliveries").json() if one["attempts"]]
        if tried:
            return str(tried[0]["status"])
        time.sleep(0.05)
    raise AssertionError("nothing was tried")


def test_a_receiver_on_this_machine_is_not_called(tmp_path: Path, receiver: Receiver) -> None:
    with told(tmp_path / "root", receiver) as status:
        assert "is not to be called" in status
        assert not receiver.paths


def test_a_receiver_is_not_followed_to_where_it_sends_us(tmp_path: Path, receiver: Receiver) -> None:
    with told(tmp_path / "root", receiver, "127.0.0.1") as status:
        assert status.startswith("302")
        assert set(receiver.paths) == {"/hook"}
