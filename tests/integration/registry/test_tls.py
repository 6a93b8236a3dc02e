"""HTTPS with real certificates and real clients; certificates change while it serves."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from hardtack.oci.digest import Digest
from support.our_registry import TACK, Client, OurRegistry, our_registry


class Authority:
    """A certificate authority and the files of a server.

    Attributes:
        trust: what clients believe.
    """

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.certificate, self.key, self.bundle = folder / "tls.crt", folder / "tls.key", folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.bundle))
        self.trust = ssl.create_default_context(cafile=str(self.bundle))
        self.issue()

    def issue(self) -> None:
        """Write a new certificate and its key in the place of the old ones."""
        issued = self._ca.issue_cert("localhost", "127.0.0.1")
        for path, blobs in ((self.key, [issued.private_key_pem]), (self.certificate, issued.cert_chain_pems)):
            new = path.with_suffix(".new")
            new.write_bytes(b"".join(blob.bytes() for blob in blobs))
            new.rename(path)

    def flags(self) -> list[str]:
        return ["--tls-cert", str(self.certificate), "--tls-key", str(self.key)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def registry(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurRegistry]:
    """Two workers that speak TLS. Costs 700 ms a module."""
    root = tmp_path_factory.mktemp("registry") / "root"
    with our_registry(root, *authority.flags(), trust=authority.trust) as running:
        yield running


def presented(registry: OurRegistry, trust: ssl.SSLContext) -> bytes:
    """The certificate that a new connection is shown."""
    host, port = registry.host.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as sock,
        trust.wrap_socket(sock, server_hostname="127.0.0.1") as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""


def eventually_shown(registry: OurRegistry, trust: ssl.SSLContext, old: bytes) -> None:
    end = time.monotonic() + 10
    while any(presented(registry, trust) == old for _ in range(6)):
        assert time.monotonic() < end, "the new certificate was not taken"
        time.sleep(0.1)


def curl(authority: Authority, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["curl", "-sS", "--cacert", str(authority.bundle), *words], capture_output=True, timeout=60, check=False
    )


def test_a_large_blob_goes_in_and_out_by_curl(registry: OurRegistry, authority: Authority, tmp_path: Path) -> None:
    data = os.urandom(12 << 20)
    (tmp_path / "blob").write_bytes(data)
    digest = Digest.of(data)
    location = registry.client("POST", "/v2/tls/large/blobs/uploads/").headers["location"]
    address = f"https://{registry.host}{location}?digest={digest}"
    pushed = curl(authority, "-T", str(tmp_path / "blob"), "-w", "%{http_code}", "-o", "/dev/null", address)
    assert pushed.stdout == b"201", pushed.stderr
    blob = f"https://{registry.host}/v2/tls/large/blobs/{digest}"
    assert curl(authority, blob).stdout == data
    assert curl(authority, "-r", "5000000-5000999", blob).stdout == data[5_000_000:5_001_000]
    assert curl(authority, "-I", blob).stdout.startswith(b"HTTP/1.1 200")


def begun(registry: OurRegistry, authority: Authority, head: str, data: bytes) -> ssl.SSLSocket:
    """A connection on which the beginning of a request was sent, in pieces of many sizes and with pauses."""
    host, port = registry.host.split(":")
    sock = authority.trust.wrap_socket(socket.create_connection((host, int(port)), 20), server_hostname="127.0.0.1")
    sock.sendall(f"{head} HTTP/1.1\r\nHost: {registry.host}\r\n".encode())
    sock.sendall(b"Content-Length: 12000000\r\n\r\n")
    sent, size = 0, 1
    while sent < len(data):
        sock.sendall(data[sent : sent + size])
        sent, size = sent + size, size * 3 % 700_001 + 1
        if sent < 100_000 or size % 10 == 0:
            time.sleep(0.005)
    return sock


def test_a_large_body_in_pieces_is_stored_as_it_was_sent_and_the_answer_ends_the_connection(
    registry: OurRegistry, authority: Authority
) -> None:
    data = os.urandom(12_000_000)
    location = registry.client("POST", "/v2/tls/pieces/blobs/uploads/").headers["location"]
    with begun(registry, authority, f"PUT {location}?digest={Digest.of(data)}", data) as sock:
        began, said = time.monotonic(), b""
        while more := sock.recv(65536):
            said += more
        assert said.startswith(b"HTTP/1.1 201")
        assert time.monotonic() - began < 5
    assert registry.client("GET", f"/v2/tls/pieces/blobs/{Digest.of(data)}").body == data


def test_a_large_body_that_is_cut_is_gone_on_with(registry: OurRegistry, authority: Authority) -> None:
    data = os.urandom(12_000_000)
    location = registry.client("POST", "/v2/tls/cut/blobs/uploads/").headers["location"]
    with begun(registry, authority, f"PATCH {location}", data[:7_000_000]) as sock:
        sock.shutdown(socket.SHUT_WR)
        end, held = time.monotonic() + 10, ""
        while held != "0-6999999":
            assert time.monotonic() < end, held
            time.sleep(0.02)
            held = registry.client("GET", location).headers["range"]
    ended = registry.client("PUT", f"{location}?digest={Digest.of(data)}", data[7_000_000:])
    assert ended.status == 201
    assert registry.client("GET", f"/v2/tls/cut/blobs/{Digest.of(data)}").body == data


def test_a_large_body_with_another_digest_is_refused_and_the_client_hears_of_it(
    registry: OurRegistry, authority: Authority
) -> None:
    location = registry.client("POST", "/v2/tls/wrong/blobs/uploads/").headers["location"]
    with begun(registry, authority, f"PUT {location}?digest={Digest.of(b'')}", bytes(12_000_000)) as sock:
        assert sock.recv(65536).startswith(b"HTTP/1.1 400")


def test_an_image_is_pulled_over_a_kept_connection(registry: OurRegistry, authority: Authority) -> None:
    registry.client.push_image("tls/image", "v1")
    kept = Client(registry.host, keep=True, trust=authority.trust)
    kept("GET", "/v2/")
    bodies = {kept("GET", "/v2/tls/image/manifests/v1").body for _ in range(5)}  # the quick lane is open here, too
    assert bodies == {registry.client("GET", "/v2/tls/image/manifests/v1", If_None_Match='"x"').body}


def test_who_speaks_http_is_told_so(registry: OurRegistry) -> None:
    answer = Client(registry.host)("GET", "/v2/")
    assert answer.status == 400
    assert "https://" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("first", [b"", b"\x00", b"\x16\x03\x01", b"\xff" * 100])
def test_garbage_ends_the_connection_and_nothing_else(registry: OurRegistry, first: bytes) -> None:
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(first)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1000):
            pass
    assert registry.client("GET", "/v2/").status == 200


@pytest.mark.parametrize(("version", "works"), [(ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)])
def test_old_versions_are_refused(
    registry: OurRegistry, authority: Authority, version: ssl.TLSVersion, works: bool
) -> None:
    words = {True: ["--tlsv1.2", "--tls-max", "1.2"], False: ["--tlsv1.0", "--tls-max", "1.1"]}[works]
    done = curl(authority, *words, "--ciphers", "DEFAULT@SECLEVEL=0", f"https://{registry.host}/v2/")
    assert (done.returncode == 0) is works, (version, done.stderr)


def test_http_1_1_is_what_is_agreed_on(registry: OurRegistry, authority: Authority) -> None:
    said = curl(authority, "--http2", "-v", f"https://{registry.host}/v2/").stderr
    assert b"server accepted http/1.1" in said


def test_a_certificate_is_changed_while_a_connection_lives(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with our_registry(tmp_path / "root", *authority.flags(), trust=authority.trust) as registry:
        kept = Client(registry.host, keep=True, trust=authority.trust)
        assert kept("GET", "/v2/").status == 200
        old = presented(registry, authority.trust)
        workers = registry.workers()
        good = authority.key.read_bytes()
        authority.key.write_bytes(b"no key")  # half of a change: the old pair stays
        time.sleep(2.5)
        assert presented(registry, authority.trust) == old
        authority.key.write_bytes(good)
        authority.issue()
        eventually_shown(registry, authority.trust, old)
        assert kept("GET", "/v2/").status == 200
        assert registry.workers() == workers


def test_a_certificate_is_changed_by_sighup(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with our_registry(tmp_path / "root", *authority.flags(), trust=authority.trust) as registry:
        old = presented(registry, authority.trust)
        authority.issue()
        registry.process.send_signal(signal.SIGHUP)
        eventually_shown(registry, authority.trust, old)


def test_a_key_of_another_certificate_is_refused_at_the_start(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    words = ["--tls-cert", str(Authority(first).certificate), "--tls-key", str(Authority(second).key)]
    serve = [TACK, "registry", "serve", "--root", str(tmp_path / "root"), "--listen", "127.0.0.1:0"]
    refused = subprocess.run([*serve, *words], capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert "the key is not the certificate's" in refused.stderr
    assert not (tmp_path / "root").exists()
