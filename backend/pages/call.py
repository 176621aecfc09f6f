"""A call at the operator's desk: for whom, what, when, read back, booked; each step a list that digits choose from.

The steps are pages of their own, so that every one works with script off; `keys.js` presses what stands beside a digit.
"""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from backend.accounts.guards import requires
from backend.bookings.choosing import Choices
from backend.catalogue.model import CatalogueItem
from backend.core.bounds import Asked as Sent
from backend.core.bounds import Token
from backend.core.clock import city_date
from backend.core.codes import grouped
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.orders import progress
from backend.orders.progress import VisitLine
from backend.orders.reading_back import read_back
from backend.pages import facts, windows
from backend.pages.forms import Form, Typed, read_form
from backend.pages.queries import care_clock
from backend.pages.reading_back import script, truth
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed
from backend.pages.times import Calendar
from backend.residents import answering
from backend.residents import queries as residents
from backend.tasks import queries as task_queries

DESK: Final = requires(Role.OPERATOR)
KINDS: Final = ("meal", "bath", "rehab")


class SlotForm(Sent, frozen=True):
    """The time the caller wants, of which service."""

    slot: Token
    item: Typed


class AgainForm(Sent, frozen=True):
    """The visit that is to take place once more."""

    order: UUID


@get("/desk/residents/{resident_id:uuid}", guards=[DESK])
async def person_page(request: Asked, resident_id: FromPath[UUID], done: FromQuery[str] = "") -> Response[Any]:
    """What is the call about? Whom it is about stands beside it, with two facts to ask for."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        asked = await answering.questions(connection, request.user, resident_id)
    return await in_a_call(request, "service.html", resident_id, Form[Pressed](), kinds=KINDS, done=done, asked=asked)


async def in_a_call(
    request: Asked, template: str, resident_id: UUID, form: Form[Any], status: int = 200, **more: Any
) -> Response[str]:
    """A step of the call, beside the card of whom it is about."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        card = await residents.resident_card(connection, resident_id)
        contacts = await residents.contacts_of(connection, resident_id)
        coming = await progress.next_visits(connection, request.user, resident_id)
        past = await progress.past_visits(connection, request.user, resident_id, None, 4)
        last = await progress.last_visit(connection, request.user, resident_id)
        calls = await task_queries.calls_back(connection, resident_id)
        clock = await care_clock(connection)
        when = await facts.calendar(connection, request)
    return page(
        request, f"desk/{template}", status=status, facts=facts, form=form, card=card, contacts=contacts, coming=coming,
        past=past, last=last, checks=_checks(card.address, last, [one.name for one in contacts], when), clock=clock, when=when,
        calls=calls, me=request.user.account_id, grouped=grouped, **more,
    )  # fmt: skip


def _checks(address: str, last: VisitLine | None, contacts: list[str], when: Calendar) -> list[tuple[str, str, str]]:
    """Facts that only whoever belongs to the resident knows: two of them tell the operator that the caller does."""
    found = [("home", address, address)]
    if last is not None:
        day = when.date(last.order.window_from)
        found.append(("clock", f"上次 {day}，{last.service}", f"Last visit {day}, {last.service_en}"))
    return [*found, *(("people", name, name) for name in contacts[:2])]


@get("/desk/residents/{resident_id:uuid}/book/{kind:str}", guards=[DESK])
async def times_page(
    request: Asked,
    resident_id: FromPath[UUID],
    kind: FromPath[str],
    item: FromQuery[Typed | None] = None,
    from_on: FromQuery[date | None] = None,
) -> Response[Any]:
    """Which service of a kind, where there are several; else which time."""
    items = [one for one in await windows.items(request) if one.kind == kind and item in {None, one.code}]
    if not items:
        raise DomainError("unknown_item")
    if len(items) > 1:
        return await in_a_call(request, "which.html", resident_id, Form[Pressed](), kind=kind, items=items)
    return await _times(request, resident_id, items[0], from_on, Form[SlotForm]())


async def _times(
    request: Asked, resident_id: UUID, item: CatalogueItem, from_on: date | None, form: Form[Any], status: int = 200
) -> Response[str]:
    choices = await windows.offered(request, form, resident_id, item, from_on)
    return await shown_times(request, resident_id, item, from_on, form, choices, status)


async def shown_times(
    request: Asked,
    resident_id: UUID,
    item: CatalogueItem,
    from_on: date | None,
    form: Form[Any],
    choices: Choices,
    status: int = 200,
    heard: Any = None,
) -> Response[str]:
    """The times to choose from, and what was understood of the caller's wish where one was typed."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await facts.calendar(connection, request)
    today = city_date(when.now, when.zone)
    first = from_on or today
    before = max(first - timedelta(days=windows.DAYS), today) if first > today else None
    return await in_a_call(
        request, "times.html", resident_id, form, status, item=item, choices=choices.choices, reasons=choices.reasons,
        later=first + timedelta(days=windows.DAYS), earlier=before, heard=heard,
    )  # fmt: skip


@post("/desk/residents/{resident_id:uuid}/hold", guards=[DESK], status_code=200)
async def hold(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """Keep the time that was chosen while it is read to the caller."""
    form = await read_form(request, SlotForm)
    item = await windows.item_named(request, form.value("item"))
    if form.filled is not None and (held := await windows.hold(request, form, form.filled.slot)) is not None:
        return Redirect(f"/desk/orders/{held.id}/read", status_code=303)
    return await _times(request, resident_id, item, None, form, 422)


@post("/desk/residents/{resident_id:uuid}/again", guards=[DESK], status_code=200)
async def again(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """The same as last time, at the usual weekday and hour or the nearest: held, and read back."""
    form = await read_form(request, AgainForm)
    if form.filled is None:
        raise DomainError("invalid_request")
    async with request.app.state.database.unit_of_work(request.user) as connection:
        before = await progress.visit(connection, request.user, form.filled.order)
    item = await windows.item_named(request, before.order.item_code)
    if (held := await windows.hold_as_last_time(request, form, before, item)) is not None:
        return Redirect(f"/desk/orders/{held.id}/read", status_code=303)
    return await _times(request, resident_id, item, None, form, 422)


@get("/desk/orders/{order_id:uuid}/read", guards=[DESK])
async def read_page(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """What is read to the caller, and what may be promised."""
    return await _read(request, order_id, Form[Pressed]())


async def _read(request: Asked, order_id: UUID, form: Form[Any], status: int = 200) -> Response[Any]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        said = await read_back(connection, request.user, order_id)
    order = said.visit.order
    if order.status not in {"held", "lapsed"}:
        return Redirect(f"/desk/orders/{order.id}", status_code=303)
    return await in_a_call(
        request, "read.html", order.resident_id, form, status, said=said, visit=said.visit, script=script, truth=truth
    )


@post("/desk/orders/{order_id:uuid}/place", guards=[DESK], status_code=200)
async def place(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """The caller has said yes: the time is a promise from now on."""
    form = await read_form(request, Pressed)
    if (placed := await windows.place(request, form, order_id)) is not None:
        return Redirect(f"/desk/residents/{placed.resident_id}?done=placed", status_code=303)
    return await _read(request, order_id, form, 409)


@post("/desk/orders/{order_id:uuid}/longer", guards=[DESK], status_code=200)
async def longer(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Keep the time a little longer: the caller is still thinking."""
    form = await read_form(request, Pressed)
    if await windows.extend(request, form, order_id) is not None:
        return Redirect(f"/desk/orders/{order_id}/read", status_code=303)
    return await _read(request, order_id, form, 409)


@post("/desk/orders/{order_id:uuid}/back", guards=[DESK], status_code=200)
async def back(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Give the time back and show the times again."""
    order = await windows.release(request, await read_form(request, Pressed), order_id)
    return Redirect(f"/desk/residents/{order.resident_id}/book/{order.kind}?item={order.item_code}", status_code=303)


route_handlers = [
    door([person_page, times_page, hold, again, read_page, place, longer, back])
]  # fmt: skip
