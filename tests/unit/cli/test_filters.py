"""--filter: values of one key are alternatives, keys and labels all hold."""

from __future__ import annotations

import pytest

from hardtack.cli.filters import Filters, InvalidFilter

KNOWN = ("name", "label", "label!", "dangling")


def test_values_of_one_key_are_alternatives() -> None:
    filters = Filters(["name=a", "name = b"], KNOWN)
    assert filters.one_of("name", "a") and filters.one_of("name", "b") and not filters.one_of("name", "ab")
    assert filters.contains("name", "cab") and not filters.contains("name", "c")
    assert filters.one_of("dangling", "anything"), "a key that was not given holds"
    assert filters.get("name") == ["a", "b"] and filters.get("label") == []


def test_all_labels_have_to_hold() -> None:
    filters = Filters(["label=a", "label=b=c=d"], KNOWN)
    assert filters.labels({"a": "", "b": "c=d"})
    assert not filters.labels({"b": "c=d"}) and not filters.labels({"a": "", "b": "c"})
    assert not Filters(["label!=a"], KNOWN).labels({"a": "x"}) and Filters(["label!=a=y"], KNOWN).labels({"a": "x"})


def test_truth_is_read_and_checked() -> None:
    assert Filters(["dangling=True"], KNOWN).flag("dangling", True)
    assert not Filters(["dangling=0"], KNOWN).flag("dangling", True)
    with pytest.raises(InvalidFilter):
        Filters(["dangling=perhaps"], KNOWN).flag("dangling", True)


@pytest.mark.parametrize("text", ["name", "colour=red", "=x", ""])
def test_what_is_no_filter_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InvalidFilter, match="name, label"):
        Filters([text], KNOWN)
