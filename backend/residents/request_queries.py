"""All SQL of asking for consent: whom a request reaches, what was asked before, and what is answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import execute, many, maybe_one, one, value
from backend.residents.model import ConsentQuestion, ConsentRequest, Held, Purpose, RequestStatus


class Reached(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a request reaches, and under which name and number they know who asks."""

    resident_id: UUID
    name: str
    person: str
    phone: str


class Counted(Struct, frozen=True, forbid_unknown_fields=True):
    """How much somebody has asked for: what is open, and within the last 24 hours."""

    open: int
    a_day: int


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """A request that has just been kept, and until when it waits."""

    id: UUID
    expires_at: datetime


class Before(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody asked of the same person before: whether it waits, and what was refused not long ago."""

    waits: bool
    refused: list[Purpose]


class Standing(Struct, frozen=True, forbid_unknown_fields=True):
    """A request as it is answered."""

    id: UUID
    account_id: UUID
    resident_id: UUID
    person: str
    phone: str
    purposes: list[Purpose]
    given: list[Purpose]
    refused: list[Purpose]
    status: RequestStatus


class Concerned(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a request that has just changed concerns; without a resident it had reached nobody."""

    id: UUID
    status: RequestStatus
    account_id: UUID
    resident_id: UUID | None
    resident_account: UUID | None


_STATUS: Final[LiteralString] = (
    "CASE WHEN q.status = 'asked' AND q.expires_at <= yinling_now() THEN 'expired' ELSE q.status END AS status"
)
_CONCERNED: Final[LiteralString] = """ RETURNING id, status, account_id, resident_id,
    (SELECT r.account_id FROM residents r WHERE r.id = resident_id) AS resident_account"""


async def lock_asker(connection: Connection, account_id: UUID) -> None:
    """Let one request at a time count and add what somebody asks for."""
    await execute(connection, "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 5))", str(account_id))


async def counted(connection: Connection, account_id: UUID) -> Counted:
    """How much somebody has asked for, whomever it reached."""
    return await one(
        connection,
        Counted,
        """SELECT count(*) FILTER (WHERE status = 'asked' AND expires_at > yinling_now()) AS open,
                  count(*) FILTER (WHERE asked_at > yinling_now() - interval '1 day') AS a_day
           FROM consent_requests WHERE account_id = $1""",
        account_id,
    )


async def before(
    connection: Connection, account_id: UUID, named_id: UUID | None, phone: str | None, name: str, again_days: float
) -> list[Before]:
    """What somebody asked before of a person they named in the same way: they are told no more than they know."""
    return await many(
        connection,
        Before,
        """SELECT status = 'asked' AND expires_at > yinling_now() AS waits,
                  CASE WHEN answered_at > yinling_now() - make_interval(secs => 86400 * $5::float8)
                       THEN refused ELSE '{}' END AS refused
           FROM consent_requests
           WHERE account_id = $1 AND named_id IS NOT DISTINCT FROM $2 AND sought_phone IS NOT DISTINCT FROM $3
             AND (named_id IS NOT NULL OR sought = $4)""",
        account_id, named_id, phone, name, again_days,
    )  # fmt: skip


async def may_reach(
    connection: Connection, account_id: UUID, resident_id: UUID, purposes: Sequence[Purpose], again_days: float
) -> bool:
    """Tell whether a resident may be asked by somebody now: neither asked by them already, nor has refused them lately."""
    return await value(
        connection,
        """SELECT NOT EXISTS (SELECT FROM consent_requests WHERE resident_id = $2 AND account_id = $1 AND (status = 'asked'
               OR refused && $3 AND answered_at > yinling_now() - make_interval(secs => 86400 * $4::float8)))""",
        account_id, resident_id, [purpose.value for purpose in purposes], again_days,
    )  # fmt: skip


async def somebody_known(connection: Connection, account_id: UUID, resident_id: UUID) -> Reached | None:
    """A resident who has let somebody in for anything; None where they have not."""
    return await maybe_one(
        connection,
        Reached,
        """SELECT r.id AS resident_id, r.name, coalesce(nullif(c.person, ''), a.name) AS person, coalesce(c.phone,
                  (SELECT phone FROM account_numbers WHERE account_id = a.id ORDER BY phone LIMIT 1), '') AS phone
           FROM consents c JOIN residents r ON r.id = c.resident_id JOIN accounts a ON a.id = c.account_id
           WHERE c.resident_id = $2 AND c.account_id = $1 AND c.valid_to IS NULL AND r.account_id <> $1
           ORDER BY c.id DESC LIMIT 1""",
        account_id, resident_id,
    )  # fmt: skip


async def somebody_typed(connection: Connection, account_id: UUID, phone: str, name: str) -> Reached | None:
    """A resident of this name and number to whom somebody is not a stranger: let in for anything, or one to be rung.

    None where there is no such resident and where there is one who does not know them: to whoever asks it is the same.
    """
    return await maybe_one(
        connection,
        Reached,
        """SELECT r.id AS resident_id, r.name, known.person, known.phone
           FROM account_numbers n JOIN residents r ON r.account_id = n.account_id
           JOIN LATERAL (
               SELECT coalesce(nullif(c.person, ''), a.name) AS person, coalesce(c.phone,
                      (SELECT phone FROM account_numbers WHERE account_id = a.id ORDER BY phone LIMIT 1), '') AS phone, 0 AS rank
               FROM consents c JOIN accounts a ON a.id = c.account_id
               WHERE c.resident_id = r.id AND c.account_id = $1 AND c.valid_to IS NULL
               UNION ALL SELECT a.name, k.phone, 1 FROM resident_contacts k
                         JOIN account_numbers o ON o.account_id = $1 AND o.phone = k.phone JOIN accounts a ON a.id = $1
                         WHERE k.resident_id = r.id
               ORDER BY rank LIMIT 1) known ON true
           WHERE n.phone = $2 AND r.name = $3 AND r.account_id <> $1 ORDER BY r.id LIMIT 1""",
        account_id, phone, name,
    )  # fmt: skip


async def as_themselves(connection: Connection, account_id: UUID) -> Reached:
    """Under which name and number somebody asks whose request reaches nobody."""
    return await one(
        connection,
        Reached,
        """SELECT a.id AS resident_id, '' AS name, a.name AS person, coalesce(
               (SELECT phone FROM account_numbers WHERE account_id = a.id ORDER BY phone LIMIT 1), '') AS phone
           FROM accounts a WHERE a.id = $1""",
        account_id,
    )


async def is_signed_in(connection: Connection, resident_id: UUID) -> bool:
    """Tell whether a resident is signed in anywhere, and so sees what they are asked."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM sessions s WHERE s.account_id = (SELECT account_id FROM residents WHERE id = $1)
                          AND s.revoked_at IS NULL AND s.expires_at > now())""",
        resident_id,
    )


async def insert_request(
    connection: Connection,
    account_id: UUID,
    reached: Reached,
    *,
    resident_id: UUID | None,
    named_id: UUID | None,
    sought: tuple[str, str | None],
    purposes: Sequence[Purpose],
    by_desk: bool,
    valid_days: float,
) -> Kept:
    """Keep what somebody asks for."""
    return await one(
        connection,
        Kept,
        """INSERT INTO consent_requests (account_id, person, phone, resident_id, named_id, sought, sought_phone, purposes,
                                         by_desk, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, yinling_now() + make_interval(secs => 86400 * $10::float8))
           RETURNING id, expires_at""",
        account_id, reached.person, reached.phone, resident_id, named_id, *sought, [purpose.value for purpose in purposes],
        by_desk, valid_days,
    )  # fmt: skip


async def concerned(connection: Connection, request_id: UUID) -> Concerned:
    """Whom a request concerns."""
    return await one(
        connection,
        Concerned,
        """SELECT q.id, q.status, q.account_id, q.resident_id, r.account_id AS resident_account
           FROM consent_requests q LEFT JOIN residents r ON r.id = q.resident_id WHERE q.id = $1""",
        request_id,
    )


_ASKED: Final[LiteralString] = (
    "SELECT q.id, q.sought AS name, q.sought_phone AS phone, q.named_id AS resident_id, q.purposes, q.given, q.refused, "
    + _STATUS
    + ", q.asked_at, q.expires_at FROM consent_requests q "
)


async def request(connection: Connection, request_id: UUID) -> ConsentRequest:
    """One request, as whoever asked is told of it."""
    return await one(connection, ConsentRequest, _ASKED + "WHERE q.id = $1", request_id)


async def requests_of(connection: Connection, account_id: UUID, most: int) -> list[ConsentRequest]:
    """What somebody has asked for, the latest first."""
    return await many(
        connection,
        ConsentRequest,
        _ASKED + "WHERE q.account_id = $1 ORDER BY q.asked_at DESC, q.id DESC LIMIT $2",
        account_id, most,
    )  # fmt: skip


_QUESTION: Final[LiteralString] = (
    "SELECT q.id, q.resident_id, q.person, q.phone, q.purposes, q.given, q.refused, "
    + _STATUS
    + ", q.by_desk, q.asked_at, q.expires_at FROM consent_requests q "
)


async def question(connection: Connection, request_id: UUID) -> ConsentQuestion:
    """One request, as it is put to the resident."""
    return await one(connection, ConsentQuestion, _QUESTION + "WHERE q.id = $1", request_id)


async def questions_to(connection: Connection, resident_id: UUID) -> list[ConsentQuestion]:
    """What a resident is asked and has not answered, the first first."""
    return await many(
        connection,
        ConsentQuestion,
        _QUESTION
        + """WHERE q.resident_id = $1 AND q.status = 'asked' AND q.expires_at > yinling_now()
             ORDER BY q.asked_at, q.id""",
        resident_id,
    )


async def request_for_update(connection: Connection, resident_id: UUID, request_id: UUID) -> Standing:
    """A request to a resident, locked: of two answers the second sees the first. Raises DomainError unknown_request (404)."""
    found = await value(
        connection,
        "SELECT id FROM consent_requests WHERE id = $1 AND resident_id = $2 FOR NO KEY UPDATE",
        request_id, resident_id,
    )  # fmt: skip
    if found is None:
        raise DomainError("unknown_request")
    return await standing(connection, found)


async def request_for_purpose(
    connection: Connection, resident_id: UUID, account_id: UUID, purpose: Purpose
) -> Standing | None:
    """What somebody waits for of a resident, locked, where this purpose is among it and unanswered."""
    found = await value(
        connection,
        """SELECT id FROM consent_requests WHERE resident_id = $1 AND account_id = $2 AND status = 'asked'
           AND $3 = ANY (purposes) AND $3 <> ALL (given || refused) FOR NO KEY UPDATE""",
        resident_id, account_id, purpose.value,
    )  # fmt: skip
    return None if found is None else await standing(connection, found)


async def standing(connection: Connection, request_id: UUID) -> Standing:
    """A request as it is answered."""
    return await one(
        connection,
        Standing,
        "SELECT q.id, q.account_id, q.resident_id, q.person, q.phone, q.purposes, q.given, q.refused, "
        + _STATUS
        + " FROM consent_requests q WHERE q.id = $1",
        request_id,
    )


async def keep_answer(
    connection: Connection,
    request_id: UUID,
    answers: tuple[Sequence[Purpose], Sequence[Purpose]],
    status: RequestStatus,
    by: tuple[UUID | None, str, str],
) -> Concerned:
    """Add what was given and what was refused to a request that is locked, and who said so, how, with which evidence."""
    given, refused = answers
    return await one(
        connection,
        Concerned,
        """UPDATE consent_requests SET given = given || $2::text[], refused = refused || $3::text[], status = $4,
                  ended_at = CASE WHEN $4 <> 'asked' THEN yinling_now() END, answered_at = yinling_now(), answered_by = $5,
                  channel = $6, evidence = $7
           WHERE id = $1""" + _CONCERNED,
        request_id, [one.value for one in given], [one.value for one in refused], status.value, *by,
    )  # fmt: skip


async def withdraw_request(connection: Connection, account_id: UUID, request_id: UUID) -> Concerned | None:
    """Somebody does not ask any more; None where it was not theirs, or had ended."""
    return await maybe_one(
        connection,
        Concerned,
        """UPDATE consent_requests SET status = 'withdrawn', ended_at = yinling_now()
           WHERE id = $1 AND account_id = $2 AND status = 'asked'""" + _CONCERNED,
        request_id, account_id,
    )  # fmt: skip


async def asked_by(connection: Connection, account_id: UUID, request_id: UUID) -> bool:
    """Tell whether a request is somebody's own."""
    return await value(
        connection,
        "SELECT EXISTS (SELECT FROM consent_requests WHERE id = $1 AND account_id = $2)",
        request_id, account_id,
    )  # fmt: skip


async def expire_request(connection: Connection, request_id: UUID) -> Concerned | None:
    """Nobody has answered in time; None where it had ended."""
    return await maybe_one(
        connection,
        Concerned,
        """UPDATE consent_requests SET status = 'expired', ended_at = yinling_now()
           WHERE id = $1 AND status = 'asked'"""
        + _CONCERNED,
        request_id,
    )


async def desk_is_to_ask(connection: Connection, resident_id: UUID) -> bool:
    """Tell whether an operator still has to ask a resident something."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM consent_requests WHERE resident_id = $1 AND status = 'asked' AND by_desk
                          AND expires_at > yinling_now())""",
        resident_id,
    )


async def held(connection: Connection, account_id: UUID) -> list[Held]:
    """Everybody who has let somebody in, by name, and for what."""
    return await many(
        connection,
        Held,
        """SELECT r.id AS resident_id, r.name, array_agg(DISTINCT c.purpose) AS purposes
           FROM consents c JOIN residents r ON r.id = c.resident_id
           WHERE c.account_id = $1 AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())
             AND c.purpose IN ('status', 'location', 'reports', 'book') AND r.account_id <> $1
           GROUP BY r.id, r.name ORDER BY r.name, r.id""",
        account_id,
    )


async def forget_ended(connection: Connection, days: float, most: int) -> int:
    """Requests that ended long ago on care time, some at a time."""
    return await execute(
        connection,
        """DELETE FROM consent_requests WHERE id IN (
               SELECT id FROM consent_requests
               WHERE ended_at IS NOT NULL AND ended_at < yinling_now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY ended_at LIMIT $2)""",
        days, most,
    )  # fmt: skip
