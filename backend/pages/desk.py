"""The operator's desk: who is ringing and for whom, booking for them, and what waits for a person, the most urgent first."""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.core.clock import city_date
from backend.core.codes import grouped
from backend.database.pool import Connection
from backend.pages import facts
from backend.pages.call import DESK
from backend.pages.commands import carried_out
from backend.pages.desk_lanes import zone_day
from backend.pages.facts import calendar
from backend.pages.forms import Form, read_form
from backend.pages.queries import desk_orders, late_orders
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed
from backend.residents import actions as residents
from backend.residents.model import Found
from backend.tasks import actions as tasks
from backend.tasks import queries as task_queries
from backend.tasks.model import BY_HAND, DeskTask, TaskKind

TASKS: Final = {
    "emergency": ("紧急", "Emergency"), "no_access": ("无人应答", "Nobody opens"), "no_access_late": ("无人应答（补传）", "Nobody opened (told later)"),
    "crew_short": ("缺人", "Somebody of the crew cannot come"), "consent_asked": ("等同意", "Consent asked for"), "call_back": ("要回拨", "Ring back"),
    "word_asked": ("打给老人问满意", "Ring them: how was it?"),
    "suspended": ("暂停服务，还有预订", "Suspended, still booked"), "feed_stalled": ("消息发不出去", "Events are stuck"),
    "codes_not_sent": ("登录数字发不出去", "Sign-in codes do not leave"),
}  # fmt: skip

_MOST: Final = 200  # tasks on one page; the most urgent come first


class FindForm(Sent, frozen=True):
    """Whom an operator looks for: a number, a name, pinyin, initials, or the last digits of a number."""

    text: bounds.Word


class CloseForm(Sent, frozen=True):
    """What came of a task, in the words of whoever saw to it."""

    words: bounds.Reasoned


@get("/desk", guards=[DESK])
async def desk_page(request: Asked, done: FromQuery[str] = "", zone: FromQuery[str] = "") -> Response[Any]:
    """Between calls: the search, the day of one zone, and what waits for a person."""
    return await _desk(request, "page.html", Form[FindForm](), zone=zone, done=done)


@get("/desk/live", guards=[DESK])
async def desk_live(request: Asked) -> Response[Any]:
    """The queues, fetched again when something changed."""
    return await _desk(request, "queues.html", Form[FindForm]())


async def _desk(
    request: Asked,
    template: str,
    form: Form[Any],
    status: int = 200,
    found: list[Found] | None = None,
    zone: str | None = None,
    **more: Any,
) -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
        waiting = await task_queries.open_tasks(connection, _MOST)
        manual = await desk_orders(connection)
        late = await late_orders(connection, city_date(when.now, when.zone))
        day = None if zone is None else await zone_day(connection, when, zone)
    return page(
        request, f"desk/{template}", status=status, facts=facts, form=form, when=when, waiting=waiting, manual=manual,
        late=late, day=day, found=found, tasks=TASKS, by_hand=BY_HAND, me=request.user.account_id, more_tasks=len(waiting) == _MOST, grouped=grouped, press=Form[Pressed](),
        **more,
    )  # fmt: skip


@post("/desk/find", guards=[DESK], status_code=200)
async def find(request: Asked) -> Response[Any]:
    """Find somebody; what was typed stays out of addresses and logs."""
    form = await read_form(request, FindForm)
    if form.filled is None:
        return await _desk(request, "page.html", form, 422)
    area_code = request.app.state.settings.area_code
    async with request.app.state.database.unit_of_work(request.user) as connection:
        asked = residents.find(connection, phone=None, text=form.filled.text, area_code=area_code)
        found = await form.answered(asked)
    return await _desk(request, "page.html", form, 200 if found is not None else 422, found, done="")


@post("/desk/tasks/{task_id:uuid}/take", guards=[DESK], status_code=200)
async def take(request: Asked, task_id: FromPath[UUID]) -> Response[Any]:
    """See to a task; whoever comes second is told that somebody does."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> DeskTask:
        return await tasks.take(connection, request.user, task_id)

    if form.filled and (task := await carried_out(request, form, DeskTask, action)) is not None:
        return Redirect(_opened(task), status_code=303)
    return await _desk(request, "page.html", form, 409, done="")


def _opened(task: DeskTask) -> str:
    """Where a task that was taken is seen to: whoever is rung back, at what was read to them when they hung up."""
    if task.kind is not TaskKind.CALL_BACK:
        return "/desk?done=taken"
    return f"/desk/orders/{task.order_id}/read" if task.order_id else f"/desk/residents/{task.resident_id}"


@post("/desk/tasks/{task_id:uuid}/close", guards=[DESK], status_code=200)
async def close(request: Asked, task_id: FromPath[UUID]) -> Response[Any]:
    """Say what came of a task that does not end by itself."""
    form = await read_form(request, CloseForm)
    if (said := form.filled) is not None:

        async def action(connection: Connection) -> DeskTask:
            return await tasks.close_by_hand(connection, task_id, said.words)

        if await carried_out(request, form, DeskTask, action) is not None:
            return Redirect("/desk?done=closed", status_code=303)
    return await _desk(request, "page.html", form, 422, done="")


route_handlers = [door([desk_page, desk_live, find, take, close])]
