"""Slow, broken and foreign clients: none holds a worker, and no stranger's page reaches a private registry."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.collector import Collector
from support.disks import fill, small_disk
from support.registry_worker import Worker, registry_worker


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Worker]:
    """A worker that waits a tenth of what a real one does, or less; it looks once a second."""
    limits = {"header_time": 0.5, "body_idle": 0.5, "keep_alive": 60.0}
    with registry_worker(tmp_path / "root", **limits) as running:
        yield running


def connected(worker: Worker) -> socket.socket:
    host, port = worker.host.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def closed_within(sock: socket.socket, seconds: float) -> bool:
    began = time.monotonic()
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - began < seconds


@pytest.mark.parametrize("said", [b"", b"GET /v2/ HTTP/1.1\r\nHo", b"\x16\x03\x01\x02"])
def test_a_head_that_does_not_end_is_cut(impatient: Worker, said: bytes) -> None:
    with connected(impatient) as sock:
        sock.sendall(said)
        assert closed_within(sock, 10)


def test_a_head_that_comes_drop_by_drop_is_cut(impatient: Worker) -> None:
    with connected(impatient) as sock:
        began = time.monotonic()
        with pytest.raises(OSError):
            for byte in b"GET /v2/ HTTP/1.1\r\nX-Slow: " + b"a" * 400:
                sock.send(bytes([byte]))
                time.sleep(0.05)
        assert time.monotonic() - began < 9


@pytest.mark.parametrize("size", [1000, 10_000_000])
def test_a_body_that_stands_still_is_cut_and_what_arrived_is_kept(impatient: Worker, size: int) -> None:
    location = impatient.client("POST", "/v2/m/slow/blobs/uploads/").headers["location"]
    with connected(impatient) as sock:
        head = f"PATCH {location} HTTP/1.1\r\nHost: {impatient.host}\r\nContent-Length: {size}\r\n\r\n"
        sock.sendall(head.encode() + b"x" * 500)
        assert closed_within(sock, 10)
    end = time.monotonic() + 10
    while impatient.client("GET", location).headers["range"] != "0-499":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_body_that_comes_slowly_but_does_come_is_taken(impatient: Worker) -> None:
    location = impatient.client("POST", "/v2/m/steady/blobs/uploads/").headers["location"]

    def parts() -> Iterator[bytes]:
        for number in range(8):
            time.sleep(0.25)
            yield bytes([number]) * 10

    assert impatient.client("PATCH", location, parts()).headers["range"] == "0-79"


def test_an_idle_connection_is_closed_and_one_in_use_is_not(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root", keep_alive=0.6) as worker:
        worker.client.push_image("m/idle", "v1")
        with connected(worker) as sock:
            for path in ("", *["m/idle/manifests/v1"] * 15):
                sock.sendall(f"HEAD /v2/{path} HTTP/1.1\r\nHost: {worker.host}\r\n\r\n".encode())
                assert sock.recv(1000).startswith(b"HTTP/1.1 200")
                time.sleep(0.2)
            assert closed_within(sock, 10)


def test_an_answer_that_nobody_takes_is_given_up(impatient: Worker) -> None:
    blob = impatient.client.push_blob("m/deaf", os.urandom(1 << 20) * 48)
    with connected(impatient) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(f"GET /v2/m/deaf/blobs/{blob} HTTP/1.1\r\nHost: {impatient.host}\r\n\r\n".encode())
        time.sleep(2.5)
        taken = 0
        try:
            while chunk := sock.recv(1 << 20):
                taken += len(chunk)
        except ConnectionResetError:
            pass
        assert taken < 48 << 20


def test_an_answer_that_is_taken_far_too_slowly_is_given_up(impatient: Worker) -> None:
    """The kernel sees progress here, so that only the clock of the answer itself can end it."""
    blob = impatient.client.push_blob("m/slow", os.urandom(1 << 20) * 24)
    with connected(impatient) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        sock.sendall(f"GET /v2/m/slow/blobs/{blob} HTTP/1.1\r\nHost: {impatient.host}\r\n\r\n".encode())
        taken = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            taken += len(sock.recv(8192))
            time.sleep(0.02)
        # What the kernel had taken over by then still comes; the rest does not.
        while chunk := sock.recv(1 << 20):
            taken += len(chunk)
        assert taken < 24 << 20


def test_one_connection_too_many_is_closed_at_once(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root", connections=4) as worker:
        held = [connected(worker) for _ in range(6)]
        try:
            ended, _, _ = select.select(held, [], [], 10)
            time.sleep(0.2)
            ended, _, _ = select.select(held, [], [], 0)
            assert len(ended) == 2
            for sock in set(held) - set(ended):
                sock.sendall(f"HEAD /v2/ HTTP/1.1\r\nHost: {worker.host}\r\n\r\n".encode())
                assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        finally:
            for sock in held:
                sock.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:5000", 200),
        ("127.0.0.1", 200),
        ("[::1]:5000", 200),
        ("registry.localhost", 200),
        ("evil.example.org", 421),
        ("127.0.0.1.evil.example.org", 421),
        ("localhost.evil.example.org:5000", 421),
    ],
)
@pytest.mark.parametrize("path", ["/v2/", "/", "/v2/m/rebound/manifests/v1"])
def test_an_open_registry_on_loopback_answers_to_no_foreign_name(
    worker: Worker, host: str, status: int, path: str
) -> None:
    worker.client.push_image("m/rebound", "v1")
    assert worker.client("GET", path, Host=host).status == status


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example.org"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}],
)
def test_a_page_of_another_site_changes_nothing(worker: Worker, headers: dict[str, str]) -> None:
    data = b"planted"
    path = f"/v2/m/planted/blobs/uploads/?digest={Digest.of(data)}"
    assert worker.client("POST", path, data, Content_Type="text/plain", **headers).status == 403
    assert worker.client("GET", f"/v2/m/planted/blobs/{Digest.of(data)}").status == 404
    assert worker.client("GET", "/v2/", **headers).status == 200


def test_a_name_is_answered_when_the_registry_was_opened(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root", open_to_all=True) as worker:
        assert worker.client("GET", "/v2/", Host="registry.example.org").status == 200


def test_a_full_disk_is_said_so_and_leaves_everything_readable(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk, registry_worker(disk / "root") as worker:
        layer = os.urandom(100_000)
        worker.client.push_image("m/full", "before", [layer])
        location = worker.client("POST", "/v2/m/full/blobs/uploads/").headers["location"]
        refused = worker.client("PUT", f"{location}?digest={Digest.of(b'')}", os.urandom(1 << 20) * 40)
        assert (refused.status, refused.code()) == (507, "INSUFFICIENT_STORAGE")
        assert worker.client("GET", location).status == 404
        filler = fill(disk)
        for attempt in ("POST", "PUT"):
            path = "/v2/m/full/blobs/uploads/" if attempt == "POST" else "/v2/m/full/manifests/after"
            answer = worker.client(attempt, path, b'{"schemaVersion":2,"manifests":[]}' if attempt == "PUT" else None)
            assert answer.status in (201, 202, 507)
        assert worker.client("GET", "/v2/m/full/manifests/before").status == 200
        assert worker.client("GET", f"/v2/m/full/blobs/{Digest.of(layer)}").body == layer
        assert worker.client("GET", "/m/full:before").status == 200
        filler.unlink()
        worker.client.push_image("m/full", "after", [layer])
        assert worker.client("GET", "/v2/m/full/tags/list").json()["tags"] == ["after", "before"]


def test_on_a_full_disk_one_can_still_delete_and_so_make_room(tmp_path: Path) -> None:
    limits = {"grace": -1.0, "pause": 1e9}
    with small_disk(tmp_path / "disk", "48m") as disk, registry_worker(disk / "root", **limits) as worker:
        layer = os.urandom(8 << 20)
        digest = worker.client.push_image("m/full", "large", [layer])
        fill(disk)
        assert (
            worker.client("POST", f"/v2/m/full/blobs/uploads/?digest={Digest.of(layer[1:])}", layer[1:]).status == 507
        )
        assert worker.client("DELETE", f"/v2/m/full/manifests/{digest}").status == 202
        freed = worker.run(Collector(worker.service).collect())
        assert freed.size > 8 << 20
        worker.client.push_image("m/full", "again", [layer[1:]])


def test_a_database_without_room_refuses_one_push_and_takes_the_next(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "16m") as disk, registry_worker(disk / "root") as worker:
        config = worker.client.push_blob("m/wal", b"{}")
        filler = fill(disk, leave=30_000)
        raw = (
            b'{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"%s","size":2},'
            % (config.encode())
        )
        raw += b'"layers":[],"annotations":{"a":"' + b"x" * 3_000_000 + b'"}}'
        refused = worker.client("PUT", "/v2/m/wal/manifests/large", raw)
        assert (refused.status, refused.code()) == (507, "INSUFFICIENT_STORAGE")
        assert worker.client("GET", "/v2/m/wal/manifests/large").status == 404
        filler.unlink()
        assert worker.client("PUT", "/v2/m/wal/manifests/large", raw).status == 201
