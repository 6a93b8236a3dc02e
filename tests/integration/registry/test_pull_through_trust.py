"""Whom the cache trusts: where credentials go and where they do not, which addresses it calls, whose certificates."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from hardtack.registry.errors import CannotServe
from support.bad_registry import BadRegistry, TokenServer, basic_auth, redirect, status
from support.published import publish
from support.pull_through import caching, upstream_of

_BASIC = "Basic " + base64.b64encode(b"robot:secret").decode()
_ACCOUNT = {"username": "robot", "password": "secret"}


@pytest.fixture
def upstream() -> Iterator[BadRegistry]:
    with BadRegistry() as running:
        yield running


@pytest.fixture
def cdn() -> Iterator[BadRegistry]:
    with BadRegistry(address="127.0.0.2") as running:
        yield running


def _authorizations(server: BadRegistry) -> set[str]:
    return {seen.headers.get("Authorization", "") for seen in server.seen}


def test_tokens_are_asked_for_with_the_account_once_per_repository(upstream: BadRegistry, tmp_path: Path) -> None:
    with TokenServer() as tokens, caching(tmp_path / "root", upstream_of(upstream, **_ACCOUNT)) as worker:
        tokens.users["robot"] = "secret"
        upstream.auth = tokens.guard()
        for name in ("a/app", "b/app"):
            image = publish(upstream, name, "1", [b"x"])
            for _ in range(3):
                assert worker.client("GET", f"/v2/hub/{name}/manifests/1").status == 200
            assert worker.client("GET", f"/v2/hub/{name}/blobs/{image.layers[0]}").status == 200
        assert len(tokens.seen) == 2
        assert _authorizations(tokens) == {_BASIC}
        assert _BASIC not in _authorizations(upstream)
        tokens.revoke()
        assert worker.client("GET", "/v2/hub/a/app/manifests/1").headers.get("warning") is None
        assert len(tokens.seen) == 3


def test_an_anonymous_upstream_that_wants_tokens_gives_them(upstream: BadRegistry, tmp_path: Path) -> None:
    with TokenServer() as tokens, caching(tmp_path / "root", upstream_of(upstream)) as worker:
        upstream.auth = tokens.guard()
        publish(upstream, "app", "1", [b"x"])
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        assert _authorizations(tokens) == {""}


def test_an_account_that_the_upstream_refuses_is_said(upstream: BadRegistry, tmp_path: Path) -> None:
    publish(upstream, "app", "1", [b"x"])
    with TokenServer() as tokens, caching(tmp_path / "root", upstream_of(upstream, **_ACCOUNT)) as worker:
        upstream.auth = tokens.guard()
        answer = worker.client("GET", "/v2/hub/app/manifests/1")
        assert (answer.status, answer.code()) == (403, "DENIED")
        upstream.auth = basic_auth("robot", "other")
        answer = worker.client("GET", "/v2/hub/app/manifests/1")
        assert (answer.status, answer.code()) == (403, "DENIED")
        assert "secret" not in answer.body.decode()


def test_basic_credentials_stay_with_the_upstream_when_it_redirects(
    upstream: BadRegistry, cdn: BadRegistry, tmp_path: Path
) -> None:
    image = publish(upstream, "app", "1", [b"x" * 1000])
    cdn.blobs.update(upstream.blobs)
    cdn.manifests.update(upstream.manifests)
    upstream.auth = basic_auth("robot", "secret")
    with caching(tmp_path / "root", upstream_of(upstream, **_ACCOUNT)) as worker:
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        upstream.fault("/v2/app/", redirect(lambda path: cdn.url + path))
        assert worker.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 200
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
    assert len(cdn.seen) == 2
    assert _authorizations(cdn) == {""}
    assert _BASIC in _authorizations(upstream)


def test_a_redirect_that_asks_for_credentials_gets_none(
    upstream: BadRegistry, cdn: BadRegistry, tmp_path: Path
) -> None:
    publish(upstream, "app", "1", [b"x"])
    upstream.auth = basic_auth("robot", "secret")
    cdn.auth = basic_auth("robot", "secret")
    upstream.fault("/v2/app/", redirect(lambda path: cdn.url + path))
    with caching(tmp_path / "root", upstream_of(upstream, **_ACCOUNT)) as worker:
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 403
        cdn.fault("/v2/app/", status(401, {"WWW-Authenticate": f'Bearer realm="{cdn.url}/token",service="x"'}))
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 403
    assert not cdn.paths(part="/token")
    assert _authorizations(cdn) == {""}


def test_an_account_is_for_its_own_upstream_only(upstream: BadRegistry, cdn: BadRegistry, tmp_path: Path) -> None:
    upstream.auth = cdn.auth = basic_auth("robot", "secret")
    for server in (upstream, cdn):
        publish(server, "app", "1", [b"x"])
    with caching(tmp_path / "root", upstream_of(upstream, **_ACCOUNT), upstream_of(cdn, prefix="other")) as worker:
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        assert worker.client("GET", "/v2/other/app/manifests/1").status == 403
    assert _authorizations(cdn) == {""}


def test_what_a_client_sends_is_not_passed_on(upstream: BadRegistry, tmp_path: Path) -> None:
    publish(upstream, "app", "1", [b"x"])
    with caching(tmp_path / "root", upstream_of(upstream)) as worker:
        headers = {"Authorization": "Basic eDp5", "Cookie": "session=1", "X_Other": "1"}
        assert worker.client("GET", "/v2/hub/app/manifests/1", **headers).status == 200
    assert not {"Authorization", "Cookie", "X-Other"} & set(upstream.seen[0].headers)


def test_an_upstream_on_a_local_address_is_called_only_when_that_is_allowed(
    upstream: BadRegistry, tmp_path: Path
) -> None:
    publish(upstream, "app", "1", [b"x"])
    for url in (upstream.url, f"http://localhost:{upstream.port}"):
        with caching(tmp_path / "root", upstream_of(url), allow=()) as worker:
            answer = worker.client("GET", "/v2/hub/app/manifests/1")
            assert answer.status == 502
            assert "[network]" in answer.json()["errors"][0]["message"]
    assert not upstream.seen


def test_a_redirect_or_a_token_server_on_a_local_address_is_not_called(
    upstream: BadRegistry, cdn: BadRegistry, tmp_path: Path
) -> None:
    image = publish(cdn, "app", "1", [b"x"])
    with caching(tmp_path / "root", upstream_of(cdn), allow=("127.0.0.2",)) as worker:
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
        for target in (upstream.url, f"http://localhost:{upstream.port}", "http://169.254.169.254"):
            cdn.fault("/blobs/", redirect(lambda path, target=target: target + path), times=2)  # type: ignore[misc]
            assert worker.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 502
        realm = f'Bearer realm="{upstream.url}/token",service="x"'
        cdn.fault("/blobs/", status(401, {"WWW-Authenticate": realm}), times=2)
        assert worker.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 502
        assert worker.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 200
    assert not upstream.seen


def test_redirects_in_circles_end(upstream: BadRegistry, tmp_path: Path) -> None:
    upstream.fault("/v2/", redirect(lambda path: upstream.url + path))
    with caching(tmp_path / "root", upstream_of(upstream)) as worker:
        assert worker.client("GET", "/v2/hub/app/manifests/1").status == 502
    assert len(upstream.seen) < 10


def test_tls_is_verified_and_not_left_again(upstream: BadRegistry, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with BadRegistry(tls=context) as secure:
        image = publish(secure, "app", "1", [b"x"])
        upstream.blobs.update(secure.blobs)
        with caching(tmp_path / "one", upstream_of(secure)) as worker:
            answer = worker.client("GET", "/v2/hub/app/manifests/1")
            assert answer.status == 502
            assert "certificate" in answer.json()["errors"][0]["message"].lower()
        with caching(tmp_path / "two", upstream_of(secure, ca=str(tmp_path / "ca.pem"), **_ACCOUNT)) as worker:
            assert worker.client("GET", "/v2/hub/app/manifests/1").status == 200
            secure.fault("/blobs/", redirect(lambda path: upstream.url + path), times=2)
            assert worker.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 502
            realm = f'Bearer realm="{upstream.url}/token"'
            secure.fault("/blobs/", status(401, {"WWW-Authenticate": realm}), times=2)
            assert worker.client("GET", f"/v2/hub/app/blobs/{image.layers[0]}").status == 502
    assert not upstream.seen


def test_certificates_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    from hardtack.registry.net.filter import AddressFilter
    from hardtack.registry.upstream.client import Client

    with pytest.raises(CannotServe, match=r"none\.pem"):
        Client(upstream_of("https://registry.example.org", ca=str(tmp_path / "none.pem")), AddressFilter())
