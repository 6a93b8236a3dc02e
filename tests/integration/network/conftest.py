"""A host in a namespace, and containers on it that are nothing but namespaces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardtack.linux import netns
from hardtack.network import attach
from hardtack.network.ports import parse_publish
from hardtack.store.root import Root
from support.boxes import Box
from support.hosts import Host, a_host


@pytest.fixture
def host() -> Iterator[Host]:
    """The test's thread is on a host of its own. Costs 5 ms."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with a_host() as made:
        yield made


@pytest.fixture
def make_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Root]]:
    """Makes roots, each with its own run directory. Costs 5 ms each."""
    roots: list[Root] = []

    def make() -> Root:
        place = tmp_path / f"world{len(roots)}"
        monkeypatch.setenv("HARDTACK_RUN", str(place / "run"))
        roots.append(Root.open(str(place / "root")))
        return roots[-1]

    yield make
    for made in roots:
        made.close()


@pytest.fixture
def world(host: Host, make_root: Callable[[], Root]) -> Root:
    """One root on the host."""
    return make_root()


@pytest.fixture
def start(host: Host) -> Iterator[Callable[..., Box]]:
    """Starts containers: `start(root, "8080:80", …)`. They are ended with the test. Costs 2 ms each."""
    boxes: list[Box] = []

    def run(root: Root, *ports: str, ident: str = "") -> Box:
        name = ident or os.urandom(32).hex()
        publishes = [publish for text in ports for publish in parse_publish(text)]
        with root.transaction() as db:
            attachment = attach.reserve(db, root, name, "bridge", publishes)
        boxes.append(Box(root, name, attachment, netns.create()))
        attach.setup(root, attachment, boxes[-1].namespace)
        return boxes[-1]

    yield run
    for box in boxes:
        box.end()
