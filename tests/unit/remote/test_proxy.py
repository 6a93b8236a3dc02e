"""Which proxy for which host: a table."""

from __future__ import annotations

import pytest

from hardtack.remote.errors import ConfigInvalid
from hardtack.remote.proxy import Proxies


@pytest.mark.parametrize(
    ("exceptions", "scheme", "host", "proxied"),
    [
        ("", "https", "r.example", True),
        ("", "http", "r.example", True),
        ("", "http", "localhost", False),
        ("", "https", "127.0.0.1", False),
        ("*", "https", "r.example", False),
        ("r.example", "https", "r.example", False),
        ("example", "https", "r.example", False),
        (".example", "https", "r.example", False),
        (".example", "https", "example", True),
        ("*.example", "https", "r.example", False),
        ("ample", "https", "r.example", True),
        ("R.EXAMPLE", "https", "r.example.", False),
        ("r.example:5000", "https", "r.example", True),
        ("r.example:443", "https", "r.example", False),
        ("10.0.0.0/8", "https", "10.1.2.3", False),
        ("10.0.0.0/8", "https", "11.1.2.3", True),
        ("10.0.0.0/8", "https", "r.example", True),
        ("a, b ,r.example", "https", "r.example", False),
        ("fd00::/8", "https", "fd00::1", False),
    ],
)
def test_exceptions(exceptions: str, scheme: str, host: str, proxied: bool) -> None:
    proxies = Proxies("http://p:3128", "http://p:3128", exceptions)
    assert (proxies.choose(scheme, host, 443) is not None) is proxied


def test_the_environment_is_read_in_both_cases_and_the_lower_one_wins() -> None:
    proxies = Proxies.from_environment(
        {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://us%40er:pa%3Ass@lower:2", "NO_PROXY": "no.example"}
    )
    proxy = proxies.choose("https", "r.example", 443)
    assert proxy is not None
    assert (proxy.host, proxy.port) == ("lower", 2)
    assert proxy.authorization == "Basic dXNAZXI6cGE6c3M="
    assert proxies.choose("https", "no.example", 443) is None
    assert proxies.choose("http", "r.example", 80) is None


def test_a_cgi_server_is_not_steered_by_a_clients_header() -> None:
    assert (
        Proxies.from_environment({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}).choose("http", "a", 80) is None
    )


def test_a_proxy_that_we_cannot_speak_to_is_refused_without_showing_its_password() -> None:
    for url in (
        "socks5://user:secret@p:1",
        "http://user:secret/word@p:1",
        "http://user:word@p:secret",
        "http://[secret",
    ):
        with pytest.raises(ConfigInvalid, match="HTTPS_PROXY cannot be used: it is not of the form") as caught:
            Proxies("", url).choose("https", "r.example", 443)
        assert "secret" not in str(caught.value)
