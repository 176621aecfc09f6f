"""One order at the desk: what was reported and said of it, and what only a person decides."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import convert

from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection
from backend.orders import actions, doors, reviewing
from backend.orders.model import OF_A_SHUT_DOOR, OF_A_VISIT, AbortReason, Order
from backend.orders.reading_back import read_back
from backend.orders.reviewing import Code, Heard, Outcome
from backend.orders.views import OrderView, shown
from backend.pages import facts
from backend.pages.call import DESK
from backend.pages.commands import carried_out
from backend.pages.forms import Form, Typed, read_form
from backend.pages.reading_back import truth
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.words import ABORTED, DECIDED, FLAGS, REPORTED, SIDES
from backend.residents import queries as residents
from backend.visits.model import Side

_BEFORE: Final = frozenset({"placed", "offered", "manual", "accepted"})
_AT_THE_DOOR: Final = frozenset({"arrived", "in_service"})


class ReasonForm(Sent, frozen=True):
    """Why the desk decides so."""

    words: bounds.Reasoned


class AbortForm(Sent, frozen=True):
    """Why the visit does not take place, and what else is to be known."""

    reason: AbortReason
    remark: bounds.Remark = ""


class DecideForm(Sent, frozen=True):
    """What a doubted or disputed visit was, why, and what each side has said on the telephone."""

    decided: Typed
    words: bounds.Reasoned
    resident: bounds.Remark = ""
    worker: bounds.Remark = ""


@get("/desk/orders/{order_id:uuid}", guards=[DESK])
async def order_page(request: Asked, order_id: FromPath[UUID], done: FromQuery[str] = "") -> Response[Any]:
    """How an order stands, and what the desk may do about it."""
    return await _order(request, order_id, Form[ReasonForm](), done=done)


async def _order(request: Asked, order_id: UUID, form: Form[Any], status: int = 200, done: str = "") -> Response[Any]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        said = await read_back(connection, request.user, order_id)
        review = await reviewing.review(connection, order_id)
        card = await residents.resident_card(connection, said.visit.order.resident_id)
        contacts = await residents.contacts_of(connection, card.id)
        when = await facts.calendar(connection, request)
    order = said.visit.order
    if order.status in {"held", "lapsed"}:
        return Redirect(f"/desk/orders/{order_id}/read", status_code=303)
    reasons = (
        OF_A_SHUT_DOOR if order.status == "no_access" else OF_A_VISIT if order.status in _AT_THE_DOOR else frozenset()
    )
    return page(
        request, "desk/order.html", status=status, facts=facts, form=form, said=said, visit=said.visit, order=order, review=review, card=card,
        contacts=contacts, when=when, truth=truth, done=done, before=order.status in _BEFORE,
        reasons=[(reason.value, *ABORTED[reason]) for reason in AbortReason if reason in reasons], decided=DECIDED, flags=FLAGS,
        reported=REPORTED, sides=SIDES,
    )  # fmt: skip


async def _decide(
    request: Asked, order_id: UUID, form: Form[Any], action: Callable[[Connection], Awaitable[Order]], done: str
) -> Response[Any]:
    async def view(connection: Connection) -> OrderView:
        return shown(await action(connection), request.user)

    if form.filled is not None and await carried_out(request, form, OrderView, view) is not None:
        return Redirect(f"/desk/orders/{order_id}?done={done}", status_code=303)
    return await _order(request, order_id, form, 422)


async def _argued(
    request: Asked, order_id: UUID, command: Callable[[Connection, Principal, UUID, str], Awaitable[Order]], done: str
) -> Response[Any]:
    """Carry out what needs a reason and nothing else."""
    form = await read_form(request, ReasonForm)
    words = form.value("words")
    return await _decide(request, order_id, form, lambda c: command(c, request.user, order_id, words), done)


@post("/desk/orders/{order_id:uuid}/door-opened", guards=[DESK], status_code=200)
async def door_opened(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Somebody opens now: the crew at the door goes in."""
    return await _argued(request, order_id, doors.door_opened, "opened")


@post("/desk/orders/{order_id:uuid}/another-time", guards=[DESK], status_code=200)
async def another_time(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Another time of the same day was agreed."""
    return await _argued(request, order_id, doors.another_time, "another")


@post("/desk/orders/{order_id:uuid}/unserved", guards=[DESK], status_code=200)
async def unserved(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Nobody can be found: the search ends, and somebody rings the resident."""
    return await _argued(request, order_id, actions.unserved_by_operator, "unserved")


@post("/desk/orders/{order_id:uuid}/abort", guards=[DESK], status_code=200)
async def abort(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """The visit does not take place, with what was found out."""
    form = await read_form(request, AbortForm)

    async def action(connection: Connection) -> Order:
        filled = form.filled or AbortForm(AbortReason.OTHER)
        return await doors.abort(connection, request.user, order_id, filled.reason, filled.remark)

    return await _decide(request, order_id, form, action, "aborted")


@post("/desk/orders/{order_id:uuid}/resolve", guards=[DESK], status_code=200)
async def resolve(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Decide what a doubted or disputed visit was."""
    form = await read_form(request, DecideForm)

    async def action(connection: Connection) -> Order:
        outcome, code = _decision(form.value("decided"))
        heard = [
            Heard(side, form.value(side.value))
            for side in (Side.RESIDENT, Side.WORKER)
            if form.value(side.value).strip()
        ]
        return await reviewing.resolve(connection, request.user, order_id, outcome, code, form.value("words"), heard)

    return await _decide(request, order_id, form, action, "resolved")


def _decision(text: str) -> tuple[Outcome, Code]:
    """Read the outcome and the code of a choice. Raises invalid_request (400) for none that the page has offered."""
    if text not in DECIDED:
        raise DomainError("invalid_request")
    outcome, code = text.split(" ")
    return convert(outcome, Outcome), convert(code, Code)


route_handlers = [
    door([order_page, door_opened, another_time, unserved, abort, resolve])
]  # fmt: skip
