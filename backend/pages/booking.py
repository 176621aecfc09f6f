"""Booking as residents and their families do it: a service, a time, one look at it all, and it is booked."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from backend.bookings import taking
from backend.bookings.choosing import BestRequest, Choices
from backend.bookings.model import Rescheduling
from backend.catalogue.model import CatalogueItem
from backend.core.bounds import Asked as Sent
from backend.core.bounds import Token
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.orders import progress
from backend.orders.views import OrderView
from backend.pages import facts, windows
from backend.pages.commands import key_of, told
from backend.pages.facts import whom
from backend.pages.forms import Form, Typed, read_form
from backend.pages.problems import PROBLEMS
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import CLIENTS, Pressed
from backend.residents import queries as residents


class SlotForm(Sent, frozen=True):
    """The time that was chosen, of which service and for whom."""

    slot: Token
    item: Typed
    of: UUID | None = None


class MoveForm(Sent, frozen=True):
    """The other time that was chosen for a visit."""

    slot: Token


class AgainForm(Sent, frozen=True):
    """The visit that is to take place once more."""

    order: UUID
    of: UUID | None = None


class PlaceForm(Sent, frozen=True):
    """A hold that is to become a promise."""

    of: UUID | None = None


@get("/book/{kind:str}", guards=[CLIENTS])
async def services_page(request: Asked, kind: FromPath[str], of: FromQuery[UUID | None] = None) -> Response[Any]:
    """Which service of a kind; where there is one, its times at once."""
    items = [item for item in await windows.items(request) if item.kind == kind]
    if not items:
        raise DomainError("unknown_item")
    if len(items) == 1:
        return await _times(request, items[0], of, None, Form[SlotForm]())
    return page(request, "resident/services.html", facts=facts, items=items, of=of, kind=kind)


@get("/book/{kind:str}/{code:str}", guards=[CLIENTS])
async def times_page(
    request: Asked,
    kind: FromPath[str],
    code: FromPath[str],
    of: FromQuery[UUID | None] = None,
    from_on: FromQuery[date | None] = None,
) -> Response[Any]:
    """Which time suits? Three of a week, each with its reason; other days are the next week's."""
    item = next((item for item in await windows.items(request) if (item.kind, item.code) == (kind, code)), None)
    if item is None:
        raise DomainError("unknown_item")
    return await _times(request, item, of, from_on, Form[SlotForm]())


async def _times(
    request: Asked, item: CatalogueItem, of: UUID | None, from_on: date | None, form: Form[Any], status: int = 200
) -> Response[str]:
    resident_id = whom(request, of)
    choices = await windows.offered(request, form, resident_id, item, from_on)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await facts.calendar(connection, request)
        card = await residents.resident_card(connection, resident_id)
    first = from_on or city_date(when.now, when.zone)
    return page(
        request, "resident/times.html", status=status, facts=facts, form=form, item=item, choices=choices.choices,
        when=when, of=of, name=card.name, next_on=first + timedelta(days=windows.DAYS),
        reason=next((reason.code for reason in choices.reasons), None),
    )  # fmt: skip


@post("/book/hold", guards=[CLIENTS], status_code=200)
async def hold(request: Asked) -> Response[Any]:
    """Keep the time that was chosen while its details are read."""
    form = await read_form(request, SlotForm)
    item = await windows.item_named(request, form.value("item"))
    of = None if form.filled is None else form.filled.of
    if form.filled is not None and (held := await windows.hold(request, form, form.filled.slot)) is not None:
        return Redirect(f"/visits/{held.id}/check", status_code=303)
    return await _times(request, item, of, None, form, 422)


@post("/again", guards=[CLIENTS], status_code=200)
async def again(request: Asked) -> Response[Any]:
    """The same as last time: the usual weekday and hour, else the nearest; held at once, and read before it is booked."""
    form = await read_form(request, AgainForm)
    if form.filled is None:
        raise DomainError("invalid_request")
    async with request.app.state.database.unit_of_work(request.user) as connection:
        before = await progress.visit(connection, request.user, form.filled.order)
    item = await windows.item_named(request, before.order.item_code)
    if (held := await windows.hold_as_last_time(request, form, before, item)) is not None:
        return Redirect(f"/visits/{held.id}/check", status_code=303)
    return await _times(request, item, form.filled.of, None, form, 422)


@get("/visits/{order_id:uuid}/check", guards=[CLIENTS])
async def check_page(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Everything once more before it is booked; the time is kept meanwhile."""
    return await _check(request, order_id, Form[Pressed]())


async def _check(request: Asked, order_id: UUID, form: Form[Any], status: int = 200) -> Response[Any]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        visit = await progress.visit(connection, request.user, order_id)
        when = await facts.calendar(connection, request)
    if visit.order.status not in {"held", "lapsed"}:
        return Redirect(f"/visits/{order_id}", status_code=303)
    own = visit.order.resident_id == request.user.own_id
    return page(request, "resident/check.html", status=status, facts=facts, form=form, visit=visit, when=when, own=own)


@post("/visits/{order_id:uuid}/place", guards=[CLIENTS], status_code=200)
async def place(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Book what was held; where its window is gone meanwhile, show others."""
    form = await read_form(request, PlaceForm)
    if (placed := await windows.place(request, form, order_id)) is not None:
        return Redirect(f"/visits/{placed.id}?done=placed", status_code=303)
    if PROBLEMS["hold_expired"] not in form.wrong.values():
        return await _check(request, order_id, form, 422)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        visit = await progress.visit(connection, request.user, order_id)
    item = await windows.item_named(request, visit.order.item_code)
    of = None if visit.order.resident_id == request.user.own_id else visit.order.resident_id
    return await _times(request, item, of, None, form, 422)


@post("/visits/{order_id:uuid}/longer", guards=[CLIENTS], status_code=200)
async def longer(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Keep the time a little longer: they are still reading, or asking somebody."""
    form = await read_form(request, Pressed)
    if await windows.extend(request, form, order_id) is not None:
        return Redirect(f"/visits/{order_id}/check", status_code=303)
    return await _check(request, order_id, form, 409)


@post("/visits/{order_id:uuid}/back", guards=[CLIENTS], status_code=200)
async def back(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Give the time back and choose another."""
    order = await windows.release(request, await read_form(request, Pressed), order_id)
    of = "" if order.resident_id == request.user.own_id else f"?of={order.resident_id}"
    return Redirect(f"/book/{order.kind}/{order.item_code}{of}", status_code=303)


@get("/visits/{order_id:uuid}/change", guards=[CLIENTS])
async def change_page(
    request: Asked, order_id: FromPath[UUID], from_on: FromQuery[date | None] = None
) -> Response[Any]:
    """Other times for a visit; it stays as it was promised until one of them is taken."""
    return await _changing(request, order_id, from_on, Form[MoveForm]())


async def _changing(
    request: Asked, order_id: UUID, from_on: date | None, form: Form[Any], status: int = 200
) -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        visit = await progress.visit(connection, request.user, order_id)
        when = await facts.calendar(connection, request)
    order = visit.order
    wanted = BestRequest(
        resident_id=order.resident_id,
        item_code=order.item_code,
        from_on=from_on,
        days=windows.DAYS,
        instead_of=order_id,
    )
    choices = await form.answered(taking.quote_best(request, wanted)) or Choices([], [])
    first = from_on or city_date(when.now, when.zone)
    return page(
        request, "resident/change.html", status=status, facts=facts, form=form, visit=visit, choices=choices.choices,
        when=when, next_on=first + timedelta(days=windows.DAYS),
    )  # fmt: skip


@post("/visits/{order_id:uuid}/change", guards=[CLIENTS], status_code=200)
async def change(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Move a visit to the time that was chosen."""
    form = await read_form(request, MoveForm)
    if form.filled is not None:
        moved = taking.move(request, order_id, Rescheduling(form.filled.slot), key=key_of(form))
        if await told(form, OrderView, moved) is not None:
            return Redirect(f"/visits/{order_id}?done=moved", status_code=303)
    return await _changing(request, order_id, None, form, 422)


route_handlers = [
    door([services_page, times_page, hold, again, check_page, place, longer, back, change_page, change])
]  # fmt: skip
