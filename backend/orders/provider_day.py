"""What a provider sees at its board: what it is asked for with the crew that would go, what it answered, and its day.

Providers may read neither residents nor other providers' plans: what they need of them is put together here, for their own
offers and orders alone.
"""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import provider_queries as queries
from backend.orders.progress_queries import Coming
from backend.orders.provider_queries import Answered, DayShift, DayStop, DayVisit
from backend.orders.queries import care_now
from backend.providers.queries import Provider
from backend.providers.queries import provider as provider_of

_LATELY: Final = timedelta(hours=4)


class OfferView(Struct, frozen=True, kw_only=True):
    """One offer as the provider decides on it; `now` is care time, by which `expires_at` counts."""

    offer_id: UUID
    order_id: UUID
    now: datetime
    made_at: datetime
    expires_at: datetime
    kind: str
    service: str
    service_en: str
    zone: str
    window_from: datetime
    window_to: datetime
    price_fen: int
    crew_size: int
    length_s: int
    crew: list[Coming]


class ProviderDay(Struct, frozen=True, kw_only=True):
    """A provider's plan day: its orders, who is on shift, and what stands in each worker's day."""

    now: datetime
    visits: list[DayVisit]
    shifts: list[DayShift]
    stops: list[DayStop]


def _own(principal: Principal) -> UUID:
    if principal.provider_id is None:
        raise DomainError("not_allowed")
    return principal.provider_id


async def offers(connection: Connection, principal: Principal) -> list[OfferView]:
    """List what waits for this provider's answer, the most urgent first."""
    return await _offers(connection, _own(principal), None)


async def offer(connection: Connection, principal: Principal, offer_id: UUID) -> OfferView:
    """Read one offer that waits. Raises unknown_offer (404), also where it was another provider's or is closed."""
    found = await _offers(connection, _own(principal), offer_id)
    if not found:
        raise DomainError("unknown_offer")
    return found[0]


async def _offers(connection: Connection, provider_id: UUID, offer_id: UUID | None) -> list[OfferView]:
    async with as_the_platform(connection):
        now = await care_now(connection)
        return [
            OfferView(
                offer_id=one.offer_id, order_id=one.order_id, now=now, made_at=one.made_at, expires_at=one.expires_at,
                kind=one.kind, service=one.service, service_en=one.service_en, zone=one.zone,
                window_from=one.window_from, window_to=one.window_to, price_fen=one.price_fen,
                crew_size=one.crew_size, length_s=one.length_s, crew=await queries.crew_asked(connection, one),
            )
            for one in await queries.offer_facts(connection, provider_id, offer_id)
        ]  # fmt: skip


async def answered(connection: Connection, principal: Principal) -> list[Answered]:
    """List what this provider has answered lately, the last one first."""
    provider_id = _own(principal)
    async with as_the_platform(connection):
        return await queries.answered(connection, provider_id, await care_now(connection) - _LATELY)


async def provider(connection: Connection, principal: Principal) -> Provider:
    """Read the provider somebody works at a desk of."""
    provider_id = _own(principal)
    async with as_the_platform(connection):
        return await provider_of(connection, provider_id)


async def day(connection: Connection, principal: Principal, on: date) -> ProviderDay:
    """Read a provider's plan day."""
    provider_id = _own(principal)
    async with as_the_platform(connection):
        return ProviderDay(
            now=await care_now(connection),
            visits=await queries.day_visits(connection, provider_id, on),
            shifts=await queries.day_shifts(connection, provider_id, on),
            stops=await queries.day_stops(connection, provider_id, on),
        )
