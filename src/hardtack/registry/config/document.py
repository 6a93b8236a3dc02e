"""The whole configuration: its sections, and how a document becomes one.

A topic adds its section here with one line, and everything else in a file of its own. Every mistake of a document is
found, not only the first. No I/O: files of secrets are read by who is asked to.
"""

from __future__ import annotations

import difflib
import os
import typing
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from hardtack.registry.config.access import AccessSection, OidcSection
from hardtack.registry.config.limits import Limits
from hardtack.registry.config.maintenance import MaintenanceSection
from hardtack.registry.config.options import PATH, STDERR, Option, Secret, options
from hardtack.registry.config.server import DataSection, ServerSection, TlsSection
from hardtack.registry.config.stores import BlobsSection, MetadataSection
from hardtack.registry.config.topics import RetentionSection, WebhooksSection
from hardtack.registry.config.upstreams import NetworkSection, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PROBLEMS = 100
_FILE = "_file"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a file can say; without one, the defaults."""

    server: ServerSection = field(default_factory=ServerSection)
    tls: TlsSection = field(default_factory=TlsSection)
    data: DataSection = field(default_factory=DataSection)
    metadata: MetadataSection = field(default_factory=MetadataSection)
    blobs: BlobsSection = field(default_factory=BlobsSection)
    access: AccessSection = field(default_factory=AccessSection)
    oidc: OidcSection = field(default_factory=OidcSection)
    limits: Limits = field(default_factory=Limits)
    retention: RetentionSection = field(default_factory=RetentionSection)
    upstream: tuple[Upstream, ...] = ()
    network: NetworkSection = field(default_factory=NetworkSection)
    webhooks: WebhooksSection = field(default_factory=WebhooksSection)
    maintenance: MaintenanceSection = field(default_factory=MaintenanceSection)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    Attributes:
        section: as the file writes it, "[tls]" or "[[upstream]] 2"; "" for the file itself.
    """

    section: str
    key: str
    why: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (f"{self.section} {self.key}".strip(), self.why)))


def sections() -> dict[str, tuple[type[Any], bool]]:
    """The class of every section by its name, and whether it is a list of tables."""
    hints = typing.get_type_hints(Config)
    found: dict[str, tuple[type[Any], bool]] = {}
    for item in fields(Config):
        hint = hints[item.name]
        many = typing.get_origin(hint) is tuple
        found[item.name] = (typing.get_args(hint)[0] if many else hint, many)
    return found


def read(
    document: Mapping[str, Any], read_secret: Callable[[str], str], folder: str = "/"
) -> tuple[Config, list[Problem]]:
    """Turn a document into a configuration.

    Args:
        document: as tomllib returns it.
        folder: what relative paths are relative to.
        read_secret: the content of a file, for KEY_file; raises OSError or ValueError.
    Returns:
        The configuration, with defaults in place of what is wrong, and what is wrong.
    """
    reader = _Reader(read_secret, folder)
    known = sections()
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name not in known:
            reader.tell(f"[{name[:60]}]", "", "no such section" + _near(name, known))
            continue
        section, many = known[name]
        if many:
            values[name] = reader.list(section, f"[[{name}]]", value)
        else:
            values[name] = reader.table(section, f"[{name}]", value)
    return Config(**values), reader.problems


class _Reader:
    """Reads tables and keeps what is wrong."""

    def __init__(self, read_secret: Callable[[str], str], folder: str) -> None:
        self._read_secret = read_secret
        self._folder = folder
        self.problems: list[Problem] = []

    def tell(self, where: str, key: str, why: str) -> None:
        if len(self.problems) < _PROBLEMS:
            self.problems.append(Problem(where, key, why))

    def list(self, section: type[Any], where: str, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            self.tell(where, "", "must be a list of tables: write the name in two pairs of brackets")
            return ()
        before = len(self.problems)
        made = tuple(self.table(section, f"{where} {number}", item) for number, item in enumerate(value, 1))
        if len(self.problems) == before and hasattr(section, "problems_together"):
            for place, key, why in section.problems_together(made):
                self.tell(f"{where} {place + 1}", key, why)
        return made

    def table(self, section: type[Any], where: str, value: object) -> Any:
        if not isinstance(value, dict):
            self.tell(where, "", "must be a table")
            return section()
        table = options(section)
        before = len(self.problems)
        values: dict[str, Any] = {}
        for key, given in value.items():
            self._key(table, where, key, given, values)
        for key, one in table.items():
            if one.required and not values.get(key) and (key in values or key not in value):
                self.tell(where, key, "is missing")
        made = section(**values)
        if len(self.problems) == before and hasattr(made, "problems"):
            for key, why in made.problems():
                self.tell(where, key, why)
        return made

    def _key(self, table: dict[str, Option], where: str, key: str, given: object, values: dict[str, Any]) -> None:
        one = table.get(key)
        if one is None and key.endswith(_FILE):
            one = table.get(key[: -len(_FILE)])
            if one is not None and one.secret:
                self._secret(one, where, given, values)
                return
            one = None
        if one is None:
            names = [*table, *(name + _FILE for name, found in table.items() if found.secret)]
            self.tell(where, key[:60], "no such key" + _near(key, names))
        elif one.key in values:
            self.tell(where, key, f"is given twice, as {key} and {key}{_FILE}")
        elif one.table is not None:
            values[key] = self.list(one.table, f"[[{where.strip('[]')}.{key}]]", given)
        else:
            self._value(one, where, key, given, values)

    def _value(self, one: Option, where: str, key: str, given: object, values: dict[str, Any]) -> None:
        try:
            value = one.kind.read(given)
        except (ValueError, OverflowError) as error:
            self.tell(where, key, str(error))
            return
        if one.kind is PATH and value and value != STDERR:
            value = os.path.join(self._folder, value)
        values[one.key] = value

    def _secret(self, one: Option, where: str, given: object, values: dict[str, Any]) -> None:
        key = one.key + _FILE
        if one.key in values:
            self.tell(where, key, f"is given twice, as {one.key} and {key}")
            return
        if not isinstance(given, str) or not given:
            self.tell(where, key, "must be the path of a file")
            return
        try:
            content = self._read_secret(os.path.join(self._folder, given))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self.tell(where, key, f"cannot read {given}: {why.lower()}")
            return
        self._value(one, where, key, Secret(content.strip()), values)


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name[:60], list(known), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def problems_of(config: Config) -> list[Problem]:
    """What does not fit together in a configuration that came from elsewhere than a file, flags for example."""
    found = []
    for name, (_, many) in sections().items():
        if not many and hasattr(getattr(config, name), "problems"):
            found += [Problem(f"[{name}]", key, why) for key, why in getattr(config, name).problems()]
    return found
