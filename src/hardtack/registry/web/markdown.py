"""A repository's README: Markdown that anybody may have written, as HTML that can do nothing but be read.

Raw HTML is not passed on, pictures become links (a page loads nothing from elsewhere), links say nofollow, and what
comes out is cleaned once more by a list of what is allowed. What is long is rendered in a thread, one at a time: there
are texts of a hundred thousand brackets that take seconds, and whoever pulls must not wait for them.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s"),
    *("strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}
_LIMIT = 100_000
_AT_ONCE = 4096
_THREAD = ThreadPoolExecutor(1, "registry-markdown")


def _image(self: Any, tokens: Sequence[Any], index: int, options: Any, environment: Any) -> str:
    token = tokens[index]
    text = self.renderInlineAsText(token.children or [], options, environment) or "picture"
    return f'<a href="{_escaped(str(token.attrGet("src") or ""))}">{_escaped(text)}</a>'


def _heading(self: Any, tokens: Sequence[Any], index: int, options: Any, environment: Any) -> str:
    token = tokens[index]
    token.tag = f"h{min(6, int(token.tag[1:]) + 1)}"  # the page has an h1 of its own
    return str(self.renderToken(tokens, index, options, environment))


def _escaped(text: str) -> str:
    return nh3.clean_text(text)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    return parser


_PARSER = _parser()


async def rendered(text: str) -> Markup:
    """A README as HTML."""
    if len(text) <= _AT_ONCE:
        return render(text)
    return await asyncio.get_running_loop().run_in_executor(_THREAD, render, text)


@lru_cache(maxsize=64)
def render(text: str) -> Markup:
    """The same, however long it takes."""
    html = _PARSER.render(text[:_LIMIT])
    cleaned = nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="nofollow noopener noreferrer ugc"
    )
    return Markup(cleaned)  # noqa: S704 - cleaned on the line before
