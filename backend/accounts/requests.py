"""Writes that are safe to repeat: one Idempotency-Key, one change, one answer."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response
from litestar.datastructures import State

from backend.accounts import queries
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, Lane

T = TypeVar("T")
_KEY_LENGTHS: Final = range(8, 256)
_encode: Final = msgspec.json.Encoder().encode


async def write_once(
    request: Request[Principal, Any, State],
    status: int,
    action: Callable[[Connection], Awaitable[T]],
    zone_id: UUID | None = None,
) -> Response[T]:
    """Run `action` as the caller in one transaction and store its answer in the same one.

    The same key and request get the stored answer back, marked `Idempotency-Replayed: true`. A refusal changes
    nothing and is not stored. Whoever locks a zone's plan waits in the zone's own line, and keeps nobody of another zone
    waiting: the zone of the order or offer in the address, or `zone_id`. Raises idempotency_key_required, idempotency_key_reused, request_in_progress.
    """
    key = request.headers.get("idempotency-key", "")
    if len(key) not in _KEY_LENGTHS or not (key.isascii() and key.isprintable()):
        raise DomainError("idempotency_key_required", "Send an Idempotency-Key header of 8 to 255 characters.")
    caller, body = request.user, await request.body()
    if caller.account_id is None:
        raise DomainError("not_allowed")
    route = f"{request.method} {request.scope['path_template']}"
    request_hash = hashlib.sha256(request.url.path.encode() + b"\0" + body).digest()
    line = zone_id or await request.app.state.zones.of_path(request.path_params) or caller.account_id
    async with request.app.state.database.unit_of_work(caller, Lane.COMMANDS, line) as connection:
        if not await queries.try_lock_key(connection, caller.account_id, route, key):
            raise DomainError("request_in_progress", retry_after_s=1)
        kept = await queries.kept_answer(connection, caller.account_id, route, key)
        if kept is not None:
            if kept.request_hash != request_hash:
                raise DomainError("idempotency_key_reused")
            return _answer(kept.body, kept.status, replayed=True)
        answer = _encode(await action(connection))
        await queries.keep_answer(connection, caller.account_id, route, key, request_hash, status, answer)
    return _answer(answer, status, replayed=False)


def _answer(body: bytes, status: int, *, replayed: bool) -> Response[Any]:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(body, status_code=status, headers=headers, media_type=MediaType.JSON)
