"""The table as text: a commented example, the values in force, and the reference page.

`python -m hardtack.registry.config.writing docs/registry/configuration.md` writes the page.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

from hardtack.registry.config.document import sections
from hardtack.registry.config.options import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.registry.config.document import Config
    from hardtack.registry.config.options import Option

_WIDTH = 100
_MASK = '"(secret)"'

_EXAMPLE_HEAD = """\
# The configuration of a registry: tack registry serve --config FILE
#
# Every option is here with its default, or with an example where the default is nothing. Lines that begin with "#" and
# no space are options: take the "#" away and write what you want. Times are "90s", "15m", "1h30m", "7d"; sizes "10GB"
# (by 1000) or "4MiB" (by 1024). Relative paths are relative to this file. A secret can also be read from a file: write
# KEY_file and the path. Check what you wrote with: tack registry config check --config FILE
"""

_PAGE_HEAD = """\
# Configuration

Written by `./dev docs` from the table that also reads the file; do not edit it by hand.

The registry is configured by one TOML file, `tack registry serve --config FILE`. Without one it has the defaults below.
Flags of `tack registry serve` win over the file. `tack registry config example` prints a file with every option,
`tack registry config check --config FILE` says everything that is wrong with one, or what is in force. SIGHUP has it
read again: what is wrong then is logged, and the old configuration stays.

Times are text such as `"90s"`, `"15m"`, `"1h30m"`, `"7d"`; sizes `"10GB"` (by 1000) or `"4MiB"` (by 1024). Relative
paths are relative to the file. A secret can be read from a file: write `KEY_file` and its path in place of `KEY`.
Unknown sections and keys are errors.
"""


def example() -> str:
    """A file with every option, commented; as it stands it changes nothing."""
    parts = [_EXAMPLE_HEAD]
    for name, (section, many) in sections().items():
        parts.append("\n" + _comment(_summary(section)) + (f"#[[{name}]]\n" if many else f"[{name}]\n"))
        parts += _example_lines(name, section)
    return "".join(parts)


def _example_lines(name: str, section: type[Any]) -> Iterator[str]:
    for one in options(section).values():
        if one.table is not None:
            yield f"\n{_comment(_summary(one.table))}#[[{name}.{one.key}]]\n"
            yield from _example_lines(f"{name}.{one.key}", one.table)
        elif one.secret and not one.sample:
            yield f'\n{_comment(one.meaning)}#{one.key}_file = "/etc/hardtack/{name}-{one.key}"\n'
        else:
            yield f"\n{_comment(one.meaning)}#{one.key} = {one.sample or one.kind.write(one.default)}\n"


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, _WIDTH))


def _summary(section: type[Any]) -> str:
    return " ".join((section.__doc__ or "").split())


def effective(config: Config) -> str:
    """What is in force, as TOML; secrets are masked."""
    parts = []
    for name, (_, many) in sections().items():
        value = getattr(config, name)
        for one in value if many else (value,):
            parts.append((f"[[{name}]]\n" if many else f"[{name}]\n") + _values(name, one))
    return "\n".join(parts)


def _values(name: str, section: Any) -> str:
    lines, tables = [], []
    for key, one in options(type(section)).items():
        value = getattr(section, key)
        if one.table is not None:
            tables += [f"\n[[{name}.{key}]]\n{_values(f'{name}.{key}', entry)}" for entry in value]
        else:
            lines.append(f"{key} = {_MASK if one.secret and value else one.kind.write(value)}\n")
    return "".join(lines + tables)


def page() -> str:
    """The reference page as Markdown."""
    parts = [_PAGE_HEAD]
    for name, (section, many) in sections().items():
        parts += _page_section(f"[[{name}]]" if many else f"[{name}]", name, section)
    return "\n".join(parts)


def _page_section(title: str, name: str, section: type[Any]) -> Iterator[str]:
    yield f"## {title}\n\n{_summary(section)}\n"
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    inner = []
    for one in options(section).values():
        rows.append(_row(one))
        if one.table is not None:
            inner.append((one.key, one.table))
    yield "\n".join(rows) + "\n"
    for key, table in inner:
        yield from _page_section(f"[[{name}.{key}]]", f"{name}.{key}", table)


def _row(one: Option) -> str:
    if one.required:
        default = "required"
    elif one.table is not None or one.secret or one.default in ("", ()):
        default = ""
    else:
        default = f"`{one.kind.write(one.default)}`"
    key = f"`{one.key}`" + (f", `{one.key}_file`" if one.secret else "")
    meaning = one.meaning + (f"; for example `{one.sample}`" if one.sample else "")
    cells = (key, one.kind.name.replace('"', "`"), default, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(path: str) -> None:
    """Write the page to a file."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(page())


if __name__ == "__main__":
    main(sys.argv[1])
