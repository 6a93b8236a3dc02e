"""A line of the access log: one line of JSON, whatever a client sends, and no secret in it."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.registry.config.server import ServerSection
from hardtack.registry.metrics import BUCKETS, Board, Count, Level, Metrics
from hardtack.registry.server.access_log import line, shown
from hardtack.registry.server.exposition import _STORED, _Collected
from hardtack.registry.server.logs import set_up


@given(st.text(), st.text(), st.text(), st.text(max_size=3000))
def test_any_request_is_one_printable_line(who: str, method: str, agent: str, target: str) -> None:
    raw = line(0, "192.0.2.1", who, (method, target), 200, (0, 1), 0.5, agent, "n")
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    assert len(raw) <= 8192
    said = json.loads(raw)
    assert said["ms"] == 500
    assert all(str(value).isprintable() for value in said.values())


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v2/a/tags/list?n=5&last=v1", "/v2/a/tags/list?n=5&last=v1"),
        ("/token?service=x&scope=repository:a/b:pull,push", "/token?service=x&scope=repository:a/b:pull,push"),
        ("/login?password=hunter2&code=abc&state=", "/login?password=***&code=***&state=***"),
        ("/v2/a?digest=sha256:ab", "/v2/a?digest=sha256:ab"),
        ("/a\x1b[2Jb", "/a\\x1b[2Jb"),
        ("/?hunter2", "/?hunter2=***"),
    ],
)
def test_of_a_query_only_what_is_no_secret_is_shown(target: str, path: str) -> None:
    assert shown(target) == path


def test_figures_of_all_processes_are_summed_and_outlive_them() -> None:
    board = Board(rows=3)
    first, second = board.take(), board.take()
    assert (first, second) == (0, 1)
    for number, bytes_in in ((0, 1), (1, 10)):
        row = board.row(number)
        row.request("GET", "manifest", 200, 0.002, bytes_in, 100)
        row.add(Count.FAULTS)
        row.note(Level.CONNECTIONS, 5)
    board.give_back(0)
    assert board.take() == 0
    sums = board.row(0).totals()
    assert list(sums.requests()) == [("GET", "manifest", 200, 2)]
    assert list(sums.traffic()) == [("manifest", 11, 200)]
    assert sums.count(Count.FAULTS) == 2
    assert sums.level(Level.CONNECTIONS) == 5  # those of the process that ended are gone
    assert board.take() == 2
    assert board.take() is None


def test_what_comes_from_outside_makes_no_new_figure() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.request(f"M{number}", f"k{number}", 600 + number, 1e6, 0, 0)
    assert list(metrics.totals().requests()) == [("other", "none", 0, 50)]
    ((kind, classes, _),) = metrics.totals().durations()
    assert (kind, classes) == ("none", [0] * len(BUCKETS) + [50])


def test_every_figure_can_be_written() -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    metrics = Metrics()
    metrics.request("GET", "manifest", 200, 0.002, 0, 100)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(metrics.totals(), {"blobs": 3}))
    text = generate_latest(registry).decode()
    assert 'hardtack_registry_requests_total{kind="manifest",method="GET",status="200"} 1.0' in text
    assert "hardtack_registry_pulls_total 1.0" in text
    assert 'request_seconds_bucket{kind="manifest",le="0.001"} 0.0' in text
    assert 'request_seconds_bucket{kind="manifest",le="0.005"} 1.0' in text
    assert "hardtack_registry_blobs 3.0" in text


def test_every_figure_is_explained() -> None:
    page = (Path(__file__).parents[3] / "docs" / "registry" / "operation.md").read_text()
    counted = [f"{count.value[0]}_total" for count in Count]
    for name in (*counted, *(level.value[0] for level in Level), *_STORED):
        assert f"`{name}`" in page, name


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_message_cannot_forge_a_line_of_the_log(form: str) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        set_up(ServerSection(log_format=form, log_level="info"), stream)
        logging.getLogger("hardtack.registry").warning("said %s", "a\n2026-01-01 ERROR forged\x1b[2J")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    first, *others = stream.getvalue().rstrip("\n").split("\n")
    assert "\x1b" not in stream.getvalue()
    if form == "json":
        assert json.loads(first)["message"].endswith("forged\x1b[2J")
        assert not others
    else:
        assert first.endswith("WARNING said a")
        assert all(line.startswith("  ") for line in others)
