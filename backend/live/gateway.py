"""The websocket's door: where it comes from, its ticket, and from which place in the feed it goes on."""

import asyncio
from typing import Annotated, Any, Final

import msgspec
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect
from msgspec import Meta

from backend.accounts import proofs, queries
from backend.accounts.model import SignedIn
from backend.core.bounds import Asked
from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.events.feed import Cursor, head
from backend.live.audience import keys_of
from backend.live.channels import Hub
from backend.live.connection import Close, Connection, close
from backend.live.tail import Tail

_FIRST_MESSAGE_S: Final = 5.0
_STRANGERS: Final = 200  # sockets without a ticket yet
Socket = WebSocket[Any, Any, State]


class Opening(Asked, frozen=True):
    """The first message of a client."""

    ticket: Annotated[str, Meta(max_length=200)]
    cursor: Annotated[str, Meta(max_length=80)] | None = None


class Door:
    """What the websocket handler needs, kept in the application's state."""

    def __init__(self, database: Database, hub: Hub, tail: Tail, origins: frozenset[str]) -> None:
        self.database = database
        self.hub = hub
        self.tail = tail
        self.origins = origins
        self.strangers = 0


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
    if door.strangers >= _STRANGERS:
        raise _RefusedError(Close.BUSY)
    door.strangers += 1
    try:
        async with asyncio.timeout(_FIRST_MESSAGE_S):
            return msgspec.json.decode(await socket.receive_data("text"), type=Opening)
    except TimeoutError as error:
        raise _RefusedError(Close.TICKET) from error
    except msgspec.MsgspecError as error:
        raise _RefusedError(Close.BAD_MESSAGE) from error
    finally:
        door.strangers -= 1


def _place(text: str | None) -> Cursor | None:
    """The cursor a client comes back with; one we cannot read lies in no epoch of ours and leads to a reset."""
    try:
        return None if text is None else Cursor.parse(text)
    except ValueError:
        return Cursor(-1, 0, 0)
