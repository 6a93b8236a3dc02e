"""Crowds of slow, silent and rude clients: whoever behaves is served beside them, and nothing of them remains."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from support.our_registry import OurRegistry, our_registry

HOST = b"Host: localhost\r\n"
RESET = struct.pack("ii", 1, 0)
BEARABLE = 1.0  # seconds, on a machine that is busy with other tests
PULL = b"GET /v2/crowd/app/manifests/v1 HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurRegistry]:
    """One worker process, so that everybody meets the same one."""
    with our_registry(tmp_path_factory.mktemp("crowd") / "root", workers=1) as running:
        running.client.push_image("crowd/app", "v1", [b"x" * 300_000])
        yield running


def connected(registry: OurRegistry) -> socket.socket:
    host, port = registry.host.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def resident(registry: OurRegistry) -> int:
    """Bytes of memory that the worker has."""
    return int(Path(f"/proc/{registry.workers()[0]}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(registry: OurRegistry) -> int:
    return len(os.listdir(f"/proc/{registry.workers()[0]}/fd"))


def waits(registry: OurRegistry, count: int = 30) -> list[float]:
    """How long each of some ordinary requests took."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        assert registry.client("GET", "/v2/crowd/app/manifests/v1").status == 200
        took.append(time.monotonic() - began)
    return took


@contextlib.contextmanager
def crowd(registry: OurRegistry, count: int, said: bytes) -> Iterator[list[socket.socket]]:
    """So many clients who have said this and nothing more."""
    held: list[socket.socket] = []
    try:
        for _ in range(count):
            held.append(connected(registry))
            held[-1].sendall(said)
        yield held
    finally:
        for sock in held:
            sock.close()


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (2000, b""),
        (500, b"GET /v2/ HTTP/1.1\r\nHost: lo"),
        (500, b"PUT /v2/crowd/app/manifests/v2 HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n{"),
        (200, b"GET /v2/ HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 1000),
    ],
    ids=["idle", "half a head", "half a manifest", "a body that nobody wants"],
)
def test_a_crowd_that_waits_makes_nobody_else_wait(crowded: OurRegistry, count: int, said: bytes) -> None:
    with crowd(crowded, count, said):
        took = waits(crowded)
        crowded.client.push_image("crowd/app", "v1", [b"x" * 300_000])
    assert statistics.median(took) < BEARABLE / 10
    assert max(took) < BEARABLE


def test_uploads_that_trickle_make_nobody_else_wait(crowded: OurRegistry) -> None:
    """A hundred at once, each a byte at a time, in both ways in which bodies are taken."""
    locations = [crowded.client("POST", "/v2/crowd/app/blobs/uploads/").headers["location"] for _ in range(100)]
    held = []
    for number, location in enumerate(locations):
        sock = connected(crowded)
        length = 1000 if number % 2 else 10 << 20  # above 4 MiB the kernel moves the bytes
        sock.sendall(f"PATCH {location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
        held.append(sock)
    took: list[float] = []
    for _ in range(5):
        for sock in held:
            sock.sendall(b"x")
        took += waits(crowded, 5)
    for sock in held:
        sock.close()
    assert statistics.median(took) < BEARABLE / 5
    assert max(took) < BEARABLE
    for location in locations[:4]:
        end = time.monotonic() + 10
        while crowded.client("GET", location).headers["range"] != "0-4":
            assert time.monotonic() < end, "what arrived was not kept"
            time.sleep(0.02)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_clients_that_leave_at_any_moment_leave_nothing(crowded: OurRegistry, how: str) -> None:
    digest = Digest.of(b"x" * 300_000)
    location = crowded.client("POST", "/v2/crowd/app/blobs/uploads/").headers["location"].encode()
    moments = [
        b"GET /v2/crowd/app/mani",
        b"GET /v2/crowd/app/manifests/v1 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /v2/crowd/app/blobs/" + digest.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PATCH " + location + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 900\r\n\r\nabc",
        b"PATCH " + location + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 9000000\r\n\r\nabc",
        b"PATCH " + location + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"PUT /v2/crowd/app/manifests/v2 HTTP/1.1\r\n" + HOST + b"Content-Length: 900\r\n\r\n{",
        b"POST /v2/crowd/app/blobs/uploads/ HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /v2/crowd/app/blobs/uploads/?digest="
        + digest.encode()
        + b" HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 9\r\n\r\n",
    ]
    before = descriptors(crowded)
    for number in range(150):
        with connected(crowded) as sock:
            sock.sendall(moments[number % len(moments)])
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    end = time.monotonic() + 10
    while descriptors(crowded) > before + 2:
        assert time.monotonic() < end, f"{descriptors(crowded)} descriptors, {before} before"
        time.sleep(0.05)
    assert max(waits(crowded, 5)) < BEARABLE


def test_garbage_behind_a_request_ends_the_connection(crowded: OurRegistry) -> None:
    for garbage in (b"\0" * 100, b"\x16\x03\x01\x02\0", b"GET\r\n\r\n", b"x" * 20_000, b"\x7f"):
        with connected(crowded) as sock:
            sock.sendall(PULL + garbage)
            answers = b""
            while chunk := sock.recv(65536):
                answers += chunk
        statuses = [line[9:12] for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.")]
        assert statuses in ([b"200", b"400"], [b"400"]), garbage[:20]


def test_what_cannot_be_read_does_not_fill_the_log(crowded: OurRegistry) -> None:
    before = crowded.log()
    for garbage in (b"\0" * 100, b"GET\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", PULL[:-2] + b"a\nb: c\r\n\r\n") * 5:
        with connected(crowded) as sock:
            sock.sendall(garbage)
            assert sock.recv(65536).startswith(b"HTTP/1.0 400 ")
    assert crowded.log() == before


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        (b"", PULL * 500),
        (b"", b"GET /v2/crowd/app/tags/list HTTP/1.1\r\n" + HOST + b"\r\n"),
        (b"GET /v2/ HTTP/1.1\r\n" + HOST, b"X-Filler: " + b"y" * 5000 + b"\r\n"),
        (
            b"PUT /v2/crowd/app/manifests/v2 HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;",
            b"x" * 60_000,
        ),
    ],
    ids=["pulls", "listings", "headers", "a chunk that does not begin"],
)
def test_who_sends_without_end_and_reads_nothing_takes_no_memory(
    crowded: OurRegistry, said: bytes, piece: bytes
) -> None:
    waits(crowded, 3)
    before = resident(crowded)
    with connected(crowded) as sock:
        sock.sendall(said)
        sock.setblocking(False)
        sent, end = 0, time.monotonic() + 1.5
        while sent < 60_000_000 and time.monotonic() < end:
            try:
                sent += sock.send(piece)
            except BlockingIOError:
                time.sleep(0.005)
            except ConnectionError:
                break
        took = waits(crowded, 5)
        assert resident(crowded) - before < 24 << 20
    assert max(took) < BEARABLE


def test_the_same_upload_pushed_by_many_at_once_is_one_blob(crowded: OurRegistry) -> None:
    """Sixteen write to one session; whoever gets in, the bytes of two are never mixed."""
    location = crowded.client("POST", "/v2/crowd/app/blobs/uploads/").headers["location"]
    said: list[int] = []

    def write(letter: bytes) -> None:
        said.append(crowded.client("PATCH", location, letter * 50_000, Content_Range="0-49999").status)

    threads = [threading.Thread(target=write, args=(bytes([65 + number]),)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [202] + [416] * 15
    digests = [Digest.of(bytes([65 + number]) * 50_000) for number in range(16)]
    found = [digest for digest in digests if _is_upload(crowded, location, digest)]
    assert len(found) == 1


def _is_upload(registry: OurRegistry, location: str, digest: Digest) -> bool:
    """Whether the upload's file has this digest; asked of the disk, since asking the registry ends the upload."""
    path = registry.root / "uploads" / location.rpartition("/")[2].partition("?")[0]
    return Digest.of(path.read_bytes()) == digest
