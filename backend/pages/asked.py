"""What a resident is asked: may somebody see, or book? One question a page, in plain words, and what a yes means."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect
from msgspec import Meta

from backend.accounts.guards import requires
from backend.core.bounds import Asked as Sent
from backend.core.bounds import Wording, wording
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.pages import consents, facts
from backend.pages.commands import carried_out
from backend.pages.forms import Form, read_form
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.sharing import HOW, shared
from backend.residents import answering
from backend.residents.model import ConsentAnswer, ConsentAnswers, ConsentQuestion, Purpose

_OWN: Final = requires(Role.RESIDENT)
YesOrNo = Annotated[str, Meta(pattern="^(yes|no)$", extra=wording(Wording.MATCHED))]


class AnswerForm(Sent, frozen=True):
    """Yes or no to one thing."""

    request: UUID
    purpose: Purpose
    agreed: YesOrNo


async def questions(request: Asked) -> list[ConsentQuestion]:
    """What whoever is signed in is asked. Raises not_allowed for whoever is no resident."""
    if request.user.own_id is None:
        raise DomainError("not_allowed")
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await answering.questions(connection, request.user, request.user.own_id)


@get("/asked", guards=[_OWN])
async def asked_page(request: Asked, done: FromQuery[str] = "") -> Response[Any]:
    """The next question; where there is none any more, who may see what."""
    return await _next(request, Form[AnswerForm](), done=done)


@get("/asked/live", guards=[_OWN])
async def asked_live(request: Asked) -> Response[Any]:
    """The strip on the first page, fetched again when something changed."""
    return page(request, "resident/asked_strip.html", asked=await questions(request))


async def _next(request: Asked, form: Form[Any], status: int = 200, done: str = "") -> Response[Any]:
    asked = await questions(request)
    if not asked:
        if form.wrong:
            return await shared(request, form, status)
        return Redirect("/sharing?done=answered" if done else "/sharing", status_code=303)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await facts.calendar(connection, request)
    return page(
        request, "resident/asked.html", status=status, one=asked[0], purpose=asked[0].unanswered[0], words=consents,
        left=sum(len(one.unanswered) for one in asked), when=when, form=form, done=done,
    )  # fmt: skip


@post("/asked", guards=[_OWN], status_code=200)
async def answer(request: Asked) -> Response[Any]:
    """Keep what was pressed; what somebody has answered meanwhile stays as it is."""
    form = await read_form(request, AnswerForm)
    if (said := form.filled) is None or request.user.own_id is None:
        raise DomainError("invalid_request")
    answers = ConsentAnswers([ConsentAnswer(said.purpose, said.agreed == "yes")], HOW)

    async def action(connection: Connection) -> ConsentQuestion:
        return await answering.answer(connection, request.user, request.user.own_id, said.request, answers)

    if await carried_out(request, form, ConsentQuestion, action) is None:
        return await _next(request, form, 409)
    return Redirect(f"/asked?done={said.agreed}", status_code=303)


route_handlers = [door([asked_page, asked_live, answer])]
