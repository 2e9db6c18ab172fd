"""Which addresses are public."""

from __future__ import annotations

import ipaddress

import pytest

from text_recognizer.service.pinned_connections import is_public


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize("address", ["::127.0.0.1", "64:ff9b:1::1", "2001:db8::1", "192.0.2.1", "168.63.129.16", "x"])
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


def test_nothing_is_public_that_python_calls_otherwise():
    for first in range(256):
        for second in (0, 1, 16, 64, 100, 168, 254):
            ip = ipaddress.IPv4Address(f"{first}.{second}.1.1")
            if ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_reserved:
                assert not is_public(str(ip)), ip
