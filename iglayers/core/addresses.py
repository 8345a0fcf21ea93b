"""Which URLs may be called and which addresses dialled: the guard, and the networks behind it.

The guard judges the address that is about to be dialled, after every look-up and in every spelling, so that a name
cannot lead inside.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import structlog
from yarl import URL

from iglayers.core.config import Settings, listed

log = structlog.get_logger("outgoing")

MAX_URL_LENGTH = 2_048
# What speaks something else than HTTP, although its port is not among the first 1,024.
CLOSED_PORTS = frozenset(
    {1080, 1433, 1521, 1723, 2049, 2375, 2379, 3128, 3306, 3389, 4190, 5060, 5061, 5432, 5672, 5900, 6000, 6379, 6566,
     6665, 6666, 6667, 6668, 6669, 6697, 9042, 9092, 9200, 9300, 10250, 11211, 27017}
)  # fmt: skip
LOOPBACK = ("127.0.0.0/8", "::1/128")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's special-purpose registries of both families, multicast, and what is out of use but still routed somewhere.
# `is_global` is no substitute: it passes NAT64, 6to4, IPv4-compatible and site-local addresses.
_REFUSED_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
_PUBLIC_6 = IPv6Network("2000::/3")
_REFUSED_6 = [
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]  # fmt: skip
# Prefixes behind which an IPv4 address stands, and how many bits follow it.
_CARRIERS = [
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("64:ff9b:1::/48"), 0),
    (IPv6Network("2002::/16"), 80),
]


class Guard:
    """Which addresses may be dialled: public ones, and those of the operator's networks."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed: list[Network] = [ip_network(network) for network in allowed]

    def permits(self, address: Address) -> bool:
        """Whether the address, and the one that it carries, are allowed or public."""
        if any(address in network for network in self._allowed):
            log.debug("outgoing.allowed_network", address=str(address))
            return True
        carried = carried_by(address)
        if carried is not None and any(carried in network for network in self._allowed):
            return True
        return is_public(address)

    def socket(self, found: tuple[Any, ...]) -> socket.socket:
        """A socket for an address that may be dialled; OSError for another, so that the next one is tried."""
        family, kind, protocol, _, target = found
        address = ip_address(str(target[0]).partition("%")[0])
        if not self.permits(address):
            log.warning("outgoing.address_refused", address=str(address))
            raise OSError("the address may not be dialled")
        return socket.socket(family=family, type=kind, proto=protocol)


def guard(settings: Settings) -> Guard:
    """The guard of an installation: its allow-list, and loopback while it listens there alone."""
    loopback = LOOPBACK if listens_on_loopback(settings.host) else ()
    return Guard([*listed(settings.allow_networks), *loopback])


def listens_on_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: Address) -> bool:
    """Whether an address leads to the public internet, by the one it carries too."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    # Also where the carried address is public: what translates it stands in a network that is not ours to use.
    return address in _PUBLIC_6 and not any(address in network for network in _REFUSED_6)


def carried_by(address: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, compatible, translated, NAT64, 6to4."""
    if isinstance(address, IPv4Address):
        return None
    for network, bits_after in _CARRIERS:
        if address in network:
            return IPv4Address(int(address) >> bits_after & 0xFFFF_FFFF)
    return None


def checked_url(url: str, *, http_allowed: bool) -> str:
    """An absolute URL that may be called; ValueError says what is wrong with it. The address is judged when dialled."""
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"has {len(url)} characters; at most {MAX_URL_LENGTH} are allowed")
    if any(character <= " " or character in '\\"<>^`{|}\x7f' for character in url):
        raise ValueError("holds a blank or another character that a URL cannot hold")
    try:
        parsed = URL(url)
        port = parsed.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parsed.scheme not in ("https", "http") or not parsed.host:
        raise ValueError("must be an absolute URL that starts with https://")
    if parsed.scheme == "http" and not http_allowed:
        raise ValueError("must start with https://: this server does not deliver over http")
    if parsed.user is not None or parsed.password is not None:
        raise ValueError("must not hold a user name or password")
    if port is None or port in CLOSED_PORTS or (port < 1_024 and port not in (80, 443)):
        raise ValueError(f"names the port {port}; use 443, 80, or one above 1023 that is not another service's")
    return url
