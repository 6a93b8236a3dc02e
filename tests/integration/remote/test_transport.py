"""Requests to registries that fail, lie, redirect and want to know who asks."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidManifest
from hardtack.oci.manifest import parse_manifest
from hardtack.remote.errors import (
    BadAnswer,
    Denied,
    DigestLie,
    NotFound,
    RateLimited,
    Refused,
    RemoteError,
    SchemaOne,
    ServerFailed,
    Stalled,
    TooLarge,
    Truncated,
    Unauthorized,
    Unreachable,
    Untrusted,
)
from support.bad_registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    BadRegistry,
    Handler,
    TokenServer,
    basic_auth,
    chunked,
    drop,
    endless,
    redirect,
    reset,
    send,
    sha256,
    stall,
    status,
)
from support.clients import client_of, quick_config, repository_of

MANIFEST = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "0" * 64, "size": 2},
    "layers": [],
}


def add(registry: BadRegistry, tag: str = "1") -> str:
    return registry.add_manifest("a/b", tag, MANIFEST)


def test_a_manifest_comes_verbatim_with_its_digest(registry: BadRegistry) -> None:
    digest = add(registry)
    repository = repository_of(registry)
    assert repository.manifest("1") == (json.dumps(MANIFEST).encode(), OCI_MANIFEST, digest)
    found = repository.head("1")
    assert found is not None
    assert (found.digest, found.size, found.media_type) == (digest, len(json.dumps(MANIFEST)), OCI_MANIFEST)
    assert repository.head("2") is None
    with pytest.raises(NotFound, match=r"has no manifest a/b:2"):
        repository.manifest("2")


def test_one_connection_serves_many_requests(registry: BadRegistry) -> None:
    add(registry)
    ports: set[object] = set()

    def note(handler: Handler) -> bool:
        ports.add(handler.client_address)
        return False

    registry.fault("", note)
    repository = repository_of(registry)
    for _ in range(5):
        repository.manifest("1")
    assert len(ports) == 1


def test_a_connection_that_was_closed_while_idle_is_replaced_without_a_word(registry: BadRegistry) -> None:
    add(registry)
    repository = repository_of(registry)
    repository.client.config.retry.attempts = 1

    def close_after(handler: Handler) -> bool:
        handler.close_connection = True
        return False

    registry.fault("GET", close_after)
    for _ in range(3):
        repository.manifest("1")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (status(500), ServerFailed),
        (status(502), ServerFailed),
        (status(503, {"Retry-After": "0"}), ServerFailed),
        (status(429, {"Retry-After": "0"}), RateLimited),
        (status(429), RateLimited),
        (drop(), Unreachable),
        (reset(), Unreachable),
    ],
)
def test_a_passing_failure_passes_and_a_lasting_one_is_told(
    registry: BadRegistry, fault: object, expected: type[RemoteError]
) -> None:
    add(registry)
    repository = repository_of(registry)
    repository.client.authorizer  # noqa: B018  find the scheme first
    registry.fault("manifests/1", fault, times=3)  # type: ignore[arg-type]
    assert repository.manifest("1")
    registry.fault("manifests/1", fault)  # type: ignore[arg-type]
    with pytest.raises(expected):
        repository.manifest("1")
    assert len(registry.paths("GET", "manifests/1")) in (8, 9)  # a connection that had been idle is replaced at once


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(status(400), Refused), (status(403), Denied), (status(404), NotFound), (status(405), Refused)],
)
def test_a_4xx_is_not_tried_again(registry: BadRegistry, fault: object, expected: type[RemoteError]) -> None:
    registry.fault("manifests/1", fault)  # type: ignore[arg-type]
    with pytest.raises(expected):
        repository_of(registry).manifest("1")
    assert len(registry.paths("GET", "manifests/1")) == 1


def test_a_refusal_without_a_body_is_told_in_the_words_of_its_header(registry: BadRegistry) -> None:
    registry.fault("manifests/1", status(403, {"Warning": '299 - "not allowed to pull from a/b"'}, b""))
    with pytest.raises(Denied, match=r"denies access to manifest a/b:1 \(not allowed to pull from a/b\)$"):
        repository_of(registry).manifest("1")


def test_retry_after_is_waited_for_when_it_is_short_and_told_when_it_is_long(registry: BadRegistry) -> None:
    add(registry)
    repository = repository_of(registry)
    registry.fault("manifests/1", status(429, {"Retry-After": "1"}), times=1)
    start = time.monotonic()
    repository.manifest("1")
    assert time.monotonic() - start >= 0.99
    registry.fault("manifests/1", status(429, {"Retry-After": "21600"}), times=1)
    with pytest.raises(RateLimited, match="Try again in 21600 seconds"):
        repository.manifest("1")


def test_what_the_registry_says_about_an_error_is_told_and_made_harmless(registry: BadRegistry) -> None:
    def fault(handler: Handler) -> bool:
        handler.error(403, "DENIED", "no \x1b[31mred\r\nlines")
        return True

    registry.fault("manifests/1", fault)
    with pytest.raises(Denied) as caught:
        repository_of(registry).manifest("1")
    assert "DENIED no [31mred lines" in str(caught.value)


def test_a_stalled_answer_is_given_up_after_the_stall_timeout(registry: BadRegistry) -> None:
    add(registry)
    repository = repository_of(registry)
    repository.client.config.retry.attempts = 1
    registry.fault("manifests/1", stall(3, after=10))
    start = time.monotonic()
    with pytest.raises(Stalled, match=r"sent nothing of manifest a/b:1 for 0\.5 seconds"):
        repository.manifest("1")
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (send(b"x" * (5 << 20)), TooLarge),
        (endless(), TooLarge),
        (send(b"short", length=100), Truncated),
        (chunked(b"zz\r\nnot hexadecimal\r\n"), Truncated),
        (chunked(b"ffffffffffffffffffff\r\nabc"), Truncated),
        (send(b"<html>", {"Content-Type": "text/html"}), BadAnswer),
        (send(b"[" * 100_000, {"Content-Type": "application/json"}), BadAnswer),
        (send(b"{}", {"Docker-Content-Digest": "sha256:no"}), BadAnswer),
        (send(b"{}", {"Docker-Content-Digest": "sha256:" + "1" * 64}), DigestLie),
        (send(b"{}", {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}), SchemaOne),
        (send(b'{"schemaVersion":1,"fsLayers":[]}', {"Content-Type": "application/json"}), SchemaOne),
        (status(204), BadAnswer),
    ],
)
def test_an_answer_that_is_no_manifest_is_an_error(
    registry: BadRegistry, fault: object, expected: type[RemoteError]
) -> None:
    registry.fault("manifests/1", fault)  # type: ignore[arg-type]
    with pytest.raises(expected):
        repository_of(registry).manifest("1")


def test_a_manifest_asked_for_by_digest_has_that_digest(registry: BadRegistry) -> None:
    digest = add(registry)
    registry.fault("manifests/sha256:", send(b'{"schemaVersion":2}', {"Content-Type": OCI_MANIFEST}))
    with pytest.raises(DigestLie) as caught:
        repository_of(registry).manifest(digest)
    assert (caught.value.expected, caught.value.actual) == (digest, sha256(b'{"schemaVersion":2}'))


def test_a_sha512_digest_is_verified_as_such(registry: BadRegistry) -> None:
    raw = json.dumps(MANIFEST).encode()
    digest = Digest.of(raw, "sha512")
    registry.manifests[f"a/b:{digest}"] = (raw, OCI_MANIFEST)
    registry.claims_digest = False
    assert repository_of(registry).manifest(digest)[2] == digest


def test_a_content_type_that_contradicts_the_bytes_is_refused(registry: BadRegistry) -> None:
    registry.add_manifest("a/b", "1", MANIFEST, OCI_INDEX)
    raw, media_type, _ = repository_of(registry).manifest("1")
    with pytest.raises(InvalidManifest):
        parse_manifest(raw, media_type)


def test_a_general_content_type_is_replaced_by_what_the_bytes_say(registry: BadRegistry) -> None:
    registry.add_manifest("a/b", "1", MANIFEST, "text/plain; charset=utf-8")
    assert repository_of(registry).manifest("1")[1] == OCI_MANIFEST


def test_tags_come_page_by_page(registry: BadRegistry) -> None:
    pages = {
        "": (["a", "b"], '</v2/a/b/tags/list?last=b>; rel="next"'),
        "last=b": (["c", "b", "not a tag", 5], ""),
    }

    def page(handler: Handler) -> bool:
        tags, link = pages[handler.path.partition("?")[2]]
        handler.answer(200, json.dumps({"tags": tags}).encode(), {"Link": link} if link else {})
        return True

    registry.fault("tags/list", page)
    assert repository_of(registry).tags() == ["a", "b", "c"]


def test_pages_that_go_in_a_circle_end_and_pages_elsewhere_are_refused(registry: BadRegistry) -> None:
    registry.fault("/a/b/tags", send(b'{"tags":["x"]}', {"Link": "</v2/a/b/tags/list>; rel=next"}))
    assert repository_of(registry).tags() == ["x"]
    registry.fault("/c/tags", send(b'{"tags":["x"]}', {"Link": "<http://elsewhere.example/>; rel=next"}))
    with pytest.raises(BadAnswer, match="another server"):
        repository_of(registry, "c").tags()


def test_referrers_fall_back_to_the_tag_that_clients_keep(registry: BadRegistry) -> None:
    entry = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "2" * 64, "size": 5, "artifactType": "x/sbom"}
    registry.add_manifest(
        "a/b", "sha256-" + "1" * 64, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}, OCI_INDEX
    )
    repository = repository_of(registry)
    assert [found.digest for found in repository.referrers("sha256:" + "1" * 64)] == ["sha256:" + "2" * 64]
    assert repository.referrers("sha256:" + "1" * 64, "x/signature") == []
    assert repository.referrers("sha256:" + "3" * 64) == []


# --- who asks -------------------------------------------------------------------------------------------------------


def test_basic_credentials_are_sent_once_asked_for_and_then_at_once(registry: BadRegistry) -> None:
    add(registry)
    registry.auth = basic_auth("me", "s:ecret")
    repository = client_of(registry.host, "me", "s:ecret").repository("a/b")
    repository.manifest("1")
    assert "Authorization" not in registry.seen[0].headers
    assert len(registry.seen) == 2


def test_a_wrong_password_ends_in_a_clear_error_and_not_in_a_loop(registry: BadRegistry) -> None:
    registry.auth = basic_auth("me", "right")
    with pytest.raises(Unauthorized, match="refused the name or the password"):
        client_of(registry.host, "me", "wrong").repository("a/b").manifest("1")
    with pytest.raises(Unauthorized, match="needs a name and a password") as caught:
        client_of(registry.host).repository("a/b").manifest("1")
    assert f"tack login {registry.host}" in caught.value.hint
    assert len(registry.seen) < 8


def test_tokens_are_fetched_for_a_scope_and_used_until_they_are_refused(
    registry: BadRegistry, tokens: TokenServer
) -> None:
    add(registry)
    tokens.users["me"] = "pw"
    registry.auth = tokens.guard()
    repository = client_of(registry.host, "me", "pw").repository("a/b")
    repository.manifest("1")
    repository.manifest("1")
    assert len(tokens.seen) == 1
    assert "scope=repository%3Aa%2Fb%3Apull" in tokens.seen[0].path
    assert "account=me" in tokens.seen[0].path
    tokens.revoke()
    repository.manifest("1")
    assert len(tokens.seen) == 2


def test_a_token_is_renewed_before_it_ends(registry: BadRegistry, tokens: TokenServer) -> None:
    add(registry)
    tokens.life = 0.2
    registry.auth = tokens.guard()
    repository = client_of(registry.host).repository("a/b")
    repository.manifest("1")
    time.sleep(0.15)
    repository.manifest("1")
    assert len(tokens.seen) == 2


def test_an_identity_token_is_exchanged_by_post(registry: BadRegistry, tokens: TokenServer) -> None:
    add(registry)
    tokens.refresh["refresh-me"] = "me"
    registry.auth = tokens.guard()
    client_of(registry.host, identity="refresh-me").repository("a/b", push=True).manifest("1")
    asked = tokens.seen[0]
    assert asked.method == "POST"
    assert b"grant_type=refresh_token" in asked.body
    assert b"scope=repository%3Aa%2Fb%3Apull%2Cpush" in asked.body
    assert "Authorization" not in asked.headers


def test_a_registry_token_is_used_as_it_is(registry: BadRegistry, tokens: TokenServer) -> None:
    add(registry)
    tokens.issued["given"] = frozenset(("repository:a/b:pull",))
    registry.auth = tokens.guard()
    client_of(registry.host, registry_token="given").repository("a/b").manifest("1")
    assert tokens.seen == []


def test_a_token_server_that_refuses_is_told_with_its_name(registry: BadRegistry, tokens: TokenServer) -> None:
    registry.auth = tokens.guard()
    with pytest.raises(Unauthorized, match=f"{tokens.host} refused the name or the password"):
        client_of(registry.host, "me", "wrong").repository("a/b").manifest("1")


def test_a_registry_that_refuses_every_token_is_no_loop(registry: BadRegistry, tokens: TokenServer) -> None:
    add(registry)

    def always(handler: Handler) -> bool:
        handler.error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": f'Bearer realm="{tokens.url}/token"'})
        return False

    registry.auth = always
    with pytest.raises(Unauthorized):
        client_of(registry.host).repository("a/b").manifest("1")
    assert len(tokens.seen) == 1
    assert len(registry.seen) <= 4


@pytest.mark.parametrize(
    "challenge",
    ["", "Negotiate", 'Bearer realm="no end', 'Bearer realm="file:///etc/passwd"', "Bearer service=x"],
)
def test_a_challenge_that_cannot_be_met_is_an_error(registry: BadRegistry, challenge: str) -> None:
    registry.fault("", status(401, {"WWW-Authenticate": challenge} if challenge else {}))
    with pytest.raises((BadAnswer, Unauthorized)):
        client_of(registry.host, "me", "pw").repository("a/b").manifest("1")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"token":5}', b'{"token":"a\\nb"}', b"x" * (2 << 20)])
def test_a_token_that_is_none_is_an_error(registry: BadRegistry, tokens: TokenServer, body: bytes) -> None:
    registry.auth = tokens.guard()
    tokens._faults.clear()
    tokens.fault("/token", send(body))
    with pytest.raises((BadAnswer, TooLarge)):
        client_of(registry.host).repository("a/b").manifest("1")


def test_threads_that_are_refused_together_fetch_one_token(registry: BadRegistry, tokens: TokenServer) -> None:
    add(registry)
    registry.auth = tokens.guard()
    repository = client_of(registry.host).repository("a/b")
    threads = [threading.Thread(target=repository.manifest, args=("1",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens.seen) == 1


# --- who must not see our credentials -------------------------------------------------------------------------------


def test_credentials_do_not_follow_a_redirect_to_another_host(registry: BadRegistry) -> None:
    data = b"content"
    digest = registry.add_blob(data)
    registry.auth = basic_auth("me", "pw")
    with BadRegistry() as elsewhere:
        elsewhere.add_blob(data)
        registry.fault(f"blobs/{digest}", redirect(lambda path: f"{elsewhere.url}{path}?signature=x"))
        registry.auth = None
        repository = client_of(registry.host, "me", "pw").repository("a/b")
        registry.auth = basic_auth("me", "pw")
        repository.client.ping()
        with repository.blob(digest) as answer:
            assert answer.body(100) == data
        assert len(elsewhere.seen) == 1
        assert "Authorization" not in elsewhere.seen[0].headers
        assert "Authorization" in registry.seen[-1].headers


def test_a_redirect_to_a_host_that_wants_credentials_gets_none(registry: BadRegistry) -> None:
    digest = registry.add_blob(b"x")
    registry.auth = basic_auth("me", "pw")
    with BadRegistry() as elsewhere:
        elsewhere.auth = basic_auth("me", "pw")
        registry.auth = None
        registry.fault(f"blobs/{digest}", redirect(lambda path: elsewhere.url + path))
        with pytest.raises(Unauthorized):
            client_of(registry.host, "me", "pw").repository("a/b").blob(digest)
        assert all("Authorization" not in seen.headers for seen in elsewhere.seen)


def test_a_circle_of_redirects_ends(registry: BadRegistry) -> None:
    digest = registry.add_blob(b"x")
    registry.fault(f"blobs/{digest}", redirect(lambda path: path))
    with pytest.raises(BadAnswer, match="redirects"):
        repository_of(registry).blob(digest)


def test_no_password_goes_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with BadRegistry() as registry:
        registry.auth = basic_auth("me", "pw")
        add(registry)
        host = f"registry.example:{registry.port}"
        real = socket.getaddrinfo

        def resolve(name: str, *rest: object, **more: object) -> object:
            return real("127.0.0.1" if name == "registry.example" else name, *rest, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with pytest.raises(RemoteError):  # https only: this server speaks none
            client_of(host, "me", "pw").repository("a/b").manifest("1")
        client = client_of(host, "me", "pw")
        client._scheme = "http"  # as a redirect or a mistake might have it
        client.transport.connections.configure = lambda *_: None  # type: ignore[method-assign]
        with pytest.raises(Unauthorized, match="plain HTTP"):
            client.repository("a/b").manifest("1")
        assert all("Authorization" not in seen.headers for seen in registry.seen)
        config = quick_config(hosts={host: {"plain_http": True}})
        assert client_of(host, "me", "pw", config).repository("a/b").manifest("1")


def test_a_token_server_that_is_reached_in_clear_gets_no_password(registry: BadRegistry) -> None:
    realm = 'Bearer realm="http://tokens.example/token"'
    registry.fault("", status(401, {"WWW-Authenticate": realm}))
    with pytest.raises(Unauthorized, match=r"tokens\.example wants credentials over plain HTTP"):
        client_of(registry.host, "me", "pw").repository("a/b").manifest("1")


# --- TLS, proxies, names --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority. Costs 50 ms."""
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[BadRegistry]:
    """The registry behind TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with BadRegistry(context) as server:
        yield server


def test_tls_needs_a_trusted_certificate_or_leave(secure: BadRegistry, authority: trustme.CA, tmp_path: Path) -> None:
    add(secure)
    with pytest.raises(Untrusted, match="certificate"):
        client_of(secure.host, config=quick_config()).repository("a/b").manifest("1")
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    for table in ({"ca": str(bundle)}, {"insecure": True}):
        config = quick_config(hosts={secure.host: table})
        assert client_of(secure.host, config=config).repository("a/b").manifest("1")
    with pytest.raises(Untrusted, match="cannot be read"):
        client_of(secure.host, config=quick_config(hosts={secure.host: {"ca": "/none.pem"}})).ping()


def test_a_tls_server_that_answers_plain_http_is_distrusted_and_not_its_answer_told(authority: trustme.CA) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_tells_plain_clients, args=(listener, context), daemon=True).start()
        with pytest.raises(Untrusted, match="certificate"):
            client_of(f"127.0.0.1:{listener.getsockname()[1]}", config=quick_config()).ping()


def _tells_plain_clients(listener: socket.socket, context: ssl.SSLContext) -> None:
    """A TLS server that answers 400 to whoever speaks HTTP to it, as our registry and nginx do."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                with contextlib.suppress(OSError):
                    context.wrap_socket(connection, server_side=True).close()
            else:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_nothing_listens_is_said_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(Unreachable, match="connection refused"):
            client_of(host).repository("a").manifest("1")
        assert time.monotonic() - start < 1


def test_a_name_that_nobody_knows_is_said() -> None:
    with pytest.raises(Unreachable, match="name cannot be resolved"):
        client_of("no-such-host.invalid").repository("a").manifest("1")


def test_a_plain_proxy_is_asked_for_whole_urls_with_its_own_credentials(registry: BadRegistry) -> None:
    from hardtack.remote.client import RegistryClient
    from hardtack.remote.credentials import Credential, Given
    from hardtack.remote.proxy import Proxies
    from hardtack.remote.transport import Transport

    raw = json.dumps(MANIFEST).encode()
    registry.fault("GET http://r.example/v2/a/b/manifests/1", send(raw, {"Content-Type": OCI_MANIFEST}))
    config = quick_config(hosts={"r.example": {"plain_http": True}})
    transport = Transport(config, Proxies(f"http://us:er@{registry.host}"))
    client = RegistryClient("r.example", config, Given("r.example", Credential()), transport=transport)
    assert client.repository("a/b").manifest("1")[0] == raw
    assert registry.seen[0].headers["Proxy-Authorization"] == "Basic dXM6ZXI="
    assert registry.seen[0].headers["Host"] == "r.example"


def test_a_proxy_that_refuses_the_tunnel_is_named_as_the_reason(registry: BadRegistry) -> None:
    from hardtack.remote.client import RegistryClient
    from hardtack.remote.credentials import Credential, Given
    from hardtack.remote.proxy import Proxies
    from hardtack.remote.transport import Transport

    config = quick_config()
    transport = Transport(config, Proxies("", registry.url))
    client = RegistryClient("r.example", config, Given("r.example", Credential()), transport=transport)
    with pytest.raises(Unreachable, match="tunnel connection failed: 501"):
        client.ping()
