"""Which addresses the registry calls by itself."""

from __future__ import annotations

import pytest

from hardtack.registry.net.filter import AddressFilter, AddressForbidden, read_entry

PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.167.1.1", "11.0.0.1"),
    *("169.253.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001:81b::200e"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
]
PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1"),
    *("172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "0:0:0:0:0:ffff:7f00:1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::", "2001::1"),
    *("::127.0.0.1", "::8.8.8.8", "100::1", "4000::1", "3fff::1", "5f00::1"),
]
NO_ADDRESSES = ["", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "017700000001", "1.2.3", "127.0.0.1:80", "[::1]"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_called(address: str) -> None:
    AddressFilter().check(address)


@pytest.mark.parametrize("address", PRIVATE + NO_ADDRESSES)
def test_any_other_may_not(address: str) -> None:
    with pytest.raises(AddressForbidden):
        AddressFilter().check(address)
    assert not AddressFilter().allows(address, "registry.example.org")


def test_networks_and_addresses_can_be_allowed_in_every_form_that_leads_there() -> None:
    addresses = AddressFilter(["127.0.0.1", "10.1.0.0/16", "fd00:1::/32"])
    for address in ("127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00:1::5"):
        addresses.check(address)
    for address in ("127.0.0.2", "10.2.0.1", "::ffff:10.2.0.1", "fd00:2::5", "::1"):
        assert not addresses.allows(address)


def test_a_host_is_allowed_by_its_name_and_no_other_name_with_the_same_address_is() -> None:
    addresses = AddressFilter(["Minio.internal"])
    addresses.check("10.0.0.5", "minio.internal")
    addresses.check("10.0.0.5", "MINIO.internal.")
    for host in ("", "evil.example", "minio.internal.evil.example", "xminio.internal"):
        assert not addresses.allows("10.0.0.5", host)


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(AddressForbidden, match=r"registry\.lan has the address 10\.0\.0\.5 \(private\).*\[network\]"):
        AddressFilter().check("10.0.0.5", "registry.lan")


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.1/8", "1.2.3", "300.1.1.1", "a b", "http://x", "x/24", "*", "a..b", "x:5000"]
)
def test_what_is_neither_a_host_nor_a_network_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="no host and no network"):
        read_entry(entry)
