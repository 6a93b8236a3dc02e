"""Requests that the registry makes by itself reach allowed addresses only, whatever a name or a redirect says."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from hardtack.registry.net.client import session
from hardtack.registry.net.filter import AddressFilter, AddressForbidden
from support.bad_registry import BadRegistry, redirect

_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Names(AbstractResolver):
    """Answers with the next of some lists of addresses, and with the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for address in found
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
def server() -> Iterator[BadRegistry]:
    with BadRegistry() as running:
        yield running


async def _get(url: str, allow: tuple[str, ...] = (), names: Names | None = None) -> int:
    async with session(AddressFilter(allow), _TIMEOUT, resolver=names) as client, client.get(url) as answer:
        return answer.status


def _cause(error: pytest.ExceptionInfo[aiohttp.ClientConnectorError]) -> OSError:
    return error.value.os_error


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"])
async def test_loopback_is_not_called_however_it_is_written(server: BadRegistry, host: str) -> None:
    with pytest.raises(aiohttp.ClientConnectorError) as error:
        await _get(f"http://{host}:{server.port}/v2/")
    assert isinstance(_cause(error), AddressForbidden)
    assert not server.seen


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "0177.0.0.1", "127.0.0.1."])
async def test_nor_is_an_address_in_an_old_form(server: BadRegistry, host: str) -> None:
    with pytest.raises((aiohttp.ClientError, ValueError)):
        await _get(f"http://{host}:{server.port}/v2/")
    assert not server.seen


async def test_an_allowed_network_is_called_by_address_and_by_name(server: BadRegistry) -> None:
    assert await _get(f"{server.url}/v2/", ("127.0.0.0/8",)) == 200
    assert await _get(f"http://some.name:{server.port}/v2/", ("127.0.0.1",), Names(["127.0.0.1"])) == 200


async def test_an_allowed_name_gives_nothing_to_another_name_or_to_its_address(server: BadRegistry) -> None:
    names = Names(["127.0.0.1"])
    async with session(AddressFilter(["good.name"]), _TIMEOUT, resolver=names) as client:
        async with client.get(f"http://good.name:{server.port}/v2/") as answer:
            assert answer.status == 200
        for other in (f"http://bad.name:{server.port}/v2/", f"{server.url}/v2/"):
            with pytest.raises(aiohttp.ClientConnectorError):
                await client.get(other)
    assert len(server.seen) == 1


async def test_a_name_that_answers_otherwise_the_next_time_is_checked_again(server: BadRegistry) -> None:
    names = Names(["192.0.2.1"], ["127.0.0.1"])
    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectorError) as error:
            await _get(f"http://rebinding.example:{server.port}/v2/", (), names)
        assert isinstance(_cause(error), AddressForbidden)
    assert not server.seen


async def test_of_several_addresses_only_those_allowed_are_tried(server: BadRegistry) -> None:
    with BadRegistry(address="127.0.0.2") as other:
        url = f"http://mixed.example:{other.port}/v2/"
        with socket.create_server(("127.0.0.3", other.port)) as forbidden:
            assert await _get(url, ("127.0.0.2",), Names(["127.0.0.3", "127.0.0.2", "::1"])) == 200
            forbidden.settimeout(0.05)
            with pytest.raises(TimeoutError):
                forbidden.accept()


async def test_a_redirect_to_a_forbidden_address_is_not_followed(server: BadRegistry) -> None:
    with BadRegistry(address="127.0.0.2") as outside:
        for target in (server.url, f"http://localhost:{server.port}"):
            outside.fault("GET /v2/", redirect(lambda path, target=target: target + path), times=1)
            with pytest.raises(aiohttp.ClientConnectorError) as error:
                await _get(f"{outside.url}/v2/", ("127.0.0.2",))
            assert isinstance(_cause(error), AddressForbidden)
    assert not server.seen


async def test_no_proxy_of_the_environment_is_asked(server: BadRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    with pytest.raises(aiohttp.ClientConnectorError):
        await _get("http://127.0.0.9:1/v2/", ("127.0.0.1",))
    assert not server.seen
