"""Signing in and out, and tickets for the live feed. Each opens its own short transactions as the system."""

import asyncio
from typing import Final
from uuid import UUID, uuid4

from backend.accounts import proofs, queries
from backend.accounts.model import (
    CodeProof,
    CodeSent,
    CodeWanted,
    Me,
    PasswordProof,
    Session,
    SignedIn,
    Staff,
    Ticket,
)
from backend.config import Settings
from backend.core.clock import machine_now
from backend.core.errors import DomainError
from backend.core.phone import e164
from backend.core.principal import SYSTEM, Role
from backend.database.pool import Connection, Database

_CODE_LIFETIME_S: Final = 300
_CODE_TRIES: Final = 5
_CODES_AN_HOUR, _CODES_A_DAY = 5, 10
_PASSWORD_FAILURES, _PASSWORD_LOCK_S = 10, 900
_DESK_SESSION_S, _PERSONAL_SESSION_S = 8 * 3600, 180 * 24 * 3600
_DESKS: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.PROVIDER})
_TOTP_REQUIRED: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR})
_TICKET_LIFETIME_S: Final = 30


async def send_code(database: Database, settings: Settings, wanted: CodeWanted) -> CodeSent:
    """Start a sign-in by telephone number; known and unknown numbers get the same answer.

    Raises invalid_phone, too_many_requests.
    """
    phone = e164(wanted.phone)
    challenge_id, code = uuid4(), proofs.new_code()
    async with database.unit_of_work(SYSTEM) as connection:
        if not settings.demo:
            await _within_limits(connection, phone)
        stored = proofs.code_hash(settings.secret_key, challenge_id, code)
        await queries.insert_code(connection, challenge_id, phone, stored, _CODE_LIFETIME_S)
    return CodeSent(challenge_id, _CODE_LIFETIME_S, code if settings.demo else None)


async def _within_limits(connection: Connection, phone: str) -> None:
    await queries.lock_phone(connection, phone)
    recent = await queries.recent_codes(connection, phone)
    if recent.last_minute:
        raise DomainError("too_many_requests", "A code was sent less than a minute ago.", retry_after_s=60)
    if recent.last_hour >= _CODES_AN_HOUR or recent.last_day >= _CODES_A_DAY:
        raise DomainError("too_many_requests", "This number has asked for too many codes.", retry_after_s=3600)


async def sign_in_by_code(database: Database, settings: Settings, proof: CodeProof) -> Session:
    """Turn a right code into a session. Raises sign_in_failed."""
    async with database.unit_of_work(SYSTEM) as connection:
        session = await _by_code(connection, settings, proof)
    if session is None:  # raised outside, so that the try stays counted
        raise DomainError("sign_in_failed")
    return session


async def _by_code(connection: Connection, settings: Settings, proof: CodeProof) -> Session | None:
    tried = await queries.try_code(connection, proof.challenge_id, _CODE_TRIES)
    if tried is None:
        return None
    if not proofs.same(tried.code_hash, proofs.code_hash(settings.secret_key, proof.challenge_id, proof.code)):
        return None
    await queries.use_code(connection, proof.challenge_id)
    holder = await queries.holder_by_phone(connection, tried.phone)
    return None if holder is None else await _open_session(connection, holder.id, holder.role)


async def sign_in_by_password(database: Database, proof: PasswordProof) -> Session:
    """Turn a right password and one-time password into a session. Raises sign_in_failed, too_many_requests."""
    async with database.unit_of_work(SYSTEM) as connection:
        staff = await queries.staff_by_login(connection, proof.login)
    stored = None if staff is None or staff.locked else staff.password_hash
    right = await asyncio.to_thread(proofs.password_fits, stored, proof.password)
    async with database.unit_of_work(SYSTEM) as connection:
        session = await _by_password(connection, staff, proof.totp, right=right)
    if session is None:
        raise DomainError("sign_in_failed")
    return session


async def _by_password(connection: Connection, staff: Staff | None, totp: str, *, right: bool) -> Session | None:
    if staff is None or staff.locked:
        return None
    if not right or not await _second_factor(connection, staff, totp):
        await queries.count_failure(connection, staff.id, _PASSWORD_FAILURES, _PASSWORD_LOCK_S)
        return None
    await queries.forget_failures(connection, staff.id)
    return await _open_session(connection, staff.id, staff.role)


async def _second_factor(connection: Connection, staff: Staff, totp: str) -> bool:
    if staff.totp_secret is None:
        return staff.role not in _TOTP_REQUIRED
    step = proofs.totp_step(staff.totp_secret, totp, machine_now().timestamp())
    return step is not None and await queries.use_totp_step(connection, staff.id, step)


async def _open_session(connection: Connection, account_id: UUID, role: Role) -> Session:
    token = proofs.new_token()
    lifetime_s = _DESK_SESSION_S if role in _DESKS else _PERSONAL_SESSION_S
    await queries.insert_session(connection, proofs.token_hash(token), account_id, lifetime_s)
    signed_in = await queries.signed_in(connection, proofs.token_hash(token))
    if signed_in is None:  # the account was closed in this very moment
        raise DomainError("sign_in_failed")
    return _with_token(signed_in.me, token)


def _with_token(me: Me, token: str) -> Session:
    return Session(
        token=token,
        role=me.role,
        account_id=me.account_id,
        resident_id=me.resident_id,
        worker_id=me.worker_id,
        provider_id=me.provider_id,
        expires_at=me.expires_at,
    )


async def who_is(database: Database, token: str) -> SignedIn | None:
    """Who a token belongs to, at this moment: a session revoked a moment ago is nobody's."""
    async with database.as_nobody() as connection:
        return await queries.signed_in(connection, proofs.token_hash(token))


async def sign_out(database: Database, session_id: UUID) -> None:
    """Revoke a session at once; its sockets are closed within seconds."""
    async with database.unit_of_work(SYSTEM) as connection:
        await queries.revoke_session(connection, session_id)


async def issue_ticket(database: Database, settings: Settings, session_id: UUID | None) -> Ticket:
    """A ticket for one websocket; without a session it opens the public board."""
    ticket = proofs.new_token()
    async with database.unit_of_work(SYSTEM) as connection:
        await queries.insert_ticket(connection, proofs.token_hash(ticket), session_id, _TICKET_LIFETIME_S)
    return Ticket(ticket, settings.gateway_url, _TICKET_LIFETIME_S)
