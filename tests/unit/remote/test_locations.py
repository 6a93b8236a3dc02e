"""Where a Location leads, and what belongs together as one origin."""

from __future__ import annotations

import pytest

from hardtack.remote.errors import printable
from hardtack.remote.origin import Origin, resolve

HOME = Origin.of("https", "r.example")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/v2/a/blobs/uploads/1?x=y", ("https://r.example", "/v2/a/blobs/uploads/1?x=y")),
        ("1", ("https://r.example", "/v2/a/blobs/uploads/1")),
        ("https://cdn.example/x?sig=1#frag", ("https://cdn.example", "/x?sig=1")),
        ("https://user:pw@cdn.example:8443/x", ("https://cdn.example:8443", "/x")),
        ("//cdn.example/x", ("https://cdn.example", "/x")),
        ("http://cdn.example/x", ("http://cdn.example", "/x")),
        ("http://r.example/x", ("https://r.example", "/x")),
        ("http://r.example:80/x", ("http://r.example", "/x")),
        ("https://R.Example", ("https://r.example", "/")),
        ("https://[::1]:5000/x", ("https://[::1]:5000", "/x")),
    ],
)
def test_locations_are_resolved_against_the_request(location: str, expected: tuple[str, str]) -> None:
    origin, target = resolve(HOME, "/v2/a/blobs/uploads/", location)
    assert (str(origin), target) == expected


@pytest.mark.parametrize(
    "location", ["ftp://a/x", "file:///etc/passwd", "/a\r\nHost: b", "https://a:99999/", "ü", "/" * 20_000]
)
def test_a_location_that_is_no_http_url_is_refused(location: str) -> None:
    with pytest.raises(ValueError):
        resolve(HOME, "/", location)


def test_the_port_that_a_scheme_has_anyway_makes_no_other_origin() -> None:
    assert Origin.of("https", "a:443") == Origin.of("https", "A")
    assert Origin.of("https", "a") != Origin.of("http", "a")
    assert Origin.of("https", "a:444") != Origin.of("https", "a")
    assert str(Origin.of("http", "[::1]:5000")) == "http://[::1]:5000"


def test_what_a_server_says_cannot_steer_a_terminal() -> None:
    assert printable("a\x1b[31mb\r\nc\x00") == "a [31mb c"
    assert len(printable("x" * 5000)) == 300
