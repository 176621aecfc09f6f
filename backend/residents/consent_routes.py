"""Asking for consents and answering, and who has looked, over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody, QueryParameter

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.principal import Principal, Role
from backend.residents import answering, asking
from backend.residents import looks as looking
from backend.residents.model import ConsentAnswers, ConsentAsked, ConsentQuestion, ConsentRequest, Held, Look

Call = Request[Principal, Any, State]
_ASKERS = requires(Role.RESIDENT, Role.FAMILY)
_GIVERS = requires(Role.RESIDENT, Role.OPERATOR)


@get("/v1/me/consents", guards=[_ASKERS])
async def held(request: Call) -> list[Held]:
    """Who has let me in, and for what."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await asking.held(connection, request.user)


@get("/v1/me/consent-requests", guards=[_ASKERS])
async def mine(request: Call) -> list[ConsentRequest]:
    """What I have asked for, the latest first."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await asking.mine(connection, request.user)


@post("/v1/consent-requests", guards=[_ASKERS], status_code=201)
async def ask(request: Call, data: JSONBody[ConsentAsked]) -> Response[ConsentRequest]:
    """Ask somebody to let me follow or book; the answer is the same whoever has the name and number or nobody."""
    area_code = request.app.state.settings.area_code
    return await write_once(request, 201, lambda c: asking.ask(c, request.user, data, area_code))


@post("/v1/consent-requests/{request_id:uuid}/withdraw", guards=[_ASKERS], status_code=200)
async def withdraw(request: Call, request_id: FromPath[UUID]) -> Response[ConsentRequest]:
    """Ask no more."""
    return await write_once(request, 200, lambda c: asking.withdraw(c, request.user, request_id))


@get("/v1/residents/{resident_id:uuid}/consent-requests", guards=[_GIVERS])
async def questions(request: Call, resident_id: FromPath[UUID]) -> list[ConsentQuestion]:
    """What the resident is asked and has not answered."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await answering.questions(connection, request.user, resident_id)


@post("/v1/residents/{resident_id:uuid}/consent-requests/{request_id:uuid}/answer", guards=[_GIVERS], status_code=200)
async def answer(
    request: Call, resident_id: FromPath[UUID], request_id: FromPath[UUID], data: JSONBody[ConsentAnswers]
) -> Response[ConsentQuestion]:
    """Say yes or no to each thing that was asked for; a yes is a consent at once."""
    return await write_once(request, 200, lambda c: answering.answer(c, request.user, resident_id, request_id, data))


@get("/v1/residents/{resident_id:uuid}/looks", guards=[_GIVERS])
async def looks(
    request: Call, resident_id: FromPath[UUID], limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50
) -> list[Look]:
    """Who of those the resident has let in was shown what, the latest first; once an hour for each person and purpose."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await looking.looks(connection, request.user, resident_id, limit)


route_handlers = [held, mine, ask, withdraw, questions, answer, looks]
