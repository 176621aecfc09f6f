"""An alarm at the desk: where, whom to ring, and what it was in the end."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.database.pool import Connection
from backend.emergencies import actions, queries
from backend.emergencies.model import Alarm, Closing, Emergency, Outcome, Raised, told
from backend.pages import facts
from backend.pages.call import DESK
from backend.pages.commands import carried_out
from backend.pages.forms import Form, read_form
from backend.pages.problems import PROBLEMS
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed
from backend.residents import queries as residents

OUTCOMES = {
    Outcome.HOSPITAL: ("送医", "taken to hospital"), Outcome.FINE: ("没事", "all is well"), Outcome.MISTAKE: ("误触", "pressed by mistake"),
    Outcome.OTHER: ("其他", "something else"),
}  # fmt: skip


class CloseForm(Sent, frozen=True):
    """What the alarm was, and what the desk remarks on it."""

    outcome: Outcome
    remark: bounds.Remark = ""


@get("/desk/alarms/{emergency_id:uuid}", guards=[DESK])
async def alarm_page(request: Asked, emergency_id: FromPath[UUID]) -> Response[Any]:
    """The door to go to, the numbers to ring, and how far it is."""
    return await _alarm(request, emergency_id, Form[CloseForm]())


async def _alarm(request: Asked, emergency_id: UUID, form: Form[Any], status: int = 200) -> Response[str]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        alarm = await queries.emergency(connection, emergency_id)
        card = await residents.resident_card(connection, alarm.resident_id) if alarm.resident_id else None
        contacts = await residents.contacts_of(connection, alarm.resident_id) if alarm.resident_id else []
        when = await facts.calendar(connection, request)
    return page(
        request, "desk/alarm.html", status=status, facts=facts, form=form, press=Form[Pressed](), alarm=alarm, card=card,
        contacts=contacts, when=when, outcomes=OUTCOMES, me=request.user.account_id,
    )  # fmt: skip


@post("/desk/residents/{resident_id:uuid}/alarm", guards=[DESK], status_code=200)
async def raise_alarm(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """Somebody who rings needs help now: the alarm is raised, and belongs to whoever hears it."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> Raised:
        raised = await actions.raise_alarm(connection, request.user, Alarm(resident_id=resident_id))
        if raised.owner_id is None:
            await actions.take(connection, request.user, raised.id)
        return told(raised)

    raised = await carried_out(request, form, Raised, action) if form.filled else None
    if raised is None:
        problem = next(iter(form.wrong.values()), PROBLEMS["unavailable"])
        return page(request, "refused.html", status=409, problem=problem)
    return Redirect(f"/desk/alarms/{raised.id}", status_code=303)


@post("/desk/alarms/{emergency_id:uuid}/take", guards=[DESK], status_code=200)
async def take(request: Asked, emergency_id: FromPath[UUID]) -> Response[Any]:
    """See to it; whoever comes second is told that somebody does."""
    form = await read_form(request, Pressed)

    async def action(connection: Connection) -> Emergency:
        return await actions.take(connection, request.user, emergency_id)

    if form.filled and await carried_out(request, form, Emergency, action) is not None:
        return Redirect(f"/desk/alarms/{emergency_id}", status_code=303)
    return await _alarm(request, emergency_id, form, 409)


@post("/desk/alarms/{emergency_id:uuid}/close", guards=[DESK], status_code=200)
async def close(request: Asked, emergency_id: FromPath[UUID]) -> Response[Any]:
    """Say what it was."""
    form = await read_form(request, CloseForm)

    if (said := form.filled) is not None:

        async def action(connection: Connection) -> Emergency:
            return await actions.close(connection, request.user, emergency_id, Closing(said.outcome, said.remark))

        if await carried_out(request, form, Emergency, action) is not None:
            return Redirect("/desk?done=closed", status_code=303)
    return await _alarm(request, emergency_id, form, 422)


route_handlers = [door([alarm_page, raise_alarm, take, close])]
