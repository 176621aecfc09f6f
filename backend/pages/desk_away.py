"""A worker rings the desk and cannot come: who it is, what it means for each visit, and recording it as a provider would."""

import asyncio
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.database.pool import Connection
from backend.orders import absences, people, relieving
from backend.orders.absences import Recorded
from backend.orders.relieving import Away, NewAbsence
from backend.pages import facts, lane_queries, person_words
from backend.pages.call import DESK
from backend.pages.commands import carried_out, key_of, told
from backend.pages.facts import calendar
from backend.pages.forms import Form, read_form
from backend.pages.lane_queries import Colleague
from backend.pages.people import AbsentForm, fields_of, looked_at, rest_of_today, typed_times
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed
from backend.pages.times import Calendar
from backend.residents.names import search_keys, typed
from backend.workers.model import AbsenceView

_MOST: Final = 9  # as many as there are digits; whoever is not among them is typed further


class SoughtForm(Sent, frozen=True):
    """Who rings: the beginning of a name, or of its pinyin or initials."""

    sought: bounds.Word


@get("/desk/workers", guards=[DESK])
async def workers_page(request: Asked) -> Response[Any]:
    """Ask who cannot come."""
    return _found(request, Form[SoughtForm](), None)


@post("/desk/workers", guards=[DESK], status_code=200)
async def find_worker(request: Asked) -> Response[Any]:
    """Find a worker; what was typed stays out of addresses and logs."""
    form = await read_form(request, SoughtForm)
    if form.filled is None:
        return _found(request, form, None, 422)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        everybody = await lane_queries.everybody(connection)
    return _found(request, form, await asyncio.to_thread(_called, everybody, form.filled.sought))


def _called(everybody: list[Colleague], text: str) -> list[Colleague]:
    """Those whose name begins so, as it is written or spelled."""
    sought = typed(text)
    if not sought.isascii():
        return [one for one in everybody if typed(one.name).startswith(sought)]
    return [one for one in everybody if any(key.startswith(sought) for key in search_keys(one.name))]


def _found(request: Asked, form: Form[Any], found: list[Colleague] | None, status: int = 200) -> Response[Any]:
    return page(
        request, "desk/workers.html", status=status, form=form, found=None if found is None else found[:_MOST],
        more=0 if found is None else max(0, len(found) - _MOST),
    )  # fmt: skip


@get("/desk/workers/{worker_id:uuid}/away", guards=[DESK])
async def away_page(
    request: Asked,
    worker_id: FromPath[UUID],
    first: FromQuery[str] = "",
    last: FromQuery[str] = "",
    done: FromQuery[str] = "",
) -> Response[Any]:
    """What it means when they do not come: today, or from when to when is typed; nothing is recorded yet."""
    form = Form[AbsentForm]({"first": first[:40], "last": last[:40]} if first or last else None)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
    away = typed_times(form, when.zone) if form.typed else rest_of_today(when)
    return await _away(request, worker_id, form, away, when, done=done)


async def _away(
    request: Asked,
    worker_id: UUID,
    form: Form[Any],
    away: Away | None,
    when: Calendar,
    status: int = 200,
    done: str = "",
) -> Response[Any]:
    shown = None if done else await looked_at(request, worker_id, form, away)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        worker = await people.own_worker(connection, request.user, worker_id)
        recorded = await absences.absences(connection, request.user, worker_id)
    return page(
        request, "desk/away.html", status=422 if form.wrong and status == 200 else status, form=form, when=when, worker=worker,
        shown=shown, recorded=recorded, facts=facts, words=person_words, press=Form[Pressed](), done=done,
        times=fields_of(form, away or rest_of_today(when), when.zone),
    )  # fmt: skip


@post("/desk/workers/{worker_id:uuid}/away", guards=[DESK], status_code=200)
async def record(request: Asked, worker_id: FromPath[UUID]) -> Response[Any]:
    """Record it as it was shown, and have each visit go where it goes."""
    form = await read_form(request, AbsentForm)
    said = form.filled
    if said is not None:
        wanted = NewAbsence(said.from_at, said.to_at, said.reason)
        if await told(form, Recorded, relieving.record(request, worker_id, wanted, key=key_of(form))) is not None:
            return Redirect(f"/desk/workers/{worker_id}/away?done=absent", status_code=303)
    return await _again(
        request, worker_id, form, Away(said.from_at, said.to_at) if said else None, 409 if said else 422
    )


async def _again(request: Asked, worker_id: UUID, form: Form[Any], away: Away | None, status: int) -> Response[Any]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
    return await _away(request, worker_id, form, away, when, status)


@post("/desk/workers/{worker_id:uuid}/absences/{absence_id:uuid}/end", guards=[DESK], status_code=200)
async def end(request: Asked, worker_id: FromPath[UUID], absence_id: FromPath[UUID]) -> Response[Any]:
    """They are back, or come after all."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> AbsenceView:
        return await absences.end(connection, request.user, absence_id)

    if form.filled and await carried_out(request, form, AbsenceView, action) is not None:
        return Redirect(f"/desk/workers/{worker_id}/away?done=back", status_code=303)
    return await _again(request, worker_id, form, None, 409)


route_handlers = [door([workers_page, find_worker, away_page, record, end])]
