"""Registering residents, and consent given and withdrawn."""

from uuid import UUID

import asyncpg

from backend.accounts import queries as accounts
from backend.core.errors import DomainError
from backend.core.phone import e164
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.events.catalogue import ConsentChanged
from backend.events.outbox import emit
from backend.residents import queries
from backend.residents.model import Consent, ConsentGiven, NewResident, ResidentCard


async def register(connection: Connection, new: NewResident) -> ResidentCard:
    """Register a resident with a home and contacts. Raises already_registered, unknown_zone, invalid_phone."""
    phone = e164(new.phone)
    contacts = [(contact.name, e164(contact.phone), contact.relation, contact.emergency) for contact in new.contacts]
    try:
        account_id = await accounts.insert_person(connection, Role.RESIDENT.value, new.name, phone)
        resident_id = await queries.insert_resident(connection, new, account_id, phone)
        await queries.insert_home(connection, resident_id, new.home)
    except asyncpg.UniqueViolationError as error:
        raise DomainError("already_registered") from error
    except asyncpg.ForeignKeyViolationError as error:
        raise DomainError("unknown_zone") from error
    await queries.insert_contacts(connection, resident_id, contacts)
    return await queries.resident_card(connection, resident_id)


def _own(principal: Principal, resident_id: UUID) -> None:
    """Consent is the resident's own to give; an operator records what was said on the phone."""
    if principal.role is Role.FAMILY or not principal.acts_for(resident_id):
        raise DomainError("unknown_resident")


async def give_consent(connection: Connection, principal: Principal, resident_id: UUID, given: ConsentGiven) -> Consent:
    """Let somebody know or book; a person without an account gets one for their number. Raises unknown_resident."""
    _own(principal, resident_id)
    phone = e164(given.phone)
    channel = "phone" if principal.role is Role.OPERATOR else "app"
    async with as_the_platform(connection):
        await queries.resident_card(connection, resident_id)
        account_id = await accounts.family_account(connection, phone, given.name)
        if account_id is None:
            raise DomainError("already_registered", "This number belongs to somebody who is not family.")
        consent_id = await queries.open_consent(connection, resident_id, account_id, given, channel)
        await emit(connection, _changed(resident_id, account_id, given.purpose.value, given=True))
        return await queries.consent(connection, consent_id)


async def end_consent(connection: Connection, principal: Principal, resident_id: UUID, consent_id: UUID) -> Consent:
    """Withdraw a consent; it is over at once, on open sockets too. Raises unknown_consent."""
    _own(principal, resident_id)
    async with as_the_platform(connection):
        ended = await queries.close_consent(connection, resident_id, consent_id)
        if ended is None:
            raise DomainError("unknown_consent")
        await emit(connection, _changed(resident_id, ended.account_id, ended.purpose.value, given=False))
        return ended


def _changed(resident_id: UUID, account_id: UUID, purpose: str, *, given: bool) -> ConsentChanged:
    return ConsentChanged(resident_id=resident_id, account_id=account_id, purpose=purpose, given=given)
