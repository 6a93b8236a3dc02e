"""Lists look as docker's do, by default and by --format."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest

from hardtack.cli.streams import Streams
from hardtack.cli.tables import layout, write_list
from hardtack.cli.template.lex import TemplateError

HEADERS = {"ID": "CONTAINER ID", "Image": "IMAGE", "Names": "NAMES", "Labels": "LABELS"}
ROWS: list[dict[str, Any]] = [
    {"ID": "0123456789ab", "Image": "nginx", "Names": "web", "Labels": "a=b", "Label": {"a": "b"}.get},
    {"ID": "ba9876543210", "Image": "localhost:5000/app:1", "Names": "app", "Labels": "", "Label": {}.get},
]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def show(chosen: str = "", rows: list[dict[str, Any]] | None = None, out: StringIO | None = None) -> str:
    streams = Streams()
    streams.out = out or StringIO()
    write_list(streams, ROWS if rows is None else rows, HEADERS, ("ID", "Image", "Names"), chosen)
    return streams.out.getvalue()


def test_columns_are_as_wide_as_their_widest_cell_and_three_spaces() -> None:
    expected = (
        "CONTAINER ID   IMAGE                  NAMES\n"
        "0123456789ab   nginx                  web\n"
        "ba9876543210   localhost:5000/app:1   app\n"
    )
    assert show() == show("table") == expected


def test_an_empty_list_is_its_headers_with_columns_of_at_least_ten() -> None:
    assert show(rows=[]) == "CONTAINER ID   IMAGE     NAMES\n"


def test_a_template_gives_a_line_per_row_with_tabs_and_newlines_spelt_out() -> None:
    assert show("{{.ID}}\\t{{.Names}}") == "0123456789ab\tweb\nba9876543210\tapp\n"
    assert show("{{.Names}}\\n") == "web\n\napp\n\n"


def test_a_template_after_the_word_table_gets_headers() -> None:
    assert show("table {{.Names}}\\t{{.Image}}") == (
        "NAMES     IMAGE\nweb       nginx\napp       localhost:5000/app:1\n"
    )
    assert show("table {{upper .Names}}\\t{{json .ID}}").splitlines()[:2] == [
        "NAMES     CONTAINER ID",
        'WEB       "0123456789ab"',
    ]
    assert show('table {{.Names}}\\t{{.Label "com.x.my-label"}}').splitlines()[0] == "NAMES     my label"


def test_json_is_an_object_per_line_with_its_keys_sorted_and_no_methods() -> None:
    assert show("json").splitlines()[0] == ('{"ID":"0123456789ab","Image":"nginx","Labels":"a=b","Names":"web"}')


def test_an_unknown_field_is_an_error_before_anything_is_printed() -> None:
    out = StringIO()
    with pytest.raises(TemplateError, match="can't evaluate field Nope"):
        show("{{.Names}} {{.Nope}}", out=out)
    assert out.getvalue() == ""


def test_control_characters_of_strangers_do_not_reach_a_terminal_but_reach_a_pipe() -> None:
    rows = [{**ROWS[0], "Names": "x\x1b[2Jy\nz"}]
    assert "x?[2Jy?z" in show(rows=rows, out=Terminal())
    assert "x\x1b[2Jy\nz" in show(rows=rows)


def test_lines_may_have_different_lengths() -> None:
    assert layout([["a"], [], ["b", "c"], ["d", "e", "f"]]) == "a\n\nb         c\nd         e         f\n"
