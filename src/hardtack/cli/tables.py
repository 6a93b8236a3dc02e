"""Lists as docker prints them: aligned columns, `--format` with a template, `table` in front of it, or `json`.

A list is rows, dicts from docker's field names (`ID`, `Names` …) to text, and the headers of those fields. Columns
are padded to the widest cell plus three spaces, at least ten wide. On a terminal, control characters in a stranger's
text (labels, commands) are shown as `?`, so that a row stays a row.

Source: docker/cli, cli/command/formatter/formatter.go; Go, text/tabwriter.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from hardtack.cli.streams import Streams

    Row = Mapping[str, Any]  # text, or a callable for a method such as .Label "key"

_NARROWEST = 10
_GAP = 3


def write_list(
    streams: Streams,
    rows: Iterable[Row],
    headers: Mapping[str, str],
    columns: Sequence[str],
    chosen: str = "",
) -> None:
    """Print a list.

    Args:
        streams: where to.
        rows: what to list; every row has every field.
        headers: field → title, for all fields that a table may show.
        columns: the fields of the plain table.
        chosen: what `--format` said; "" and "table" mean the plain table.
    Raises:
        TemplateError: the template cannot be read or names an unknown field.
    """
    chosen = chosen.strip(" ")
    if chosen in ("", "table"):
        lines = [[headers[name] for name in columns]]
        lines += [[str(row[name]) for name in columns] for row in rows]
        streams.out.write(layout(lines, streams.out_is_terminal))
        return
    if chosen == "json":
        from hardtack.jsontext import dumps

        for row in rows:
            streams.out.write(dumps({key: row[key] for key in sorted(row) if not callable(row[key])}) + "\n")
        return
    _write_template(streams, rows, headers, chosen)


def _write_template(streams: Streams, rows: Iterable[Row], headers: Mapping[str, str], chosen: str) -> None:
    from hardtack.cli.template import Template

    text = chosen.removeprefix("table").strip(" ") if chosen.startswith("table ") else chosen
    text = text.replace("\\t", "\t").replace("\\n", "\n")
    template = Template(text)
    lines = [template.render(row) for row in rows]
    if not chosen.startswith("table "):
        for line in lines:
            streams.out.write(line + "\n")
        return
    titles: dict[str, Any] = dict(headers)
    titles["Label"] = _label_title
    lines.insert(0, Template(text, headers=True).render(titles))
    cells = [piece.split("\t") for line in lines for piece in line.split("\n")]
    streams.out.write(layout(cells, streams.out_is_terminal))


def _label_title(name: str) -> str:
    # docker's title of a label's column: the last part of its name, words apart
    last = name.rpartition(".")[2]
    return "".join(" " if character in "-_" else character for character in last)


def layout(lines: Sequence[Sequence[str]], terminal: bool = False) -> str:
    """Lines of cells as aligned text; the last cell of a line is not padded.

    Args:
        lines: cells, by line; lines may differ in length.
        terminal: whether to keep control characters from reaching the screen.
    """
    clean: Callable[[str], str] = _visible if terminal else str
    widths: list[int] = []
    for line in lines:
        for position, cell in enumerate(line[:-1]):
            if position == len(widths):
                widths.append(_NARROWEST)
            widths[position] = max(widths[position], len(cell) + _GAP)
    out = []
    for line in lines:
        padded = [clean(cell).ljust(width) for cell, width in zip(line[:-1], widths, strict=False)]
        out.append("".join(padded) + (clean(line[-1]) if line else "") + "\n")
    return "".join(out)


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text)
