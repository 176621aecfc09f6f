"""Quotes and bookings over HTTP."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import decide_once, write_once
from backend.bookings import actions, asking, rescheduling
from backend.bookings.actions import Chosen, Considered
from backend.bookings.model import BookingRequest, Quote, QuoteRequest, Rescheduling
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, Lane
from backend.orders.views import OrderView, shown
from backend.scheduling import slots

_CLIENTS = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR)


@post("/v1/quotes", guards=[_CLIENTS], status_code=200)
async def quote(request: Request[Principal, Any, State], data: JSONBody[QuoteRequest]) -> Quote:
    """Feasible start slots for a service and a resident, each with its price."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        asked = await asking.ask(connection, request.user, state.planner, data)
    return asking.answer(state.planner, state.settings.secret_key, asked)  # nobody thinks holding a connection


@post("/v1/bookings", guards=[_CLIENTS], status_code=201)
async def book(request: Request[Principal, Any, State], data: JSONBody[BookingRequest]) -> Response[OrderView]:
    """Take up a slot: hold its crew and place the order, or hold only."""
    state = request.app.state

    secret = state.settings.secret_key

    async def consider(connection: Connection) -> Considered:
        return await actions.consider(connection, request.user, state.planner, secret, data)

    def choose(considered: Considered) -> Chosen:
        return actions.choose(state.planner, considered)

    async def write(connection: Connection, chosen: Chosen) -> OrderView:
        return shown(await actions.book(connection, request.user, state.planner, data, chosen), request.user)

    slot = slots.opened(data.slot, secret)
    zone_id = await state.zones.of_resident(slot.resident_id)
    return await decide_once(request, 201, consider, choose, write, zone_id, slot.plan_on)


@post("/v1/orders/{order_id:uuid}/reschedule", guards=[_CLIENTS], status_code=200)
async def reschedule(
    request: Request[Principal, Any, State], order_id: FromPath[UUID], data: JSONBody[Rescheduling]
) -> Response[OrderView]:
    """Move an order to a slot quoted instead of it; while there is none, it stays as it was promised."""
    state = request.app.state
    secret = state.settings.secret_key

    async def consider(connection: Connection) -> Considered:
        return await rescheduling.consider(connection, request.user, state.planner, secret, order_id, data.slot)

    def choose(considered: Considered) -> Chosen:
        return rescheduling.choose(state.planner, considered)

    async def write(connection: Connection, chosen: Chosen) -> OrderView:
        order = await rescheduling.reschedule(connection, request.user, state.planner, chosen, data.reason)
        return shown(order, request.user)

    slot = slots.opened(data.slot, secret)
    zone_id = await state.zones.of_resident(slot.resident_id)
    return await decide_once(request, 200, consider, choose, write, zone_id, slot.plan_on)


@post("/v1/orders/{order_id:uuid}/extend", guards=[_CLIENTS], status_code=200)
async def extend(request: Request[Principal, Any, State], order_id: FromPath[UUID]) -> Response[OrderView]:
    """Keep a hold a little longer."""

    async def action(connection: Any) -> OrderView:
        return shown(await actions.extend(connection, request.user, order_id), request.user)

    return await write_once(request, 200, action)


route_handlers = [quote, book, reschedule, extend]
