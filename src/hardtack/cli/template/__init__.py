"""Go's text/template as far as `--format` uses it: fields, pipes, range, if, with, variables, docker's functions.

A `Template` is parsed once and rendered for each value. Values are what JSON knows (dicts stand for structs and maps)
plus callables for docker's methods such as `.Label "key"`. Mistakes name the line and the column, in Go's words.
Left out, and refused by name: define, template, block, and functions for web pages.
"""

from __future__ import annotations

from hardtack.cli.template.evaluate import Evaluator
from hardtack.cli.template.lex import TemplateError
from hardtack.cli.template.parse import parse
from hardtack.cli.template.values import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hardtack.cli.streams import Streams


UNREADABLE_EXIT = 64  # docker's code for a template that cannot be read; one that cannot be filled is a failure: 1


class Template:
    """A parsed template.

    Args:
        text: the template.
        headers: True for a table's header line, where docker's functions leave words alone.
    Raises:
        TemplateError: where it cannot be read.
    """

    __slots__ = ("_headers", "_nodes", "_text")

    def __init__(self, text: str, headers: bool = False) -> None:
        self._text = text
        try:
            self._nodes = parse(text)
        except TemplateError as error:
            error.exit_code = UNREADABLE_EXIT
            raise
        self._headers = headers

    def render(self, data: Any) -> str:
        """The template filled with one value.

        Raises:
            TemplateError: a field that does not exist, a function that does not fit its arguments.
        """
        return Evaluator(self._text, data, self._headers).run(self._nodes)


def print_one(chosen: str, value: Any, streams: Streams) -> None:
    """Print one value by `--format`: `json` for JSON, else a template; ends with a newline."""
    print_each(chosen, (value,), streams)


def print_each(chosen: str, values: Iterable[Any], streams: Streams) -> None:
    """Print values by `--format`, a line each, as `inspect` does."""
    if chosen == "json":
        from hardtack.jsontext import dumps

        for value in values:
            streams.out.write(dumps(plain(value)) + "\n")
        return
    template = Template(chosen)
    for value in values:
        streams.out.write(template.render(value) + "\n")
