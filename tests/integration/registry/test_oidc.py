"""Login to the pages by OpenID Connect: the way there and back, and every way in which it can be wrong."""

from __future__ import annotations

import base64
import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import ECKey

from hardtack.registry.config.access import OidcSection
from hardtack.registry.config.document import Config
from hardtack.registry.config.options import Secret
from hardtack.registry.config.upstreams import NetworkSection
from support.accounts import SHELL
from support.oidc_provider import CLIENT, SECRET, Provider, oidc_provider
from support.our_registry import Answer
from support.registry_worker import Worker, registry_worker


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oidc_provider() as running:
        yield running


def config(provider: Provider, create: bool = True, allow: tuple[str, ...] = ("127.0.0.1",)) -> Config:
    oidc = OidcSection(issuer=provider.issuer, client_id=CLIENT, client_secret=Secret(SECRET), create=create)
    return Config(oidc=oidc, network=NetworkSection(allow=allow))


@pytest.fixture
def worker(tmp_path: Path, provider: Provider) -> Iterator[Worker]:
    with registry_worker(tmp_path / "root", base=config(provider), accounts=True) as running:
        yield running


class Browser:
    """Goes where it is sent, and keeps cookies."""

    def __init__(self, worker: Worker, provider: Provider) -> None:
        self.worker = worker
        self.provider = provider
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        connection = http.client.HTTPConnection(self.worker.host, timeout=30)
        try:
            cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
            response = connection.getresponse()
            for line in response.headers.get_all("Set-Cookie", []):
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value
            lower = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, lower, response.read())
        finally:
            connection.close()

    def leave(self, path: str = "/oidc/login?next=/ada/app") -> dict[str, str]:
        """Begin a login. Returns what the provider is asked."""
        answer = self.get(path)
        assert answer.status == 303, answer
        where = urlsplit(answer.headers["location"])
        assert f"{where.scheme}://{where.netloc}{where.path}" == f"{self.provider.issuer}/authorize"
        return {name: values[0] for name, values in parse_qs(where.query).items()}

    def arrive(self, asked: dict[str, str]) -> Answer:
        """Come back from the provider."""
        where = urlsplit(self.provider.authorize(asked))
        assert where.netloc == self.worker.host
        return self.get(f"{where.path}?{where.query}")

    def login(self) -> Answer:
        return self.arrive(self.leave())


@pytest.fixture
def browser(worker: Worker, provider: Provider) -> Browser:
    return Browser(worker, provider)


def session(browser: Browser) -> Any:
    """Whose session the browser has."""
    accounts = browser.worker.service.accounts
    assert accounts is not None
    found = browser.worker.run(accounts.sessions.session(browser.cookies.get("hardtack", "")))
    return None if found is None else found.caller.name


def failure(answer: Answer) -> str:
    """What the login page is told."""
    assert answer.status == 303, answer
    assert answer.headers["location"].startswith("/login?failed=provider"), answer
    return parse_qs(urlsplit(answer.headers["location"]).query)["why"][0]


def test_a_login_makes_an_account_once_and_leads_back(browser: Browser, provider: Provider) -> None:
    asked = browser.leave()
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"http://{browser.worker.host}/oidc/callback"
    done = browser.arrive(asked)
    assert (done.status, done.headers["location"]) == (303, "/ada/app")
    assert session(browser) == "ada"
    (token,) = provider.asked
    expected = base64.b64encode(b"the%20registry:s3cr%3At%2F%2B").decode()
    assert token["authorization"] == f"Basic {expected}"
    provider.user = {"sub": "1", "preferred_username": "renamed"}
    other = Browser(browser.worker, provider)
    other.login()
    assert session(other) == "ada", "found by subject, whatever they call themselves now"


def test_nobody_gets_somebody_else_s_account_by_its_name(browser: Browser, provider: Provider) -> None:
    accounts = browser.worker.service.accounts
    assert accounts is not None
    browser.worker.run(accounts.users.create(SHELL, "root", "correct horse", admin=True))
    for name in ("root", "library", "", "../x", None):
        provider.user = {"sub": "2", "preferred_username": name, "email": "root@example.org", "email_verified": True}
        failure(browser.login())
        assert session(browser) is None


def test_without_create_only_those_with_an_account_come_in(tmp_path: Path, provider: Provider) -> None:
    with registry_worker(tmp_path / "root", base=config(provider, create=False), accounts=True) as worker:
        browser = Browser(worker, provider)
        assert "no account" in failure(browser.login())
        accounts = worker.service.accounts
        assert accounts is not None
        worker.run(accounts.users.create(SHELL, "somebody"))
        worker.run(accounts.users.link(SHELL, "somebody", provider.issuer, "1"))
        browser.login()
        assert session(browser) == "somebody"
        worker.run(accounts.users.set_active(SHELL, "somebody", False))
        assert "disabled" in failure(browser.login())


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "http://other.example"}, "another issuer"),
        ({"aud": "somebody else"}, "somebody else"),
        ({"aud": [CLIENT, "x"], "azp": "x"}, "somebody else"),
        ({"nonce": "another"}, "another login"),
        ({"nonce": None}, "another login"),
        ({"exp": -3600}, "expired"),
        ({"iat": 3600}, "not good yet"),
        ({"exp": None}, "no times"),
        ({"sub": None}, "nobody"),
        ({"sub": ""}, "nobody"),
        ({"sub": 7}, "nobody"),
    ],
    ids=str,
)
def test_an_identity_that_is_not_right_is_refused(
    browser: Browser, provider: Provider, claims: dict[str, Any], why: str
) -> None:
    now = time.time()  # times are given from now on
    provider.claims = {
        name: now + value if name in ("exp", "iat") and value else value for name, value in claims.items()
    }
    assert why in failure(browser.login())
    assert session(browser) is None


def test_an_identity_by_another_key_or_algorithm_is_refused(browser: Browser, provider: Provider) -> None:
    provider.key = ECKey.generate_key("P-256", parameters={"kid": "one"})
    assert "not signed" in failure(browser.login())
    provider.sign_by_secret()
    assert "not signed" in failure(browser.login())
    assert session(browser) is None


def test_an_answer_to_another_login_is_refused(browser: Browser, worker: Worker, provider: Provider) -> None:
    asked = browser.leave()
    stranger = Browser(worker, provider)
    assert "another browser" in failure(stranger.arrive(asked)), "a link that somebody else sent"
    mine = Browser(worker, provider)
    mine.leave()
    assert "another login" in failure(mine.arrive(asked))
    forged = Browser(worker, provider)
    forged.leave()
    forged.cookies["hardtack-login"] = forged.cookies["hardtack-login"][:-6] + "AAAAAA"
    assert "another browser" in failure(forged.arrive(asked))
    refused = Browser(worker, provider)
    provider.error = "access_denied"
    assert "access_denied" in failure(refused.login())
    assert not provider.asked


def test_a_provider_that_is_not_who_it_should_be_is_refused(browser: Browser, provider: Provider) -> None:
    provider.document = {"issuer": "http://other.example"}
    assert "another name" in failure(browser.get("/oidc/login"))
    provider.document = {"token_endpoint": "file:///etc/passwd"}
    assert "token_endpoint" in failure(browser.get("/oidc/login"))


def test_a_provider_at_a_private_address_has_to_be_allowed(tmp_path: Path, provider: Provider) -> None:
    with registry_worker(tmp_path / "root", base=config(provider, allow=()), accounts=True) as worker:
        assert "[network]" in failure(worker.client("GET", "/oidc/login"))


def test_a_login_leads_to_no_other_site(browser: Browser) -> None:
    asked = browser.leave("/oidc/login?next=https://evil.example")
    assert browser.arrive(asked).headers["location"] == "/"


def test_without_a_provider_there_are_no_such_addresses(tmp_path: Path) -> None:
    with registry_worker(tmp_path / "root", accounts=True) as worker:
        assert worker.client("GET", "/oidc/login").status == 404
