"""Quotes and bookings over HTTP."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.bookings import actions, meals, taking
from backend.bookings.choosing import BestRequest, Choices
from backend.bookings.meals import MealTime
from backend.bookings.model import BookingRequest, Quote, QuoteRequest, Rescheduling
from backend.core.principal import Principal, Role
from backend.orders.views import OrderView, shown

_CLIENTS = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR)


@post("/v1/quotes", guards=[_CLIENTS], status_code=200)
async def quote(request: Request[Principal, Any, State], data: JSONBody[QuoteRequest]) -> Quote:
    """Feasible start slots for a service and a resident, each with its price."""
    return await taking.quote(request, data)


@post("/v1/quotes/best", guards=[_CLIENTS], status_code=200)
async def quote_best(request: Request[Principal, Any, State], data: JSONBody[BestRequest]) -> Choices:
    """The three windows that suit a resident best, each with its reason and who would come as it looks now."""
    return await taking.quote_best(request, data)


@get("/v1/residents/{resident_id:uuid}/meal-times", guards=[_CLIENTS])
async def list_meal_times(request: Request[Principal, Any, State], resident_id: FromPath[UUID]) -> list[MealTime]:
    """The lunches a resident can still order, each with the wish and the pickup to ask for slots with."""
    state = request.app.state
    async with state.database.unit_of_work(request.user) as connection:
        return await meals.meal_times(connection, request.user, state.planner.zone_info, resident_id)


@post("/v1/bookings", guards=[_CLIENTS], status_code=201)
async def book(request: Request[Principal, Any, State], data: JSONBody[BookingRequest]) -> Response[OrderView]:
    """Take up a slot: hold its crew and place the order, or hold only."""
    return await taking.take_up(request, data)


@post("/v1/orders/{order_id:uuid}/reschedule", guards=[_CLIENTS], status_code=200)
async def reschedule(
    request: Request[Principal, Any, State], order_id: FromPath[UUID], data: JSONBody[Rescheduling]
) -> Response[OrderView]:
    """Move an order to a slot quoted instead of it; while there is none, it stays as it was promised."""
    return await taking.move(request, order_id, data)


@post("/v1/orders/{order_id:uuid}/extend", guards=[_CLIENTS], status_code=200)
async def extend(request: Request[Principal, Any, State], order_id: FromPath[UUID]) -> Response[OrderView]:
    """Keep a hold a little longer."""

    async def action(connection: Any) -> OrderView:
        return shown(await actions.extend(connection, request.user, order_id), request.user)

    return await write_once(request, 200, action)


route_handlers = [quote, quote_best, list_meal_times, book, reschedule, extend]
