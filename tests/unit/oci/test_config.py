"""Image configs: Docker's and OCI's, typed once; history beside layers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.oci.config import History, ImageConfig, chain_ids, history_with_layers
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidConfig
from hardtack.oci.platform import Platform

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def document(config: object = None, diff_ids: object = (A, B), history: object = (), **more: object) -> bytes:
    value: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-05-01T12:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
        **more,
    }
    return json.dumps(value).encode()


def test_a_config_is_read_and_its_bytes_are_kept() -> None:
    run = {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Entrypoint": None, "Labels": {"a": "b"}, "Volumes": {"/v": {}}}
    raw = document(run, history=[{"created_by": "FROM x"}], author="me", variant="v2")
    config = ImageConfig.parse(raw)
    assert config.raw is raw
    assert config.config == run
    assert config.diff_ids == (A, B)
    assert config.platform == Platform("linux", "amd64", "v2")
    assert (config.created, config.author, config.history[0].created_by) == ("2024-05-01T12:00:00Z", "me", "FROM x")
    assert config.value["author"] == "me"


def test_what_is_absent_is_empty() -> None:
    config = ImageConfig.parse(b'{"rootfs": {"diff_ids": null}}')
    assert (config.config, config.diff_ids, config.history, config.created) == ({}, (), (), "")


def test_a_command_that_old_builders_wrote_as_one_text_becomes_a_list() -> None:
    config = ImageConfig.parse(document({"Cmd": "date", "Entrypoint": "/entry"}))
    assert (config.config["Cmd"], config.config["Entrypoint"]) == (["date"], ["/entry"])


def test_fields_that_nobody_knows_are_kept() -> None:
    assert ImageConfig.parse(document({"Future": {"x": [1]}})).config["Future"] == {"x": [1]}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"{" * 10_000,
        b'{"rootfs": 7}',
        b'{"rootfs": {"type": "other", "diff_ids": []}}',
        document(diff_ids="x"),
        document(diff_ids=[7]),
        document(diff_ids=["sha256:x"]),
        document(diff_ids=[A] * 4097),
        document(history={}),
        document(history=[7]),
        document(history=[{"created_by": 7}]),
        document(history=[{"empty_layer": "yes"}]),
        document(history=[{}] * 20_000),
        document(created=7),
        document(os=["linux"]),
        document(architecture={"a": 1}),
        document(config=[]),
        document(config={"Env": "A=b"}),
        document(config={"Env": [1]}),
        document(config={"Cmd": 7}),
        document(config={"Cmd": [None]}),
        document(config={"User": 0}),
        document(config={"User": "x" * 5000}),
        document(config={"WorkingDir": []}),
        document(config={"Labels": ["a=b"]}),
        document(config={"Labels": {"a": 1}}),
        document(config={"ExposedPorts": ["80"]}),
        document(config={"Volumes": ["/v"]}),
        document(config={"Tty": "true"}),
        document(config={"StopTimeout": "10"}),
        document(config={"Healthcheck": []}),
        document(config={"Healthcheck": {"Test": "CMD"}}),
        document(config={"Healthcheck": {"Interval": -1}}),
        document(config={"Healthcheck": {"Retries": 1.5}}),
    ],
)
def test_ill_typed_and_oversized_configs_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidConfig) as caught:
        ImageConfig.parse(raw)
    assert str(caught.value).startswith("invalid image config: ")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_top = ["architecture", "os", "created", "config", "rootfs", "history", "author", "variant", "os.features"]
_run = ["Env", "Cmd", "Entrypoint", "User", "Labels", "Volumes", "ExposedPorts", "Healthcheck", "Tty", "StopTimeout"]


@given(st.sampled_from(_top), _json)
def test_any_value_in_any_field_gives_a_config_or_a_refusal(key: str, value: object) -> None:
    try:
        ImageConfig.parse(document(**{key: value}))
    except InvalidConfig:
        pass


@given(st.sampled_from(_run), _json)
def test_any_value_in_any_run_field_gives_a_config_or_a_refusal(key: str, value: object) -> None:
    try:
        config = ImageConfig.parse(document({key: value}))
    except InvalidConfig:
        return
    if value is not None and key in ("Env", "Cmd", "Entrypoint"):
        assert all(isinstance(text, str) for text in config.config[key])


def test_chain_ids_follow_the_specification() -> None:
    first, second, third = chain_ids([A, B, C])
    assert first == A
    assert second == "sha256:" + hashlib.sha256(f"{A} {B}".encode()).hexdigest()
    assert third == "sha256:" + hashlib.sha256(f"{second} {C}".encode()).hexdigest()
    assert chain_ids([]) == []


@pytest.mark.parametrize(
    ("empties", "diff_ids", "expected"),
    [
        ([False, True, False], [A, B], [A, None, B]),
        ([True, True], [], [None, None]),
        ([], [A, B], [A, B]),
        ([False], [A, B], [A, B]),
        ([False, False, False], [A], [A, None, None]),
        ([True, False], [A, B, C], [None, A, B, C]),
    ],
)
def test_each_instruction_is_paired_with_its_layer(
    empties: list[bool], diff_ids: list[str], expected: list[str | None]
) -> None:
    history = [History(created_by=f"step {n}", empty_layer=empty).to_json() for n, empty in enumerate(empties)]
    paired = history_with_layers(ImageConfig.parse(document(diff_ids=diff_ids, history=history)))
    assert [layer for _, layer in paired] == expected
    assert [entry.created_by for entry, _ in paired[: len(empties)]] == [f"step {n}" for n in range(len(empties))]


def test_history_survives_being_written() -> None:
    entry = History("2024-05-01T12:00:00Z", "RUN x", "me", "note", True)
    assert History.from_json(entry.to_json(), "").to_json() == entry.to_json()
    assert History().to_json() == {}


def test_digests_of_a_config_are_digests() -> None:
    assert all(type(diff_id) is Digest for diff_id in ImageConfig.parse(document()).diff_ids)
