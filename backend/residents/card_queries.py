"""All SQL about for whom a sign-in card can be printed."""

from uuid import UUID

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import many, maybe_one, value
from backend.residents.model import CardHolder


class Bound(Struct, frozen=True, forbid_unknown_fields=True):
    """The account an open consent is bound to, where whoever it names has signed in."""

    account_id: UUID | None


async def account_of(connection: Connection, resident_id: UUID) -> UUID | None:
    """As whom a resident signs in; None where they never do."""
    return await value(connection, "SELECT account_id FROM residents WHERE id = $1", resident_id)


async def account_of_consent(connection: Connection, resident_id: UUID, consent_id: UUID) -> Bound | None:
    """As whom signs in whoever an open consent of a resident is for; None where there is no such consent."""
    return await maybe_one(
        connection,
        Bound,
        """SELECT account_id FROM consents
           WHERE id = $2 AND resident_id = $1 AND valid_from <= now() AND (valid_to IS NULL OR valid_to > now())""",
        resident_id, consent_id,
    )  # fmt: skip


async def holders(connection: Connection, resident_id: UUID) -> list[CardHolder]:
    """The resident, then family they let in who has an account, each once."""
    return await many(
        connection,
        CardHolder,
        """SELECT NULL::uuid AS consent_id, r.name FROM residents r JOIN accounts a ON a.id = r.account_id AND a.active
           WHERE r.id = $1
           UNION ALL (
               SELECT DISTINCT ON (c.account_id) c.id, c.person FROM consents c
               JOIN accounts a ON a.id = c.account_id AND a.active AND a.role IN ('resident', 'family')
               WHERE c.resident_id = $1 AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())
               ORDER BY c.account_id, c.id)""",
        resident_id,
    )
