"""What --cap-add, --cap-drop and --privileged make of the fourteen."""

from __future__ import annotations

import pytest

from hardtack.container.capabilities import DEFAULT, NAMES, granted, normalise, sets
from hardtack.container.errors import InvalidOption, Unsupported

ALL = (1 << len(NAMES)) - 1


def test_the_default_is_the_fourteen_of_docker() -> None:
    assert len(DEFAULT) == 14
    assert sum(1 << NAMES.index(name) for name in granted((), (), False, ALL)) == 0xA80425FB


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        (["NET_ADMIN"], [], {*DEFAULT, "CAP_NET_ADMIN"}),
        ([], ["chown"], set(DEFAULT) - {"CAP_CHOWN"}),
        ([], ["ALL"], set()),
        (["CHOWN"], ["ALL"], {"CAP_CHOWN"}),
        (["ALL"], [], set(NAMES)),
        (["ALL"], ["SYS_ADMIN"], set(NAMES) - {"CAP_SYS_ADMIN"}),
        (["SYS_TIME"], ["SYS_TIME"], set(DEFAULT)),
    ],
)
def test_adding_and_dropping_has_dockers_order(add: list[str], drop: list[str], expected: set[str]) -> None:
    assert set(granted(add, drop, False, ALL)) == expected


def test_what_we_lack_is_left_out_of_the_defaults_and_refused_by_name() -> None:
    held = ALL & ~(1 << NAMES.index("CAP_CHOWN"))
    assert "CAP_CHOWN" not in granted((), (), False, held)
    assert "CAP_CHOWN" not in granted((), (), True, held)
    with pytest.raises(Unsupported):
        granted(["CHOWN"], (), False, held)


@pytest.mark.parametrize("name", ["", "CHOWNS", "CAP_", "all things", "CAP_ALL"])
def test_what_is_no_capability_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption):
        normalise(name, "--cap-add")


def test_inheritable_and_ambient_stay_empty_and_other_users_have_only_the_bound() -> None:
    assert set(sets(DEFAULT, 0)) == {"bounding", "effective", "permitted"}
    assert set(sets(DEFAULT, 1000)) == {"bounding"}
