"""Writes that are safe to repeat: one Idempotency-Key, one change, one answer."""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response
from litestar.datastructures import State
from msgspec import Struct

from backend.accounts import queries
from backend.core.addresses import Address
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.deciding import MovedOnError, decide
from backend.database.pool import Connection, Database, Lane

T = TypeVar("T")
S = TypeVar("S")
F = TypeVar("F")
Asked: TypeAlias = Request[Principal, Any, State]
_TRIES: Final = 6  # the dispatcher, and other web processes, write to the same day
_KEY_LENGTHS: Final = range(8, 256)
_encode: Final = msgspec.json.Encoder().encode


def address_of(request: Request[Any, Any, State]) -> Address:
    """Tell where a request comes from, as limits count it."""
    peer = request.scope["client"]
    return request.app.state.signing_in.address(peer[0] if peer else None, request.scope["headers"])


async def write_once(
    request: Asked,
    status: int,
    action: Callable[[Connection], Awaitable[T]],
    zone_id: UUID | None = None,
    *,
    key: str | None = None,
) -> Response[T]:
    """Run `action` as the caller in one transaction and store its answer in the same one.

    The same key and request get the stored answer back, marked `Idempotency-Replayed: true`. A refusal changes
    nothing and is not stored. Whoever locks a zone's plan waits in the zone's own line, and keeps nobody of another zone
    waiting: the zone of the order or offer in the address, or `zone_id`. A form brings its `key` inside, a program in the
    header. Raises idempotency_key_required, idempotency_key_reused, request_in_progress.
    """
    once = await _Once.of(request, status, zone_id, key)
    try:
        async with once.transaction() as connection:
            return await once.answered(connection, await action(connection))
    except _AnsweredError as before:
        return before.answer


async def decide_once(
    request: Asked,
    status: int,
    read: Callable[[Connection], Awaitable[S]],
    think: Callable[[S], F],
    write: Callable[[Connection, F], Awaitable[T]],
    zone_id: UUID | None = None,
    about: Hashable = None,
    *,
    key: str | None = None,
    on_a_thread: bool = False,
) -> Response[T]:
    """The same for a command that has to think, which it does between two transactions: the second one is the write.

    Commands of one zone that are `about` the same day take turns. What may take long thinks `on_a_thread`. Raises besides busy, when others change what it thinks
    about again and again.
    """
    once = await _Once.of(request, status, zone_id, key)

    async def written(connection: Connection, found: F) -> Response[T]:
        return await once.answered(connection, await write(connection, found))

    try:
        async with request.app.state.one_at_a_time.turn((once.line, about)):
            return await decide(once.transaction, read, think, written, _TRIES, on_a_thread=on_a_thread)
    except _AnsweredError as before:
        return before.answer
    except MovedOnError as error:
        raise DomainError("busy", retry_after_s=1) from error


class _AnsweredError(Exception):
    """The request was carried out before; this is what was answered."""

    def __init__(self, answer: Response[Any]) -> None:
        super().__init__()
        self.answer = answer


class _Once(Struct, frozen=True):
    """One request with its key, in a line for connections."""

    database: Database
    caller: Principal
    account_id: UUID
    route: str
    key: str
    request_hash: bytes
    status: int
    line: UUID

    @classmethod
    async def of(cls, request: Asked, status: int, zone_id: UUID | None, key: str | None) -> Self:
        key = request.headers.get("idempotency-key", "") if key is None else key
        if len(key) not in _KEY_LENGTHS or not (key.isascii() and key.isprintable()):
            raise DomainError("idempotency_key_required", "Send an Idempotency-Key header of 8 to 255 characters.")
        caller, body, state = request.user, await request.body(), request.app.state
        if caller.account_id is None:
            raise DomainError("not_allowed")
        route = f"{request.method} {request.scope['path_template']}"
        request_hash = hashlib.sha256(request.url.path.encode() + b"\0" + body).digest()
        line = zone_id or await state.zones.of_path(request.path_params) or caller.account_id
        return cls(state.database, caller, caller.account_id, route, key, request_hash, status, line)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A transaction of the caller's, unless the request was carried out before: then _AnsweredError."""
        async with self.database.unit_of_work(self.caller, Lane.COMMANDS, self.line) as connection:
            if not await queries.try_lock_key(connection, self.account_id, self.route, self.key):
                raise DomainError("request_in_progress", retry_after_s=1)
            kept = await queries.kept_answer(connection, self.account_id, self.route, self.key)
            if kept is not None:
                if kept.request_hash != self.request_hash:
                    raise DomainError("idempotency_key_reused")
                raise _AnsweredError(_answer(kept.body, kept.status, replayed=True))
            yield connection

    async def answered(self, connection: Connection, view: T) -> Response[T]:
        """The answer, kept in the transaction that made it true."""
        answer = _encode(view)
        await queries.keep_answer(
            connection, self.account_id, self.route, self.key, self.request_hash, self.status, answer
        )
        return _answer(answer, self.status, replayed=False)


def _answer(body: bytes, status: int, *, replayed: bool) -> Response[Any]:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(body, status_code=status, headers=headers, media_type=MediaType.JSON)
