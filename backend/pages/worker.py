"""The worker's door: today in order, and the next legal step as the one big button; it goes on without a network.

What is pressed is a report with the time of the first press. With script it is kept on the phone and sent as soon as there is a network
(`offline.js`); without, the form is sent as it is.
"""

import re
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct, field

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.bounds import Asked as Sent
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.orders import checklists, handing, pre_checks, visiting, worker_day
from backend.orders.model import AbortReason, RouteStop
from backend.orders.pre_checks import Found
from backend.orders.views import ReportedOrder, reported
from backend.orders.visiting import Abort
from backend.pages import facts, words
from backend.pages.commands import key_of
from backend.pages.facts import calendar
from backend.pages.fixed import answer, fixed
from backend.pages.forms import WHOLE, Form, read_form
from backend.pages.problems import Sentence
from backend.pages.queries import care_clock
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.words import ABORTED
from backend.visits.checks import ItemCheck, Measured, PreCheck
from backend.visits.lines import ItemLine
from backend.visits.model import Digits, EndReason, Kind, LinesReason, PositionReason, Report

_WORKERS: Final = requires(Role.WORKER)
_VISIT: Final = (Kind.EN_ROUTE, Kind.CHECK_IN, Kind.CHECK_OUT)
_STEPS: Final = {
    "visit": {"accepted": _VISIT, "en_route": _VISIT[1:], "checked_in": _VISIT[2:]},
    "pickup": {"accepted": (Kind.EN_ROUTE, Kind.PICK_UP), "en_route": (Kind.PICK_UP,)},
    "drop": {"accepted": (Kind.HAND_OVER,), "en_route": (Kind.HAND_OVER,)},
}
"""What is still to be reported of a stop, in order, by where the worker's own part in it stands."""
WHY_NOT: Final = ("precheck_failed", "unwell", "resident_refuses", "equipment", "unsafe", "other")
WET: Final = "yinling_wet"
DRY: Final = "off"
"""The cookie in which a phone keeps that large buttons for wet hands are not wanted."""
_PRE_CHECK: Final = "pre-check"
_NUMBER: Final = re.compile(r"[0-9]{1,3}([.][0-9]{1,2})?")
WHERE: Final = (
    ("declined", "我不想给定位", "I do not want to give my position"), ("no_signal", "没有信号", "No signal"),
    ("door_elsewhere", "门牌不在图上的位置", "The door is not where the map has it"), ("other", "别的原因", "Another reason"),
)  # fmt: skip
"""Why a check-in has no position at the door; each has its words here alone."""
_END_WHY: Final = Sentence(
    "离计划的时间差得多。选一个原因，就签退了。",
    "This is not near the planned time. Choose one reason, and you are checked out.",
)
_SERVICE_WORKER: Final = fixed((Path(__file__).parent / "static" / "worker-sw.js").read_bytes(), "text/javascript")


class Next(Struct, frozen=True):
    """The stop that comes next, what is to be reported of it, the first step first, and what may come in between."""

    stop: RouteStop
    steps: list[str]
    aside: list[str]
    checks: list[ItemCheck] = field(default_factory=list)
    last: PreCheck | None = None
    lines: list[ItemLine] = field(default_factory=list)
    ticked: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


class Pressed(Sent, frozen=True):
    """A report without script: that it was pressed, the digits said at the door, and why something is missing or stopped."""

    reason: AbortReason | None = None
    door_code: Digits | None = None
    position_reason: PositionReason | None = None
    lines_reason: LinesReason | None = None
    end_reason: EndReason | None = None
    left_at_door: bool = False


@get("/worker", guards=[_WORKERS])
async def today_page(request: Asked) -> Response[Any]:
    """Today: the next visit with all it takes, and what comes after it."""
    return await today(request)


@get("/worker/live", guards=[_WORKERS])
async def today_live(request: Asked) -> Response[Any]:
    """The part of it that changes."""
    return await today(request, "live.html")


async def today(
    request: Asked, template: str = "page.html", form: Form[Any] | None = None, status: int = 200
) -> Response[str]:
    """The page or its live part, with a form of it that was refused."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
        on = city_date(when.now, when.zone)
        view = await worker_day.route(connection, request.user, on, when.zone)
        clock = await care_clock(connection)
        open_stops = [stop for stop in view.stops if not stop.done]
        following = next((found for stop in open_stops if (found := _next(stop)) is not None), None)
        if following is not None:
            following = await _at_the_door(connection, request, following)
        over = next(
            (stop for stop in reversed(view.stops) if stop.done and stop.order_status == "awaiting_acceptance"), None
        )
        heard = await handing.read(connection, request.user, over.order_id) if over and over.order_id else None
    bath = following is not None and following.stop.item_kind == "bath"
    inside = bath and following is not None and following.stop.assignment_status == "checked_in"
    doors = (
        [found for stop in open_stops if stop.kind == "drop" and (found := _next(stop))] if _carries(following) else []
    )
    shown = [found.stop for found in doors] or ([following.stop] if following else [])
    after = [stop for stop in open_stops if stop not in shown]
    return page(
        request, f"worker/{template}", status=status, facts=facts, form=form or Form[Pressed](), when=when, clock=clock, next=following,
        after=after, done=[stop for stop in view.stops if stop.done], where=WHERE, words_of=words, asks_end=_END_WHY in (form.wrong.values() if form else ()), view=view, doors=doors, over=over, heard=heard, bath=bath, inside=inside, wet=inside and request.cookies.get(WET) != DRY, count=len({stop.order_id for stop in view.stops}),
    )  # fmt: skip


def _carries(following: Next | None) -> bool:
    """Whether what comes next is to hand meals over: then every door of the run stands there, in order."""
    return following is not None and following.stop.kind == "drop"


def _next(stop: RouteStop) -> Next | None:
    """Tell what is to be reported of a stop; None where nothing is any more."""
    steps = _STEPS[stop.kind].get(stop.assignment_status or "", ())
    aside: tuple[Kind, ...] = ()
    if stop.order_status == "no_access" and stop.kind == "drop":
        steps, aside = (Kind.HAND_OVER,), (Kind.CHECK_OUT,)
    elif stop.order_status == "no_access":
        steps, aside = (Kind.CHECK_IN,), (Kind.CHECK_OUT, Kind.ABORT)
    elif stop.order_status in {"arrived", "in_service"} and stop.assignment_status == "checked_in":
        aside = (Kind.NO_ACCESS, Kind.ABORT)
    elif stop.order_status == "en_route" and stop.kind != "pickup":
        aside = (Kind.NO_ACCESS,)
    return Next(stop, [_path(step) for step in steps], [_path(step) for step in aside]) if steps else None


async def _at_the_door(connection: Connection, request: Asked, following: Next) -> Next:
    """Add what is done at the visit, and let what has to be measured come before its end, until it was passed: the last counts.

    Known with the door itself, so that it is there without a network, too.
    """
    stop = following.stop
    if stop.kind != "visit" or stop.order_id is None or stop.address is None:
        return following
    known = await pre_checks.read(connection, request.user, stop.order_id)
    last = known.done[-1] if known.done else None
    steps = list(following.steps)
    if known.checks and (last is None or not last.passed) and _path(Kind.CHECK_OUT) in steps:
        steps.insert(steps.index(_path(Kind.CHECK_OUT)), _PRE_CHECK)
    todo = await checklists.read(connection, request.user, stop.order_id)
    ticked = {tick.line for tick in todo.ticks if tick.done}
    return Next(stop, steps, following.aside, known.checks, last, todo.lines, ticked, todo.missing)


def _path(kind: Kind) -> str:
    """The last word of the address a report is sent to."""
    return kind.value.replace("_", "-")


@post("/worker/{order_id:uuid}/pre-check", guards=[_WORKERS], status_code=200)
async def pre_check(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Take what was measured without script: every field at once."""
    form = await read_form(request, Pressed)
    said = _measured(form)

    async def action(connection: Connection) -> Found:
        return await pre_checks.measure(connection, request.user, order_id, said)

    if await form.answered(write_once(request, 200, action, key=key_of(form))) is not None:
        return Redirect("/worker", status_code=303)
    return await today(request, form=form, status=422)


def _measured(form: Form[Pressed]) -> Measured:
    """What stands in the fields, by their names: numbers, and the codes of choices. Raises invalid_request (400)."""
    typed = {name: text.strip() for name, text in form.typed.items() if name != "key" and text.strip()}
    answers = [
        {"check": check, "number": float(text)} if _NUMBER.fullmatch(text) else {"check": check, "choice": text}
        for check, text in typed.items()
    ]
    try:
        return msgspec.convert({"answers": answers}, Measured)
    except msgspec.ValidationError as error:
        raise DomainError("invalid_request") from error


@post("/worker/{order_id:uuid}/{step:str}", guards=[_WORKERS], status_code=200)
async def report(request: Asked, order_id: FromPath[UUID], step: FromPath[str]) -> Response[Any]:
    """Take a step as it is pressed without script: now, and without a position."""
    form = await read_form(request, Pressed)
    wanted = form.filled
    named = step.replace("-", "_")
    if named not in set(Kind):
        raise DomainError("not_found")
    kind = Kind(named)
    said = _said(kind, wanted) if wanted else Report()
    if kind is Kind.CHECK_OUT and said.end_reason is None:
        async with request.app.state.database.unit_of_work(request.user) as connection:
            if await checklists.ends_early_or_late(connection, request.user, order_id, said):
                form.wrong[WHOLE] = _END_WHY
                return await today(request, form=form, status=422)

    async def action(connection: Connection) -> ReportedOrder:
        zone = request.app.state.planner.zone_info
        taken = await visiting.take(connection, request.user, order_id, kind, said, zone)
        return reported(taken.order, came=taken.came, counts=taken.counts, flags=taken.flags)

    if form.filled is not None and await form.answered(write_once(request, 200, action, key=key_of(form))) is not None:
        return Redirect("/worker", status_code=303)
    return await today(request, form=form, status=422)


def _said(kind: Kind, pressed: Pressed) -> Report:
    """What was pressed, as a phone would have reported it."""
    if kind is Kind.ABORT and pressed.reason:
        return Abort(reason=pressed.reason)
    return Report(
        door_code=pressed.door_code, position_reason=pressed.position_reason, lines_reason=pressed.lines_reason,
        end_reason=pressed.end_reason, left_at_door=pressed.left_at_door,
    )  # fmt: skip


@get("/worker/{order_id:uuid}/abort", guards=[_WORKERS])
async def abort_page(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Why a visit cannot be carried out: one press stops it."""
    return page(
        request,
        "worker/abort.html",
        form=Form[Pressed](),
        order_id=order_id,
        reasons=[(reason, *ABORTED[reason]) for reason in WHY_NOT],
    )


@get("/worker/sw.js", opt={"public": True})
async def service_worker(request: Asked) -> Response[bytes]:
    """What keeps today readable without a network; it may look after this door's addresses only."""
    response = answer(request, _SERVICE_WORKER)
    response.headers["Service-Worker-Allowed"] = "/worker"
    return response


route_handlers = [door([today_page, today_live, pre_check, report, abort_page, service_worker])]
