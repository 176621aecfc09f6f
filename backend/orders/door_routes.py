"""What happens at a door over HTTP: nobody opens, somebody does, the visit is stopped."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.principal import Principal, Role
from backend.database.pool import Connection
from backend.orders import checklists, doors, handing, pre_checks
from backend.orders.checklists import Checklist
from backend.orders.handing import Heard
from backend.orders.pre_checks import Found, PreChecks
from backend.orders.routes import Argued, take
from backend.orders.views import OrderView, ReportedOrder, shown
from backend.orders.visiting import Abort
from backend.visits.checks import Measured
from backend.visits.lines import Ticked
from backend.visits.model import HandedWord, Kind, Report

Call = Request[Principal, Any, State]
_DESK = requires(Role.OPERATOR)
_PARTIES = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR, Role.WORKER)
_WHO_CARRY_OUT = requires(Role.OPERATOR, Role.PROVIDER, Role.WORKER)


@post("/v1/orders/{order_id:uuid}/no-access", guards=[requires(Role.WORKER)], status_code=200)
async def no_access(request: Call, order_id: FromPath[UUID], data: JSONBody[Report]) -> Response[ReportedOrder]:
    """The worker stands at the door and nobody opens: the desk looks for the resident from now on.

    Whoever checks in again from there says that somebody has opened, whoever checks out that they cannot wait.
    """
    return await take(request, order_id, Kind.NO_ACCESS, data)


@get("/v1/orders/{order_id:uuid}/pre-check", guards=[_PARTIES])
async def read_pre_checks(request: Call, order_id: FromPath[UUID]) -> PreChecks:
    """What is measured before this visit's service, and what was: for the resident and whom they let read reports, the desk, and the crew while it is there."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await pre_checks.read(connection, request.user, order_id)


@post("/v1/orders/{order_id:uuid}/pre-check", guards=[requires(Role.WORKER)], status_code=200)
async def pre_check(request: Call, order_id: FromPath[UUID], data: JSONBody[Measured]) -> Response[Found]:
    """The crew measures before the service: outside the limits it measures again or stops the visit."""

    async def action(connection: Connection) -> Found:
        return await pre_checks.measure(connection, request.user, order_id, data)

    return await write_once(request, 200, action)


@get("/v1/orders/{order_id:uuid}/checklist", guards=[_WHO_CARRY_OUT])
async def read_checklist(request: Call, order_id: FromPath[UUID]) -> Checklist:
    """What is done at this visit, and what has been: for the desk, its provider, and the crew while it is there."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await checklists.read(connection, request.user, order_id)


@post("/v1/orders/{order_id:uuid}/checklist", guards=[requires(Role.WORKER)], status_code=200)
async def tick(request: Call, order_id: FromPath[UUID], data: JSONBody[Ticked]) -> Response[Checklist]:
    """One of the crew ticks a line of the visit, or takes it back."""

    async def action(connection: Connection) -> Checklist:
        return await checklists.tick(connection, request.user, order_id, data)

    return await write_once(request, 200, action)


@post("/v1/orders/{order_id:uuid}/handed-word", guards=[requires(Role.WORKER)], status_code=200)
async def handed_word(request: Call, order_id: FromPath[UUID], data: JSONBody[HandedWord]) -> Response[Heard]:
    """The resident says on the worker's phone how it was: with their four digits it is their word, without the desk rings them."""

    async def action(connection: Connection) -> Heard:
        return await handing.hear(connection, request.user, order_id, data)

    return await write_once(request, 200, action)


@post("/v1/orders/{order_id:uuid}/door-opened", guards=[_DESK], status_code=200)
async def door_opened(request: Call, order_id: FromPath[UUID], data: JSONBody[Argued]) -> Response[OrderView]:
    """The desk knows that somebody opens now."""

    async def action(connection: Connection) -> OrderView:
        return shown(await doors.door_opened(connection, request.user, order_id, data.reason), request.user)

    return await write_once(request, 200, action)


@post("/v1/orders/{order_id:uuid}/another-time", guards=[_DESK], status_code=200)
async def another_time(request: Call, order_id: FromPath[UUID], data: JSONBody[Argued]) -> Response[OrderView]:
    """The desk has agreed another time of the same day; the order waits there for a crew."""

    async def action(connection: Connection) -> OrderView:
        return shown(await doors.another_time(connection, request.user, order_id, data.reason), request.user)

    return await write_once(request, 200, action)


@post("/v1/orders/{order_id:uuid}/abort", guards=[requires(Role.WORKER, Role.OPERATOR)], status_code=200)
async def abort(
    request: Call, order_id: FromPath[UUID], data: JSONBody[Abort]
) -> Response[ReportedOrder] | Response[OrderView]:
    """A visit is stopped by its crew, as a report like any other, or ended by the desk, also behind a door that stayed shut."""
    if request.user.role is Role.WORKER:
        return await take(request, order_id, Kind.ABORT, data)

    async def action(connection: Connection) -> OrderView:
        return shown(await doors.abort(connection, request.user, order_id, data.reason, data.remark), request.user)

    return await write_once(request, 200, action)


route_handlers = [
    no_access,
    read_pre_checks,
    pre_check,
    read_checklist,
    tick,
    handed_word,
    door_opened,
    another_time,
    abort,
]
