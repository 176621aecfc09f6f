"""The provider's door: one offer is one decision, with its clock and the crew that would go; and the day of its workers."""

from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Meta

from backend.accounts.guards import requires
from backend.core.bounds import Asked as Sent
from backend.core.bounds import Wording, wording
from backend.core.clock import city_date
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.orders import offering, provider_day
from backend.orders.provider_day import ProviderDay
from backend.orders.views import GivenBack, OrderView, given_back, shown
from backend.pages import facts
from backend.pages.commands import carried_out
from backend.pages.facts import calendar
from backend.pages.forms import Form, read_form
from backend.pages.lanes import Axis, Lane, looks
from backend.pages.queries import care_clock
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed

_PROVIDERS: Final = requires(Role.PROVIDER)
WHY: Final = {
    "too_few": ("人手不够", "Not enough people"), "too_far": ("太远", "Too far"), "equipment": ("设备不够", "Not the equipment"),
    "cannot_care": ("老人情况接不了", "We cannot care for this person"), "other": ("别的", "Something else"),
}  # fmt: skip
"""Why a provider declines; kept with the offer, and asked for nothing else."""
_LONGEST: Final = timedelta(hours=16)


class DeclineForm(Sent, frozen=True):
    """Why an offer is declined: one of the reasons that stand there."""

    why: Annotated[str, Meta(pattern="^(too_few|too_far|equipment|cannot_care|other)$", extra=wording(Wording.MATCHED))]


@get("/provider", guards=[_PROVIDERS])
async def board_page(
    request: Asked,
    offer: FromQuery[UUID | None] = None,
    order: FromQuery[UUID | None] = None,
    done: FromQuery[str] = "",
) -> Response[Any]:
    """What waits for an answer: the list, and one of them, named by itself or its order, with all it takes to decide."""
    return await _board(request, "page.html", offer or order, done=done)


@get("/provider/live", guards=[_PROVIDERS])
async def board_live(request: Asked, offer: FromQuery[UUID | None] = None) -> Response[Any]:
    """The part of it that changes, fetched again when something did."""
    return await _board(request, "live.html", offer)


async def _board(
    request: Asked, template: str, chosen: UUID | None, form: Form[Any] | None = None, status: int = 200, **more: Any
) -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        offers = await provider_day.offers(connection, request.user)
        answered = await provider_day.answered(connection, request.user)
        who = await provider_day.provider(connection, request.user)
        when = await calendar(connection, request)
        mine = next((one for one in offers if chosen in {one.offer_id, one.order_id}), offers[0] if offers else None)
        on = city_date(mine.window_from if mine else when.now, when.zone)
        day = await provider_day.day(connection, request.user, on)
        clock = await care_clock(connection)
    hours, lanes = _lanes(day, when.zone, mine.order_id if mine else None, when.language)
    return page(
        request, f"provider/{template}", status=status, facts=facts, form=form or Form[Pressed](), offers=offers, mine=mine,
        answered=answered, who=who, when=when, hours=hours, lanes=lanes, why=WHY, rate=clock.rate if clock else 1, **more,
    )  # fmt: skip


def _lanes(
    day: ProviderDay, zone: Any, asked: UUID | None, language: str
) -> tuple[list[tuple[str, float]], list[Lane]]:
    """Lay out a day: the hours, and a lane for each worker on shift. Only numbers go into style."""
    if not day.shifts:
        return [], []
    spans = [(shift.from_at, shift.to_at) for shift in day.shifts]
    axis = Axis.of((begin for begin, _ in spans), (end for _, end in spans), zone, day.now, _LONGEST)
    lanes: dict[UUID, Lane] = {}
    for shift in day.shifts:
        lanes.setdefault(shift.worker_id, Lane(shift.name, [], [])).shifts.append(
            axis.bar(shift.from_at, shift.to_at, "shift")
        )
    for stop in day.stops:
        if stop.worker_id in lanes:
            start = stop.from_at.astimezone(zone)
            text = f"{start.hour}:{start:%M} " + facts.KINDS[stop.order_kind or "break"][0 if language == "zh" else 1]
            lanes[stop.worker_id].stops.append(axis.bar(stop.from_at, stop.to_at, _look(stop, asked), text))
    return [(f"{hour.hour}", left) for hour, left in axis.hours(zone)], list(lanes.values())


def _look(stop: Any, asked: UUID | None) -> str:
    if stop.order_id is not None and stop.order_id == asked:
        return f"{looks(stop.order_kind, None)} stop--asked"
    return looks(stop.order_kind, stop.status)


@post("/provider/offers/{offer_id:uuid}/accept", guards=[_PROVIDERS], status_code=200)
async def accept(request: Asked, offer_id: FromPath[UUID]) -> Response[Any]:
    """Take the order with the crew that was named."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> OrderView:
        return shown(await offering.accept(connection, request.user, offer_id), request.user)

    if form.filled and await carried_out(request, form, OrderView, action) is not None:
        return Redirect("/provider?done=accepted", status_code=303)
    return await _board(request, "page.html", None, form, 409, done="")


@get("/provider/offers/{offer_id:uuid}/decline", guards=[_PROVIDERS])
async def decline_page(request: Asked, offer_id: FromPath[UUID]) -> Response[Any]:
    """Why not? One press, and somebody else is asked."""
    return await _declining(request, offer_id, Form[DeclineForm]())


async def _declining(request: Asked, offer_id: UUID, form: Form[Any], status: int = 200) -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        mine = await provider_day.offer(connection, request.user, offer_id)
        who = await provider_day.provider(connection, request.user)
        when = await calendar(connection, request)
    return page(
        request, "provider/decline.html", status=status, facts=facts, form=form, mine=mine, who=who, when=when, why=WHY
    )


@post("/provider/offers/{offer_id:uuid}/decline", guards=[_PROVIDERS], status_code=200)
async def decline(request: Asked, offer_id: FromPath[UUID]) -> Response[Any]:
    """Decline it, with the reason."""
    form = await read_form(request, DeclineForm)
    if (said := form.filled) is None:
        return await _declining(request, offer_id, form, 422)

    async def action(connection: Connection) -> GivenBack:
        return given_back(await offering.decline(connection, request.user, offer_id, said.why))

    if await carried_out(request, form, GivenBack, action) is not None:
        return Redirect("/provider?done=declined", status_code=303)
    return await _board(request, "page.html", None, form, 409, done="")


@get("/provider/today", guards=[_PROVIDERS])
async def today_page(request: Asked, done: FromQuery[str] = "") -> Response[Any]:
    """Today: every worker's lane, and every visit with who and where."""
    return await _day(request, "today.html", done=done)


@get("/provider/today/live", guards=[_PROVIDERS])
async def today_live(request: Asked) -> Response[Any]:
    """The part of it that changes."""
    return await _day(request, "today_live.html")


@get("/provider/tomorrow", guards=[_PROVIDERS])
async def tomorrow_page(request: Asked, done: FromQuery[str] = "") -> Response[Any]:
    """The same of the day after."""
    return await _day(request, "today.html", 1, done)


@get("/provider/tomorrow/live", guards=[_PROVIDERS])
async def tomorrow_live(request: Asked) -> Response[Any]:
    """The part of it that changes."""
    return await _day(request, "today_live.html", 1)


async def _day(request: Asked, template: str, ahead: int = 0, done: str = "") -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
        shown_at = when.now + timedelta(days=ahead)
        day = await provider_day.day(connection, request.user, city_date(shown_at, when.zone))
        who = await provider_day.provider(connection, request.user)
        waiting = len(await provider_day.offers(connection, request.user))
    hours, lanes = _lanes(day, when.zone, None, when.language)
    return page(
        request,
        f"provider/{template}",
        facts=facts,
        day=day,
        who=who,
        when=when,
        hours=hours,
        lanes=lanes,
        waiting=waiting,
        ahead=ahead,
        shown_at=shown_at,
        done=done,
    )


route_handlers = [
    door([board_page, board_live, accept, decline_page, decline, today_page, today_live, tomorrow_page, tomorrow_live])
]
