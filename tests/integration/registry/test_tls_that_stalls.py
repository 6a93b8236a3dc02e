"""Clients that stop in the middle of TLS: of the handshake, of a body, of an answer. They are cut like all others."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import trustme

from hardtack.oci.digest import Digest
from support.our_registry import OurRegistry, our_registry

CONFIG = '[access]\nmode = "open"\n[limits]\nheader_time = "1s"\nbody_idle = "1s"\n'
HELLO = bytes.fromhex("1603010200010001fc0303")  # how a handshake begins, and its first bytes


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ssl.SSLContext, list[str]]]:
    """What clients believe, and the flags of a server that they believe. It waits a second where others wait twenty."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    (folder / "config.toml").write_text(CONFIG)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = ["--tls-cert", f"{folder}/cert.pem", "--tls-key", f"{folder}/key.pem", "--config", f"{folder}/config.toml"]
    yield context, files


@pytest.fixture(scope="module")
def registry(
    trust: tuple[ssl.SSLContext, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OurRegistry]:
    """One worker that speaks TLS. Costs 700 ms."""
    context, files = trust
    with our_registry(tmp_path_factory.mktemp("stalls") / "root", *files, workers=1, trust=context) as running:
        running.client.push_image("stalls/app", "v1", [b"x" * 100_000])
        yield running


def connected(registry: OurRegistry) -> socket.socket:
    host, port = registry.host.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def is_cut(sock: socket.socket, within: float = 6) -> bool:
    began = time.monotonic()
    try:
        while sock.recv(65536):
            pass
    except (ConnectionError, ssl.SSLError):
        pass
    return time.monotonic() - began < within


@pytest.mark.parametrize(
    "said", [b"", HELLO[:1], HELLO, HELLO + bytes(100)], ids=["nothing", "a byte", "a head", "half"]
)
def test_a_handshake_that_stands_still_is_cut(registry: OurRegistry, said: bytes) -> None:
    with connected(registry) as sock:
        sock.sendall(said)
        assert is_cut(sock)


def test_a_crowd_of_half_handshakes_makes_nobody_else_wait(registry: OurRegistry) -> None:
    held = []
    try:
        for number in range(300):
            held.append(connected(registry))
            held[-1].sendall((b"", HELLO[:1], HELLO)[number % 3])
        took = []
        for _ in range(10):
            began = time.monotonic()
            assert registry.client("GET", "/v2/stalls/app/manifests/v1").status == 200
            took.append(time.monotonic() - began)
        assert max(took) < 1
    finally:
        for sock in held:
            sock.close()


def test_a_body_that_stands_still_is_cut_and_what_arrived_is_kept(
    registry: OurRegistry, trust: tuple[ssl.SSLContext, list[str]]
) -> None:
    location = registry.client("POST", "/v2/stalls/slow/blobs/uploads/").headers["location"]
    with trust[0].wrap_socket(connected(registry), server_hostname="127.0.0.1") as sock:
        head = f"PATCH {location} HTTP/1.1\r\nHost: {registry.host}\r\nContent-Length: 9000000\r\n\r\n"
        sock.sendall(head.encode() + b"x" * 500)
        assert is_cut(sock)
    end = time.monotonic() + 10
    while registry.client("GET", location).headers["range"] != "0-499":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_answer_that_nobody_takes_is_given_up(
    registry: OurRegistry, trust: tuple[ssl.SSLContext, list[str]]
) -> None:
    blob = registry.client.push_blob("stalls/deaf", os.urandom(1 << 20) * 24)
    with connected(registry) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with trust[0].wrap_socket(plain, server_hostname="127.0.0.1") as sock:
            sock.sendall(f"GET /v2/stalls/deaf/blobs/{blob} HTTP/1.1\r\nHost: {registry.host}\r\n\r\n".encode())
            time.sleep(3.5)
            taken = 0
            try:
                while chunk := sock.recv(1 << 20):
                    taken += len(chunk)
            except (ConnectionError, ssl.SSLError):
                pass
            assert taken < 24 << 20


def test_garbage_within_tls_ends_the_connection(registry: OurRegistry, trust: tuple[ssl.SSLContext, list[str]]) -> None:
    for garbage in (b"\0" * 100, b"GET\r\n\r\n", HELLO):
        with trust[0].wrap_socket(connected(registry), server_hostname="127.0.0.1") as sock:
            sock.sendall(garbage)
            assert b" 400 " in sock.recv(65536)[:20]
    digest = Digest.of(b"x" * 100_000)
    assert registry.client("GET", f"/v2/stalls/app/blobs/{digest}").body == b"x" * 100_000
