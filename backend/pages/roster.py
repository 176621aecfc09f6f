"""The provider's week as a grid: a line each worker, a cell each day, typed as 9-19; what is wrong stands in its cell."""

import re
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect
from msgspec import Struct

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.bounds import Asked as Sent
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.orders import provider_day, rostering
from backend.orders.rostering import CopyWeek, DayShifts, RosterDay, RosterTime, RosterView, Span
from backend.pages import facts, person_words
from backend.pages.commands import carried_out, key_of
from backend.pages.facts import calendar
from backend.pages.forms import WHOLE, Form, Typed, read_form
from backend.pages.problems import PROBLEMS, Sentence
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed

_PROVIDERS: Final = requires(Role.PROVIDER)
_AT_ONCE: Final = 20  # workers of one page: a form has its limit, and so has an eye
_TIMES: Final = re.compile(r"(\d{1,2})(?:[:：.](\d{2}))?\s*[-–—－~～至到]\s*(\d{1,2})(?:[:：.](\d{2}))?")
_APART: Final = re.compile(r"[\s,，、;；]+")
_UNREAD: Final = Sentence(
    "写成 9-19 或 9:30-17:30；没有班就空着。", "Write 9-19 or 9:30-17:30; leave it empty for no shift."
)


class WeekForm(Sent, frozen=True):
    """Which week a grid shows, which page of its workers, and what stood in its cells, as the page was made."""

    week: date
    part: Typed = "0"


class Row(Struct, frozen=True):
    """One worker's cells: each with its name in the form, what stands in it, and what is told beside it."""

    worker_id: UUID
    name: str
    cells: list["Cell"]


class Cell(Struct, frozen=True):
    """One day of a worker: `text` as it is typed, `was` as it is set, absences and visits beside it."""

    name: str
    on: date
    text: str
    was: str
    away: bool
    visits: int


@get("/provider/roster", guards=[_PROVIDERS])
async def roster_page(
    request: Asked, week: FromQuery[str] = "", part: FromQuery[str] = "", done: FromQuery[str] = ""
) -> Response[Any]:
    """A week of everybody; the present one unless another is named."""
    return await _roster(request, Form[WeekForm](), _named(week), _part(part), done=done)


def _named(week: str) -> date | None:
    try:
        return date.fromisoformat(week)
    except ValueError:
        return None


def _part(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else 0


def _monday(on: date) -> date:
    return on - timedelta(days=on.weekday())


async def _roster(
    request: Asked, form: Form[Any], week: date | None, part: int, status: int = 200, done: str = ""
) -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
        today = city_date(when.now, when.zone)
        monday = _monday(min(max(week or today, today - timedelta(days=366)), today + timedelta(days=366)))
        view = await rostering.week(connection, request.user, monday, when.zone)
        who = await provider_day.provider(connection, request.user)
    parts = max(1, -(-len(view.workers) // _AT_ONCE))
    part = min(max(part, 0), parts - 1)
    rows = _rows(view, form, when.zone, part)
    return page(
        request, "provider/roster.html", status=status, form=form, when=when, who=who, facts=facts, words=person_words,
        rows=rows, monday=monday, days=[monday + timedelta(days=n) for n in range(7)], today=today, part_no=part, parts=parts,
        before=monday - timedelta(days=7), after=monday + timedelta(days=7), done=done, press=Form[Pressed](),
    )  # fmt: skip


def _rows(view: RosterView, form: Form[Any], zone: ZoneInfo, part: int) -> list[Row]:
    shown = view.workers[part * _AT_ONCE : (part + 1) * _AT_ONCE]
    return [Row(one.worker_id, one.name, [_cell(one.worker_id, day, form, zone) for day in one.days]) for one in shown]


def _cell(worker_id: UUID, day: RosterDay, form: Form[Any], zone: ZoneInfo) -> Cell:
    name, was = f"{day.on:%Y%m%d}-{worker_id}", _written(day.shifts, zone)
    text = form.typed.get(name, was) if form.wrong else was
    return Cell(name, day.on, text, was, bool(day.away), day.visits)


def _written(shifts: list[RosterTime], zone: ZoneInfo) -> str:
    def clock(at: datetime) -> str:
        here = at.astimezone(zone)
        return f"{here.hour}" if here.minute == 0 else f"{here.hour}:{here:%M}"

    return " ".join(f"{clock(one.from_at)}-{clock(one.to_at)}" for one in shifts)


def read_times(text: str, on: date, zone: ZoneInfo) -> list[Span] | None:
    """Read what was typed into a cell: 9-19, 9:30-17:30, 8-12 14-18; 21-6 ends the next day. None where it cannot be read."""
    spans: list[Span] = []
    joined = re.sub(r"\s*([-–—－~～至到])\s*", r"\1", text.strip())
    for part in filter(None, _APART.split(joined)):
        found = _TIMES.fullmatch(part)
        if found is None:
            return None
        from_h, from_min, to_h, to_min = (int(part or 0) for part in found.groups())
        if from_h > 23 or to_h > 24 or max(from_min, to_min) > 59 or (to_h == 24 and to_min):
            return None
        begins = datetime.combine(on + timedelta(days=from_h < 3), time(from_h, from_min), zone)
        ends = datetime.combine(begins.date() + timedelta(days=to_h == 24), time(to_h % 24, to_min), zone)
        spans.append(Span(begins, ends if begins < ends else ends + timedelta(days=1)))
    return spans


@post("/provider/roster", guards=[_PROVIDERS], status_code=200)
async def set_roster(request: Asked) -> Response[Any]:
    """Set the cells that were changed, all of them or none."""
    form = await read_form(request, WeekForm)
    said = form.filled
    if said is None:
        return await _roster(request, form, None, 0, 422)
    zone, part = request.app.state.planner.zone_info, _part(said.part)
    days = _changed(form, zone)
    if form.wrong:
        return await _roster(request, form, said.week, part, 422)
    if not days:
        return Redirect(f"/provider/roster?week={said.week}&part={part}&done=same", status_code=303)

    async def action(connection: Connection) -> RosterView:
        return await rostering.set_days(connection, request.user, days, zone)

    try:
        await write_once(request, 200, action, key=key_of(form))
    except DomainError as error:
        form.wrong[_place(form, error)] = _said(error)
        return await _roster(request, form, said.week, part, 409)
    return Redirect(f"/provider/roster?week={said.week}&part={part}&done=set", status_code=303)


def _changed(form: Form[Any], zone: ZoneInfo) -> list[DayShifts]:
    """The days whose cells do not stand as they were shown; what cannot be read stands in its cell."""
    try:
        shown = msgspec.json.decode(form.value("shown"), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise DomainError("invalid_request") from error
    days: list[DayShifts] = []
    for name, was in shown.items():
        text = form.typed.get(name, was)
        if text.strip() == was.strip():
            continue
        try:
            on, worker_id = datetime.strptime(name[:8], "%Y%m%d").date(), UUID(name[9:])  # noqa: DTZ007 - a day, no instant
        except ValueError as error:
            raise DomainError("invalid_request") from error
        spans, before = read_times(text, on, zone), read_times(was, on, zone)
        if spans is None or len(spans) > 3:
            form.wrong[name] = _UNREAD
        else:
            days.append(DayShifts(worker_id, on, spans, before))
    return days


def _place(form: Form[Any], error: DomainError) -> str:
    """The cell a refusal is about."""
    name = f"{str(error.extra.get('on', '')).replace('-', '')}-{error.extra.get('worker_id', '')}"
    return name if name in form.typed else WHOLE


def _said(error: DomainError) -> Sentence:
    """The refusal in words; how many visits are in the way is told."""
    visits = error.extra.get("visits")
    if error.code == "shift_holds_visits" and isinstance(visits, int):
        zh = f"这段时间里有 {visits} 单已经答应了，请先换人，或者说今天不能来。"
        return Sentence(zh, f"{visits} promised visit{'s lie' if visits > 1 else ' lies'} in the time that would go: give them to others first.")  # fmt: skip
    return PROBLEMS[error.code]


@post("/provider/roster/copy", guards=[_PROVIDERS], status_code=200)
async def copy_roster(request: Asked) -> Response[Any]:
    """Copy the week before into this one, where nothing is set yet."""
    form = await read_form(request, WeekForm)
    if (said := form.filled) is None:
        return await _roster(request, form, None, 0, 422)
    zone = request.app.state.planner.zone_info

    async def action(connection: Connection) -> RosterView:
        wanted = CopyWeek(said.week - timedelta(days=7), said.week)
        return await rostering.copy_week(connection, request.user, wanted, zone)

    if await carried_out(request, form, RosterView, action) is None:
        return await _roster(request, form, said.week, 0, 409)
    return Redirect(f"/provider/roster?week={said.week}&done=copied", status_code=303)


route_handlers = [door([roster_page, set_roster, copy_roster])]
