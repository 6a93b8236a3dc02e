"""How registries are configured: two files, strict keys, loopback is special."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardtack.remote.config import RegistryConfig, is_loopback, split_port
from hardtack.remote.errors import ConfigInvalid


def load(*texts: str, folder: Path) -> RegistryConfig:
    paths = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.toml"
        path.write_text(text)
        paths.append(str(path))
    return RegistryConfig.load(tuple(paths))


def test_without_files_everything_has_its_default(tmp_path: Path) -> None:
    config = RegistryConfig.load((str(tmp_path / "none.toml"),))
    assert config.threads == 4
    assert config.host("docker.io").mirrors == ()
    assert config.host("docker.io").schemes() == ("https",)


def test_the_users_file_wins_key_by_key(tmp_path: Path) -> None:
    config = load(
        '[registry."r.lan"]\ninsecure = true\nmirrors = ["a"]\n[transfer]\nthreads = 2\nattempts = 9\n',
        '[registry."r.lan"]\nmirrors = ["b", "https://c/hub"]\n[transfer]\nstall_timeout = 5\n[other]\nx = 1\n',
        folder=tmp_path,
    )
    host = config.host("r.lan")
    assert (host.insecure, host.mirrors) == (True, ("b", "https://c/hub"))
    assert (config.threads, config.retry.attempts, config.stall_timeout) == (2, 9, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[registry", "no TOML"),
        ('[registry."a"]\ninsecur = true', "no key insecur"),
        ('[registry."a"]\ninsecure = "yes"', "must be a bool"),
        ('[registry."a"]\nmirrors = [1]', "list of names"),
        ("registry = 5", "must be a table"),
        ("[transfer]\nthreads = 0", "from 1 to 64"),
        ("[transfer]\nthreads = true", "from 1 to 64"),
        ("[transfer]\nspeed = 1", "no key speed"),
    ],
)
def test_a_key_without_meaning_is_an_error_that_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said) as caught:
        load(text, folder=tmp_path)
    assert caught.value.path.endswith("0.toml")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST:5000", True),
        ("a.localhost:80", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("::1", True),
        ("127.0.0.1.example.com", False),
        ("127.evil.com", False),
        ("localhost.example.com", False),
        ("128.0.0.1", False),
        ("10.0.0.1:5000", False),
    ],
)
def test_only_this_machine_itself_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_schemes_that_are_tried() -> None:
    config = RegistryConfig({"a": {"insecure": True}, "b": {"plain_http": True}})
    assert config.host("a").schemes() == ("https", "http")
    assert config.host("b").schemes() == ("http",)
    assert config.host("localhost:5000").schemes() == ("http", "https")
    assert config.host("c").schemes() == ("https",)
    allowed = {name: config.host(name).allows_plain_credentials() for name in ("a", "b", "c", "127.0.0.1:1")}
    assert allowed == {"a": True, "b": True, "c": False, "127.0.0.1:1": True}


def test_dockers_folders_of_certificates_are_understood(tmp_path: Path) -> None:
    folder = tmp_path / "r.lan:5000"
    folder.mkdir()
    for name in ("ca.crt", "client.cert", "client.key", "lonely.cert"):
        (folder / name).touch()
    host = RegistryConfig(certificates=str(tmp_path)).host("r.lan:5000")
    assert host.ca == (str(folder / "ca.crt"),)
    assert host.client == (str(folder / "client.cert"), str(folder / "client.key"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a:80", ("a", 80)), ("a", ("a", 7)), ("[::1]:5", ("::1", 5)), ("[::1]", ("::1", 7)), ("::1", ("::1", 7))],
)
def test_ports_are_split_off_addresses_of_both_families(text: str, expected: tuple[str, int]) -> None:
    assert split_port(text, 7) == expected
