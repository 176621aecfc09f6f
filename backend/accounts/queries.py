"""All SQL about accounts, sessions, codes, tickets and idempotency keys. Everything here runs on machine time."""

from uuid import UUID

from backend.accounts.model import Admitted, Kept, OpenCode, OpenSession, SignedIn, Someone, Staff
from backend.database.pool import Connection
from backend.database.rows import execute, many, maybe_one, value, values


async def count_uses(
    connection: Connection, keys: list[bytes], uses: list[int], every_s: list[float], room_s: list[float],
    cap_s: list[float], *, together: bool,
) -> list[float]:  # fmt: skip
    """Count what is limited, in one statement as nobody; the seconds each limit makes the caller wait."""
    return await value(
        connection, "SELECT count_uses($1, $2, $3, $4, $5, $6)", keys, uses, every_s, room_s, cap_s, together
    )


async def known_place(connection: Connection, place: bytes) -> bool:
    """Whether somebody has signed in from this place before."""
    return await value(connection, "SELECT EXISTS (SELECT FROM sign_in_places WHERE key = $1)", place)


async def remember_place(connection: Connection, place: bytes) -> None:
    """Somebody has signed in from this place; written once a day at most."""
    await execute(
        connection,
        """INSERT INTO sign_in_places (key) VALUES ($1) ON CONFLICT (key) DO UPDATE SET seen_at = now()
           WHERE sign_in_places.seen_at < now() - interval '1 day'""",
        place,
    )


async def insert_code(
    connection: Connection, challenge_id: UUID, phone: str, code_hash: bytes, asked_from: bytes, lifetime_s: int
) -> None:
    """Remember a code by its hash, and which address asked for it by its key."""
    await execute(
        connection,
        """INSERT INTO sign_in_codes (id, phone, code_hash, asked_from, expires_at)
           VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))""",
        challenge_id, phone, code_hash, asked_from, lifetime_s,
    )  # fmt: skip


async def try_code(
    connection: Connection, challenge_id: UUID, tries: int, only_from: bytes | None = None
) -> OpenCode | None:
    """Count one try and lock the code; None when it is used, expired, unknown or tried too often.

    With `only_from`, a code that was asked for from elsewhere is not looked at either.
    """
    return await maybe_one(
        connection,
        OpenCode,
        """UPDATE sign_in_codes SET tries = tries + 1
           WHERE id = $1 AND used_at IS NULL AND expires_at > now() AND tries < $2
             AND ($3::bytea IS NULL OR asked_from = $3)
           RETURNING phone, code_hash""",
        challenge_id, tries, only_from,
    )  # fmt: skip


async def use_code(connection: Connection, challenge_id: UUID) -> None:
    """A code works once."""
    await execute(connection, "UPDATE sign_in_codes SET used_at = now() WHERE id = $1", challenge_id)


async def staff_by_login(connection: Connection, login: str, place: bytes) -> Staff | None:
    """The account that signs in by password under this login, and whether it has done so from this place."""
    return await maybe_one(
        connection,
        Staff,
        """SELECT id, role, password_hash, totp_secret, totp_last_step,
                  EXISTS (SELECT FROM sign_in_places WHERE key = $2) AS known_place
           FROM accounts WHERE login = $1 AND active AND password_hash IS NOT NULL""",
        login, place,
    )  # fmt: skip


async def is_unchanged(connection: Connection, staff: Staff) -> bool:
    """Whether the account is still what its password was compared with; it stays so until the transaction ends."""
    return (
        await value(
            connection,
            """SELECT true FROM accounts
               WHERE id = $1 AND active AND role = $2 AND password_hash = $3 AND totp_secret = $4 FOR NO KEY UPDATE""",
            staff.id, staff.role.value, staff.password_hash, staff.totp_secret,
        )
        is True
    )  # fmt: skip


async def exists(connection: Connection, account_id: UUID) -> bool:
    """Whether somebody has this account."""
    return await value(connection, "SELECT EXISTS (SELECT FROM accounts WHERE id = $1)", account_id)


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


async def insert_session(
    connection: Connection,
    token_hash: bytes,
    account_id: UUID,
    lifetime_s: float,
    idle_s: int | None,
    device: str | None,
) -> None:
    """Open a session: with `idle_s` it ends when its time is over or it lies unused, without it each use extends it."""
    await execute(
        connection,
        """INSERT INTO sessions (token_hash, account_id, expires_at, slides_s, idle_s, device)
           VALUES ($1, $2, now() + make_interval(secs => $3),
                   CASE WHEN $4::integer IS NULL THEN $3::double precision END, $4, $5)""",
        token_hash, account_id, lifetime_s, idle_s, device,
    )  # fmt: skip


async def end_oldest_sessions(connection: Connection, account_id: UUID, kept: int) -> None:
    """Keep the sessions of an account that were used last, and end the others."""
    await execute(
        connection,
        """UPDATE sessions SET revoked_at = now() WHERE id IN (
               SELECT id FROM sessions WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > now()
               ORDER BY last_seen_at DESC, id DESC OFFSET $2)""",
        account_id, kept,
    )  # fmt: skip


async def see_session(connection: Connection, session_id: UUID) -> None:
    """Note that a session is in use and extend one that slides; once an hour, however many requests come at once."""
    await execute(
        connection,
        """UPDATE sessions SET last_seen_at = now(),
                  expires_at = coalesce(now() + make_interval(secs => slides_s), expires_at)
           WHERE id = $1 AND revoked_at IS NULL AND last_seen_at < now() - interval '1 hour'""",
        session_id,
    )


async def sessions_of(connection: Connection, account_id: UUID, current: UUID) -> list[OpenSession]:
    """The open sessions of an account, the one used last first."""
    return await many(
        connection,
        OpenSession,
        """SELECT id, id = $2 AS current, device, created_at, date_trunc('hour', last_seen_at) AS last_seen_at, expires_at
           FROM sessions
           WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > now()
             AND (idle_s IS NULL OR last_seen_at > now() - make_interval(secs => idle_s))
           ORDER BY sessions.last_seen_at DESC, id DESC""",
        account_id, current,
    )  # fmt: skip


async def end_session(connection: Connection, account_id: UUID, session_id: UUID) -> bool:
    """End one session of an account; False when it has no such open session."""
    return (
        await execute(
            connection,
            """UPDATE sessions SET revoked_at = now()
               WHERE id = $2 AND account_id = $1 AND revoked_at IS NULL AND expires_at > now()""",
            account_id, session_id,
        )
        == 1
    )  # fmt: skip


async def end_other_sessions(connection: Connection, account_id: UUID, kept: UUID | None) -> None:
    """End every session of an account but the one that is kept, if any, and its printed card."""
    await execute(
        connection,
        """WITH cards AS (UPDATE sign_in_cards SET revoked_at = now()
                          WHERE account_id = $1 AND used_at IS NULL AND revoked_at IS NULL)
           UPDATE sessions SET revoked_at = now() WHERE account_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL""",
        account_id, kept,
    )  # fmt: skip


async def signed_in(connection: Connection, token_hash: bytes) -> SignedIn | None:
    """The session behind a token: one indexed statement, asked as nobody, on every request."""
    return await maybe_one(
        connection,
        SignedIn,
        """SELECT session_id, expires_at, account_id, role, provider_id, worker_id, resident_id, booked_for, followed,
                  unseen
           FROM session_by_token($1)""",
        token_hash,
    )


async def still_signed_in(connection: Connection, session_ids: list[UUID]) -> list[SignedIn]:
    """Those of the sessions that still stand, with what their holders may follow now."""
    return await many(
        connection,
        SignedIn,
        """SELECT session_id, expires_at, account_id, role, provider_id, worker_id, resident_id, booked_for, followed,
                  unseen
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


async def one_of_each_role(connection: Connection) -> list[Someone]:
    """List one account of each role: the people of the demo's story, a resident with family who may book for them first."""
    return await many(
        connection,
        Someone,
        """WITH mother AS (
               SELECT r.account_id, c.account_id AS family_id FROM residents r JOIN consents c ON c.resident_id = r.id
               WHERE c.purpose = 'book' AND c.valid_to IS NULL AND c.account_id IS NOT NULL AND r.account_id IS NOT NULL
               ORDER BY r.phone LIMIT 1)
           SELECT a.id, a.name, a.role, true AS has_account FROM mother m
           JOIN accounts a ON a.id IN (m.account_id, m.family_id) WHERE a.active
           UNION ALL
           SELECT DISTINCT ON (role) id, name, role, true FROM accounts
           WHERE active AND role IN ('operator', 'provider', 'worker', 'supervisor') ORDER BY 3, 2, 1""",
    )
