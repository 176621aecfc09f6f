"""A provider's board over HTTP: one offer with the crew that would go, and the day of its workers."""

from datetime import date
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery

from backend.accounts.guards import requires
from backend.core.principal import Principal, Role
from backend.orders import provider_day
from backend.orders.provider_day import OfferView, ProviderDay

Asked = Request[Principal, Any, State]
_PROVIDERS = requires(Role.PROVIDER)


@get("/v1/offers/{offer_id:uuid}", guards=[_PROVIDERS])
async def read_offer(request: Asked, offer_id: FromPath[UUID]) -> OfferView:
    """One offer that waits for an answer: what, when, in which zone, and whom the plan would send."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await provider_day.offer(connection, request.user, offer_id)


@get("/v1/providers/me/day", guards=[_PROVIDERS])
async def read_day(request: Asked, on: FromQuery[date]) -> ProviderDay:
    """The provider's plan day: its orders with who and where, its shifts, and the stops of its workers."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await provider_day.day(connection, request.user, on)


route_handlers = [read_offer, read_day]
