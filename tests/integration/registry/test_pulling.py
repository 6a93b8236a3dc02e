"""Blobs and manifests go out: whole, in part, or only what they would be; only from a repository that has them."""

from __future__ import annotations

import gzip
import os
import socket
import time

import pytest

from hardtack.oci.digest import Digest
from hardtack.oci.mediatypes import OCI_MANIFEST
from hardtack.registry.server.quick import QuickLane
from support.our_registry import Client, OurRegistry
from support.registry_worker import Worker

SIZE = 200_000


@pytest.fixture(scope="module")
def data() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture(scope="module")
def blob(registry: OurRegistry, data: bytes) -> str:
    return f"/v2/pull/forms/blobs/{registry.client.push_blob('pull/forms', data)}"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=199990-", 199_990, SIZE - 1),
        ("bytes=-100", SIZE - 100, SIZE - 1),
        ("bytes=0-9999999", 0, SIZE - 1),
        ("bytes=-9999999", 0, SIZE - 1),
        ("bytes=1000-150999", 1000, 150_999),
    ],
)
def test_a_range_gives_these_bytes(client: Client, blob: str, data: bytes, asked: str, first: int, last: int) -> None:
    answer = client("GET", blob, Range=asked)
    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.body == data[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=200000-", "bytes=500-400", "bytes=-0", "bytes=999999-1000000"])
def test_a_range_beyond_the_end_is_not_satisfiable(client: Client, blob: str, asked: str) -> None:
    answer = client("GET", blob, Range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=-", ""])
def test_a_range_that_cannot_be_read_gives_everything(client: Client, blob: str, data: bytes, asked: str) -> None:
    answer = client("GET", blob, Range=asked)
    assert (answer.status, answer.body) == (200, data)


def test_a_head_says_what_a_get_would_bring(client: Client, blob: str) -> None:
    head, get = client("HEAD", blob), client("GET", blob)
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "content-type", "docker-content-digest", "etag", "accept-ranges"):
        assert head.headers[name] == get.headers[name]


def test_who_has_it_already_is_told_so(client: Client, blob: str) -> None:
    tag = client("HEAD", blob).headers["etag"]
    assert client("GET", blob, If_None_Match=tag).status == 304
    assert client("GET", blob, If_None_Match=f'"x", W/{tag}').status == 304
    assert client("GET", blob, If_None_Match='"sha256:0"').status == 200
    assert client("GET", blob, Range="bytes=0-9", If_Range='"other"').status == 200
    assert client("GET", blob, Range="bytes=0-9", If_Range=tag).status == 206


def test_a_blob_that_is_compressed_is_not_unpacked_on_its_way(client: Client) -> None:
    data = gzip.compress(b"a" * 100_000)
    digest = Digest.of(data)
    location = client("POST", "/v2/pull/forms/blobs/uploads/").headers["location"]
    assert client("PUT", f"{location}?digest={digest}", data, Content_Encoding="gzip").status == 201
    answer = client("GET", f"/v2/pull/forms/blobs/{digest}", Accept_Encoding="gzip")
    assert answer.body == data
    assert "content-encoding" not in answer.headers


def test_a_digest_gives_nothing_in_a_repository_that_does_not_link_it(client: Client, blob: str) -> None:
    digest = blob.rsplit("/", 1)[1]
    client.push_blob("pull/other", b"something")
    for method in ("HEAD", "GET", "DELETE"):
        assert client(method, f"/v2/pull/other/blobs/{digest}").status == 404
    document = {
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest, "size": SIZE},
        "layers": [],
    }
    import json

    answer = client("PUT", "/v2/pull/other/manifests/x", json.dumps(document), Content_Type=OCI_MANIFEST)
    assert (answer.status, answer.code()) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json()["errors"][0]["detail"] == [{"digest": digest}]


@pytest.mark.parametrize("lane", ["quick", "ordinary"])
def test_a_manifest_comes_back_byte_for_byte(registry: OurRegistry, lane: str) -> None:
    client = Client(registry.host, keep=True)
    client.push_image("pull/manifest", "v1")
    raw = client("GET", "/v2/pull/manifest/manifests/v1").body
    odd = raw.replace(b'", "', b'",\n \t"') + b"\n\n"
    digest = client.push_manifest("pull/manifest", "odd", odd)
    # On a kept connection that has only sent bodiless requests, the second one goes the quick way.
    reader = Client(registry.host, keep=True)
    reader("GET", "/v2/")
    headers = {} if lane == "quick" else {"If_None_Match": '"nothing"'}
    for reference in ("odd", digest):
        answer = reader("GET", f"/v2/pull/manifest/manifests/{reference}", **headers)
        assert answer.body == odd
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["content-type"] == OCI_MANIFEST
        assert answer.headers["content-length"] == str(len(odd))
        assert answer.headers["etag"] == f'"{digest}"'
        head = reader("HEAD", f"/v2/pull/manifest/manifests/{reference}", **headers)
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(odd)))


def test_both_lanes_say_the_same(registry: OurRegistry) -> None:
    registry.client.push_image("pull/lanes", "v1")
    reader = Client(registry.host, keep=True)
    reader("GET", "/v2/")
    quick = reader("GET", "/v2/pull/lanes/manifests/v1")
    ordinary = reader("GET", "/v2/pull/lanes/manifests/v1", If_None_Match='"nothing"')
    assert quick.body == ordinary.body
    assert quick.headers.pop("x-request-id") != ordinary.headers.pop("x-request-id")
    for answer in (quick, ordinary):
        del answer.headers["date"]
    assert quick.headers == ordinary.headers


def test_requests_sent_together_are_answered_in_order(registry: OurRegistry) -> None:
    registry.client.push_image("pull/pipeline", "v1")
    host, port = registry.host.split(":")
    one = f"HEAD /v2/pull/pipeline/manifests/{{}} HTTP/1.1\r\nHost: {registry.host}\r\n\r\n"
    tags = ["v1", "missing", "v1", "missing", "v1"]
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        file = sock.makefile("rb")
        sock.sendall(one.format("v1").encode())
        assert b" 200 " in file.readline()
        while file.readline() != b"\r\n":
            pass
        sock.sendall("".join(one.format(tag) for tag in tags).encode())
        for tag in tags:
            assert (b" 200 " if tag == "v1" else b" 404 ") in file.readline()
            while file.readline() != b"\r\n":
                pass


def test_bytes_of_a_body_are_never_read_as_a_request(registry: OurRegistry) -> None:
    """The quick lane must not look at what follows a head that announces a body."""
    registry.client.push_image("pull/smuggle", "v1")
    hidden = f"GET /v2/pull/smuggle/manifests/v1 HTTP/1.1\r\nHost: {registry.host}\r\n\r\n".encode()
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        file = sock.makefile("rb")
        sock.sendall(f"GET /v2/ HTTP/1.1\r\nHost: {registry.host}\r\nContent-Length: {len(hidden)}\r\n\r\n".encode())
        assert b" 200 " in file.readline()
        while file.readline() != b"\r\n":
            pass
        assert file.read(2) == b"{}"
        sock.sendall(hidden)
        sock.sendall(f"GET /v2/none/manifests/v1 HTTP/1.1\r\nHost: {registry.host}\r\n\r\n".encode())
        assert b" 404 " in file.readline()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/none/manifests/v1", 404, "NAME_UNKNOWN"),
        ("/v2/pull/forms/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("/v2/pull/forms/manifests/.none", 404, "MANIFEST_UNKNOWN"),
        ("/v2/pull/forms/manifests/sha256:none", 400, "DIGEST_INVALID"),
        ("/v2/pull/forms/blobs/sha256:none", 400, "DIGEST_INVALID"),
        ("/v2/pull/forms/blobs/md5:00", 400, "DIGEST_INVALID"),
        ("/v2/pull/forms/blobs/sha256:" + "0" * 64, 404, "BLOB_UNKNOWN"),
        ("/v2/Upper/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/a..b/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/../manifests/v1", 400, "NAME_INVALID"),
        ("/v2/a%2f..%2fb/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/token/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/" + "a" * 300 + "/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/none/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/pull/forms/referrers/x", 400, "DIGEST_INVALID"),
        ("/v2/pull/forms/nonsense", 404, "UNSUPPORTED"),
        ("/v2/pull/forms/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID"),
    ],
)
def test_what_is_not_there_or_no_name_is_said_in_the_specifications_words(
    client: Client, blob: str, path: str, status: int, code: str
) -> None:
    answer = client("GET", path)
    assert (answer.status, answer.code()) == (status, code)
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert answer.headers["content-type"] == "application/json"


def test_a_method_that_is_not_there_names_those_that_are(client: Client) -> None:
    answer = client("POST", "/v2/pull/forms/manifests/v1", b"")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, PUT, DELETE")


def test_the_quick_lane_closes_when_a_body_was_announced(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[bytes] = []
    real = QuickLane.answer

    def counted(lane: QuickLane, data: bytes, number: str) -> bytes | None:
        answer = real(lane, data, number)
        if answer is not None:
            answered.append(data)
        return answer

    monkeypatch.setattr(QuickLane, "answer", counted)
    worker.client.push_image("pull/quick", "v1")
    host, port = worker.host.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:

        def ask(path: str, more: str = "") -> None:
            sock.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {worker.host}\r\n{more}\r\n".encode())
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")

        ask("/v2/")
        for expected in (1, 2):
            ask("/v2/pull/quick/manifests/v1")
            assert len(answered) == expected
        ask("/v2/", "Content-Length: 5\r\n")
        sock.sendall(b"x\r\n\r\n")
        time.sleep(0.2)  # so that the next request comes alone
        ask("/v2/pull/quick/manifests/v1")
        assert len(answered) == 2
