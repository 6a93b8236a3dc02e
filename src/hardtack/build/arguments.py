"""Build arguments: what the command line gave, what every build has, which of them were asked for.

The proxies may be used by RUN without being declared, and are kept out of the history, the config and the cache.
"""

from __future__ import annotations

from hardtack.build.dockerfile import expand
from hardtack.build.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardtack.build.dockerfile.instructions import Arg, Dockerfile
    from hardtack.oci.platform import Platform

PROXIES = frozenset(
    name
    for word in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for name in (word, word.upper())
)
_QUIET = frozenset(("SOURCE_DATE_EPOCH", *PROXIES))


class Arguments:
    """The arguments of one build.

    Attributes:
        given: from --build-arg; `globals`: the ARGs before the first FROM with the predefined ones.
        used: names that some ARG declared.
    """

    __slots__ = ("given", "globals", "used")

    def __init__(self, given: Mapping[str, str], host: Platform, target: Platform, stage: str) -> None:
        self.given = dict(given)
        self.used: set[str] = set()
        predefined = {
            "BUILDPLATFORM": str(host),
            "BUILDOS": host.os,
            "BUILDARCH": host.architecture,
            "BUILDVARIANT": host.variant,
            "TARGETPLATFORM": str(target),
            "TARGETOS": target.os,
            "TARGETARCH": target.architecture,
            "TARGETVARIANT": target.variant,
            "TARGETSTAGE": stage or "default",
        }
        self.globals = {name: self.given.get(name, value) for name, value in predefined.items()}
        self.used.update(predefined)

    def declare_globals(self, dockerfile: Dockerfile) -> None:
        """Take the ARGs before the first FROM.

        Raises:
            DockerfileError: with the line, a default that cannot be expanded.
        """
        for argument in dockerfile.arguments:
            for name, default in argument.pairs:
                self.used.add(name)
                try:
                    value = self._value(name, default, self.globals, dockerfile.escape)
                except DockerfileError as fault:
                    raise fault.placed(argument.line, dockerfile.text(argument.line), dockerfile.name) from None
                if value is not None:
                    self.globals[name] = value

    def declare(self, step: Arg, variables: Mapping[str, str], escape: str) -> list[tuple[str, str | None]]:
        """The names that an ARG inside a stage declares, with their values, None where there is none.

        A default may use the names before it in the same instruction.
        """
        seen = dict(variables)
        found: list[tuple[str, str | None]] = []
        for name, default in step.pairs:
            self.used.add(name)
            value = self._value(name, default, seen, escape)
            if value is None:
                value = self.globals.get(name)
            if value is not None:
                seen[name] = value
            found.append((name, value))
        return found

    def _value(self, name: str, default: str | None, variables: Mapping[str, str], escape: str) -> str | None:
        if name in self.given:
            return self.given[name]
        return None if default is None else expand(default, variables, escape).text

    def unused(self) -> list[str]:
        """Arguments of the command line that nothing declared, for a warning."""
        return sorted(set(self.given) - self.used - _QUIET)

    def proxies(self) -> dict[str, str]:
        """Proxy settings of the command line, which every RUN gets."""
        return {name: value for name, value in self.given.items() if name in PROXIES}
