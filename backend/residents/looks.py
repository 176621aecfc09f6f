"""Who looked: what family is shown by virtue of a consent is noted, and the resident reads it.

Noted is a look, not a reader's business: whoever sees it on duty (desk, provider, crew) is not family, and has rules of
their own. Whoever may see everybody's never looks by virtue of a consent.
"""

from collections.abc import Iterable
from uuid import UUID

from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.residents import look_queries, queries
from backend.residents.actions import own
from backend.residents.model import Look, Purpose


async def seen(connection: Connection, principal: Principal, resident_ids: Iterable[UUID], purpose: Purpose) -> None:
    """Note that family was shown something of these residents; for everybody else, and of themselves, nothing is noted."""
    looked_at = sorted({one for one in resident_ids if principal.is_family_of(one)})
    if looked_at and principal.account_id is not None:
        async with as_the_platform(connection):
            await look_queries.note_looks(connection, principal.account_id, looked_at, purpose)


async def looks(connection: Connection, principal: Principal, resident_id: UUID, most: int) -> list[Look]:
    """List who looked at what of a resident, the latest first. Raises unknown_resident (404)."""
    own(principal, resident_id)
    await queries.resident_card(connection, resident_id)
    return await look_queries.looks_at(connection, resident_id, most)  # as the reader: each row says who may
