"""Blobs come in, in every form that clients know; nothing is visible before it is whole."""

from __future__ import annotations

import os
import socket
import time
import uuid

import pytest

from hardtack.oci.digest import Digest
from support.our_registry import Client, OurRegistry

UPLOADS = "/v2/push/forms/blobs/uploads/"
BLOBS = "/v2/push/forms/blobs/"


def begin(client: Client, path: str = UPLOADS) -> str:
    answer = client("POST", path)
    assert answer.status == 202
    assert answer.headers["range"] == "0-0"
    return answer.headers["location"]


def finish(client: Client, location: str, digest: str, body: bytes = b"", **headers: str) -> int:
    separator = "&" if "?" in location else "?"
    return client("PUT", f"{location}{separator}digest={digest}", body, **headers).status


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_one_post_with_the_digest_pushes_a_blob(client: Client, algorithm: str) -> None:
    data = os.urandom(3000)
    digest = Digest.of(data, algorithm)
    answer = client("POST", f"{UPLOADS}?digest={digest}", data)
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, digest)
    assert client("GET", answer.headers["location"]).body == data


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_001])
def test_a_post_and_a_put_push_a_blob_of_any_size(client: Client, size: int) -> None:
    data = os.urandom(size)
    digest = client.push_blob("push/forms", data)
    answer = client("GET", BLOBS + digest)
    assert answer.body == data
    assert answer.headers["content-length"] == str(size)


def test_a_stream_of_unknown_length_is_taken_in(client: Client) -> None:
    parts = [os.urandom(300_000) for _ in range(5)]
    location = begin(client)
    answer = client("PATCH", location, iter(parts))
    assert (answer.status, answer.headers["range"]) == (202, "0-1499999")
    assert finish(client, answer.headers["location"], Digest.of(b"".join(parts))) == 201


def test_chunks_in_order_are_taken_and_others_get_416_with_the_state(client: Client) -> None:
    data = os.urandom(1000)
    location = begin(client)
    assert client("PATCH", location, data[:400], Content_Range="0-399").status == 202
    refused = client("PATCH", location, data[500:], Content_Range="500-999")
    assert (refused.status, refused.headers["range"]) == (416, "0-399")
    state = client("GET", refused.headers["location"])
    assert (state.status, state.headers["range"]) == (204, "0-399")
    again = client("PATCH", location, data[:400], Content_Range="0-399")
    assert again.status == 416
    assert finish(client, location, Digest.of(data), data[400:], Content_Range="400-999") == 201
    assert client("GET", BLOBS + Digest.of(data)).body == data


def test_a_chunk_that_contradicts_itself_is_refused(client: Client) -> None:
    location = begin(client)
    assert client("PATCH", location, b"12345", Content_Range="0-9").code() == "SIZE_INVALID"
    assert client("PATCH", location, b"12345", Content_Range="first").code() == "BLOB_UPLOAD_INVALID"
    assert client("GET", location).headers["range"] == "0-0"


def test_a_blob_with_another_digest_than_said_is_refused_and_forgotten(client: Client) -> None:
    wrong = Digest.of(b"something else")
    location = begin(client)
    answer = client("PUT", f"{location}?digest={wrong}", b"these bytes")
    assert (answer.status, answer.code()) == (400, "DIGEST_INVALID")
    assert client("GET", BLOBS + wrong).status == 404
    assert client("GET", BLOBS + Digest.of(b"these bytes")).status == 404
    assert client("GET", location).status == 404


def test_nothing_can_be_read_before_the_upload_is_finished(client: Client) -> None:
    data = os.urandom(2000)
    location = begin(client)
    assert client("PATCH", location, data).status == 202
    assert client("HEAD", BLOBS + Digest.of(data)).status == 404
    assert finish(client, location, Digest.of(data)) == 201
    assert client("HEAD", BLOBS + Digest.of(data)).status == 200


def test_the_final_put_may_be_repeated(client: Client) -> None:
    data = os.urandom(2000)
    location = begin(client)
    for _ in range(3):
        assert finish(client, location, Digest.of(data), data) == 201
    other = client.push_blob("push/forms", b"other")  # there, but not what this upload became
    assert finish(client, location, other, b"other") == 404


def test_a_cancelled_upload_is_gone(client: Client, registry: OurRegistry) -> None:
    location = begin(client)
    client("PATCH", location, b"data")
    assert client("DELETE", location).status == 204
    assert client("GET", location).status == 404
    assert client("DELETE", location).status == 404
    assert not (registry.root / "uploads" / location.rsplit("/", 1)[1]).exists()


def test_an_upload_goes_on_at_another_worker(registry: OurRegistry) -> None:
    clients = registry.client_per_worker()
    data = os.urandom(40_000)
    location = begin(registry.client)
    for number, start in enumerate(range(0, len(data), 2500)):
        chunk = data[start : start + 2500]
        answer = clients[number % len(clients)]("PATCH", location, chunk, Content_Range=f"{start}-{start + 2499}")
        assert answer.status == 202
    assert finish(registry.client, location, Digest.of(data)) == 201


def test_an_upload_belongs_to_one_repository(client: Client) -> None:
    location = begin(client)
    elsewhere = location.replace("push/forms", "push/elsewhere")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = client(method, f"{elsewhere}?digest={Digest.of(b'')}", b"")
        assert answer.status == 404, method
        if method != "HEAD":
            assert answer.code() == "BLOB_UPLOAD_UNKNOWN"
    assert client("GET", location).status == 204


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fregistry.db",
        "../../registry.db",
        "7B9D4942-FD01-4EA2-89B8-5E7D33AFB5E0",
        "7b9d4942-fd01-1ea2-89b8-5e7d33afb5e0",
        "{7b9d4942-fd01-4ea2-89b8-5e7d33afb5e0}",
        "7b9d4942-fd01-4ea2-89b8-5e7d33afb5e0",
        "7b9d4942-fd01-4ea2-89b8-5e7d33afb5e0%0a",
    ],
)
def test_an_upload_that_was_not_begun_is_unknown_whatever_it_is_called(client: Client, name: str) -> None:
    assert client("PATCH", UPLOADS + name, b"x").status == 404
    assert client("PUT", f"{UPLOADS}{name}?digest={Digest.of(b'x')}", b"x").status == 404


def test_a_client_that_waits_for_permission_gets_it_at_once(registry: OurRegistry) -> None:
    location = begin(registry.client)
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        head = f"PATCH {location} HTTP/1.1\r\nHost: {registry.host}\r\n"
        sock.sendall((head + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n").encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"data")
        assert sock.recv(1000).startswith(b"HTTP/1.1 202 ")


def test_a_refused_upload_is_not_asked_for(registry: OurRegistry) -> None:
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        head = f"PATCH {UPLOADS}{uuid.uuid4()} HTTP/1.1\r\nHost: {registry.host}\r\n"
        sock.sendall((head + "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n").encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("size", [200_000, 9_000_000])
def test_what_arrived_before_a_cut_is_kept_and_continued(registry: OurRegistry, size: int) -> None:
    data = os.urandom(size)
    location = begin(registry.client)
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(f"PATCH {location} HTTP/1.1\r\nHost: {registry.host}\r\nContent-Length: {size}\r\n\r\n".encode())
        sock.sendall(data[: size // 2])
    held = _settled(registry.client, location)
    assert finish(registry.client, location, Digest.of(data), data[held:], Content_Range=f"{held}-{size - 1}") == 201
    assert registry.client("GET", BLOBS + Digest.of(data)).body == data


def test_large_chunks_one_after_another_make_one_blob(registry: OurRegistry) -> None:
    data = os.urandom(15_000_000)
    client = Client(registry.host, keep=True)
    location = begin(client)
    for start in range(0, len(data), 5_000_000):
        end = start + 4_999_999
        answer = client("PATCH", location, data[start : end + 1], Content_Range=f"{start}-{end}")
        assert (answer.status, answer.headers["range"]) == (202, f"0-{end}")
    assert finish(client, location, Digest.of(data, "sha512")) == 201
    assert client("GET", BLOBS + Digest.of(data, "sha512")).body == data


def test_a_large_body_that_comes_in_drops_is_taken(registry: OurRegistry) -> None:
    data = os.urandom(5_000_000)
    location = begin(registry.client)
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        head = f"PUT {location}?digest={Digest.of(data)} HTTP/1.1\r\nHost: {registry.host}\r\n"
        sock.sendall((head + f"Content-Length: {len(data)}\r\n\r\n").encode() + data[:10])
        for start in (10, 11, 4000, 300_000, 4_999_999):
            end = {10: 11, 11: 4000, 4000: 300_000, 300_000: 4_999_999, 4_999_999: 5_000_000}[start]
            time.sleep(0.02)
            sock.sendall(data[start:end])
        assert sock.recv(1000).startswith(b"HTTP/1.1 201 ")


def _settled(client: Client, location: str) -> int:
    held = -1
    while True:
        now = int(client("GET", location).headers["range"].split("-")[1]) + 1
        if now == held and now > 1:
            return now
        held = now
        time.sleep(0.1)


@pytest.mark.parametrize("said", ["its length", "nothing"])
def test_a_push_does_not_sit_in_memory(registry: OurRegistry, said: str) -> None:
    def resident() -> int:
        return max(int(open(f"/proc/{pid}/statm").read().split()[1]) * 4096 for pid in registry.workers())

    data = os.urandom(1 << 20) * 96
    registry.client.push_blob("push/forms", data[: 4 << 20])
    before = resident()
    if said == "nothing":
        location = registry.client("POST", "/v2/push/forms/blobs/uploads/").headers["location"]
        pieces = iter([data[start : start + (1 << 20)] for start in range(0, len(data), 1 << 20)])
        assert registry.client("PATCH", location, pieces).status == 202
    else:
        registry.client.push_blob("push/forms", data)
    assert resident() - before < 32 << 20
