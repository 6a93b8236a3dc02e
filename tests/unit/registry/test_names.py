"""Names are names by a full match, and some belong to the server."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.registry.errors import NameInvalid, TagInvalid
from hardtack.registry.names import RESERVED, check_repository, check_tag, is_tag, is_upload

COMPONENT = st.from_regex(r"[a-z0-9]{1,6}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,6}){0,3}", fullmatch=True)
NAME = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)


@settings(deadline=None)
@given(NAME.filter(lambda name: name.partition("/")[0] not in RESERVED))
def test_every_name_of_the_grammar_is_one(name: str) -> None:
    assert check_repository(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "/", "a/", "/a", "a//b", "A", "a_", "_a", "a..b", "a___b", "a.-b", "a b", "a\n", "a/b\n", "é", "..", "a/../b",
     "a\x00", "a%2fb", "a:b", "a@b", "-", "a" * 256, "ａ"],
)  # fmt: skip
def test_what_is_outside_the_grammar_is_none(name: str) -> None:
    with pytest.raises(NameInvalid):
        check_repository(name)


@pytest.mark.parametrize("first", sorted(RESERVED))
def test_the_servers_own_addresses_are_no_repositories(first: str) -> None:
    for name in (first, f"{first}/a"):
        with pytest.raises(NameInvalid):
            check_repository(name)
    assert check_repository(f"a/{first}") == f"a/{first}"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_becomes_a_path_that_leaves_its_folder(name: str) -> None:
    try:
        check_repository(name)
    except NameInvalid:
        return
    assert ".." not in name
    assert name.isascii()
    assert not name.startswith("/")


@settings(deadline=None)
@given(st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True))
def test_every_tag_of_the_grammar_is_one(tag: str) -> None:
    assert check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", "-a", ".a", "a/b", "a:b", "a\n", "a" * 129, "é", "a b"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    assert not is_tag(tag)
    with pytest.raises(TagInvalid):
        check_tag(tag)


def test_an_upload_is_a_random_uuid_in_its_one_form() -> None:
    name = str(uuid.uuid4())
    assert is_upload(name)
    for other in (name.upper(), name + "\n", "{" + name + "}", name.replace("-", ""), str(uuid.uuid1()), name[:-1], ""):
        assert not is_upload(other) or other == name
