"""The language of Dockerfiles, pure: text in, instructions out, every fault with its line.

It promises that whatever bytes come in, only DockerfileError comes out, in time that grows with the input. It knows
no files, no images and no variables' values; `expand` replaces variables when somebody has them.
"""

from __future__ import annotations

from hardtack.build.dockerfile.expand import expand
from hardtack.build.dockerfile.grammar import parse, parse_trigger

__all__ = ["expand", "parse", "parse_trigger"]
