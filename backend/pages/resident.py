"""The resident's door: what comes next, one visit, what has been, calling off, and saying how it was."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Meta

from backend.accounts.guards import requires
from backend.catalogue import queries as catalogue
from backend.catalogue.model import MEAL
from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.core.bounds import Wording, wording
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection
from backend.orders import actions, pre_checks, progress, reviewing
from backend.orders.progress import VisitView
from backend.orders.views import OrderView, shown
from backend.pages import facts
from backend.pages.commands import carried_out
from backend.pages.demo import start
from backend.pages.facts import whom
from backend.pages.forms import Form, Typed, read_form
from backend.pages.refusals import door
from backend.pages.rendering import DOORS, Asked, page
from backend.pages.steps import steps
from backend.residents import answering
from backend.residents import queries as residents

_OF_FAMILIES: Final = frozenset({"visit.html", "visit_live.html"})
CLIENTS: Final = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR)
_PAGE: Final = 20
WHY_NOT: Final = ("unwell", "somebody_there", "hospital", "other")
"""Why a resident calls a visit off; each has its words in cancel.html."""
_MOVABLE: Final = frozenset({"placed", "offered", "manual", "accepted"})
_CANCELLABLE: Final = frozenset({"placed", "offered", "manual", "accepted", "en_route"})


class CancelForm(Sent, frozen=True):
    """Why a visit is called off: one of the reasons that stand there."""

    why: Annotated[str, Meta(pattern="^(unwell|somebody_there|hospital|other)$", extra=wording(Wording.MATCHED))]


class DisputeForm(Sent, frozen=True):
    """What was not as it should be."""

    words: bounds.Reasoned


class Pressed(Sent, frozen=True):
    """A form that is one button."""

    to: Typed = "/"


@get("/", opt={"public": True})
async def home(request: Asked) -> Response[Any]:
    """What comes next, and what can be booked; whoever is no resident comes to their own door."""
    user: Principal | None = request.user
    if user is None:
        return await start(request)
    if user.own_id is None:
        return Redirect(DOORS[user.role], status_code=303)
    async with request.app.state.database.unit_of_work(user) as connection:
        card = await residents.resident_card(connection, user.own_id)
        coming = await progress.next_visits(connection, user, user.own_id)
        following = await progress.visit(connection, user, coming[0].order.id) if coming else None
        last = await progress.last_visit(connection, user, user.own_id)
        when = await facts.calendar(connection, request)
        items = await catalogue.current_items(connection, city_date(when.now, when.zone))
        asked = await answering.questions(connection, user, user.own_id)
    return page(
        request, "resident/home.html", facts=facts, asked=asked, name=card.name, visit=following, later=coming[1:], last=last,
        when=when, kinds={item.kind for item in items}, form=Form[Pressed](),
    )  # fmt: skip


@get("/visits/{order_id:uuid}", guards=[CLIENTS])
async def visit_page(request: Asked, order_id: FromPath[UUID], done: FromQuery[str] = "") -> Response[Any]:
    """One visit, from the booking to the resident's word on it; to family who could follow it, that they no longer can."""
    try:
        return await _visit(request, order_id, "visit.html", done=done, form=Form[Pressed]())
    except DomainError as error:
        if error.code != "unknown_order":
            raise
        async with request.app.state.database.unit_of_work(request.user) as connection:
            name = await progress.taken_back(connection, request.user, order_id)
        if name is None:
            raise
    return page(request, "family/taken_back.html", status=404, name=name)


@get("/visits/{order_id:uuid}/live", guards=[CLIENTS])
async def visit_live(
    request: Asked, order_id: FromPath[UUID], shown_at: FromQuery[bounds.Instant | None] = None
) -> Response[Any]:
    """The part of it that changes, fetched again when something did."""
    return await _visit(request, order_id, "visit_live.html", shown_at=shown_at, form=Form[Pressed]())


async def _visit(
    request: Asked, order_id: UUID, template: str, *, shown_at: Any = None, status: int = 200, **more: Any
) -> Response[str]:
    """A visit on one of its own pages, as its resident sees it or as their family does."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        visit = await progress.visit(connection, request.user, order_id, shown_at)
        when = await facts.calendar(connection, request)
        names = await residents.names(connection, [visit.order.resident_id])
        measured = await pre_checks.read(connection, request.user, order_id)
    own = visit.order.resident_id == request.user.own_id
    of_family = not own and template in _OF_FAMILIES and request.user.role is not Role.OPERATOR
    folder = "family" if of_family else "resident"
    return page(
        request, f"{folder}/{template}", status=status, facts=facts, visit=visit, when=when, own=own, name=names[0].name, measured=measured,
        may=_may(request, visit), steps=steps(visit, when), **more,
    )  # fmt: skip


def _may(request: Asked, visit: VisitView) -> dict[str, bool]:
    """Which of the visit's buttons this reader has."""
    acts = request.user.acts_for(visit.order.resident_id)
    status = visit.order.status.value
    return {
        "acts": acts,
        "move": acts and status in _MOVABLE and visit.order.kind != MEAL,
        "cancel": acts and status in _CANCELLABLE,
        "judge": acts and status == "awaiting_acceptance",
    }


@get("/past", guards=[CLIENTS])
async def past_page(
    request: Asked, of: FromQuery[UUID | None] = None, cursor: FromQuery[UUID | None] = None
) -> Response[Any]:
    """What has been, and what it cost."""
    resident_id = whom(request, of)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        lines = await progress.past_visits(connection, request.user, resident_id, cursor, _PAGE)
        when = await facts.calendar(connection, request)
    more = lines[-1].order.id if len(lines) == _PAGE else None
    return page(request, "resident/past.html", facts=facts, lines=lines, when=when, more=more, of=of)


@get("/visits/{order_id:uuid}/cancel", guards=[CLIENTS])
async def cancel_page(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Why not? One press, and it is called off."""
    return await _visit(request, order_id, "cancel.html", form=Form[CancelForm](), why_not=WHY_NOT)


@post("/visits/{order_id:uuid}/cancel", guards=[CLIENTS], status_code=200)
async def cancel(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Call a visit off."""
    form = await read_form(request, CancelForm)
    if (wanted := form.filled) is not None:

        async def action(connection: Connection) -> OrderView:
            return shown(await actions.cancel(connection, request.user, order_id, wanted.why, None), request.user)

        if await carried_out(request, form, OrderView, action) is not None:
            return Redirect(f"/visits/{order_id}?done=cancelled", status_code=303)
    return await _visit(request, order_id, "cancel.html", status=422, form=form, why_not=WHY_NOT)


@post("/visits/{order_id:uuid}/well", guards=[CLIENTS], status_code=200)
async def well(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Say that it was done as it should be."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> OrderView:
        return shown(await reviewing.accept_service(connection, request.user, order_id), request.user)

    if form.filled and await carried_out(request, form, OrderView, action) is not None:
        return Redirect(f"/visits/{order_id}?done=well", status_code=303)
    return await _visit(request, order_id, "visit.html", status=422, form=form, done="")


@get("/visits/{order_id:uuid}/dispute", guards=[CLIENTS])
async def dispute_page(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """What was not as it should be? One question."""
    return await _visit(request, order_id, "dispute.html", form=Form[DisputeForm]())


@post("/visits/{order_id:uuid}/dispute", guards=[CLIENTS], status_code=200)
async def dispute(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Say that it was not; somebody rings back."""
    form = await read_form(request, DisputeForm)
    if (said := form.filled) is not None:

        async def action(connection: Connection) -> OrderView:
            return shown(await reviewing.dispute(connection, request.user, order_id, said.words), request.user)

        if await carried_out(request, form, OrderView, action) is not None:
            return Redirect(f"/visits/{order_id}?done=disputed", status_code=303)
    return await _visit(request, order_id, "dispute.html", status=422, form=form)


route_handlers = [
    door([home, visit_page, visit_live, past_page, cancel_page, cancel, well, dispute_page, dispute])
]  # fmt: skip
