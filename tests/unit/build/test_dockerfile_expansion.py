"""Variables in the words of a Dockerfile: every form, every fault, and that nothing grows without end."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.build.dockerfile import expand
from hardtack.build.errors import DockerfileError

VARIABLES = {
    "HOME": "/home/cook",
    "EMPTY": "",
    "DOUGH": "xxyy",
    "STARS": "xx**",
    "PATHS": "/tmp/tmp/bar.txt",
    "GLOB": "/foo*/*/*.txt",
    "SPACED": " a  b ",
    "REGEX": "()[]{}^$.*?|\\x",
    "BACK": "a\\bc",
    "URL": "http://oven.example",
    "생강": "ginger",
}

PLAIN = [
    ("dough", "dough"),
    ("$HOME", "/home/cook"),
    ("${HOME}", "/home/cook"),
    ("a$HOME/b", "a/home/cook/b"),
    ("a${HOME}b", "a/home/cookb"),
    ("$생강", "ginger"),
    ("$NOTSET", ""),
    ("x${NOTSET}y", "xy"),
    ("$", "$"),
    ("$.", "$."),
    ("a$.x", "a$.x"),
    ("$1x", "x"),
    ("$999", ""),
    ("$001aaa", "aaa"),
    ("$@@@", "@@"),
    ("$*", ""),
    ("$$", ""),
    ("${-}", ""),
    ("${#:-b}", "b"),
    ("${aaa}}", "}"),
    ("안녕$HOME", "안녕/home/cook"),
]

QUOTING = [
    ("he'll'o", "hello"),
    (r"he\'llo", "he'llo"),
    (r"abc\tdef", "abctdef"),
    (r'"abc\tdef"', r"abc\tdef"),
    (r'"abc\\tdef"', r"abc\tdef"),
    (r"'abc\tdef'", r"abc\tdef"),
    ("hello\\", "hello"),
    ("hello\\\\", "hello\\"),
    ('"hel\'lo"', "hel'lo"),
    (r"'hello\'", "hello\\"),
    ("\"''\"", "''"),
    (r"he\$HOME", "he$HOME"),
    (r"he\\$HOME", "he\\/home/cook"),
    (r'"he\$HOME"', "he$HOME"),
    ("'$HOME'", "$HOME"),
    ("\"'$HOME'\"", "'/home/cook'"),
    (r"\${}", "${}"),
    ("a<b", "a<b"),
    ("cat <<EOF", "cat <<EOF"),
]

MODIFIERS = [
    ("${NOTSET:-000}", "000"),
    ("${NOTSET-000}", "000"),
    ("${EMPTY:-000}", "000"),
    ("${EMPTY-000}", ""),
    ("${HOME:-000}", "/home/cook"),
    ("${NOTSET:-$HOME}x", "/home/cookx"),
    ("${NOTSET:-${ALSO:-yyy}}", "yyy"),
    (r"${NOTSET:-\$HOME:}", "$HOME:"),
    (r"${NOTSET:-\${HOME}z}", "${HOMEz}"),
    ("${NOTSET:-bbb}}", "bbb}"),
    ("${NOTSET:-a 'b}c' d}", "a b}c d"),
    ("${HOME:+000}", "000"),
    ("${HOME+000}", "000"),
    ("${EMPTY:+000}", ""),
    ("${EMPTY+000}", "000"),
    ("${NOTSET:+000}", ""),
    ("${HOME:+${HOME}:}", "/home/cook:"),
    ("${HOME?none}", "/home/cook"),
    ("${HOME:?none}", "/home/cook"),
    ("${EMPTY?none}", ""),
    ("${DOUGH#x}", "xyy"),
    ("${DOUGH##*x}", "yy"),
    ("${DOUGH#*x*y}", "y"),
    ("${DOUGH#*}", "xxyy"),
    ("${DOUGH##*}", ""),
    ("${DOUGH#z}", "xxyy"),
    ("${DOUGH#}", "xxyy"),
    ("${DOUGH#$EMPTY}", "xxyy"),
    ("${DOUGH%y}", "xxy"),
    ("${DOUGH%%y*}", "xx"),
    ("${DOUGH%y*}", "xxy"),
    ("${DOUGH%%?}", "xxy"),
    (r"${STARS%%\**}", "xx"),
    (r"${STARS%\*}", "xx*"),
    (r"${REGEX#()[]{\}^$.\*\?|\\}", "x"),
    ('${BACK#"a\\b"}', "c"),
    ("${BACK#'a\\b'}", "c"),
    ("${PATHS/\\/tmp/}", "/tmp/bar.txt"),
    ("${PATHS//\\/tmp/}", "/bar.txt"),
    ("${PATHS/?tmp/X}", "X/tmp/bar.txt"),
    ("${URL/http:\\/\\//https:}", "https:oven.example"),
    (r"${PATHS//\//\/}", r"\/tmp\/tmp\/bar.txt"),
    ("${DOUGH/x*/z}", "z"),
    ("${DOUGH//x/zz}", "zzzzyy"),
    ("${DOUGH/nope/z}", "xxyy"),
    ("${NOTSET/a/b}", ""),
]

FAULTS = [
    "'open", '"open', "\"open\\\"", "안'녕", "${}", "x${}y", "${HOME", "${NOTSET:-bbb", "${NOTSET:-bbb ${x}",
    "${:}", "${:-b}", "${.}", "${HOME:=1}", "${HOME=1}", "${NOTSET?}", "${NOTSET:?}", "${NOTSET?no oven}",
    "${EMPTY:?}", "${HOME:x}", "${HOME:#x}", "${HOME:%x}", "${DOUGH//x}", "${DOUGH/x", r"${DOUGH#\x}", "${{x}",
    "${HOME^^}", "${HOME,}",
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), PLAIN + QUOTING + MODIFIERS)
def test_a_word_expands_to(source: str, expected: str) -> None:
    assert expand(source, VARIABLES).text == expected


@pytest.mark.parametrize("source", FAULTS)
def test_a_word_that_cannot_be_read_is_refused(source: str) -> None:
    with pytest.raises(DockerfileError):
        expand(source, VARIABLES)


def test_the_message_of_a_required_variable_is_the_authors() -> None:
    with pytest.raises(DockerfileError, match="FLOUR: buy some first"):
        expand("${FLOUR:?buy some first}", {})


WORDS = [
    ("hello${SPACED}bye", ["hello", "a", "b", "bye"]),
    ('hello"${SPACED}"bye', ["hello a  b bye"]),
    ('hello "${SPACED}"bye', ["hello", " a  b bye"]),
    ('hello" there  "', ["hello there  "]),
    ("hello there", ["hello", "there"]),
    (r"hello\ there", ["hello there"]),
    (r"hello\" there", ['hello"', "there"]),
    ("80${NOTSET:-80}", ["8080"]),
    ("''", []),
]


@pytest.mark.parametrize(("source", "expected"), WORDS)
def test_splitting_follows_the_quotes(source: str, expected: list[str]) -> None:
    assert expand(source, VARIABLES).words == expected


def test_a_backtick_escapes_where_a_directive_says_so() -> None:
    assert expand("C:\\`$HOME\\$HOME", VARIABLES, escape="`").text == "C:\\$HOME\\/home/cook"


def test_used_and_missing_variables_are_told() -> None:
    found = expand("$HOME ${OVEN:-x} ${DOUGH/a/$TIN}", VARIABLES)
    assert found.used == {"HOME", "DOUGH"}
    assert found.missing == {"OVEN", "TIN"}


def test_what_is_not_set_can_stay_as_written() -> None:
    source = "$A ${B} ${C:-x} ${D#y} ${E//a/b} $HOME"
    kept = expand(source, VARIABLES, keep_quotes=True, keep_escapes=True, keep_unset=True).text
    assert kept == source.replace("$HOME", "/home/cook")


def test_the_quotes_of_a_document_are_ordinary() -> None:
    assert expand('it\'s "$DOUGH" \\$DOUGH', VARIABLES, plain_quotes=True).text == 'it\'s "xxyy" $DOUGH'


def test_nesting_is_bounded() -> None:
    with pytest.raises(DockerfileError, match="deep"):
        expand("${A:-" * 1000 + "}" * 1000, {})


def test_a_result_is_bounded() -> None:
    with pytest.raises(DockerfileError, match="characters"):
        expand("$A" * 100, {"A": "x" * 100_000})
    with pytest.raises(DockerfileError, match="too long"):
        expand("${A//a/$B}", {"A": "a" * 60_000, "B": "b" * 1000})


@pytest.mark.parametrize("pattern", ["*a" * 300 + "b", "?" * 1000 + "b", "*" * 1000, "a" * 1000 + "*b"])
def test_no_pattern_makes_a_value_slow(pattern: str) -> None:
    begun = time.monotonic()
    try:
        expand("${V/%s/x}${V#%s}${V%%%%%s}" % ((pattern,) * 3), {"V": "a" * 60_000})
    except DockerfileError:
        pass
    assert time.monotonic() - begun < 5


@given(st.text(st.sampled_from("${}:-+?#%/'\"\\` <abXY*1@"), max_size=40))
def test_whatever_the_word_only_our_own_fault_comes_out(source: str) -> None:
    try:
        found = expand(source, {"a": "one two", "X": "*", "Y": ""})
    except DockerfileError:
        return
    assert isinstance(found.text, str)
    assert "".join(found.words) == "".join(found.text.split()) or "'" in source or '"' in source or "\\" in source
