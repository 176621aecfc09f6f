"""What residents' pages and the operator's calls do with windows: offer them, hold one, take the same as last time, book it."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from backend.accounts.requests import write_once
from backend.bookings import actions as bookings
from backend.bookings import taking
from backend.bookings.choosing import BestRequest, Choices, Narrow
from backend.bookings.model import BookingRequest, Channel, QuotedSlot, QuoteRequest, Wish
from backend.catalogue import queries as catalogue
from backend.catalogue.model import MEAL, CatalogueItem
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.database.clock import care_now
from backend.database.pool import Connection
from backend.orders import actions, progress
from backend.orders.progress import VisitView
from backend.orders.views import OrderView, shown
from backend.pages import facts, meals
from backend.pages.commands import carried_out, key_of, told
from backend.pages.forms import Form
from backend.pages.problems import PROBLEMS
from backend.pages.rendering import Asked
from backend.pages.times import Calendar

DAYS: Final = 7  # of one look; "other days" shows the next ones
_AGAIN_DAYS: Final = 14


async def items(request: Asked) -> list[CatalogueItem]:
    """List what can be booked today."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        today = city_date(await care_now(connection), request.app.state.planner.zone_info)
        return list(await catalogue.current_items(connection, today))


async def item_named(request: Asked, code: str) -> CatalogueItem:
    """Return the item of this code. Raises unknown_item (404)."""
    found = next((item for item in await items(request) if item.code == code), None)
    if found is None:
        raise DomainError("unknown_item")
    return found


async def offered(
    request: Asked,
    form: Form[Any],
    resident_id: UUID,
    item: CatalogueItem,
    from_on: date | None,
    narrow: Narrow | None = None,
    days: int = DAYS,
) -> Choices:
    """Return the windows that suit best; none where the platform refuses, which then stands in the form."""
    wanted = BestRequest(resident_id=resident_id, item_code=item.code, from_on=from_on, days=days, narrow=narrow)
    asked = meals.choices(request, resident_id, item) if item.kind == MEAL else taking.quote_best(request, wanted)
    return await form.answered(asked) or Choices([], [])


async def hold(request: Asked, form: Form[Any], token: str) -> OrderView | None:
    """Keep a window while its details are read."""
    wanted = BookingRequest(slot=token, channel=_channel(request), hold_only=True)
    return await told(form, OrderView, taking.take_up(request, wanted, key=key_of(form)))


def _channel(request: Asked) -> Channel:
    """An operator books for somebody who rings."""
    return Channel.PHONE if request.user.role is Role.OPERATOR else Channel.APP


async def hold_as_last_time(
    request: Asked, form: Form[Any], before: VisitView, item: CatalogueItem
) -> OrderView | None:
    """Keep the next window on the weekday and at the hour of an earlier visit, or the nearest."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await facts.calendar(connection, request)
    if item.kind == MEAL:
        lunches = await form.answered(meals.choices(request, before.order.resident_id, item))
        slot: QuotedSlot | None = lunches.choices[0] if lunches and lunches.choices else None
    else:
        wanted = QuoteRequest(before.order.resident_id, item.code, days=_AGAIN_DAYS)
        quote = await form.answered(taking.quote(request, wanted))
        slot = _like(quote.slots if quote else [], before.order.window_from, when)
    return None if slot is None else await hold(request, form, slot.token)


def _like(slots: list[QuotedSlot], before: datetime, when: Calendar) -> QuotedSlot | None:
    """Find the next time on the same weekday that is nearest to the same hour; else the nearest hour of any day."""
    local = before.astimezone(when.zone)

    def far(slot: QuotedSlot) -> tuple[bool, int, datetime]:
        starts = slot.starts_from.astimezone(when.zone)
        minutes = abs((starts.hour - local.hour) * 60 + starts.minute - local.minute)
        return starts.weekday() != local.weekday(), minutes, starts

    return min(slots, key=far, default=None)


async def place(request: Asked, form: Form[Any], order_id: UUID) -> OrderView | None:
    """Book what was held; where the time it was held for is over, the same window is tried once more.

    None where that is gone, too (`hold_expired` stands in the form), and where the platform refuses.
    """

    async def action(connection: Connection) -> OrderView:
        zone = request.app.state.planner.zone_info
        return shown(await actions.confirm(connection, request.user, order_id, zone), request.user)

    over = {"hold_expired": PROBLEMS["hold_expired"]}
    placed = await told(form, OrderView, write_once(request, 200, action, key=key_of(form)), over)
    if placed is not None or over["hold_expired"] not in form.wrong.values():
        return placed
    form.wrong.clear()
    async with request.app.state.database.unit_of_work(request.user) as connection:
        visit = await progress.visit(connection, request.user, order_id)
    if (slot := await _same_window(request, visit, form)) is not None:
        wanted = BookingRequest(slot=slot.token, channel=_channel(request))
        placed = await told(form, OrderView, taking.take_up(request, wanted, key=key_of(form)))
    if placed is None:
        form.wrong.setdefault("", over["hold_expired"])
    return placed


async def extend(request: Asked, form: Form[Any], order_id: UUID) -> OrderView | None:
    """Keep a window a little longer; None where the platform refuses, which then stands in the form."""

    async def action(connection: Connection) -> OrderView:
        return shown(await bookings.extend(connection, request.user, order_id), request.user)

    return await carried_out(request, form, OrderView, action)


async def release(request: Asked, form: Form[Any], order_id: UUID) -> OrderView:
    """Give a held window back, where it is still held, and return its order: other windows are shown for it."""

    async def action(connection: Connection) -> OrderView:
        return shown(await actions.release(connection, request.user, order_id), request.user)

    await carried_out(request, form, OrderView, action)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return (await progress.visit(connection, request.user, order_id)).order


async def _same_window(request: Asked, visit: VisitView, form: Form[Any]) -> QuotedSlot | None:
    order = visit.order
    if order.kind == MEAL:
        lunches = await form.answered(
            meals.choices(request, order.resident_id, await item_named(request, order.item_code))
        )
        return next((one for one in lunches.choices if one.starts_from == order.window_from), None) if lunches else None
    wish = Wish(order.window_from, order.window_from)
    quote = await form.answered(
        taking.quote(request, QuoteRequest(order.resident_id, order.item_code, wish=wish)), {"slot_in_past": PROBLEMS["slot_in_past"]}
    )  # fmt: skip
    return next((slot for slot in quote.slots if slot.starts_from == order.window_from), None) if quote else None
