"""A lean HTTP client on raw sockets, so that on a shared machine it is the server that is measured; processes of it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import socket
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple

PIECE = 1 << 20
ACCEPT = "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*"


class Place(NamedTuple):
    """Where a server listens."""

    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


class Wire:
    """One kept connection. Answers with bodies are read whole.

    Args:
        header: one more to send with every request.
    """

    def __init__(self, place: Place, header: str = "") -> None:
        self._place = place
        self._sock = self._connect()
        self._fixed = f"Host: {place.host}:{place.port}\r\n{ACCEPT}\r\n" + (f"{header}\r\n" if header else "")

    def _connect(self) -> socket.socket:
        sock = socket.create_connection((self._place.host, self._place.port), timeout=120)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._place.tls:
            return sock
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(sock, server_hostname=self._place.host)

    def __call__(
        self, method: str, path: str, body: bytes | memoryview = b"", kind: str = "application/octet-stream"
    ) -> tuple[int, dict[str, str], bytes]:
        """One request and its whole answer: status, headers in lower case, body."""
        head = f"{method} {path} HTTP/1.1\r\n{self._fixed}"
        if body or method in ("POST", "PUT"):
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        if len(body) < PIECE:
            self._sock.sendall(head.encode() + b"\r\n" + body)
        else:
            self._sock.sendall(head.encode() + b"\r\n")
            for start in range(0, len(body), PIECE):
                self._sock.sendall(body[start : start + PIECE])
        return self._answer(method)

    def _answer(self, method: str) -> tuple[int, dict[str, str], bytes]:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        rest, length = data[end + 4 :], 0 if method == "HEAD" else int(headers.get("content-length", "0"))
        parts = [rest]
        left = length - len(rest)
        while left > 0:
            parts.append(self._more())
            left -= len(parts[-1])
        if headers.get("connection", "").lower() == "close":
            self._sock.close()
            self._sock = self._connect()
        return int(lines[0].split(" ")[1]), headers, b"".join(parts)

    def _more(self) -> bytes:
        data = self._sock.recv(PIECE)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self) -> None:
        self._sock.close()

    def push_blob(self, repository: str, data: bytes | memoryview, digest: str = "") -> str:
        """Begin and end an upload."""
        digest = digest or digest_of(data)
        _, headers, _ = self("POST", f"/v2/{repository}/blobs/uploads/")
        location = headers["location"].removeprefix(self._place.url)
        status, _, said = self("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", data)
        if status != 201:
            raise RuntimeError(f"a push was answered {status}: {said[:200]!r}")
        return digest

    def push_image(self, repository: str, tag: str, layers: list[bytes]) -> str:
        """As docker does it: HEAD of each blob, then what is missing, then the manifest."""
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "n": tag}
        )
        described = []
        for data in (config.encode(), *layers):
            digest = digest_of(data)
            if self("HEAD", f"/v2/{repository}/blobs/{digest}")[0] != 200:
                self.push_blob(repository, data, digest)
            described.append(
                {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": len(data)}
            )
        kind = "application/vnd.oci.image.manifest.v1+json"
        config_type = {"mediaType": "application/vnd.oci.image.config.v1+json"}
        document = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": described[0] | config_type,
            "layers": described[1:],
        }
        status, _, said = self("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(document).encode(), kind)
        if status != 201:
            raise RuntimeError(f"a manifest was answered {status}: {said[:200]!r}")
        return digest_of(json.dumps(document).encode())


def digest_of(data: bytes | memoryview) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def together(work: Callable[[int], int], processes: int) -> tuple[float, int]:
    """Run work in so many processes that begin at the same moment.

    Args:
        work: gets its number, returns a count; what it raises is counted as -1 and printed.
    Returns:
        Seconds from the start of the first to the end of the last, and the sum of the counts.
    """
    context = multiprocessing.get_context("fork")
    barrier, counts = context.Barrier(processes + 1), context.SimpleQueue()

    def run(number: int) -> None:
        barrier.wait()
        try:
            counts.put(work(number))
        except Exception as error:
            print(f"  client {number}: {error!r}", flush=True)
            counts.put(-1)

    running = [context.Process(target=run, args=(number,)) for number in range(processes)]
    for process in running:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    done = [counts.get() for _ in running]
    took = time.perf_counter() - began
    for process in running:
        process.join()
    if -1 in done:
        raise RuntimeError(f"{done.count(-1)} of {processes} clients failed")
    return took, sum(done)
