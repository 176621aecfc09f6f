"""All SQL about accounts, sessions, codes, tickets and idempotency keys. Everything here runs on machine time."""

from uuid import UUID

from backend.accounts.model import Admitted, Holder, Kept, OpenCode, Recent, SignedIn, Staff
from backend.database.pool import Connection
from backend.database.rows import execute, many, maybe_one, one, value, values


async def lock_phone(connection: Connection, phone: str) -> None:
    """Let one request at a time count and add codes of this number."""
    await execute(connection, "SELECT pg_advisory_xact_lock(hashtextextended('sign-in ' || $1, 0))", phone)


async def recent_codes(connection: Connection, phone: str) -> Recent:
    """How often this number has asked for a code."""
    return await one(
        connection,
        Recent,
        """SELECT count(*) FILTER (WHERE created_at > now() - interval '60 seconds') AS last_minute,
                  count(*) FILTER (WHERE created_at > now() - interval '1 hour') AS last_hour,
                  count(*) AS last_day
           FROM sign_in_codes WHERE phone = $1 AND created_at > now() - interval '1 day'""",
        phone,
    )


async def insert_code(
    connection: Connection, challenge_id: UUID, phone: str, code_hash: bytes, lifetime_s: int
) -> None:
    """Remember a code by its hash."""
    await execute(
        connection,
        """INSERT INTO sign_in_codes (id, phone, code_hash, expires_at)
           VALUES ($1, $2, $3, now() + make_interval(secs => $4))""",
        challenge_id,
        phone,
        code_hash,
        lifetime_s,
    )


async def try_code(connection: Connection, challenge_id: UUID, tries: int) -> OpenCode | None:
    """Count one try and lock the code; None when it is used, expired, unknown or tried too often."""
    return await maybe_one(
        connection,
        OpenCode,
        """UPDATE sign_in_codes SET tries = tries + 1
           WHERE id = $1 AND used_at IS NULL AND expires_at > now() AND tries < $2
           RETURNING phone, code_hash""",
        challenge_id,
        tries,
    )


async def use_code(connection: Connection, challenge_id: UUID) -> None:
    """A code works once."""
    await execute(connection, "UPDATE sign_in_codes SET used_at = now() WHERE id = $1", challenge_id)


async def holder_by_phone(connection: Connection, phone: str) -> Holder | None:
    """The account that may sign in by a code alone: never one with a password, never the city's own desks."""
    return await maybe_one(
        connection,
        Holder,
        """SELECT id, role FROM accounts
           WHERE phone = $1 AND active AND password_hash IS NULL AND role NOT IN ('operator', 'supervisor')""",
        phone,
    )


async def staff_by_login(connection: Connection, login: str) -> Staff | None:
    """The account that signs in by password under this login."""
    return await maybe_one(
        connection,
        Staff,
        """SELECT id, role, password_hash, totp_secret, coalesce(locked_until > now(), false) AS locked
           FROM accounts WHERE login = $1 AND active AND password_hash IS NOT NULL""",
        login,
    )


async def count_failure(connection: Connection, account_id: UUID, limit: int, locked_s: int) -> None:
    """One more wrong password; at the limit the account is locked for a while and the count starts anew."""
    await execute(
        connection,
        """UPDATE accounts SET
               failed_sign_ins = CASE WHEN failed_sign_ins + 1 >= $2 THEN 0 ELSE failed_sign_ins + 1 END,
               locked_until = CASE WHEN failed_sign_ins + 1 >= $2 THEN now() + make_interval(secs => $3)
                                   ELSE locked_until END
           WHERE id = $1""",
        account_id,
        limit,
        locked_s,
    )


async def exists(connection: Connection, account_id: UUID) -> bool:
    """Whether somebody has this account."""
    return await value(connection, "SELECT EXISTS (SELECT FROM accounts WHERE id = $1)", account_id)


async def insert_person(connection: Connection, role: str, name: str, phone: str) -> UUID:
    """An account that signs in by telephone; a second one with the number breaks accounts_phone_once."""
    return await value(
        connection, "INSERT INTO accounts (role, name, phone) VALUES ($1, $2, $3) RETURNING id", role, name, phone
    )


async def family_account(connection: Connection, phone: str, name: str) -> UUID | None:
    """The family member with this number, made when there is none; None when the number is somebody else's."""
    return await value(
        connection,
        """WITH made AS (INSERT INTO accounts (role, name, phone) VALUES ('family', $2, $1)
                         ON CONFLICT ON CONSTRAINT accounts_phone_once DO NOTHING RETURNING id)
           SELECT id FROM made UNION ALL SELECT id FROM accounts WHERE phone = $1 AND role = 'family' LIMIT 1""",
        phone, name,
    )  # fmt: skip


async def use_totp_step(connection: Connection, account_id: UUID, step: int) -> bool:
    """Take a one-time password; False when this one or a later one was used before."""
    return (
        await execute(
            connection,
            "UPDATE accounts SET totp_last_step = $2 WHERE id = $1 AND totp_last_step < $2",
            account_id,
            step,
        )
        == 1
    )


async def forget_failures(connection: Connection, account_id: UUID) -> None:
    """A right password clears what went wrong before."""
    await execute(
        connection, "UPDATE accounts SET failed_sign_ins = 0 WHERE id = $1 AND failed_sign_ins > 0", account_id
    )


async def insert_session(connection: Connection, token_hash: bytes, account_id: UUID, lifetime_s: int) -> None:
    """Open a session."""
    await execute(
        connection,
        """INSERT INTO sessions (token_hash, account_id, expires_at)
           VALUES ($1, $2, now() + make_interval(secs => $3))""",
        token_hash,
        account_id,
        lifetime_s,
    )


async def revoke_session(connection: Connection, session_id: UUID) -> None:
    """Close a session; the next request with its token is refused."""
    await execute(connection, "UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", session_id)


async def signed_in(connection: Connection, token_hash: bytes) -> SignedIn | None:
    """The session behind a token: one indexed statement, asked as nobody, on every request."""
    return await maybe_one(
        connection,
        SignedIn,
        """SELECT session_id, expires_at, account_id, role, provider_id, worker_id, resident_id, booked_for, followed
           FROM session_by_token($1)""",
        token_hash,
    )


async def still_signed_in(connection: Connection, session_ids: list[UUID]) -> list[SignedIn]:
    """Those of the sessions that still stand, with what their holders may follow now."""
    return await many(
        connection,
        SignedIn,
        """SELECT session_id, expires_at, account_id, role, provider_id, worker_id, resident_id, booked_for, followed
           FROM signed_in WHERE session_id = ANY ($1)""",
        session_ids,
    )


async def zone_ids(connection: Connection) -> list[UUID]:
    """Every zone of the city, for the boards of its own staff."""
    return await values(connection, "SELECT id FROM zones")


async def insert_ticket(connection: Connection, token_hash: bytes, session_id: UUID | None, lifetime_s: int) -> None:
    """Issue a ticket for one websocket."""
    await execute(
        connection,
        """INSERT INTO live_tickets (token_hash, session_id, expires_at)
           VALUES ($1, $2, now() + make_interval(secs => $3))""",
        token_hash,
        session_id,
        lifetime_s,
    )


async def take_ticket(connection: Connection, token_hash: bytes) -> Admitted | None:
    """Use a ticket up; of two sockets with the same one, one gets in."""
    return await maybe_one(
        connection,
        Admitted,
        "DELETE FROM live_tickets WHERE token_hash = $1 AND expires_at > now() RETURNING session_id",
        token_hash,
    )


async def try_lock_key(connection: Connection, account_id: UUID, route: str, key: str) -> bool:
    """Hold an Idempotency-Key until the transaction ends; False while another request holds it."""
    return await value(
        connection,
        "SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(10), $1::uuid, $2::text, $3::text), 1))",
        account_id,
        route,
        key,
    )


async def kept_answer(connection: Connection, account_id: UUID, route: str, key: str) -> Kept | None:
    """What the first request under this key was answered."""
    return await maybe_one(
        connection,
        Kept,
        "SELECT request_hash, status, body FROM idempotency_keys WHERE account_id = $1 AND route = $2 AND key = $3",
        account_id,
        route,
        key,
    )


async def keep_answer(
    connection: Connection, account_id: UUID, route: str, key: str, request_hash: bytes, status: int, body: bytes
) -> None:
    """Store an answer beside the change it tells of."""
    await execute(
        connection,
        """INSERT INTO idempotency_keys (account_id, route, key, request_hash, status, body)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        account_id,
        route,
        key,
        request_hash,
        status,
        body,
    )


async def tidy(connection: Connection) -> None:
    """Throw away tickets and codes that nobody can use any more, and answers kept longer than 48 hours."""
    await execute(
        connection,
        """WITH tickets AS (DELETE FROM live_tickets WHERE expires_at < now()),
                codes AS (DELETE FROM sign_in_codes WHERE created_at < now() - interval '2 days')
           DELETE FROM idempotency_keys WHERE created_at < now() - interval '48 hours'""",
    )
