"""Path patterns of COPY and of .dockerignore, and what an ignore file leaves out."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.build.context.glob import BadPattern, Glob, clean, has_wildcards
from hardtack.build.context.ignore import Ignore, read_ignore

PLAIN = [
    ("abc", "abc", True), ("abc", "abd", False), ("*", "abc", True), ("*c", "abc", True), ("a*", "a", True),
    ("a*", "ab/c", False), ("a*/b", "abc/b", True), ("a*/b", "a/c/b", False), ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False), ("a*b?c*x", "abxbbxdbxebxczzx", True),
    ("a*b?c*x", "abxbbxdbxebxczzy", False), ("ab[c]", "abc", True), ("ab[b-d]", "abc", True), ("ab[e-g]", "abc", False),
    ("ab[^c]", "abc", False), ("ab[^b-d]", "abc", False), ("ab[^e-g]", "abc", True), ("a\\*b", "a*b", True),
    ("a\\*b", "ab", False), ("a?b", "a☺b", True), ("a[^a]b", "a☺b", True), ("a???b", "a☺b", False),
    ("[a-ζ]*", "α", True), ("*[a-ζ]", "A", False), ("a?b", "a/b", False), ("a*b", "a/b", False),
    ("[\\]a]", "]", True), ("[\\-x]", "-", True), ("[x\\-]", "z", False), ("**", "a", True), ("**", "a/b", False),
    ("", "", True), ("*", "", True),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "expected"), PLAIN)
def test_a_pattern_of_copy_matches(pattern: str, path: str, expected: bool) -> None:
    assert Glob(pattern).matches(path) is expected


DEEP = [
    ("**", "file", True), ("**", "dir/file", True), ("**/", "file", True), ("**/**", "dir/file", True),
    ("dir/**", "dir/dir2/file", True), ("dir/**", "dir", False), ("abc/**", "abc/def/ghi", True),
    ("**/dir", "dir", True), ("**/dir2/*", "dir/dir2/file", True), ("**/dir2/**", "dir/dir2/dir3/file", True),
    ("**file", "dir/file", True), ("**file", "dir/afile", True), ("**/file", "dir/afile", False),
    ("**/file*txt", "dir/dir/file.txt", True), ("**/**/*.txt", "file.txt", True), ("**/**/*.txt2", "d/f.txt", False),
    ("a**/*.txt", "a/dir/dir/file.txt", True), ("a/*.txt", "a/dir/file.txt", False), ("a/*.txt**", "a/file.txt", True),
    (".*", ".foo", True), (".*", "foo", False), ("abc.def", "abcZdef", False), ("abc?def", "abcZdef", True),
    ("a\\\\", "a\\", True), ("**/foo/bar", "dir/dir2/foo/bar", True), ("**/.foo", "bar.foo", False),
    ("a(b)c/def", "a(b)c/def", True), ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
    ("dist/*.whl", "dist/x-2.4+g0-py3.whl", True),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "expected"), DEEP)
def test_a_pattern_of_an_ignore_file_matches(pattern: str, path: str, expected: bool) -> None:
    assert Glob(clean(pattern), deep=True).matches(path) is expected


@pytest.mark.parametrize("pattern", ["[", "[a", "[]a]", "[-]", "[x-]", "[a-b-c]", "a\\", "[^", "x" * 5000])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        Glob(pattern)


IGNORES = [
    (["docs", "!docs/README.md"], "docs/README.md", False),
    (["docs", "!docs/README.md"], "docs/other", True),
    (["docs/", "!docs/README.md"], "docs/README.md", False),
    (["docs/*", "!docs/README.md"], "docs/README.md", False),
    (["*.go", "!main.go"], "main.go", False),
    (["!main.go", "*.go"], "main.go", True),
    (["*"], "anything", True),
    (["**", "!util/web"], "util/web/foo", False),
    (["**", "!util/web", "util/web/foo"], "util/web/foo", True),
    (["**", "!dist/*.whl"], "dist/a.whl", False),
    (["node_modules"], "node_modules/x/y", True),
    (["node_modules"], "sub/node_modules/x", False),
    (["**/node_modules"], "sub/node_modules/x", True),
    (["*/temp*"], "sub/temporary", True),
    (["*/temp*"], "sub/sub/temporary", False),
    (["/a"], "a", False),  # only a file's reading takes the slash away
    ([], "a", False),
    (["  a  "], "a", True),
    (["a/./b//c"], "a/b/c", True),
    (["a/../b"], "b", True),
]


@pytest.mark.parametrize(("patterns", "path", "expected"), IGNORES)
def test_what_is_left_out(patterns: list[str], path: str, expected: bool) -> None:
    assert Ignore(patterns).ignores(path) is expected


def test_the_context_itself_is_never_left_out() -> None:
    assert not Ignore(["*", "."]).ignores("")


def test_an_exception_of_nothing_is_refused() -> None:
    with pytest.raises(BadPattern):
        Ignore(["!"])


def test_a_folder_is_opened_only_when_something_below_may_come_back() -> None:
    ignore = Ignore(["a", "b", "!b/keep"])
    assert (ignore.at("a").ignored, ignore.at("a").reopens) == (True, False)
    assert (ignore.at("b").ignored, ignore.at("b").reopens) == (True, True)
    assert (ignore.at("b/keep").ignored, ignore.at("b/drop").ignored) == (False, True)


def test_lines_of_an_ignore_file() -> None:
    text = b"\xef\xbb\xbftest1\n/test2\r\n/a/file/here\n\nlast\n# comment\n #not\n! /up/side\n/\n  sp  \n!x/\n"
    assert read_ignore(text, ".dockerignore") == [
        "test1", "test2", "a/file/here", "last", "#not", "!up/side", "/", "sp", "!x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "."),
        ("a//b/./c", "a/b/c"),
        ("a/../..", ".."),
        ("/..", "/"),
        ("/a/../b/", "/b"),
        ("../a", "../a"),
        ("//a", "/a"),
    ],
)
def test_paths_are_cleaned_as_go_cleans_them(path: str, expected: str) -> None:
    assert clean(path) == expected


def test_an_escaped_wildcard_is_none() -> None:
    assert [has_wildcards(path) for path in ("a*", "a\\*", "a\\\\*", "a[b", "a?", "ab")] == [
        True, False, True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("pattern", ["*a" * 60 + "b", "**/" * 60 + "b", "**a" * 60 + "b", "?" * 200 + "*" * 200 + "b"])
def test_no_pattern_makes_matching_slow(pattern: str) -> None:
    begun = time.monotonic()
    assert not Glob(clean(pattern), deep=True).matches("a/" * 2000 + "a")
    assert time.monotonic() - begun < 2


@given(st.text("ab*?[]^\\/-!.", max_size=12), st.text("ab/.", max_size=12))
def test_whatever_the_pattern_the_two_ways_of_reading_a_path_agree(pattern: str, path: str) -> None:
    try:
        ignore = Ignore([pattern])
        glob = Glob(pattern, deep=True)
    except BadPattern:
        return
    path = clean(path)
    half = len(path) // 2
    assert glob.accepts(glob.feed(glob.feed(glob.start, path[:half]), path[half:])) == glob.matches(path)
    ignore.ignores(path)
