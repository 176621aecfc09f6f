"""Where a request really comes from: the socket's other end, or what a trusted proxy says about it."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]  # as ASGI hands them over: lower-case names, in order

UNKNOWN: Final[Address] = IPv6Address("::")  # a socket without an address, such as a Unix one
_HOPS: Final = 32  # more proxies in a row than any network has; what stands further left is not read
_SITE_BITS: Final = 64  # one IPv6 subscriber has at least a /64, and may take any address in it
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: every IPv4 client of a NAT64 would share one /64


def networks(text: str) -> tuple[Network, ...]:
    """The comma-separated networks of a setting. Raises ValueError; a network of everybody is refused too."""
    found = tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("a network of all addresses would let every client choose its own")
    return found


def client_address(peer: str | None, headers: Headers, trusted: Sequence[Network]) -> Address:
    """The nearest address that is not one of our proxies: what a limit by address counts.

    Only a trusted peer is believed. It has appended the address it saw to X-Forwarded-For or Forwarded, so the
    rightmost hop that is not trusted itself is the client; what stands left of it is the client's own invention.
    Reading stops at a hop that is no address. When the two headers disagree, one of them came from the client
    and nobody can tell which: the request then counts as the proxy's own.
    """
    seen = _read(peer or "") or UNKNOWN
    if not _one_of(seen, trusted):
        return seen
    lists: dict[bytes, list[str]] = {b"x-forwarded-for": [], b"forwarded": []}
    for name, value in headers:
        if name in lists:
            lists[name].append(value.decode("latin-1"))
    told = {
        _nearest(seen, hops, trusted)
        for hops in (_plain_hops(lists[b"x-forwarded-for"]), _forwarded_hops(lists[b"forwarded"]))
        if hops
    }
    return told.pop() if len(told) == 1 else seen


def counted(address: Address) -> str:
    """What a limit counts an address as: one IPv4 address, or the /64 an IPv6 address lies in."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> (128 - _SITE_BITS) << (128 - _SITE_BITS), _SITE_BITS)))


def _nearest(peer: Address, hops: Sequence[str], trusted: Sequence[Network]) -> Address:
    nearest = peer
    for hop in reversed(hops):
        address = _read(hop)
        if address is None:
            break
        nearest = address
        if not _one_of(address, trusted):
            break
    return nearest


def _plain_hops(values: Sequence[str]) -> list[str]:
    return [part.strip() for part in ",".join(values).split(",")[-_HOPS:]] if values else []


def _forwarded_hops(values: Sequence[str]) -> list[str]:
    """The `for=` of each element (RFC 7239); an element without one stands as a hop that cannot be read."""
    return [next(_for_of(element), "") for element in ",".join(values).split(",")[-_HOPS:]] if values else []


def _for_of(element: str) -> Iterator[str]:
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            yield value.strip().strip('"')


def _read(text: str) -> Address | None:
    """An address as proxies write it: bare, with a port, or in brackets; IPv4 inside IPv6 is unwrapped."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _one_of(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)
