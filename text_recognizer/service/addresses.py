"""Which network addresses belong to the public internet, and which to somebody's own machines."""

from __future__ import annotations

import ipaddress

# Written out, because what `ipaddress` calls global differs between releases of Python.
_NOT_PUBLIC_4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, and the unspecified address
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a provider; some clouds keep their metadata in it
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # public by its number, but a cloud's own service for its virtual machines
        "169.254.0.0/16",  # link-local, with the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
_GLOBAL_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address may be inside, and nobody serves images there
        "3fff::/20",  # documentation
    )
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is global unicast; IPv6 that wraps IPv4 is judged by what is inside, or refused."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inside = _wrapped(ip)
        if inside is None:
            return ip.scope_id is None and ip in _GLOBAL_UNICAST_6 and not any(ip in net for net in _NOT_PUBLIC_6)
        ip = inside
    return not any(ip in network for network in _NOT_PUBLIC_4)


def _wrapped(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a packet to an IPv4-mapped or NAT64 address ends at."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped
