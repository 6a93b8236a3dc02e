"""Whole requests on the wire: never a fault of ours, and the quick lane says what the ordinary way says."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz.administration import administrations
from fuzz.wire import Said, exchange, plain_pulls, requests
from hardtack.registry.config.document import Config
from hardtack.registry.config.options import Secret
from hardtack.registry.config.stores import MetadataSection
from hardtack.registry.server import worker as worker_module
from hardtack.registry.server.quick import QuickLane
from support.databases import postgres_url
from support.our_registry import image_config
from support.registry_worker import Worker, account, registry_worker

_OWN = ("date", "x-request-id")  # of every answer
BOUNDED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
FEWER = settings(BOUNDED, max_examples=120)
HOSTILE_LABELS = {"a": "<script>", "b": "\ud800", "c": "\0", "org.opencontainers.image.url": "javascript:alert(1)"}


class NoQuickLane(QuickLane):
    """Sends everybody the ordinary way."""

    def answer(self, data: bytes, number: str) -> bytes | None:
        return None


@contextmanager
def started(root: Path) -> Iterator[Worker]:
    """A worker with one image, whose config is as bad as one that was accepted can be."""

    with registry_worker(root) as worker:
        config = image_config(1, Labels=HOSTILE_LABELS, Env=[None, 1, "\ud800"])
        worker.client.push_image("m/a", "v1", config=config)
        yield worker


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Worker]:
    with started(tmp_path / "root") as worker:
        yield worker


@pytest.fixture
def ordinary(served: Worker, tmp_path: Path) -> Iterator[Worker]:
    """A second worker with the same content, whose quick lane is closed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_module, "QuickLane", NoQuickLane)
        with started(tmp_path / "ordinary") as worker:
            yield worker


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What the server logs as a fault of its own."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("hardtack.registry", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    yield said
    for logger in loggers:
        logger.removeHandler(handler)


def test_no_request_is_answered_with_a_fault_of_ours(served: Worker, faults: list[str]) -> None:
    @BOUNDED
    @given(requests(served.host))
    def attack(request: bytes) -> None:
        said = exchange(served.host, request, 0.3)
        assert not faults, f"{faults} after {request!r}"
        assert said.status < 500, said
        if said.status >= 400 and said.headers.get("content-type") == "application/json" and said.body:
            assert json.loads(said.body)["errors"][0]["code"]

    attack()
    assert served.client("GET", "/v2/m/a/tags/list").status == 200


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_request_to_a_registry_with_accounts_is_answered_with_a_fault_of_ours(
    tmp_path: Path, faults: list[str], database: str
) -> None:
    """The token server, the JSON API and all else: as nobody, a user, an admin, with credentials that are none."""
    base = Config()
    if database == "postgres":  # which refuses text that SQLite takes
        base = replace(base, metadata=MetadataSection(Secret(asyncio.run(postgres_url(tmp_path)))))
    with registry_worker(tmp_path / "root", accounts=True, base=base) as guarded:
        admin, bob = account(guarded, "root", admin=True), account(guarded, "bob")
        assert guarded.client("GET", "/api/v1/users", Authorization=admin).status == 200
        strangers = administrations(guarded.host, (admin, bob))
        clients = requests(guarded.host, f"Authorization: {admin}\r\n".encode())

        @FEWER
        @given(strangers | clients)
        def attack(request: bytes) -> None:
            said = exchange(guarded.host, request, 0.3)
            assert not faults, f"{faults} after {request!r}"
            assert said.status < 500, (request, said)
            if said.body and said.headers.get("content-type") == "application/json" and said.status < 300:
                json.loads(said.body)

        attack()
        assert guarded.client("GET", "/v2/").status == 401


def test_the_quick_lane_says_what_the_ordinary_way_says(served: Worker, ordinary: Worker) -> None:
    @BOUNDED
    @given(plain_pulls("localhost"))
    def attack(request: bytes) -> None:
        quick, slow = exchange(served.host, request, 0.5), exchange(ordinary.host, request, 0.5)
        assert _meaning(quick) == _meaning(slow)

    attack()


def _meaning(said: Said) -> tuple[int, dict[str, str], bytes]:
    if said.status == 0 or (said.status == 400 and "server" not in said.headers):
        return 0, {}, b""  # refused before anybody knew what was asked; how it is put does not matter
    return said.status, {name: value for name, value in said.headers.items() if name not in _OWN}, said.body


def test_the_quick_lane_is_open_at_all(served: Worker, ordinary: Worker) -> None:
    """Or the comparison above would compare the ordinary way with itself."""
    taken: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        answer = QuickLane.answer

        def seen(self: QuickLane, data: bytes, number: str) -> bytes | None:
            found = answer(self, data, number)
            if found is not None:
                taken.append(data)
            return found

        patch.setattr(QuickLane, "answer", seen)
        for request in (b"GET /v2/m/a/manifests/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n",):
            assert exchange(served.host, request).status == 200
            assert exchange(ordinary.host, request).status == 200
    assert len(taken) == 1
