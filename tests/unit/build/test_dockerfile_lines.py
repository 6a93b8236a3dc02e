"""From the lines of a Dockerfile to statements: directives, comments, continuations, here-documents, positions."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.build.dockerfile import parse
from hardtack.build.dockerfile.lines import heredoc_of, read_lines
from hardtack.build.dockerfile.text import csv_fields, json_words, nearest, quote, split_words, take_flags
from hardtack.build.errors import DockerfileError


def statements(text: str) -> list[tuple[str, str, int, int]]:
    return [(s.keyword, s.rest, s.line, s.end) for s in read_lines(text).statements]


LINES = [
    ("FROM a", [("FROM", "a", 1, 1)]),
    ("\n\n  from   a  \n", [("FROM", "a", 3, 3)]),
    ("# note\nFROM a\n#x\nRUN b", [("FROM", "a", 2, 2), ("RUN", "b", 4, 4)]),
    ("RUN a \\\n  b \\\n c\nCMD d", [("RUN", "a   b  c", 1, 3), ("CMD", "d", 4, 4)]),
    ("RUN a \\  \t\nb", [("RUN", "a b", 1, 2)]),
    ("RUN a \\\n# note\n  # note\nb", [("RUN", "a b", 1, 4)]),
    ("RUN a \\\n\n\nb", [("RUN", "a b", 1, 4)]),
    ("RUN a \\\\\nCMD b", [("RUN", "a \\\\", 1, 1), ("CMD", "b", 2, 2)]),
    ("RUN a \\", [("RUN", "a", 1, 1)]),
    ("RUN a \\\n", [("RUN", "a", 1, 1)]),
    ("\\\nRUN a", [("RUN", "a", 1, 2)]),
    ("RUN a\r\nCMD \\\r\nb\r\n", [("RUN", "a", 1, 1), ("CMD", "b", 2, 3)]),
    ("\ufeffFROM a", [("FROM", "a", 1, 1)]),
    ("RUN\techo\tx", [("RUN", "echo\tx", 1, 1)]),
    ("# escape=`\nRUN dir C:\\\nCMD a `\nb", [("RUN", "dir C:\\", 2, 2), ("CMD", "a b", 3, 4)]),
    ("#ESCAPE = `  \nCMD a `\nb", [("CMD", "a b", 2, 3)]),
    ("# a comment first\n# escape=`\nCMD a `\nCMD b", [("CMD", "a `", 3, 3), ("CMD", "b", 4, 4)]),
    ("\n# escape=`\nCMD a `", [("CMD", "a `", 3, 3)]),
    ("#unknown=1\n# escape=`\nCMD a `", [("CMD", "a `", 3, 3)]),
]


@pytest.mark.parametrize(("text", "expected"), LINES)
def test_statements_and_their_lines(text: str, expected: list[tuple[str, str, int, int]]) -> None:
    assert statements(text) == expected


def test_directives_are_read() -> None:
    lines = read_lines("# syntax=docker/dockerfile:1.7\n# check=skip=all;error=true\n# escape=`\nFROM a")
    assert (lines.syntax, lines.check, lines.escape) == ("docker/dockerfile:1.7", "skip=all;error=true", "`")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# escape=`\n# escape=`\nFROM a", "only one escape"),
        ("# escape=x\nFROM a", "invalid escape"),
        ("# syntax=example.org/other\nFROM a", "another language"),
        (b"FROM a\n\xff", "UTF-8"),
        ("FROM a\nRUN \0", "NUL"),
        ("#\n" * 200_000, "lines"),
        ("FROM a\n" + "#" * (5 << 20), "MiB"),
        ("", "no instructions"),
        ("# only this\n\n", "no instructions"),
        ("ARG a\n", "no FROM"),
        ("FROM a\n" * 2000, "Dockerfile:1001: more than 1,000 stages"),
    ],
)
def test_a_file_that_is_no_dockerfile_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(DockerfileError, match=reason):
        parse(text)


def test_a_fault_names_the_file_the_line_and_shows_it() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse("FROM a\n\nRUNN make\n", "oven/Dockerfile")
    assert str(caught.value) == ("oven/Dockerfile:3: unknown instruction: RUNN (did you mean RUN?)\n     3 | RUNN make")
    assert (caught.value.line, caught.value.text, caught.value.file) == (3, "RUNN make", "oven/Dockerfile")


def test_a_shown_line_cannot_steer_the_terminal() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse("FROM a\nNOPE \x1b[2J" + "x" * 10_000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 600


DOCUMENTS = [
    ("RUN <<EOF\na\n b\nEOF\nCMD x", [("EOF", "a\n b\n", True)]),
    ("RUN <<EOF\nEOF", [("EOF", "", True)]),
    ("RUN <<'EOF'\n$a\nEOF", [("EOF", "$a\n", False)]),
    ('RUN <<"EOF"\n$a\nEOF', [("EOF", "$a\n", False)]),
    ("RUN <<E'O'F\n$a\nEOF", [("EOF", "$a\n", False)]),
    ("RUN <<-EOF\n\t\ta\n\tEOF", [("EOF", "a\n", True)]),
    ("RUN <<A 3<<B cat\none\nA\ntwo\nB", [("A", "one\n", True), ("B", "two\n", True)]),
    ("RUN cat <<A - <<B\none\nA\ntwo\nB", [("A", "one\n", True), ("B", "two\n", True)]),
    ("RUN << EOF\na\nEOF", [("EOF", "a\n", True)]),
    ("RUN <<EOF\r\na\r\nEOF\r\n", [("EOF", "a\r\n", True)]),
    ("RUN <<EOF\n# no comment\n\\\nEOF", [("EOF", "# no comment\n\\\n", True)]),
    ('RUN echo "<<EOF"', []),
    ("RUN echo <<<EOF", []),
    ('RUN ["<<EOF"]', []),
    ("CMD <<EOF", []),
    ("RUN a=$((1<<2))", []),
    ("RUN echo 'open <<EOF", []),
    ("COPY <<a.txt <<b.txt /d/\n1\na.txt\n2\nb.txt", [("a.txt", "1\n", True), ("b.txt", "2\n", True)]),
    ("ONBUILD RUN <<EOF\na\nEOF", [("EOF", "a\n", True)]),
    ("RUN a \\\n <<EOF\nx\nEOF", [("EOF", "x\n", True)]),
]


@pytest.mark.parametrize(("text", "expected"), DOCUMENTS)
def test_here_documents_are_taken_from_the_lines(text: str, expected: list[tuple[str, str, bool]]) -> None:
    statement = read_lines(text).statements[0]
    assert [(d.name, d.text(), d.expands) for d in statement.heredocs] == expected


def test_an_instruction_ends_with_its_last_document() -> None:
    assert [(s.line, s.end) for s in read_lines("FROM a\nRUN <<A <<B\n1\nA\n2\nB\nCMD x").statements] == [
        (1, 1),
        (2, 6),
        (7, 7),
    ]


def test_a_document_without_its_end_is_refused_at_its_instruction() -> None:
    with pytest.raises(DockerfileError, match="Dockerfile:2: the here-document 'EOF' does not end"):
        parse("FROM a\nRUN <<EOF\nx\ny\n")


def test_words_that_are_no_documents() -> None:
    assert [heredoc_of(word) for word in ("x", "<", "<<", "a<<EOF", "<<<E", "<<A<B")] == [None] * 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo bar", ["foo", "bar"]),
        ("foo\\ bar", ["foo\\ bar"]),
        ("a='b c' d", ["a='b c'", "d"]),
        ('a="b \\" c" d', ['a="b \\" c"', "d"]),
        ("'' x", ["''", "x"]),
        ("föo bàr", ["föo", "bàr"]),
        ("a\\", ["a"]),
        ('"open x', ['"open x']),
    ],
)
def test_words_keep_their_quotes(text: str, expected: list[str]) -> None:
    assert split_words(text, "\\") == expected


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("--a=b c", ["--a=b"], "c"),
        ("--a --b=c d --e", ["--a", "--b=c"], "d --e"),
        ("--a='x y' d", ["--a=x y"], "d"),
        ("--a=x\\ y d", ["--a=x y"], "d"),
        ("-- --a d", [], " --a d"),
        ("-a", [], "-a"),
        ("--a", ["--a"], ""),
        ('--a="b', ["--a=b"], ""),
    ],
)
def test_flags_come_first(text: str, flags: list[str], rest: str) -> None:
    assert take_flags(text, "\\") == (flags, rest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", []),
        (' [ "a" , "b" ] ', ["a", "b"]),
        ('["♥", "\\" \\\\ \\/ \\u0041"]', ["♥", '" \\ / A']),
        ('["\\ud800"]', ["\N{REPLACEMENT CHARACTER}"]),
        ("['a']", None),
        ('["a"', None),
        ('["a"] b', None),
        ("[ -f x ]", None),
        ("[NaN]", None),
        ("a", None),
    ],
)
def test_the_exec_form_is_a_json_array_of_strings(text: str, expected: list[str] | None) -> None:
    assert json_words(text) == expected


@pytest.mark.parametrize("text", ['["a",42]', '["a",{}]', '["a",["b"]]', '["a",true]', '["a",null]'])
def test_an_array_of_other_things_is_refused(text: str) -> None:
    with pytest.raises(DockerfileError, match="strings"):
        json_words(text)


def test_comma_separated_fields() -> None:
    assert csv_fields('a=b,"c,d=""e""",f,') == ["a=b", 'c,d="e"', "f", ""]
    for bad in ('"open', '"a"b', 'a"b'):
        with pytest.raises(DockerfileError):
            csv_fields(bad)


def test_strings_are_quoted_as_go_quotes_them() -> None:
    assert quote('a"\\\n\x01é\u200b') == '"a\\"\\\\\\n\\x01é\\u200b"'


def test_the_nearest_word_is_a_small_slip_away() -> None:
    known = ("RUN", "FROM", "ENTRYPOINT", "HEALTHCHECK")
    assert [nearest(word, known) for word in ("RUNN", "FORM", "ENTRIPOINT", "HELTHCHEK", "BAKE", "x" * 99)] == [
        "RUN", "FROM", "ENTRYPOINT", "HEALTHCHECK", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nRUN " + "a" * 3_000_000,
        "FROM a\nRUN " + "\\\n" * 99_000,
        "FROM a\nENV " + "a=b " * 700_000,
        "FROM a\nRUN " + "<<E " * 60 + "\nE" * 60,
        "FROM a\nRUN " + "'" * 2_000_000,
        "FROM a\nCOPY " + '["' * 1_000_000,
        "FROM a\n" + "RUN x\n" * 90_000,
        "#c\n" * 90_000 + "FROM a",
    ],
    ids=range(8),
)
def test_a_large_file_takes_time_that_grows_with_its_size(text: str) -> None:
    begun = time.monotonic()
    try:
        parse(text)
    except DockerfileError:
        pass
    assert time.monotonic() - begun < 20


_PIECES = st.sampled_from(
    ["FROM a", "RUN ", "COPY ", "ENV ", "LABEL ", "HEALTHCHECK ", "ONBUILD ", "ARG ", "SHELL ", "EXPOSE ", "\n",
     "\\\n", "<<EOF", "EOF\n", "[", "]", '"', "'", "$x", "${", "}", "--from=", "--mount=type=", "--", "=", " ", "\t",
     "#", "CMD", "`", "\r\n", "AS b", "é", "\x0b", ",", "0", "s", "--interval="]
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(_PIECES, max_size=25).map("".join) | st.text(max_size=60) | st.binary(max_size=60))
def test_whatever_comes_in_only_our_own_fault_comes_out(text: str | bytes) -> None:
    try:
        parsed = parse(text)
    except DockerfileError:
        return
    assert parsed.stages
