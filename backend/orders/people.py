"""A provider's own people: who works today, who does not, and whose credentials end with visits planned beyond."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.orders import people_queries
from backend.orders.people_queries import PersonView
from backend.orders.queries import care_now
from backend.rules.queries import EVERYWHERE, figures
from backend.workers import queries as workers
from backend.workers.queries import OwnWorker

_MAY: Final = frozenset({Role.OPERATOR, Role.PROVIDER})


class CredentialView(Struct, frozen=True, kw_only=True):
    """A credential that ends: in how many days (0 or less: it has), and within which of the days of notice that is.

    `visits` are planned for its worker on days on which it does not count any more: others have to go.
    """

    worker_id: UUID
    name: str
    skill: str
    expires_on: date
    days_left: int
    within_days: int
    visits: int


def own_provider(principal: Principal) -> UUID:
    """Whose people whoever asks may see. Raises not_allowed."""
    if principal.provider_id is None:
        raise DomainError("not_allowed")
    return principal.provider_id


async def theirs(connection: Connection, principal: Principal, worker_id: UUID | None) -> OwnWorker | None:
    """Read a worker for the desk, or for their provider; None where there is nobody of theirs. Raises not_allowed."""
    if principal.role not in _MAY:
        raise DomainError("not_allowed")
    found = worker_id and await workers.worker(connection, worker_id)
    if not found or (principal.role is Role.PROVIDER and found.provider_id != principal.provider_id):
        return None
    return found


async def own_worker(connection: Connection, principal: Principal, worker_id: UUID) -> OwnWorker:
    """The same. Raises not_allowed, unknown_worker (404)."""
    found = await theirs(connection, principal, worker_id)
    if found is None:
        raise DomainError("unknown_worker")
    return found


async def people(connection: Connection, principal: Principal, zone_info: ZoneInfo) -> list[PersonView]:
    """List a provider's workers as they are today."""
    provider_id = own_provider(principal)
    async with as_the_platform(connection):
        today = city_date(await care_now(connection), zone_info)
        return await people_queries.people(connection, provider_id, today)


async def credentials(connection: Connection, principal: Principal, zone_info: ZoneInfo) -> list[CredentialView]:
    """List the credentials of a provider's workers that end within the days of notice, or have ended."""
    provider_id = own_provider(principal)
    async with as_the_platform(connection):
        today = city_date(await care_now(connection), zone_info)
        notice = sorted(int(days) for days in (await figures(connection, "credential_notice_", EVERYWHERE)).values())
        ending = await people_queries.credentials_ending(
            connection, provider_id, today + timedelta(days=max(notice, default=0))
        )
    found: list[CredentialView] = []
    for one in ending:
        left = (one.expires_on - today).days
        within = next((days for days in notice if left <= days), 0) if left > 0 else 0
        found.append(
            CredentialView(
                worker_id=one.worker_id, name=one.name, skill=one.skill, expires_on=one.expires_on, days_left=left,
                within_days=within, visits=one.visits,
            )
        )  # fmt: skip
    return found
