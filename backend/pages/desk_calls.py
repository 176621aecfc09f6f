"""The end of a call and the next one: hanging up asks first while a time is held, and whoever is to be rung back waits as a task."""

from datetime import datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Meta

from backend.core.bounds import Asked as Sent
from backend.core.bounds import Reasoned, Wording, wording
from backend.core.clock import city_date, wall
from backend.core.typed import plain
from backend.database.clock import care_now
from backend.database.pool import Connection
from backend.orders import calling, progress
from backend.orders.calling import CallBack
from backend.pages import windows
from backend.pages.call import DESK, KINDS, in_a_call
from backend.pages.commands import carried_out
from backend.pages.forms import Form, Typed, read_form
from backend.pages.problems import wrong_field
from backend.pages.queries import held_for
from backend.pages.refusals import door
from backend.pages.rendering import Asked
from backend.pages.resident import Pressed
from backend.tasks import actions as tasks
from backend.tasks.model import DeskTask

SOON: Final = (15, 60, 180)  # minutes from now that one key promises; any other time is typed


class PromiseForm(Sent, frozen=True):
    """What a call is to be about, and by when: in so many minutes, or at a time of day."""

    words: Annotated[str, Meta(min_length=1, max_length=200, extra=wording(Wording.SAID))]
    minutes: Annotated[int, Meta(ge=1, le=1440)] | None = None
    at: Typed = ""


class EndForm(Sent, frozen=True):
    """What came of ringing back."""

    words: Reasoned


@get("/desk/residents/{resident_id:uuid}/hang-up", guards=[DESK])
async def hang_up_page(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """The call is over; while a time is held for them, what is to become of it is asked first."""
    return await _held(request, resident_id, Form[Pressed]())


async def _held(request: Asked, resident_id: UUID, form: Form[Any], status: int = 200) -> Response[Any]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        held = await held_for(connection, resident_id)
    if not held and not form.wrong:
        return Redirect("/desk", status_code=303)
    return await in_a_call(request, "hang_up.html", resident_id, form, status, held=held)


@post("/desk/orders/{order_id:uuid}/call-back", guards=[DESK], status_code=200)
async def hung_up(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """They are rung back about what is held; it stays held as long as it would."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> DeskTask:
        return await calling.hung_up(connection, order_id)

    task = await carried_out(request, form, DeskTask, action)
    if task is not None:
        return Redirect("/desk?done=waiting", status_code=303)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        order = (await progress.visit(connection, request.user, order_id)).order
    return await _held(request, order.resident_id, form, 409)


@post("/desk/orders/{order_id:uuid}/let-go", guards=[DESK], status_code=200)
async def let_go(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """They do not want it: the time is free for others at once."""
    order = await windows.release(request, await read_form(request, Pressed), order_id)
    return Redirect(f"/desk/residents/{order.resident_id}/hang-up", status_code=303)


@get("/desk/residents/{resident_id:uuid}/call-back", guards=[DESK])
async def promise_page(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """What about and by when somebody is to be rung back."""
    return await in_a_call(request, "call_back.html", resident_id, Form[PromiseForm](), soon=SOON)


@post("/desk/residents/{resident_id:uuid}/call-back", guards=[DESK], status_code=200)
async def promise(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """Promise the call."""
    form = await read_form(request, PromiseForm)
    clock = _clock(form)
    if (said := form.filled) is not None and not form.wrong:

        async def action(connection: Connection) -> DeskTask:
            due_at = _due(clock, said.minutes, await care_now(connection), request)
            return await calling.promise(connection, request.user, resident_id, CallBack(said.words, due_at))

        if await carried_out(request, form, DeskTask, action) is not None:
            return Redirect(f"/desk/residents/{resident_id}?done=promised", status_code=303)
    return await in_a_call(request, "call_back.html", resident_id, form, 422, soon=SOON)


def _clock(form: Form[PromiseForm]) -> time | None:
    """The time of day that was typed; where it is none, the field says so."""
    if not (text := plain(form.value("at"))):
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        form.wrong["at"] = wrong_field("at", empty=False)
        return None


def _due(clock: time | None, minutes: int | None, now: datetime, request: Asked) -> datetime:
    """By when they are rung: at the time that was typed, tomorrow's where today's is over; else in so many minutes."""
    if clock is None:
        return now + timedelta(minutes=minutes or SOON[0])
    zone = request.app.state.planner.zone_info
    today = city_date(now, zone)
    due_at = wall(today, clock.replace(tzinfo=None), zone)
    return due_at if due_at >= now else wall(today + timedelta(days=1), clock.replace(tzinfo=None), zone)


@post("/desk/residents/{resident_id:uuid}/called/{task_id:uuid}", guards=[DESK], status_code=200)
async def called(request: Asked, resident_id: FromPath[UUID], task_id: FromPath[UUID]) -> Response[Any]:
    """They were rung: what came of it."""
    form = await read_form(request, EndForm)
    if (said := form.filled) is not None:

        async def action(connection: Connection) -> DeskTask:
            return await tasks.close_by_hand(connection, task_id, said.words)

        if await carried_out(request, form, DeskTask, action) is not None:
            return Redirect(f"/desk/residents/{resident_id}?done=called", status_code=303)
    return await in_a_call(request, "service.html", resident_id, form, 422, kinds=KINDS, done="", asked=[])


route_handlers = [door([hang_up_page, hung_up, let_go, promise_page, promise, called])]
