"""Ids and names of containers: 64 random hexadecimal digits, and two words of a bakery for who did not choose."""

from __future__ import annotations

import os

from hardtack.container.errors import InvalidName

_WORDS = (  # noqa: SIM905  words to read
    "airy amber baked brisk buttery candied caramel chewy cosy creamy crisp crumbly dainty dark dusted flaky "
    "floury fluffy fresh frosted fruity gentle gilded glazed golden honest humble iced jolly kneaded layered "
    "light malted mellow minty moist nimble nutty oaken plump proofed proud puffed quick rich risen roasted "
    "rustic salted savory sifted silky simple smooth soft sour spiced sticky sugary sunny sweet tender toasted "
    "twisted vivid warm whisked wholesome young zesty"
).split()
_BAKES = (  # noqa: SIM905  words to read
    "babka bagel baguette bannock biscotti biscuit blini bloomer bretzel brioche brownie bun cannoli challah "
    "ciabatta cobbler cookie cracker crepe crostini croissant crumble crumpet cupcake danish donut eclair farl "
    "flapjack focaccia galette hardtack injera kolach kringle kugel lavash macaron macaroon madeleine meringue "
    "muffin naan panettone parfait pavlova pide pita pretzel profiterole pumpernickel roti rusk scone shortbread "
    "sourdough speculoos stollen strudel tart torte tortilla tuile turnover waffle wafer zwieback"
).split()
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_REST = _FIRST | frozenset("_.-")


def new_id() -> str:
    """A full id, never all digits in its short form, which would read as a number."""
    while True:
        ident = os.urandom(32).hex()
        if not ident[:12].isdigit():
            return ident


def new_name() -> str:
    """Two words at random; unique only when the database says so."""
    first, second = os.urandom(2), os.urandom(2)
    adjective = _WORDS[int.from_bytes(first, "big") % len(_WORDS)]
    return f"{adjective}_{_BAKES[int.from_bytes(second, 'big') % len(_BAKES)]}"


def check_name(name: str) -> str:
    """A name as docker allows it, a leading slash taken off.

    Raises:
        InvalidName: it is none.
    """
    bare = name.removeprefix("/")
    if len(bare) < 2 or bare[0] not in _FIRST or not _REST.issuperset(bare):
        raise InvalidName(name)
    return bare
