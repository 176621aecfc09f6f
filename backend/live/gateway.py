"""The websocket's door: where it comes from, its ticket, and from which place in the feed it goes on."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import msgspec
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect
from msgspec import Meta

from backend.accounts import proofs, queries
from backend.accounts.model import SignedIn
from backend.core.addresses import Network, client_address, counted
from backend.core.bounds import Asked, Wording, wording
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.events.feed import Cursor, head
from backend.live.audience import keys_of
from backend.live.channels import Hub
from backend.live.connection import Close, Connection, close
from backend.live.tail import Tail

_FIRST_MESSAGE_S: Final = 5.0
Socket = WebSocket[Any, Any, State]


class Opening(Asked, frozen=True):
    """The first message of a client."""

    ticket: Annotated[str, Meta(max_length=200, extra=wording(Wording.MATCHED))]
    cursor: Annotated[str, Meta(max_length=80, extra=wording(Wording.MATCHED))] | None = None


class Strangers:
    """Sockets that have not shown a ticket yet. Where there are too many, whoever has waited longest goes first.

    So silent sockets never keep out somebody with a ticket, who shows it within a moment.
    """

    def __init__(self, most: int = 1000, per_address: int = 300) -> None:
        self._most = most
        self._per_address = per_address
        self._waiting: dict[asyncio.Timeout, str] = {}  # the oldest first
        self._by_address: Counter[str] = Counter()

    @asynccontextmanager
    async def patience(self, address: str, seconds: float) -> AsyncGenerator[None]:
        """Wait so long, or until others need the place. Raises TimeoutError."""
        if self._by_address[address] >= self._per_address:
            self._send_away(address)
        elif len(self._waiting) >= self._most:
            self._send_away(self._by_address.most_common(1)[0][0])
        async with asyncio.timeout(seconds) as patience:
            self._waiting[patience] = address
            self._by_address[address] += 1
            try:
                yield
            finally:
                self._forget(patience)

    def _send_away(self, address: str) -> None:
        oldest = next(one for one, theirs in self._waiting.items() if theirs == address)
        self._forget(oldest)
        oldest.reschedule(asyncio.get_running_loop().time())

    def _forget(self, patience: asyncio.Timeout) -> None:
        address = self._waiting.pop(patience, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


class Door:
    """What the websocket handler needs, kept in the application's state."""

    def __init__(
        self, database: Database, hub: Hub, tail: Tail, origins: frozenset[str], proxies: Sequence[Network] = ()
    ) -> None:
        self.database = database
        self.hub = hub
        self.tail = tail
        self.origins = origins
        self.proxies = proxies
        self.strangers = Strangers()


class _RefusedError(Exception):
    def __init__(self, code: Close) -> None:
        super().__init__(code)
        self.code = code


@websocket("/v1/live", opt={"public": True})
async def live(socket: Socket) -> None:
    """Everything that concerns the reader, as it happens; see the protocol in the README."""
    door: Door = socket.app.state.door
    await socket.accept()
    try:
        connection = await _admit(door, socket)
    except _RefusedError as refused:
        await close(socket, refused.code)
        return
    except DomainError:  # the line for the database is too long
        await close(socket, Close.BUSY)
        return
    except WebSocketDisconnect:
        return
    try:
        await connection.carry()
    finally:
        door.hub.leave(connection)


async def _admit(door: Door, socket: Socket) -> Connection:
    origin = socket.headers.get("origin")
    if origin is not None and origin not in door.origins:
        raise _RefusedError(Close.ORIGIN)
    opening = await _first_message(door, socket)
    async with door.database.unit_of_work(SYSTEM) as database:
        admitted = await queries.take_ticket(database, proofs.token_hash(opening.ticket))
        if admitted is None:
            raise _RefusedError(Close.TICKET)
        end = await head(database)
        holder: SignedIn | None = None
        if admitted.session_id is not None:
            holder = next(iter(await queries.still_signed_in(database, [admitted.session_id])), None)
            if holder is None:
                raise _RefusedError(Close.TICKET)
    keys = keys_of(holder, door.tail.zone_ids) if holder else frozenset[str]()
    connection = Connection(socket, holder)
    door.hub.join(connection, keys, _place(opening.cursor), end)
    return connection


async def _first_message(door: Door, socket: Socket) -> Opening:
    client = socket.scope["client"]
    address = counted(client_address(client[0] if client else None, socket.scope["headers"], door.proxies))
    try:
        async with door.strangers.patience(address, _FIRST_MESSAGE_S):
            return msgspec.json.decode(await socket.receive_data("text"), type=Opening)
    except TimeoutError as error:
        raise _RefusedError(Close.TICKET) from error
    except msgspec.MsgspecError as error:
        raise _RefusedError(Close.BAD_MESSAGE) from error


def _place(text: str | None) -> Cursor | None:
    """The cursor a client comes back with; one we cannot read lies in no epoch of ours and leads to a reset."""
    try:
        return None if text is None else Cursor.parse(text)
    except ValueError:
        return Cursor(-1, 0, 0)
