"""A README is shown as it was meant, and whoever wrote it can do nothing to whoever reads it."""

from __future__ import annotations

import html.parser
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.registry.web.markdown import render

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<iframe src=//evil.example></iframe>",
    "<style>body{display:none}</style>",
    "<svg><script>alert(1)</script></svg>",
    "<a href='javascript:alert(1)'>x</a>",
    "<form action=/logout method=post><button>x</button></form>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "![x](javascript:alert(1))",
    "![x](http://evil.example/track.png)",
    '![x" onerror="alert(1)](y)',
    '[x](http://a/ "onmouseover=alert(1) x=")',
    '[x](http://a/" onmouseover="alert(1))',
    "<http://a/\"onclick=alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "```<script>\n</code></pre><script>alert(1)</script>\n```",
    "# <b onclick=x>y</b>",
    "| <script> |\n|---|\n| <img src=x> |",
    "<!-- <img src=x> --><![CDATA[<script>]]><?php x ?>",
    "<div id=content class=trouble>x</div>",
    "\x00<script>\u202e",
]  # fmt: skip


class Tags(html.parser.HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def harmless(text: str) -> None:
    for tag, attributes in Tags(render(text)).found:
        assert tag in {
            *("a", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
            *("s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
        }
        assert set(attributes) <= {"href", "title", "rel", "start"}, attributes
        href = attributes.get("href")
        if href is not None:
            scheme = href.partition(":")[0].lower() if ":" in href.partition("/")[0] else ""
            assert scheme in ("", "http", "https", "mailto"), href
            assert "nofollow" in str(attributes["rel"])
            assert "noopener" in str(attributes["rel"])


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_survives(text: str) -> None:
    harmless(text)


@given(st.text(alphabet="<>[]()!\"'`*_#|-:&; \n\tajvscript=/\\x0", max_size=200))
@settings(max_examples=200, deadline=None)
def test_nothing_made_up_survives(text: str) -> None:
    harmless(text)


def test_what_is_meant_is_shown() -> None:
    text = (
        "# Title\n\n**bold** `code` ~~gone~~\n\n1. one\n\n- two\n\n> quote\n\n| a |\n|---|\n| b |\n\n[l](https://x.org)"
    )
    names = [tag for tag, _ in Tags(render(text)).found]
    for tag in ("h2", "strong", "code", "s", "ol", "ul", "blockquote", "table", "td", "a"):
        assert tag in names, tag
    assert "h1" not in names  # the page has one


def test_a_picture_is_a_link_with_its_description() -> None:
    found = Tags(render("![A cookie](https://x.org/c.png)")).found
    assert [tag for tag, _ in found] == ["p", "a"]
    assert "A cookie" in render("![A cookie](https://x.org/c.png)")
    assert found[1][1]["href"] == "https://x.org/c.png"


@pytest.mark.parametrize("piece", ["> ", "- ", "[", "*a_", "`", "<!--", "![](", "|a", "&#x", "1) "])
def test_time_grows_with_the_length_of_the_text_and_no_faster(piece: str) -> None:
    def seconds(length: int) -> float:
        began = time.thread_time()
        render(piece * (length // len(piece)))
        return time.thread_time() - began

    # Four times the text may take four times the time, and not sixteen times; very short times say nothing.
    assert seconds(50_000) < 10 * max(seconds(12_500), 0.05)
