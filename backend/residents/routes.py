"""Residents over HTTP."""

from typing import Any

from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import Struct

from backend.accounts.guards import requires
from backend.core.phone import e164
from backend.core.principal import Principal, Role
from backend.residents import queries
from backend.residents.queries import ResidentCard


class PhoneSearch(Struct, frozen=True, forbid_unknown_fields=True):
    """The caller's number; in the body, so that it stays out of logs."""

    phone: str


@post("/v1/residents/search", guards=[requires(Role.OPERATOR)], status_code=200)
async def search(request: Request[Principal, Any, State], data: JSONBody[PhoneSearch]) -> ResidentCard:
    """Who is ringing."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await queries.resident_by_phone(connection, e164(data.phone))


route_handlers = [search]
