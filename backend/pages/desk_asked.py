"""An operator asks a resident in words what family has asked for, and records each answer with the recording of the call."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.database.pool import Connection
from backend.pages import consents
from backend.pages.asked import YesOrNo
from backend.pages.call import DESK, in_a_call
from backend.pages.commands import carried_out
from backend.pages.forms import Form, read_form
from backend.pages.refusals import door
from backend.pages.rendering import Asked
from backend.residents import answering
from backend.residents.model import ConsentAnswer, ConsentAnswers, ConsentQuestion, Purpose


class RecordForm(Sent, frozen=True):
    """What the resident said to one thing, and where it can be heard again."""

    request: UUID
    purpose: Purpose
    agreed: YesOrNo
    evidence: bounds.Text


@get("/desk/residents/{resident_id:uuid}/asked", guards=[DESK])
async def asked_page(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """The next question, as it is read to the resident; 1 is yes, 2 is no."""
    return await _next(request, resident_id, Form[RecordForm]())


async def _next(request: Asked, resident_id: UUID, form: Form[Any], status: int = 200) -> Response[Any]:
    async with request.app.state.database.unit_of_work(request.user) as connection:
        asked = await answering.questions(connection, request.user, resident_id)
    if not asked and not form.wrong:
        return Redirect(f"/desk/residents/{resident_id}?done=answered", status_code=303)
    one = asked[0] if asked else None
    return await in_a_call(
        request, "asked.html", resident_id, form, status, one=one, purpose=one.unanswered[0] if one else None,
        words=consents, left=sum(len(it.unanswered) for it in asked),
    )  # fmt: skip


@post("/desk/residents/{resident_id:uuid}/asked", guards=[DESK], status_code=200)
async def record(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """Keep what the resident said; what they have answered themselves meanwhile stays as it is."""
    form = await read_form(request, RecordForm)
    if (said := form.filled) is not None:
        answers = ConsentAnswers([ConsentAnswer(said.purpose, said.agreed == "yes")], said.evidence)

        async def action(connection: Connection) -> ConsentQuestion:
            return await answering.answer(connection, request.user, resident_id, said.request, answers)

        if await carried_out(request, form, ConsentQuestion, action) is not None:
            return Redirect(f"/desk/residents/{resident_id}/asked", status_code=303)
    return await _next(request, resident_id, form, 422 if said is None else 409)


route_handlers = [door([asked_page, record])]
