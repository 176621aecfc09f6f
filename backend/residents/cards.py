"""A printed sign-in card for a resident or their family: the desk proves who they are, where no message can."""

from uuid import UUID

from backend.accounts import cards
from backend.accounts.model import SignInCard
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.residents import card_queries, queries
from backend.residents.model import CardHolder
from backend.rules.queries import EVERYWHERE, limit


async def holders(connection: Connection, resident_id: UUID) -> list[CardHolder]:
    """For whom a card can be printed: the resident, and family they let in who has signed in before. Raises unknown_resident."""
    await queries.resident_card(connection, resident_id)
    async with as_the_platform(connection):
        return await card_queries.holders(connection, resident_id)


async def print_card(
    connection: Connection, principal: Principal, resident_id: UUID, consent_id: UUID | None, secret_key: str
) -> SignInCard:
    """Print a card for a resident or, by an open consent of theirs, for family; noted who printed it for whom.

    Raises unknown_resident, unknown_consent, no_account.
    """
    if principal.account_id is None:
        raise DomainError("not_allowed")
    await queries.resident_card(connection, resident_id)
    async with as_the_platform(connection):
        if consent_id is None:
            account_id = await card_queries.account_of(connection, resident_id)
        elif (found := await card_queries.account_of_consent(connection, resident_id, consent_id)) is None:
            raise DomainError("unknown_consent")
        else:
            account_id = found.account_id
        lifetime_h = await limit(connection, "sign_in_card_valid_h", EVERYWHERE)
        card = await cards.print_card(connection, secret_key, account_id, principal.account_id, lifetime_h)
        await note(connection, principal, "print_card", "resident", resident_id, "family" if consent_id else "")
    return card
