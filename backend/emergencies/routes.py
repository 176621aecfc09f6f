"""Alarms over HTTP: one press raises one, the desk takes and closes it."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody, QueryParameter

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.principal import Principal, Role
from backend.database.pool import Connection
from backend.emergencies import actions, queries
from backend.emergencies.model import Alarm, Closing, Emergency, Raised, told

Call = Request[Principal, Any, State]
_ANYBODY = requires(Role.RESIDENT, Role.FAMILY, Role.WORKER, Role.OPERATOR)
_DESK = requires(Role.OPERATOR)


@post("/v1/emergencies", guards=[_ANYBODY], status_code=201)
async def raise_alarm(request: Call, data: JSONBody[Alarm]) -> Response[Raised]:
    """Somebody needs help now. Raised again within minutes, it is the alarm that is open."""

    async def action(connection: Connection) -> Raised:
        return told(await actions.raise_alarm(connection, request.user, data))

    return await write_once(request, 201, action)


@post("/v1/emergencies/{emergency_id:uuid}/call-off", guards=[_ANYBODY], status_code=200)
async def call_off(request: Call, emergency_id: FromPath[UUID]) -> Response[Raised]:
    """Whoever raised it says that it was a slip; the desk rings back all the same."""

    async def action(connection: Connection) -> Raised:
        return told(await actions.call_off(connection, request.user, emergency_id))

    return await write_once(request, 200, action)


@get("/v1/emergencies", guards=[_DESK])
async def list_emergencies(request: Call, limit: Annotated[int, QueryParameter(ge=1, le=100)] = 50) -> list[Emergency]:
    """Alarms for the desk: those that are open, the oldest first, then those that are over, the last one first."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        found = await queries.open_emergencies(connection, limit)
        return found + await queries.closed_emergencies(connection, limit - len(found))


@post("/v1/emergencies/{emergency_id:uuid}/take", guards=[_DESK], status_code=200)
async def take(request: Call, emergency_id: FromPath[UUID]) -> Response[Emergency]:
    """An operator sees to it; whoever comes second is told that somebody does."""
    return await write_once(request, 200, lambda c: actions.take(c, request.user, emergency_id))


@post("/v1/emergencies/{emergency_id:uuid}/close", guards=[_DESK], status_code=200)
async def close(request: Call, emergency_id: FromPath[UUID], data: JSONBody[Closing]) -> Response[Emergency]:
    """An operator says what it was."""
    return await write_once(request, 200, lambda c: actions.close(c, request.user, emergency_id, data))


route_handlers = [raise_alarm, call_off, list_emergencies, take, close]
