"""All SQL about telephone numbers: who is behind one, and whose it becomes."""

from typing import Final, LiteralString
from uuid import UUID

from backend.accounts.model import Someone
from backend.database.pool import Connection
from backend.database.rows import execute, many, value

_CODE_IS_ENOUGH: Final[LiteralString] = """a.active AND a.password_hash IS NULL
    AND a.role IN ('resident', 'family', 'worker')
    AND NOT EXISTS (SELECT FROM workers w WHERE w.account_id = a.id AND NOT w.active)"""


async def lock_number(connection: Connection, phone: str) -> None:
    """Let one sign-in at a time make accounts for a number."""
    await execute(connection, "SELECT pg_advisory_xact_lock(hashtextextended($1, 3))", phone)


async def behind(connection: Connection, phone: str) -> list[Someone]:
    """Whoever may sign in with this number by a code alone: never one with a password, never a desk.

    After those with an account come the people a resident has named for this number; their `id` is that of a consent.
    Family nobody lets in any more is not named to others who have the number: it may be a stranger's by now.
    """
    return await many(
        connection,
        Someone,
        """SELECT a.id, a.name, a.role, true AS has_account
           FROM account_numbers n JOIN accounts a ON a.id = n.account_id WHERE n.phone = $1 AND """
        + _CODE_IS_ENOUGH
        + """
             AND (a.role <> 'family' OR EXISTS (
                      SELECT FROM consents c WHERE c.account_id = a.id AND c.valid_to IS NULL
                      UNION ALL SELECT FROM consents c
                      WHERE c.phone = $1 AND c.account_id IS NULL AND c.person = a.name AND c.valid_to IS NULL)
                  OR NOT EXISTS (SELECT FROM account_numbers o WHERE o.phone = $1 AND o.account_id <> a.id
                                 UNION ALL SELECT FROM consents c
                                 WHERE c.phone = $1 AND c.account_id IS NULL AND c.valid_to IS NULL))
           UNION ALL (
               SELECT DISTINCT ON (c.person) c.id, c.person, 'family', false FROM consents c
               WHERE c.phone = $1 AND c.account_id IS NULL AND c.valid_to IS NULL AND NOT EXISTS (
                   SELECT FROM account_numbers n JOIN accounts a ON a.id = n.account_id
                   WHERE n.phone = c.phone AND a.name = c.person AND a.role IN ('resident', 'family'))
               ORDER BY c.person, c.valid_from, c.id)
           ORDER BY has_account DESC, role DESC, name, id""",
        phone,
    )


async def insert_family(connection: Connection, name: str, phone: str) -> UUID:
    """An account for somebody a resident has let know or book."""
    return await value(
        connection,
        """WITH made AS (INSERT INTO accounts (role, name) VALUES ('family', $1) RETURNING id),
                number AS (INSERT INTO account_numbers (account_id, phone) SELECT id, $2 FROM made)
           SELECT id FROM made""",
        name, phone,
    )  # fmt: skip


async def account_for_resident(connection: Connection, name: str, phone: str) -> UUID:
    """The account of a resident who is being registered; whoever followed somebody under this name and number keeps theirs."""
    return await value(connection, "SELECT account_for_resident($1, $2)", name, phone)


async def take_up_consents(connection: Connection, phone: str, account_id: UUID) -> None:
    """Bind the consents given to a number to whom they name, who has just proven the number."""
    await execute(connection, "SELECT take_up_consents($1, $2)", phone, account_id)


async def add_numbers(connection: Connection, account_id: UUID, phones: list[str]) -> None:
    """Let somebody sign in with these numbers as well."""
    await execute(
        connection,
        "INSERT INTO account_numbers (account_id, phone) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING",
        account_id, phones,
    )  # fmt: skip


async def keep_numbers(connection: Connection, account_id: UUID, phones: list[str]) -> int:
    """Let nobody sign in as this person with any other number; returns how many were taken away."""
    return await execute(
        connection, "DELETE FROM account_numbers WHERE account_id = $1 AND phone <> ALL ($2)", account_id, phones
    )
