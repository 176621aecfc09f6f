"""Looking for slots and taking one up, for the interface and the pages alike: who thinks, and when a connection is held."""

from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.datastructures import State

from backend.accounts.requests import decide_once
from backend.bookings import actions, asking, choosing, rescheduling
from backend.bookings.actions import Chosen, Considered
from backend.bookings.choosing import BestRequest, Choices
from backend.bookings.model import BookingRequest, Quote, QuoteRequest, Rescheduling
from backend.core.principal import Principal
from backend.database.pool import Connection, Lane
from backend.orders.views import OrderView, shown
from backend.scheduling import slots

Asked = Request[Principal, Any, State]


async def quote(request: Asked, wanted: QuoteRequest) -> Quote:
    """Read, give the connection back, and think."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        asked = await asking.ask(connection, request.user, state.planner, wanted)
    return asking.answer(state.planner, state.settings.secret_key, asked)


async def quote_best(request: Asked, wanted: BestRequest) -> Choices:
    """The same for the windows that suit best; who would come is read once they are chosen."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        wondered = await choosing.ask(connection, request.user, state.planner, wanted)
    chosen, reasons = choosing.choose(state.planner, wondered)
    async with state.database.unit_of_work(request.user) as connection:
        choices = await choosing.named(connection, state.planner, state.settings.secret_key, wondered, chosen)
    return Choices(choices, reasons)


async def take_up(request: Asked, wanted: BookingRequest, *, key: str | None = None) -> Response[OrderView]:
    """Hold the crew of a slot and place the order, or hold only: once for each key, which a form brings itself."""
    state = request.app.state
    secret = state.settings.secret_key

    async def consider(connection: Connection) -> Considered:
        return await actions.consider(connection, request.user, state.planner, secret, wanted)

    def choose(considered: Considered) -> Chosen:
        return actions.choose(state.planner, considered)

    async def write(connection: Connection, chosen: Chosen) -> OrderView:
        return shown(await actions.book(connection, request.user, state.planner, wanted, chosen), request.user)

    slot = slots.opened(wanted.slot, secret)
    zone_id: UUID | None = await state.zones.of_resident(slot.resident_id)
    return await decide_once(request, 201, consider, choose, write, zone_id, slot.plan_on, key=key)


async def move(request: Asked, order_id: UUID, wanted: Rescheduling, *, key: str | None = None) -> Response[OrderView]:
    """Move an order to a slot quoted instead of it; while nobody can come then, it stays as it was promised."""
    state = request.app.state
    secret = state.settings.secret_key

    async def consider(connection: Connection) -> Considered:
        return await rescheduling.consider(connection, request.user, state.planner, secret, order_id, wanted.slot)

    def choose(considered: Considered) -> Chosen:
        return rescheduling.choose(state.planner, considered)

    async def write(connection: Connection, chosen: Chosen) -> OrderView:
        order = await rescheduling.reschedule(connection, request.user, state.planner, chosen, wanted.reason)
        return shown(order, request.user)

    slot = slots.opened(wanted.slot, secret)
    zone_id: UUID | None = await state.zones.of_resident(slot.resident_id)
    return await decide_once(request, 200, consider, choose, write, zone_id, slot.plan_on, key=key)
