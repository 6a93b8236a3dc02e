"""JSON for the start path gives what the standard library gives, and refuses what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.jsontext import dumps, loads

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)

MALFORMED = [
    "",
    " ",
    "{",
    "}",
    "[",
    "[1,",
    "[1,]",
    "[,1]",
    "{,}",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "{a:1}",
    "{'a':1}",
    '{1:"a"}',
    '"abc',
    '"a\nb"',
    '"\t"',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\',
    "tru",
    "True",
    "None",
    "nul",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "1e+",
    "0x10",
    "1 2",
    "{} x",
    "[] []",
    "// c",
    "\x00",
    "\ufeff1",
    "[1}",
    '{"a":1]',
    '{"a" 1}',
    '{"a":1 "b":2}',
    "[1 2]",
]


@given(_values)
def test_what_is_written_is_what_json_writes(value: object) -> None:
    text = dumps(value)
    assert text == json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    assert dumps(value, sort_keys=True) == json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    assert dumps(value, indent=4) == json.dumps(value, indent=4, ensure_ascii=False)


@given(_values, st.booleans(), st.sampled_from([None, 1, 4]))
def test_what_json_writes_is_read(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert loads(text) == json.loads(text)
    assert loads(f" \t\r\n{text}\n ") == value
    assert loads(text.encode()) == value


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_text_is_a_value_error_as_it_is_for_json(text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(text)
    with pytest.raises(ValueError):
        loads(text)
    with pytest.raises(ValueError):
        loads(text.encode())


@given(st.text(alphabet='{}[]",:\\ntrue0123.e-+ \n', max_size=30))
def test_any_text_is_read_or_refused_exactly_as_json_does(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            loads(text)
    else:
        assert loads(text) == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        loads(data)
    except ValueError:
        pass


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", '{"a": Infinity}'])
def test_numbers_that_json_does_not_have_are_refused_when_read(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], {"a": float("nan")}])
def test_numbers_that_json_does_not_have_are_refused_when_written(value: object) -> None:
    with pytest.raises(ValueError):
        dumps(value)
    with pytest.raises(ValueError):
        dumps(value, indent=2)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {"a": object()}, {(1, 2): 3}])
def test_values_without_a_form_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_depth_is_bounded_in_both_directions() -> None:
    for text in ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000):
        with pytest.raises(ValueError):
            loads(text)
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises((ValueError, RecursionError)):
        dumps(loop)


def test_reading_malformed_text_needs_no_module_that_the_start_path_forbids_until_it_fails() -> None:
    program = (
        "import sys\n"
        "from hardtack.jsontext import loads, dumps\n"
        "loads(dumps({'a': [1, 'b', None, 1.5]}))\n"
        "assert not {'re', 'enum', 'json', 'json.decoder'} & set(sys.modules), 'imported too much'\n"
        "try:\n"
        "    loads('{\"a\": nope}')\n"
        "except ValueError:\n"
        "    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("refused\n", "")
