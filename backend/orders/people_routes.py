"""A provider's people over HTTP: who there is, who cannot come and what that means for each visit, whose credentials end."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.principal import Principal, Role
from backend.orders import absences, people, relieving
from backend.orders.absences import AbsencePlan, Recorded
from backend.orders.people import CredentialView
from backend.orders.people_queries import PersonView
from backend.orders.relieving import Away, NewAbsence
from backend.workers.model import AbsenceView

Asked = Request[Principal, Any, State]
_CREWS = requires(Role.OPERATOR, Role.PROVIDER)
_PROVIDERS = requires(Role.PROVIDER)


@get("/v1/providers/me/workers", guards=[_PROVIDERS])
async def list_people(request: Asked) -> list[PersonView]:
    """The provider's workers: today's shifts, absences that are not over, and how many visits are still before them today."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await people.people(connection, request.user, request.app.state.planner.zone_info)


@get("/v1/providers/me/credentials", guards=[_PROVIDERS])
async def list_credentials(request: Asked) -> list[CredentialView]:
    """Credentials of the provider's workers that have expired or soon do, each with the visits planned beyond its end."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await people.credentials(connection, request.user, request.app.state.planner.zone_info)


@get("/v1/workers/{worker_id:uuid}/absences", guards=[_CREWS])
async def list_absences(request: Asked, worker_id: FromPath[UUID]) -> list[AbsenceView]:
    """A worker's absences that are not over, by their beginning."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await absences.absences(connection, request.user, worker_id)


@post("/v1/workers/{worker_id:uuid}/absences/preview", guards=[_CREWS], status_code=200)
async def preview(request: Asked, worker_id: FromPath[UUID], data: JSONBody[Away]) -> AbsencePlan:
    """Which visits would fall out, and where each would go: to a colleague, to another provider, or to the desk.

    Nothing is recorded and nobody is reserved. It takes two seconds at most; `complete` says whether that was enough.
    """
    return await relieving.preview(request, worker_id, data)


@post("/v1/workers/{worker_id:uuid}/absences", guards=[_CREWS], status_code=201)
async def record(request: Asked, worker_id: FromPath[UUID], data: JSONBody[NewAbsence]) -> Response[Recorded]:
    """A worker does not come: their visits go to colleagues, others are asked for the rest, and the desk is told of what is left.

    Whoever has set out finishes their visit.
    """
    return await relieving.record(request, worker_id, data)


@post("/v1/absences/{absence_id:uuid}/end", guards=[_CREWS], status_code=200)
async def end(request: Asked, absence_id: FromPath[UUID]) -> Response[AbsenceView]:
    """Somebody is back earlier, or comes after all: from now on they are planned with again."""
    return await write_once(request, 200, lambda c: absences.end(c, request.user, absence_id))


route_handlers = [list_people, list_credentials, list_absences, preview, record, end]
