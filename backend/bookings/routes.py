"""Quotes and bookings over HTTP."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.bookings import actions
from backend.bookings.model import BookingRequest, Quote, QuoteRequest
from backend.core.principal import Principal, Role
from backend.database.pool import Lane
from backend.orders.routes import OrderView, shown
from backend.scheduling import slots

_CLIENTS = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR)


@post("/v1/quotes", guards=[_CLIENTS], status_code=200)
async def quote(request: Request[Principal, Any, State], data: JSONBody[QuoteRequest]) -> Quote:
    """Feasible start slots for a service and a resident, each with its price."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        asked = await actions.ask(connection, request.user, state.planner, data)
    return actions.answer(state.planner, state.settings.secret_key, asked)  # nobody thinks holding a connection


@post("/v1/bookings", guards=[_CLIENTS], status_code=201)
async def book(request: Request[Principal, Any, State], data: JSONBody[BookingRequest]) -> Response[OrderView]:
    """Take up a slot: hold its crew and place the order, or hold only."""
    state = request.app.state

    async def action(connection: Any) -> OrderView:
        return shown(
            await actions.book(connection, request.user, state.planner, state.settings.secret_key, data),
            request.user.role,
        )

    resident_id = slots.opened(data.slot, state.settings.secret_key).resident_id
    return await write_once(request, 201, action, await state.zones.of_resident(resident_id))


@post("/v1/orders/{order_id:uuid}/extend", guards=[_CLIENTS], status_code=200)
async def extend(request: Request[Principal, Any, State], order_id: FromPath[UUID]) -> Response[OrderView]:
    """Keep a hold a little longer."""

    async def action(connection: Any) -> OrderView:
        return shown(await actions.extend(connection, request.user, order_id), request.user.role)

    return await write_once(request, 200, action)


route_handlers = [quote, book, extend]
