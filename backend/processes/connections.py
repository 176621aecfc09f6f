"""Who is connected to a process, and for how long it waits for each: nobody keeps others out by holding a connection.

At a bound the newcomer is let in and whoever has kept us waiting longest is closed: first among those of the same address,
then, when the process is full, among those of the address that holds most.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog
from msgspec import Struct

from backend.core.addresses import Network, client_address, counted

_CLOSING_S: Final = 5.0  # for the last bytes to leave once a connection was closed
log = structlog.get_logger()


class Limits(Struct, frozen=True, kw_only=True):
    """What one connection may take of a process. A slow phone needs seconds; whoever needs more is gone or means harm."""

    connections: int = 4000
    per_address: int = 400  # a whole office may share one address
    head_bytes: int = 16 * 1024
    headers: int = 100
    head_s: float = 10.0  # from the first byte of a request, or from connecting, to the end of its headers
    request_s: float = 40.0  # to the end of its body
    pipelined: int = 8  # requests sent ahead of their answers
    unread_bytes: int = 1024 * 1024  # of a body whose request was answered before it came
    goodbye_s: float = 2.0  # for the other side to notice an answer that came before the end of its request
    stuck_s: float = 20.0  # how long something may wait to be sent without leaving
    stuck_bytes: int = 1024 * 1024  # of replies to a socket that is not reading them
    heard_bytes_s: int = 16 * 1024  # what a socket may say in the long run: after its ticket it has nothing to say


class Connection:
    """One connection: where it comes from, and since when it keeps us waiting."""

    def __init__(self, transport: asyncio.Transport, address: str, now: float) -> None:
        self.transport = transport
        self.address = address
        self.waits_since: float | None = now  # none: it is our turn, or it is a socket that may be silent
        self.waits_for_s = 0.0
        self._stuck_since: float | None = None
        self._closing_since: float | None = None

    def wait(self, since: float, seconds: float) -> None:
        """It is the other side's turn, for so long."""
        self.waits_since, self.waits_for_s = since, seconds

    def rest(self) -> None:
        """It is our turn."""
        self.waits_since = None

    def is_overdue(self, now: float) -> bool:
        """Whether the other side has had its turn for too long."""
        return self.waits_since is not None and now - self.waits_since > self.waits_for_s

    def is_stuck(self, now: float, stuck_s: float) -> bool:
        """Whether what we sent does not leave, or a closed connection does not end."""
        if self.transport.get_write_buffer_size() == 0:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        if self.transport.is_closing() and self._closing_since is None:
            self._closing_since = now
        return (self._stuck_since is not None and now - self._stuck_since > stuck_s) or (
            self._closing_since is not None and now - self._closing_since > _CLOSING_S
        )


class Connections:
    """All connections of one process."""

    def __init__(self, limits: Limits, proxies: Sequence[Network] = ()) -> None:
        self.limits = limits
        self._proxies = proxies
        self._all: dict[Any, Connection] = {}
        self._by_address: dict[str, dict[Connection, None]] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, transport: asyncio.Transport, peer: str | None, now: float) -> Connection | None:
        """Let a connection in, closing another where there is no room; None when nobody keeps us waiting."""
        address = client_address(peer, (), ())
        trusted = any(address.version == network.version and address in network for network in self._proxies)
        name = counted(address)
        own = self._by_address.get(name, {})
        if not trusted and len(own) >= self.limits.per_address and not self._make_room(own):
            return None
        if len(self._all) >= self.limits.connections and not self._make_room(self._largest()):
            return None
        connection = Connection(transport, name, now)
        connection.wait(now, self.limits.head_s)
        self._all[transport] = connection
        self._by_address.setdefault(name, {})[connection] = None
        return connection

    def of(self, transport: asyncio.Transport) -> Connection | None:
        """The connection that was let in with this transport."""
        return self._all.get(transport)

    def leave(self, transport: asyncio.Transport) -> None:
        """Forget a connection."""
        connection = self._all.pop(transport, None)
        if connection is not None:
            own = self._by_address[connection.address]
            own.pop(connection, None)
            if not own:
                del self._by_address[connection.address]

    def overdue(self, now: float) -> list[Connection]:
        """Those who have kept us waiting for too long. Connections that are stuck are cut here and now."""
        stuck = [one for one in self._all.values() if one.is_stuck(now, self.limits.stuck_s)]
        for connection in stuck:
            connection.transport.abort()
        if stuck:
            log.info("connections.cut", reason="stuck", count=len(stuck))
        return [one for one in self._all.values() if one.is_overdue(now)]

    def _make_room(self, among: Iterable[Connection]) -> bool:
        waiting = [one for one in among if one.waits_since is not None]
        if not waiting:
            return False
        longest = min(waiting, key=lambda one: one.waits_since or 0.0)
        longest.transport.abort()
        self.leave(longest.transport)
        return True

    def _largest(self) -> Iterable[Connection]:
        return max(self._by_address.values(), key=len, default={})
