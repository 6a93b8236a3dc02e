"""The configuration: what a file may say, what is said of what it may not, and that nothing in it goes unnoticed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.registry.config import units
from hardtack.registry.config.document import Config, read, sections
from hardtack.registry.config.loading import ConfigInvalid, load
from hardtack.registry.config.options import options
from hardtack.registry.config.writing import effective, example, page

PAGE = Path(__file__).parents[3] / "docs" / "registry" / "configuration.md"


def no_files(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory")


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(tomllib.loads(text), no_files)[1]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nworkres = 1", "[server] workres: no such key; did you mean workers?"),
        ("[serevr]", "[serevr]: no such section; did you mean server?"),
        ("colour = 1", "[colour]: no such section"),
        ("server = 1", "[server]: must be a table"),
        ("[upstream]\nprefix = 'a'", "[[upstream]]: must be a list of tables"),
        ("[[upstream]]\nprefix = 'a'", "[[upstream]] 1 url: is missing"),
        ("[[upstream]]\nurl = ''", "[[upstream]] 1 url: is missing"),
        ("[server]\nworkers = true", "[server] workers: must be a whole number from 0 to 256"),
        ("[server]\nworkers = 257", "[server] workers: must be a whole number from 0 to 256"),
        ("[server]\nread_only = 1", "[server] read_only: must be true or false"),
        ("[server]\ndrain = 'soon'", '[server] drain: must be a duration such as "90s"'),
        ("[server]\ndrain = '2h'", "[server] drain: must be from 0s to 1h"),
        ("[server]\nlog_level = 'loud'", '[server] log_level: must be one of "debug", "info"'),
        ("[server]\nurl = 'ftp://a'", "[server] url: must be an address that begins with https://"),
        ("[server]\nurl = 'https://u:p@a'", "[server] url: must be an address without a user"),
        ("[server]\nurl = 'https://a:x'", "[server] url: "),
        ("[server]\ntrusted_proxies = ['10.0.0.1/8']", "[server] trusted_proxies: '10.0.0.1/8' is no address"),
        ("[server]\nlisten = [1]", "[server] listen: must be text in quotes"),
        ('[server]\nurl = "https://a\\nb"', "[server] url: must be one line of text"),
        ("[limits]\nmanifest = '1GB'", "[limits] manifest: must be from 1KiB to 64MiB"),
        ("[limits]\nmanifest = 'much'", '[limits] manifest: must be a size such as "10GB"'),
        ("[tls]\nkey = 'x'", "[tls] certificate: is needed as well"),
        ("[metadata]\nurl = 'mysql://x'", "[metadata] url: must begin with postgresql://"),
        ("[blobs]\ns3 = 'bucket'", "[blobs] s3: must be s3://BUCKET"),
        ("[server]\nmetrics_token_file = 'gone'", "cannot read gone: no such file or directory"),
        ("[server]\nmetrics_token = 'a'\nmetrics_token_file = 'b'", "is given twice"),
        ("[server]\nurl_file = 'a'", "[server] url_file: no such key"),
        ("[retention]\nrules = 3", "[[retention.rules]]: must be a list of tables"),
        ("[[retention.rules]]\ntags = ['*']\nkepe_newest = 1", "[[retention.rules]] 1 kepe_newest: no such key"),
    ],
)
def test_a_mistake_is_named_with_its_section_and_key(text: str, said: str) -> None:
    assert any(problem.startswith(said) or said in problem for problem in problems(text)), problems(text)


def test_a_mistake_is_told_once() -> None:
    (said,) = problems("[[upstream]]\nurl = 'docker.io'")
    assert said == "[[upstream]] 1 url: must be an address that begins with https:// or http://"


def test_every_mistake_is_told_at_once() -> None:
    assert len(problems("[server]\nworkers = -1\ndrain = 1e99\nx = 1\n[tls]\ny = 1\n[z]")) == 5


def test_a_file_of_a_secret_is_read_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xyzzy\n")
    (tmp_path / "c.toml").write_text("[server]\nmetrics_token_file = 'token'\n[data]\nroot = 'data'\n")
    config = load(str(tmp_path / "c.toml"))
    assert config.server.metrics_token == "xyzzy"
    assert config.data.root == str(tmp_path / "data")
    assert "xyzzy" not in repr(config)
    assert "xyzzy" not in effective(config)
    assert 'metrics_token = "(secret)"' in effective(config)


@pytest.mark.parametrize("content", [b"\xff", b"a = ", b"[server]\n[server]\n", b"x" * (1 << 21), b"a=" + b"[" * 5000])
def test_a_file_that_is_no_toml_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(ConfigInvalid, match=r"c\.toml"):
        load(str(tmp_path / "c.toml"))


def test_the_example_changes_nothing_as_it_stands() -> None:
    config, wrong = read(tomllib.loads(example()), no_files)
    assert not wrong
    assert config == Config()


def test_the_example_says_every_option_rightly() -> None:
    """Each of its lines can be switched on, whatever becomes of the others."""
    text = re.sub(r"(?m)^#(?=\S)", "", example())
    config, wrong = read(tomllib.loads(text), lambda _: "secret")
    known = {str(problem) for problem in wrong}
    assert all("is needed" in problem or "would keep nothing" in problem for problem in known), known
    for name, (section, _) in sections().items():
        for key in options(section):
            assert re.search(rf"(?m)^#{key}(_file)? = |^#\[\[{name}\.{key}\]\]", example()), (name, key)
    assert config.upstream[0].url


def test_what_is_in_force_can_be_read_back() -> None:
    text = "[server]\ndrain='1m30s'\nworkers=3\n[limits]\nmanifest='5MB'\n[[upstream]]\nprefix='a'\nurl='https://b'\n"
    config, wrong = read(tomllib.loads(text), no_files)
    assert not wrong
    assert read(tomllib.loads(effective(config)), no_files) == (config, [])


def test_the_reference_page_is_what_the_table_says() -> None:
    assert PAGE.read_text() == page(), "run: ./dev docs"


def test_every_option_says_what_it_means_in_a_sentence() -> None:
    for section, _ in sections().values():
        for one in options(section).values():
            assert one.meaning[:1].isupper() or one.meaning[:1] in '"sp', one
            assert not one.meaning.endswith("."), one


@given(st.floats(0, 1e9).map(lambda value: round(value, 3)))
def test_a_duration_is_read_as_it_is_written(value: float) -> None:
    assert units.seconds(units.duration(value)) == pytest.approx(value, abs=0.0015)


@given(st.integers(0, 1 << 62))
def test_a_size_is_read_as_it_is_written(value: int) -> None:
    assert units.count_bytes(units.size(value)) == value


@pytest.mark.parametrize("text", ["", "5", "1.5.5s", "s", "1 m", "-1s", "1y", "٣s", "1s!", "9" * 70])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        units.seconds(text)


VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.datetimes(), st.dates(), st.times(),
        st.sampled_from(["15m", "10GB", "https://a", "s3://[", "postgresql://x", "http://[::1", "10.0.0.0/8", ":0"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = st.sampled_from(list(sections())) | st.text(max_size=8)
KEYS = st.text(max_size=8) | st.sampled_from(
    sorted({key for section, _ in sections().values() for key in options(section)} | {"metrics_token_file", "rules"})
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)


@settings(max_examples=300)
@given(st.dictionaries(NAMES, TABLES | st.lists(TABLES, max_size=2) | VALUES, max_size=4))
def test_no_document_makes_it_fail(document: dict[str, Any]) -> None:
    config, wrong = read(document, no_files)
    assert isinstance(config, Config)
    assert all(str(problem) for problem in wrong)
    effective(config)
