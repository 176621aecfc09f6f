"""Registering residents, their numbers and homes, and consent given and withdrawn."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from backend.accounts import number_queries as numbers
from backend.accounts import queries as accounts
from backend.core.errors import DomainError
from backend.core.geo import sphere_m
from backend.core.phone import dialled, e164
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.events.catalogue import ConsentChanged
from backend.events.outbox import emit
from backend.residents import asking, queries, search_queries
from backend.residents.model import (
    Consent,
    ConsentGiven,
    Contact,
    Contacts,
    Followed,
    Found,
    NewContact,
    NewHome,
    NewNumber,
    NewResident,
    Numbers,
    NumbersKept,
    ResidentCard,
)
from backend.residents.names import search_keys, typed
from backend.residents.queries import Given
from backend.rules.queries import limit

_CONSENTS_AGAIN_S: Final = 3600
_TAIL: Final = 4  # fewer digits find a tenth of a town
_POLE: Final = 90  # degrees


async def register(connection: Connection, new: NewResident, area_code: str) -> ResidentCard:
    """Register a resident with a home and contacts; numbers without an area code are the city's.

    Raises already_registered, unknown_zone, invalid_phone, outside_zone, unreachable_place.
    """
    phone, keys = e164(new.phone, area_code), await asyncio.to_thread(search_keys, new.name)
    contacts = _kept(new.contacts, area_code)
    home = new.home.in_wgs84()
    await _near_its_zone(connection, home)
    try:
        account_id = await numbers.account_for_resident(connection, new.name, phone)
        resident_id = await queries.insert_resident(connection, new, account_id, phone)
        await queries.insert_home(connection, resident_id, home)
        await queries.insert_search_keys(connection, resident_id, keys)
    except asyncpg.UniqueViolationError as error:
        raise DomainError("already_registered") from error
    await queries.insert_contacts(connection, resident_id, contacts)
    return await queries.resident_card(connection, resident_id)


def _kept(contacts: Sequence[NewContact], area_code: str) -> list[Contact]:
    """Contacts with their numbers as they are kept. Raises invalid_phone."""
    return [Contact(one.name, dialled(one.phone, area_code), one.relation, one.emergency) for one in contacts]


async def change_contacts(
    connection: Connection, principal: Principal, resident_id: UUID, given: Contacts, area_code: str
) -> list[Contact]:
    """Set whom to ring about a resident, as the desk was told. Raises unknown_resident, invalid_phone."""
    contacts = _kept(given.contacts, area_code)
    async with as_the_platform(connection):
        await queries.lock_resident(connection, resident_id)
        await queries.delete_contacts(connection, resident_id)
        await queries.insert_contacts(connection, resident_id, contacts)
        await note(connection, principal, "change_contacts", "resident", resident_id)
        return await queries.contacts_of(connection, resident_id)


async def change_numbers(
    connection: Connection, principal: Principal, resident_id: UUID, given: Numbers, area_code: str
) -> NumbersKept:
    """Set a resident's numbers, as the desk was told; where one was taken away, nobody stays signed in as them.

    Raises unknown_resident, invalid_phone, already_registered where somebody of the same name and birthday has the number.
    """
    phone = e164(given.phone, area_code)
    others = sorted({e164(other, area_code) for other in given.others} - {phone})
    async with as_the_platform(connection):
        account_id = await queries.lock_resident(connection, resident_id)
        try:
            await queries.set_phone(connection, resident_id, phone)
        except asyncpg.UniqueViolationError as error:
            raise DomainError("already_registered") from error
        await numbers.add_numbers(connection, account_id, [phone, *others])
        if await numbers.keep_numbers(connection, account_id, [phone, *others]):
            await accounts.end_other_sessions(connection, account_id, None)
        await note(connection, principal, "change_numbers", "resident", resident_id)
    return NumbersKept(phone, others)


async def move_home(connection: Connection, principal: Principal, resident_id: UUID, home: NewHome) -> ResidentCard:
    """A resident lives elsewhere from now on; what was promised for the old home stays promised there.

    Raises unknown_resident, unknown_zone, outside_zone, unreachable_place.
    """
    home = home.in_wgs84()
    await _near_its_zone(connection, home)
    async with as_the_platform(connection):
        await queries.lock_resident(connection, resident_id)
        await queries.leave_home(connection, resident_id)
        await queries.insert_home(connection, resident_id, home)
        await note(connection, principal, "move_home", "resident", resident_id)
        return await queries.resident_card(connection, resident_id)


async def resume(connection: Connection, principal: Principal, resident_id: UUID, reason: str) -> ResidentCard:
    """Somebody is home again: they may be booked for as before. Raises unknown_resident (404)."""
    async with as_the_platform(connection):
        await queries.lock_resident(connection, resident_id)
        if await queries.resume(connection, resident_id):
            await note(connection, principal, "resume", "resident", resident_id, reason)
        return await queries.resident_card(connection, resident_id)


async def find(connection: Connection, *, phone: str | None, text: str | None, area_code: str) -> list[Found]:
    """Whom the desk may mean: by a caller's number, or by what an operator types.

    Typed may be the beginning of a name, its pinyin or initials, the last digits of a number (four at least), or a whole
    number. Raises invalid_request where neither or both are given, invalid_phone.
    """
    if (phone is None) is (text is None):
        raise DomainError("invalid_request", "Give either `phone` or `text`.")
    if phone is not None:
        return await search_queries.by_number(connection, e164(phone, area_code))
    key = typed(text or "").removeprefix("+")
    if key.isdecimal() and len(key) < _TAIL:
        raise DomainError("invalid_request", f"Type at least {_TAIL} digits of a number.")
    if any(sign.isdecimal() for sign in key):
        with contextlib.suppress(DomainError):  # too short for a number, perhaps the end of one
            if found := await search_queries.by_number(connection, e164(text or "", area_code)):
                return found
    if not key.isdecimal():
        return await search_queries.by_key(connection, key) if key else []
    return await search_queries.by_phone_tail(connection, key)


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
    farthest_m = await limit(connection, "home_from_zone_m", home.community_code)

    def is_near(longitude: float, latitude: float) -> bool:
        return any(sphere_m(longitude, latitude, base.x, base.y) <= farthest_m for base in bases)

    on_earth = abs(home.latitude) <= _POLE
    if not on_earth or (bases and not is_near(home.longitude, home.latitude)):
        guess = next((text for text, where in _slips(home) if is_near(*where)), None)
        if guess is None and on_earth:
            raise DomainError("outside_zone")
        wrong = "This position lies far outside its zone." if on_earth else "No place has a latitude beyond 90 degrees."
        raise DomainError("outside_zone", f"{wrong} {guess}" if guess else wrong)


def _slips(home: NewHome) -> list[tuple[str, tuple[float, float]]]:
    """What may have been meant by a position that cannot be right, the likeliest slip first."""
    x, y = home.longitude, home.latitude
    return [
        ("Longitude and latitude may have changed places.", (y, x)),
        ("The sign of the longitude may be wrong.", (-x, y)),
        ("The sign of the latitude may be wrong.", (x, -y)),
        ("Both signs may be wrong.", (-x, -y)),
        *(
            ("The decimal point may be misplaced.", (x * wide, y * high))
            for wide, high in (
                (10, 1),
                (0.1, 1),
                (100, 1),
                (0.01, 1),
                (1, 10),
                (1, 0.1),
                (1, 100),
                (1, 0.01),
                (10, 10),
                (0.1, 0.1),
            )
        ),
    ]


async def followed(connection: Connection, principal: Principal) -> list[Followed]:
    """List whom somebody may follow: those who have let them, and themselves where they are a resident."""
    found = await queries.names(connection, principal.resident_ids)
    return [Followed(one.id, one.name, principal.acts_for(one.id)) for one in found]


def own(principal: Principal, resident_id: UUID) -> None:
    """Consent is the resident's own to give and to know; an operator records what was said on the phone."""
    if principal.is_family_of(resident_id) or not principal.acts_for(resident_id):
        raise DomainError("unknown_resident")


async def give_consent(
    connection: Connection, principal: Principal, resident_id: UUID, given: ConsentGiven, area_code: str
) -> Consent:
    """Let somebody know or book, by telephone number; it is theirs once they sign in with it.

    The answer repeats what was given, and is the same whoever has the number or nobody. Raises unknown_resident,
    invalid_phone, too_many_requests.
    """
    own(principal, resident_id)
    phone = e164(given.phone, area_code)
    async with as_the_platform(connection):
        await queries.resident_card(connection, resident_id)
        await queries.lock_consents(connection, resident_id)
        await may_give(connection, resident_id, 1)
        return await agree(connection, principal, resident_id, phone, given)


async def move_consents(
    connection: Connection, principal: Principal, resident_id: UUID, consent_id: UUID, new: NewNumber, area_code: str
) -> list[Consent]:
    """Give anew, under another number, all that was given to whoever a consent is for, and end it under the old one.

    The old number reads and books nothing any more; the new one does once its owner says by that name who they are. Raises
    unknown_resident, unknown_consent, invalid_phone, too_many_requests.
    """
    own(principal, resident_id)
    phone = e164(new.phone, area_code)
    async with as_the_platform(connection):
        await queries.resident_card(connection, resident_id)
        await queries.lock_consents(connection, resident_id)
        standing = await queries.consents_of_the_same(connection, resident_id, consent_id)
        if not standing:
            raise DomainError("unknown_consent")
        if standing[0].phone == phone:
            return standing
        await may_give(connection, resident_id, len(standing))
        for consent in standing:
            await _close(connection, resident_id, consent.id)
        again = [ConsentGiven(new.phone, consent.person, consent.purpose, new.evidence) for consent in standing]
        return [await agree(connection, principal, resident_id, phone, given) for given in again]


async def may_give(connection: Connection, resident_id: UUID, number: int) -> None:
    """Judge whether a resident may give so many consents more today. Raises too_many_requests."""
    most = await limit(connection, "consents_a_day", await queries.area_of(connection, resident_id))
    if await queries.consents_of_a_day(connection, resident_id) + number > most:
        detail = "No more consents can be given today."
        raise DomainError("too_many_requests", detail, retry_after_s=_CONSENTS_AGAIN_S)


async def agree(
    connection: Connection, principal: Principal, resident_id: UUID, phone: str, given: ConsentGiven
) -> Consent:
    """Give one consent, under the consents' lock; whoever has asked for it waits no longer."""
    channel = "phone" if principal.role is Role.OPERATOR else "app"
    opened = await queries.open_consent(connection, resident_id, phone, given, channel)
    await _tell(connection, resident_id, opened, given.purpose.value, given=True)
    if opened.account_id is not None:
        by = (principal.account_id, channel, given.evidence)
        await asking.settle(connection, resident_id, opened.account_id, given.purpose, by)
    return await queries.consent(connection, opened.id)


async def end_consent(connection: Connection, principal: Principal, resident_id: UUID, consent_id: UUID) -> Consent:
    """Withdraw a consent; it is over at once, on open sockets too. Raises unknown_consent."""
    own(principal, resident_id)
    async with as_the_platform(connection):
        return await _close(connection, resident_id, consent_id)


async def _close(connection: Connection, resident_id: UUID, consent_id: UUID) -> Consent:
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
