"""A small registry on loopback that works, until a test tells it how to misbehave.

    with BadRegistry() as registry:
        digest = registry.add_blob(data)
        registry.fault("GET /v2/a/b/blobs", cut(1024), times=1)

Faults are functions on the handler: they answer, or return False to let the ordinary answer follow. Every request is
remembered. Costs a thread and a socket.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

Fault = Callable[["Handler"], bool]


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Seen:
    """One request as it came."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


class BadRegistry:
    """The server; a with-block.

    Attributes:
        host: "127.0.0.1:PORT".
        blobs, manifests: what it holds; manifests by "name:reference" as (bytes, media type).
        seen: every request, in order.
        uploads: bytes that have arrived, by session.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.links: dict[str, set[str]] = {}
        self.seen: list[Seen] = []
        self.auth: Callable[[Handler], bool] | None = None
        self.claims_digest = True
        self._faults: list[tuple[str, Fault, list[int]]] = []
        self._lock = threading.Lock()
        self._server = (_Server6 if ":" in address else _Server)((address, 0), Handler)
        self._server.registry = self
        self.tls = tls is not None
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.host = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> BadRegistry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.host}"

    def add_blob(self, data: bytes) -> str:
        digest = sha256(data)
        self.blobs[digest] = data
        return digest

    def add_manifest(self, name: str, reference: str, value: object, media_type: str = OCI_MANIFEST) -> str:
        """Store a manifest under a tag and under its digest; a str or bytes value is taken verbatim."""
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest = sha256(raw)
        self.manifests[f"{name}:{reference}"] = self.manifests[f"{name}:{digest}"] = (raw, media_type)
        return digest

    def fault(self, match: str, what: Fault, times: int = 1_000_000) -> None:
        """Misbehave for requests that contain `match` in "METHOD path", so many times."""
        with self._lock:
            self._faults.append((match, what, [times]))

    def paths(self, method: str = "", part: str = "") -> list[str]:
        """The paths asked for so far, of one method, containing a part."""
        return [r.path for r in list(self.seen) if (not method or r.method == method) and part in r.path]

    def pick(self, line: str) -> Fault | None:
        with self._lock:
            for match, what, left in self._faults:
                if match in line and left[0] > 0:
                    left[0] -= 1
                    return what
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    registry: BadRegistry

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that hang up are what these tests are about


class _Server6(_Server):
    address_family = socket.AF_INET6


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    @property
    def registry(self) -> BadRegistry:
        return self.server.registry

    def log_message(self, *_: object) -> None:
        pass

    def handle_expect_100(self) -> bool:
        return True

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        """Send an answer; `length` lies about Content-Length."""
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def error(self, status: int, code: str, message: str = "", headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, {"Content-Type": "application/json", **(headers or {})})

    def hang_up(self) -> None:
        """Close the connection as it is."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def content(self) -> bytes | None:
        """The bytes that this request is for, when it asks for a blob or a manifest."""
        parts = urlsplit(self.path).path.split("/")
        if parts[-2] == "blobs":
            return self.registry.blobs.get(parts[-1])
        found = self.registry.manifests.get(f"{'/'.join(parts[2:-2])}:{parts[-1]}")
        return found[0] if found else None

    def _serve(self) -> None:
        self.body = b""
        fault = self.registry.pick(f"{self.command} {self.path}")
        if fault is None or not getattr(fault, "before_body", False):
            self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.registry.seen.append(Seen(self.command, self.path, dict(self.headers.items()), self.body))
        if fault is not None and fault(self):
            return
        if self.registry.auth is not None and not self.registry.auth(self):
            return
        self._ordinary()

    def _ordinary(self) -> None:
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts == ["v2"]:
            self.answer(200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
        elif len(parts) > 3 and parts[-2] == "manifests":
            self._manifest("/".join(parts[1:-2]), parts[-1])
        elif "uploads" in parts:
            self._upload(parts)
        elif len(parts) > 3 and parts[-2] == "blobs":
            self._blob(parts[-1])
        elif parts[-2:] == ["tags", "list"]:
            self._tags("/".join(parts[1:-2]))
        else:
            self.error(404, "NAME_UNKNOWN")

    def _manifest(self, name: str, reference: str) -> None:
        if self.command == "PUT":
            digest = self.registry.add_manifest(name, reference, self.body, self.headers["Content-Type"])
            self.answer(201, b"", {"Docker-Content-Digest": digest})
            return
        found = self.registry.manifests.get(f"{name}:{reference}")
        if found is None:
            known = any(key.startswith(f"{name}:") for key in list(self.registry.manifests))
            self.error(404, *(("MANIFEST_UNKNOWN", "manifest unknown") if known else ("NAME_UNKNOWN",)))
            return
        headers = {"Content-Type": found[1]}
        if self.registry.claims_digest:
            headers["Docker-Content-Digest"] = sha256(found[0])
        self.answer(200, found[0], headers)

    def _blob(self, digest: str) -> None:
        data = self.registry.blobs.get(digest)
        if data is None:
            self.error(404, "BLOB_UNKNOWN", "blob unknown")
            return
        span = self.headers.get("Range", "")
        if not span:
            self.answer(200, data, {"Content-Type": "application/octet-stream"})
            return
        first = int(span.removeprefix("bytes=").partition("-")[0])
        if first >= len(data):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        self.answer(206, data[first:], {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"})

    def _tags(self, name: str) -> None:
        tags = [key.partition(":")[2] for key in self.registry.manifests if key.startswith(f"{name}:")]
        tags = [tag for tag in tags if not tag.startswith("sha256:")]
        if not tags:
            self.error(404, "NAME_UNKNOWN")
            return
        self.answer(200, json.dumps({"name": name, "tags": tags}).encode())

    def _upload(self, parts: list[str]) -> None:
        query = parse_qs(urlsplit(self.path).query)
        uploads = self.registry.uploads
        if self.command == "POST":
            mounted = query.get("mount", [""])[0]
            if mounted in self.registry.links.get(query.get("from", [""])[0], set()):
                self.answer(201, b"", {"Docker-Content-Digest": mounted})
                return
            session = f"s{len(uploads)}"
            uploads[session] = bytearray()
            name = "/".join(parts[1 : parts.index("blobs")])
            self.answer(202, b"", {"Location": f"/v2/{name}/blobs/uploads/{session}?_state=x", "Range": "0-0"})
            return
        session = parts[-1]
        if session not in uploads:
            self.error(404, "BLOB_UPLOAD_UNKNOWN")
            return
        held = uploads[session]
        headers = {"Location": self.path.split("&digest=")[0]}
        if self.command == "GET":
            self.answer(204, b"", {**headers, "Range": f"0-{max(0, len(held) - 1)}"})
            return
        start = self.headers.get("Content-Range", "").partition("-")[0]
        if start and int(start) != len(held):
            self.answer(416, b"", {**headers, "Range": f"0-{len(held) - 1}"})
            return
        held += self.body
        if self.command == "PATCH":
            self.answer(202, b"", {**headers, "Range": f"0-{len(held) - 1}"})
            return
        digest = query["digest"][0]
        if sha256(bytes(held)) != digest:
            self.error(400, "DIGEST_INVALID")
            return
        self.registry.blobs[digest] = bytes(held)
        del uploads[session]
        self.answer(201, b"", {"Docker-Content-Digest": digest})


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Fault:
    """Answer with a status."""

    def fault(handler: Handler) -> bool:
        handler.answer(code, body, headers)
        return True

    return fault


def cut(after: int) -> Fault:
    """Announce the whole answer, send so many bytes of it, close."""

    def fault(handler: Handler) -> bool:
        data = handler.content() or b""
        first = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        rest = data[first:]
        headers = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}
        handler.answer(206 if first else 200, rest[:after], headers, length=len(rest))
        handler.hang_up()
        return True

    return fault


def drop() -> Fault:
    """Close without a word."""

    def fault(handler: Handler) -> bool:
        handler.hang_up()
        return True

    return fault


def reset() -> Fault:
    """Close with a TCP reset."""

    def fault(handler: Handler) -> bool:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        handler.close_connection = True
        handler.connection.close()
        return True

    return fault


def stall(seconds: float, after: int = 0) -> Fault:
    """Announce the whole answer, send so many bytes, then nothing for a while."""

    def fault(handler: Handler) -> bool:
        data = handler.content() or b""
        handler.answer(200, data[:after], length=len(data))
        time.sleep(seconds)
        handler.hang_up()
        return True

    return fault


def send(data: bytes, headers: dict[str, str] | None = None, length: int | None = None, code: int = 200) -> Fault:
    """Answer with other bytes than asked for; `length` lies about how many."""

    def fault(handler: Handler) -> bool:
        handler.answer(code, data, headers, length)
        if length is not None:
            handler.hang_up()
        return True

    return fault


def ignore_range() -> Fault:
    """Send everything from the first byte, whatever was asked for."""

    def fault(handler: Handler) -> bool:
        handler.answer(200, handler.content() or b"")
        return True

    return fault


def redirect(location: Callable[[str], str], code: int = 307) -> Fault:
    """Send the client elsewhere: a function from the path to the new URL."""

    def fault(handler: Handler) -> bool:
        handler.answer(code, b"", {"Location": location(handler.path)})
        return True

    return fault


def chunked(*pieces: bytes) -> Fault:
    """Announce chunks, send these bytes raw, close."""

    def fault(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(piece)
        handler.wfile.flush()
        handler.hang_up()
        return True

    return fault


def endless(most: int = 64 << 20) -> Fault:
    """Send zeros without announcing an end, until the client hangs up."""

    def fault(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            for _ in range(most >> 16):
                handler.wfile.write(bytes(1 << 16))
        except OSError:
            pass
        return True

    return fault


def swallow(most: int) -> Fault:
    """Take so many bytes of an upload, remember them, close without an answer."""

    def fault(handler: Handler) -> bool:
        session = urlsplit(handler.path).path.split("/")[-1]
        held = handler.registry.uploads.get(session)
        data = handler.rfile.read(min(most, int(handler.headers.get("Content-Length", "0"))))
        if held is not None:
            held += data
        handler.hang_up()
        return True

    fault.before_body = True  # type: ignore[attr-defined]
    return fault


def basic_auth(username: str, password: str, realm: str = "test") -> Callable[[Handler], bool]:
    """Let in who shows this name and password."""
    wanted = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def check(handler: Handler) -> bool:
        if handler.headers.get("Authorization") == wanted:
            return True
        handler.error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": f'Basic realm="{realm}"'})
        return False

    return check


class TokenServer(BadRegistry):
    """A token server: hands out tokens for scopes, counts them, and guards registries that trust it.

    Attributes:
        users: names and their passwords; somebody without a name gets a token for pulling.
        refresh: refresh tokens and whose they are.
        life: what `expires_in` says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, str] = {}
        self.refresh: dict[str, str] = {}
        self.issued: dict[str, frozenset[str]] = {}
        self.life: float | None = 300
        self.fault("/token", self._token)

    def guard(self, needed: str = "repository:") -> Callable[[Handler], bool]:
        """An `auth` for a registry: wants a bearer token with the scope that a request needs."""

        def check(handler: Handler) -> bool:
            token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
            scope = _scope_of(handler.command, handler.path)
            if token in self.issued and (not scope or _allows(self.issued[token], scope)):
                return True
            said = f'Bearer realm="{self.url}/token",service="test"' + (f',scope="{scope}"' if scope else "")
            handler.error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": said})
            return False

        return check

    def revoke(self) -> None:
        """Make every token so far worthless."""
        self.issued.clear()

    def _token(self, handler: Handler) -> bool:
        query = parse_qs(urlsplit(handler.path).query)
        form = parse_qs(handler.body.decode())
        user = self._user(handler, form)
        if user is None:
            handler.error(401, "UNAUTHORIZED", "incorrect username or password")
            return True
        scopes = [scope for text in query.get("scope", []) + form.get("scope", []) for scope in text.split()]
        granted = frozenset(scope if user else scope.replace("pull,push", "pull") for scope in scopes)
        token = f"t{len(self.seen)}"
        self.issued[token] = granted
        answer: dict[str, object] = {"access_token" if form else "token": token}
        if self.life is not None:
            answer["expires_in"] = self.life
        if query.get("offline_token") and user:
            self.refresh[f"r-{user}"] = user
            answer["refresh_token"] = f"r-{user}"
        handler.answer(200, json.dumps(answer).encode())
        return True

    def _user(self, handler: Handler, form: dict[str, list[str]]) -> str | None:
        if form.get("grant_type") == ["refresh_token"]:
            return self.refresh.get(form.get("refresh_token", [""])[0])
        shown = handler.headers.get("Authorization", "")
        if not shown:
            return ""
        name, _, password = base64.b64decode(shown.removeprefix("Basic ")).decode().partition(":")
        return name if self.users.get(name) == password else None


def _scope_of(method: str, path: str) -> str:
    parts = urlsplit(path).path.strip("/").split("/")
    for noun in ("manifests", "blobs", "tags"):
        if noun in parts:
            name = "/".join(parts[1 : parts.index(noun)])
            return f"repository:{name}:{'pull' if method in ('GET', 'HEAD') else 'pull,push'}"
    return ""


def _allows(granted: frozenset[str], scope: str) -> bool:
    resource, _, actions = scope.rpartition(":")
    for entry in granted:
        name, _, allowed = entry.rpartition(":")
        if name == resource and set(actions.split(",")) <= set(allowed.split(",")):
            return True
    return False
