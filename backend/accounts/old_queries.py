"""All SQL that throws away what nobody can use any more: some rows at a time, older than a number of days on machine time."""

from backend.database.pool import Connection
from backend.database.rows import execute


async def forget_tickets(connection: Connection, days: float, most: int) -> int:
    """Throw away tickets for websockets that ended unused."""
    return await execute(
        connection,
        """DELETE FROM live_tickets WHERE token_hash IN (
               SELECT token_hash FROM live_tickets WHERE expires_at < now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY expires_at LIMIT $2)""",
        days, most,
    )  # fmt: skip


async def forget_codes(connection: Connection, days: float, most: int) -> int:
    """Throw away sign-in codes, used or not."""
    return await execute(
        connection,
        """DELETE FROM sign_in_codes WHERE id IN (
               SELECT id FROM sign_in_codes WHERE created_at < now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY created_at LIMIT $2)""",
        days, most,
    )  # fmt: skip


async def forget_cards(connection: Connection, days: float, most: int) -> int:
    """Throw away printed sign-in cards, used or not."""
    return await execute(
        connection,
        """DELETE FROM sign_in_cards WHERE id IN (
               SELECT id FROM sign_in_cards WHERE printed_at < now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY printed_at LIMIT $2)""",
        days, most,
    )  # fmt: skip


async def forget_buckets(connection: Connection, _days: float, most: int) -> int:
    """Throw away limits that nobody is near: an empty bucket says nothing."""
    return await execute(
        connection,
        "DELETE FROM limits WHERE full_until < now() AND key IN (SELECT key FROM limits WHERE full_until < now() LIMIT $1)",
        most,
    )


async def forget_places(connection: Connection, days: float, most: int) -> int:
    """Forget where people signed in from long ago."""
    return await execute(
        connection,
        """DELETE FROM sign_in_places
           WHERE seen_at < now() - make_interval(secs => 86400 * $1::float8) AND key IN (
               SELECT key FROM sign_in_places WHERE seen_at < now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY seen_at LIMIT $2)""",
        days, most,
    )  # fmt: skip


async def forget_sessions(connection: Connection, days: float, most: int) -> int:
    """Throw away sessions that ended or were ended; tickets of theirs go first."""
    return await execute(
        connection,
        """DELETE FROM sessions s
           WHERE id IN ((SELECT id FROM sessions WHERE expires_at < now() - make_interval(secs => 86400 * $1::float8)
                         ORDER BY expires_at LIMIT $2)
                        UNION ALL
                        (SELECT id FROM sessions WHERE revoked_at < now() - make_interval(secs => 86400 * $1::float8)
                         ORDER BY revoked_at LIMIT $2))
             AND NOT EXISTS (SELECT FROM live_tickets t WHERE t.session_id = s.id)""",
        days, most,
    )  # fmt: skip


async def forget_answers(connection: Connection, days: float, most: int) -> int:
    """Forget what requests with an Idempotency-Key were answered."""
    return await execute(
        connection,
        """DELETE FROM idempotency_keys WHERE (account_id, route, key) IN (
               SELECT account_id, route, key FROM idempotency_keys
               WHERE created_at < now() - make_interval(secs => 86400 * $1::float8) ORDER BY created_at LIMIT $2)""",
        days, most,
    )  # fmt: skip
