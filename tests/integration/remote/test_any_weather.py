"""Whatever happens on the way, in whatever order: the bytes come out right, and nothing held is asked for again."""

from __future__ import annotations

import random
import ssl
import tempfile
from collections.abc import Iterator

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.remote.fetch import Fetcher
from hardtack.remote.sources import RepositorySource
from hardtack.remote.upload import Uploader
from hardtack.store.blob import BlobStore
from hardtack.store.lease import Lease
from hardtack.store.root import Root
from support.bad_registry import BadRegistry, chunked, cut, drop, ignore_range, reset, status, swallow
from support.clients import client_of, quick_config

SIZE = 2_500_000
DATA = random.Random(7).randbytes(SIZE)

ON_THE_WAY_DOWN = st.lists(
    st.one_of(
        st.integers(0, SIZE).map(lambda after: ("cut", after)),
        st.sampled_from([("drop", 0), ("reset", 0), ("500", 0), ("429", 0), ("all", 0), ("chunks", 0)]),
    ),
    max_size=3,
)
DOWN = {
    "cut": cut,
    "drop": lambda _: drop(),
    "reset": lambda _: reset(),
    "500": lambda _: status(500),
    "429": lambda _: status(429, {"Retry-After": "0"}),
    "all": lambda _: ignore_range(),
    "chunks": lambda _: chunked(b"zz\r\n"),
}
ON_THE_WAY_UP = st.lists(
    st.one_of(st.integers(0, SIZE), st.sampled_from([-1, -2])),  # taken and cut, hung up, 503
    max_size=3,
)


@given(ON_THE_WAY_DOWN)
@settings(max_examples=30, deadline=None)
def test_a_download_ends_with_the_right_bytes(weather: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, BadRegistry() as registry:
        root = Root.open(folder + "/root")
        digest = Digest(registry.add_blob(DATA))
        client = client_of(registry.host)
        client.authorizer  # noqa: B018  the scheme first
        for kind, after in weather:
            registry.fault("/blobs/", DOWN[kind](after), times=1)
        source = RepositorySource(client.repository("a/b"))
        with Lease(root, "test") as lease:
            Fetcher(root, [source], client.transport, lease).blob(Descriptor("", digest, SIZE))
        assert root.blobs.read(digest, SIZE) == DATA
        root.close()
        starts = [int(seen.headers.get("Range", "bytes=0-")[6:-1]) for seen in registry.seen if "/blobs/" in seen.path]
        assert starts == sorted(starts)


@given(ON_THE_WAY_UP)
@settings(max_examples=30, deadline=None)
def test_an_upload_ends_with_the_right_bytes(weather: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, BadRegistry() as registry:
        blobs = BlobStore(folder)
        with blobs.ingest(Digest.of(DATA), SIZE) as ingest:
            ingest.write(DATA)
            ingest.commit()
        for taken in weather:
            registry.fault("PATCH", swallow(taken) if taken >= 0 else drop() if taken == -1 else status(503), times=1)
        Uploader(client_of(registry.host).repository("a/b", push=True), blobs).push(Digest.of(DATA), SIZE)
        assert list(registry.blobs.values()) == [DATA]


@pytest.fixture
def secure() -> Iterator[tuple[BadRegistry, dict[str, dict[str, object]]]]:
    """A registry behind TLS, and the configuration that takes its certificate. Costs 60 ms."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with BadRegistry(context) as server:
        yield server, {server.host: {"insecure": True}}


def test_blobs_go_both_ways_through_tls(root: Root, secure: tuple[BadRegistry, dict[str, dict[str, object]]]) -> None:
    registry, hosts = secure
    client = client_of(registry.host, config=quick_config(hosts=hosts))
    digest = Digest(registry.add_blob(DATA))
    registry.fault("GET /v2/a/b/blobs", cut(1_000_000), times=1)
    with Lease(root, "test") as lease:
        source = RepositorySource(client.repository("a/b"))
        Fetcher(root, [source], client.transport, lease).blob(Descriptor("", digest, SIZE))
    registry.blobs.clear()
    registry.fault("PATCH", swallow(700_000), times=1)
    Uploader(client.repository("a/b", push=True), root.blobs).push(digest, SIZE)
    assert registry.blobs == {digest: DATA}


def test_a_registry_at_an_ipv6_address(root: Root) -> None:
    try:
        server = BadRegistry(address="::1")
    except OSError:
        pytest.skip("no IPv6 on loopback")
    with server as registry:
        digest = Digest(registry.add_blob(b"x"))
        client = client_of(registry.host)
        with client.repository("a/b").blob(digest) as answer:
            assert answer.body(10) == b"x"
        assert registry.seen[-1].headers["Host"] == f"[::1]:{registry.port}"
