"""Answering who asks for a consent: by the resident, or by an operator who has asked them; each thing by itself, once."""

from uuid import UUID

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.residents import asking, queries
from backend.residents import request_queries as requests
from backend.residents.actions import agree, may_give, own
from backend.residents.lifecycle import MOVES
from backend.residents.model import ConsentAnswers, ConsentGiven, ConsentQuestion


async def questions(connection: Connection, principal: Principal, resident_id: UUID) -> list[ConsentQuestion]:
    """List what a resident is asked and has not answered. Raises unknown_resident (404)."""
    own(principal, resident_id)
    await queries.resident_card(connection, resident_id)
    return await requests.questions_to(connection, resident_id)  # as the reader: each row says who may


async def answer(
    connection: Connection, principal: Principal, resident_id: UUID, request_id: UUID, said: ConsentAnswers
) -> ConsentQuestion:
    """Keep what a resident says to some or all of what is asked; a yes gives the consent in the same transaction.

    Of two answers to one thing the first counts. Raises unknown_resident, unknown_request (404), invalid_request for what
    was not asked, already_answered, already_closed (409), too_many_requests.
    """
    own(principal, resident_id)
    given = [one.purpose for one in said.answers if one.agreed]
    refused = [one.purpose for one in said.answers if not one.agreed]
    if len({*given, *refused}) < len(said.answers):
        raise DomainError("invalid_request", "Each thing is answered once.")
    async with as_the_platform(connection):
        await queries.resident_card(connection, resident_id)
        await queries.lock_consents(connection, resident_id)  # before the request, as whoever gives a consent does
        standing = await requests.request_for_update(connection, resident_id, request_id)
        if not {*given, *refused} <= {*standing.purposes}:
            raise DomainError("invalid_request", "They have not asked for this.")
        if {*given, *refused} & {*standing.given, *standing.refused}:
            raise DomainError("already_answered")
        if not MOVES[standing.status]:
            raise DomainError("already_closed")
        channel = "phone" if principal.role is Role.OPERATOR else "app"
        by = (principal.account_id, channel, said.evidence)
        await asking.answered(connection, standing, (given, refused), by)
        await may_give(connection, resident_id, len(given))
        for purpose in given:
            wanted = ConsentGiven(standing.phone, standing.person, purpose, said.evidence)
            await agree(connection, principal, resident_id, standing.phone, wanted)
        return await requests.question(connection, request_id)
