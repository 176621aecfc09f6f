"""All SQL about printed sign-in cards. Everything here runs on machine time."""

from datetime import datetime
from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import execute, value


async def lock_holder(connection: Connection, account_id: UUID) -> bool:
    """Let one card at a time be printed for somebody; False where a code would not let them in either, or they are staff."""
    return (
        await value(
            connection,
            """SELECT true FROM accounts WHERE id = $1 AND active AND password_hash IS NULL AND role IN ('resident', 'family')
               FOR NO KEY UPDATE""",
            account_id,
        )
        is True
    )


async def revoke_cards(connection: Connection, account_id: UUID) -> None:
    """No card of an account that was printed until now lets anybody in."""
    await execute(
        connection,
        "UPDATE sign_in_cards SET revoked_at = now() WHERE account_id = $1 AND used_at IS NULL AND revoked_at IS NULL",
        account_id,
    )


async def insert_card(
    connection: Connection, account_id: UUID, token_hash: bytes, digits_hash: bytes, printed_by: UUID, lifetime_h: float
) -> datetime:
    """Remember a card by its hashes; returns until when it is good."""
    return await value(
        connection,
        """INSERT INTO sign_in_cards (account_id, token_hash, digits_hash, printed_by, expires_at)
           VALUES ($1, $2, $3, $4, now() + make_interval(secs => 3600 * $5::float8)) RETURNING expires_at""",
        account_id, token_hash, digits_hash, printed_by, lifetime_h,
    )  # fmt: skip


async def use_card(connection: Connection, proof_hash: bytes) -> UUID | None:
    """Take a card up, by what its picture holds or its digits; whose it is, None where it is none, used, old or revoked."""
    return await value(
        connection,
        """UPDATE sign_in_cards SET used_at = now()
           WHERE id IN (SELECT id FROM sign_in_cards WHERE token_hash = $1 UNION ALL SELECT id FROM sign_in_cards WHERE digits_hash = $1)
             AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
           RETURNING account_id""",
        proof_hash,
    )


async def role_of_holder(connection: Connection, account_id: UUID) -> str | None:
    """As what somebody comes in with their card: a resident or family; None where the account was closed since, or became staff's."""
    return await value(
        connection,
        "SELECT role FROM accounts WHERE id = $1 AND active AND password_hash IS NULL AND role IN ('resident', 'family')",
        account_id,
    )
