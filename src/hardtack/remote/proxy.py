"""Which proxy stands between us and a host, by the environment: HTTP_PROXY, HTTPS_PROXY, NO_PROXY.

A rule on plain values; the environment is read once, by `Proxies.from_environment`. This machine itself is never
reached through a proxy.
"""

from __future__ import annotations

from hardtack.remote.config import is_loopback, split_port
from hardtack.remote.errors import ConfigInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Proxy:
    """A proxy: where it listens and what to say to it.

    Attributes:
        authorization: the value of Proxy-Authorization, "" for none.
    """

    __slots__ = ("authorization", "host", "port")

    def __init__(self, host: str, port: int, authorization: str = "") -> None:
        self.host = host
        self.port = port
        self.authorization = authorization


class Proxies:
    """The proxies of an environment.

    Args:
        http: the proxy's URL for plain requests, "" for none.
        https: the proxy's URL for TLS.
        exceptions: NO_PROXY: names, .suffixes, addresses, networks, `*`, separated by commas.
    """

    __slots__ = ("_exceptions", "_urls")

    def __init__(self, http: str = "", https: str = "", exceptions: str = "") -> None:
        self._urls = {"http": http, "https": https}
        self._exceptions = [word.strip().lower() for word in exceptions.split(",") if word.strip()]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """Read the variables, lower-case ones first.

        HTTP_PROXY is ignored where REQUEST_METHOD is set, because a CGI server puts a request's header there.
        Source: golang.org/x/net/http/httpproxy; CVE-2016-5385.
        """

        def read(name: str) -> str:
            return environment.get(name.lower()) or environment.get(name) or ""

        plain = "" if environment.get("REQUEST_METHOD") else read("HTTP_PROXY")
        return cls(plain, read("HTTPS_PROXY"), read("NO_PROXY"))

    def choose(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy for a connection, or None for a direct one.

        Raises:
            ConfigInvalid: the proxy's URL has no meaning to us; it is not quoted, for it may hold a password.
        """
        url = self._urls.get(scheme, "")
        if not url or is_loopback(host) or any(_excepts(word, host, port) for word in self._exceptions):
            return None
        proxy = _parse(url)
        if proxy is None:
            raise ConfigInvalid(f"the environment's {scheme.upper()}_PROXY", "it is not of the form http://host:port")
        return proxy


def _parse(url: str) -> Proxy | None:
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or 80
    except ValueError:
        return None
    if parts.scheme != "http" or not parts.hostname:
        return None
    authorization = ""
    if parts.username:
        import base64

        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(parts.hostname, port, authorization)


def _excepts(word: str, host: str, port: int) -> bool:
    if word == "*":
        return True
    if "/" in word:
        return _in_network(word, host)
    name, only = split_port(word)
    if only and only != port:
        return False
    host = host.lower().rstrip(".").strip("[]")
    name = name.removeprefix("*").strip("[]")
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith("." + name)


def _in_network(word: str, host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host.strip("[]")) in ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
