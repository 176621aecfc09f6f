"""Registering residents, and consent given and withdrawn."""

from typing import Final
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from backend.accounts import queries as accounts
from backend.core.errors import DomainError
from backend.core.geo import sphere_m
from backend.core.phone import dialled, e164
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.events.catalogue import ConsentChanged
from backend.events.outbox import emit
from backend.residents import queries
from backend.residents.model import Consent, ConsentGiven, NewHome, NewResident, ResidentCard
from backend.residents.queries import Given
from backend.rules.queries import limit

_CONSENTS_AGAIN_S: Final = 3600


async def register(connection: Connection, new: NewResident, area_code: str) -> ResidentCard:
    """Register a resident with a home and contacts; numbers without an area code are the city's.

    Raises already_registered, unknown_zone, invalid_phone, outside_zone, unreachable_place.
    """
    phone = e164(new.phone, area_code)
    contacts = [(c.name, dialled(c.phone, area_code), c.relation, c.emergency) for c in new.contacts]
    await _near_its_zone(connection, new.home)
    try:
        account_id = await accounts.insert_person(connection, Role.RESIDENT.value, new.name, phone)
        resident_id = await queries.insert_resident(connection, new, account_id, phone)
        await queries.insert_home(connection, resident_id, new.home)
    except asyncpg.UniqueViolationError as error:
        raise DomainError("already_registered") from error
    await queries.insert_contacts(connection, resident_id, contacts)
    return await queries.resident_card(connection, resident_id)


async def _near_its_zone(connection: Connection, home: NewHome) -> None:
    """A home that is planned with a zone is one its workers can travel to: a slip of a digit lies on another continent.

    Measured to the nearest place the zone works from; a zone where nobody works yet has none, and plans nothing.
    Raises unknown_zone (404), unreachable_place (422) where the zone knows no way by degrees, outside_zone (422).
    """
    travel_kind = await queries.travel_kind(connection, home.zone_id)
    if travel_kind is None:
        raise DomainError("unknown_zone")
    if travel_kind != "road_factor":
        raise DomainError("unreachable_place")
    bases = await queries.bases(connection, home.zone_id)
    ways = [sphere_m(home.longitude, home.latitude, base.x, base.y) for base in bases]
    if ways and min(ways) > await limit(connection, "home_from_zone_m"):
        raise DomainError("outside_zone")


def _own(principal: Principal, resident_id: UUID) -> None:
    """Consent is the resident's own to give; an operator records what was said on the phone."""
    if principal.role is Role.FAMILY or not principal.acts_for(resident_id):
        raise DomainError("unknown_resident")


async def give_consent(
    connection: Connection, principal: Principal, resident_id: UUID, given: ConsentGiven, area_code: str
) -> Consent:
    """Let somebody know or book, by telephone number; it is theirs once they sign in with it.

    The answer repeats what was given, and is the same whoever has the number or nobody. Raises unknown_resident,
    invalid_phone, too_many_requests.
    """
    _own(principal, resident_id)
    phone = e164(given.phone, area_code)
    channel = "phone" if principal.role is Role.OPERATOR else "app"
    async with as_the_platform(connection):
        await queries.resident_card(connection, resident_id)
        await queries.lock_consents(connection, resident_id)
        if await queries.consents_of_a_day(connection, resident_id) >= await limit(connection, "consents_a_day"):
            detail = "No more consents can be given today."
            raise DomainError("too_many_requests", detail, retry_after_s=_CONSENTS_AGAIN_S)
        opened = await queries.open_consent(connection, resident_id, phone, given, channel)
        await _tell(connection, resident_id, opened, given.purpose.value, given=True)
        return await queries.consent(connection, opened.id)


async def end_consent(connection: Connection, principal: Principal, resident_id: UUID, consent_id: UUID) -> Consent:
    """Withdraw a consent; it is over at once, on open sockets too. Raises unknown_consent."""
    _own(principal, resident_id)
    async with as_the_platform(connection):
        ended = await queries.close_consent(connection, resident_id, consent_id)
        if ended is None:
            raise DomainError("unknown_consent")
        closed = await queries.consent(connection, ended.id)
        await _tell(connection, resident_id, ended, closed.purpose.value, given=False)
        return closed


async def _tell(connection: Connection, resident_id: UUID, changed: Given, purpose: str, *, given: bool) -> None:
    """Tell the resident and, in an event of their own, whoever it is for: the resident is not told who that is."""
    told = ConsentChanged(resident_id=resident_id, purpose=purpose, given=given)
    await emit(connection, told)
    if changed.account_id is not None:
        await emit(connection, replace(told, account_id=changed.account_id))
