"""The provider's people: who works today and who does not, what it means when somebody cannot come, and whose credentials end."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Struct

from backend.accounts.guards import requires
from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.core.clock import city_date, day_origin
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.orders import absences, people, provider_day, relieving
from backend.orders.absences import AbsencePlan, Recorded
from backend.orders.people_queries import PersonView
from backend.orders.relieving import Away, NewAbsence
from backend.pages import facts, person_words
from backend.pages.commands import carried_out, key_of, told
from backend.pages.facts import calendar
from backend.pages.forms import WHOLE, Form, read_form
from backend.pages.problems import PROBLEMS, wrong_field
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed
from backend.pages.times import Calendar
from backend.workers.model import AbsenceReason, AbsenceView

_PROVIDERS: Final = requires(Role.PROVIDER)


class AbsentForm(Sent, frozen=True):
    """When somebody does not come, as it was shown, and why: one of the reasons that stand there."""

    from_at: bounds.Instant
    to_at: bounds.Instant
    reason: AbsenceReason


class Line(Struct, frozen=True):
    """One worker: their state today in words, and whether they can be said not to come today."""

    person: PersonView
    state: str
    css: str
    absent: bool


@get("/provider/people", guards=[_PROVIDERS])
async def people_page(request: Asked, done: FromQuery[str] = "") -> Response[Any]:
    """Everybody with today's state, and the credentials that end."""
    return await _people(request, Form[Pressed](), done=done)


async def _people(request: Asked, form: Form[Any], status: int = 200, done: str = "") -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
        everybody = await people.people(connection, request.user, when.zone)
        credentials = await people.credentials(connection, request.user, when.zone)
        who = await provider_day.provider(connection, request.user)
    return page(
        request, "provider/people.html", status=status, form=form, when=when, who=who, done=done, facts=facts,
        lines=[_line(person, when) for person in everybody], credentials=credentials, words=person_words, press=Form[Pressed](),
    )  # fmt: skip


def _line(person: PersonView, when: Calendar) -> Line:
    away = next((one for one in person.absences if one.from_at <= when.now), None)
    if away is not None:
        return Line(person, person_words.away_until(when, away.to_at), "tag tag--wait", absent=True)
    now = next((shift for shift in person.shifts if shift.from_at <= when.now < shift.to_at), None)
    if now is not None:
        return Line(person, person_words.works_until(when, now.to_at), "tag tag--good", absent=False)
    later = next((shift for shift in person.shifts if when.now < shift.from_at), None)
    return Line(person, person_words.works_from(when, later and later.from_at), "tag", absent=False)


@get("/provider/people/{worker_id:uuid}/away", guards=[_PROVIDERS])
async def away_page(
    request: Asked, worker_id: FromPath[UUID], first: FromQuery[str] = "", last: FromQuery[str] = ""
) -> Response[Any]:
    """What it means when somebody does not come: today, or from when to when is typed; nothing is recorded yet."""
    form = Form[AbsentForm]({"first": first[:40], "last": last[:40]} if first or last else None)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
    away = typed_times(form, when.zone) if form.typed else rest_of_today(when)
    return await _away(request, worker_id, form, away, when)


def rest_of_today(when: Calendar) -> Away:
    """From this minute until the city's day is over."""
    today = city_date(when.now, when.zone)
    return Away(when.now.replace(second=0, microsecond=0), day_origin(today + timedelta(days=1), when.zone))


def typed_times(form: Form[Any], zone: ZoneInfo) -> Away | None:
    """Read the two times of a form, in the city's own time; None where one does not fit, which then stands at its field."""
    found: dict[str, datetime] = {}
    for name in ("first", "last"):
        try:
            found[name] = datetime.fromisoformat(form.value(name)).replace(tzinfo=zone)
        except ValueError:
            form.wrong[name] = wrong_field(name, empty=not form.value(name).strip())
    try:
        return Away(found["first"], found["last"]) if len(found) == 2 else None
    except ValueError:  # off the calendar
        form.wrong[WHOLE] = PROBLEMS["invalid_request"]
        return None


async def looked_at(request: Asked, worker_id: UUID, form: Form[Any], away: Away | None) -> AbsencePlan | None:
    """What it would mean; None where that cannot be, which then stands in the form."""
    if away is None:
        return None
    try:
        return await relieving.preview(request, worker_id, away)
    except DomainError as error:
        if error.code not in {"invalid_window", "in_the_past", "absence_too_long"}:
            raise
        form.refuse(error)
        return None


async def _away(
    request: Asked, worker_id: UUID, form: Form[Any], away: Away | None, when: Calendar, status: int = 200
) -> Response[str]:
    shown = await looked_at(request, worker_id, form, away)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        worker = await people.own_worker(connection, request.user, worker_id)
        who = await provider_day.provider(connection, request.user)
    times = away or rest_of_today(when)
    return page(
        request, "provider/away.html", status=422 if form.wrong and status == 200 else status, form=form, when=when, who=who, worker=worker,
        shown=shown, facts=facts, words=person_words, press=Form[Pressed](), times=fields_of(form, times, when.zone),
    )  # fmt: skip


def fields_of(form: Form[Any], away: Away, zone: ZoneInfo) -> dict[str, str]:
    """What stands in the fields of the two times: as it was typed, else what is shown."""
    shown = {"first": away.from_at, "last": away.to_at}
    return {name: form.value(name) or at.astimezone(zone).strftime("%Y-%m-%dT%H:%M") for name, at in shown.items()}


@post("/provider/people/{worker_id:uuid}/away", guards=[_PROVIDERS], status_code=200)
async def record(request: Asked, worker_id: FromPath[UUID]) -> Response[Any]:
    """Record it as it was shown, and have each visit go where it goes."""
    form = await read_form(request, AbsentForm)
    said = form.filled
    if said is not None:
        wanted = NewAbsence(said.from_at, said.to_at, said.reason)
        if await told(form, Recorded, relieving.record(request, worker_id, wanted, key=key_of(form))) is not None:
            return Redirect("/provider/people?done=absent", status_code=303)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
    away = Away(said.from_at, said.to_at) if said else None
    return await _away(request, worker_id, form, away, when, 409 if said else 422)


@post("/provider/absences/{absence_id:uuid}/end", guards=[_PROVIDERS], status_code=200)
async def end(request: Asked, absence_id: FromPath[UUID]) -> Response[Any]:
    """Somebody is back, or comes after all."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> AbsenceView:
        return await absences.end(connection, request.user, absence_id)

    if form.filled and await carried_out(request, form, AbsenceView, action) is not None:
        return Redirect("/provider/people?done=back", status_code=303)
    return await _people(request, form, 409)


route_handlers = [door([people_page, away_page, record, end])]
