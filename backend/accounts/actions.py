"""Sessions, and tickets for the live feed. Each action opens its own short transactions."""

import time
from typing import Final
from uuid import UUID

import structlog

from backend.accounts import proofs, queries
from backend.accounts.hashing import Hashing
from backend.accounts.limits import Limiter, Rule, Use, refused, whom
from backend.accounts.model import Me, OpenSession, Session, SignedIn, Ticket
from backend.accounts.sending import Sender
from backend.config import Settings
from backend.core.addresses import Address, Headers, client_address
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM, Principal, Role
from backend.database.pool import Connection, Database

_DESKS: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.PROVIDER})
_DESK_IDLE_S: Final = 4 * 3600
_SESSIONS_EACH: Final = 20  # of one account; one more ends the one used longest ago
_TICKET_LIFETIME_S: Final = 30
_TELL_AGAIN_S: Final = 3600.0
log = structlog.get_logger()
_TICKETS: Final = Rule("tickets of a session", room=60, every_s=1, longest_s=10)
_BOARD_TICKETS: Final = Rule("board tickets of an address", room=120, every_s=0.5, longest_s=10)


class SigningIn:
    """What sign-in works with in one web process."""

    def __init__(self, settings: Settings, database: Database, sender: Sender) -> None:
        self.settings = settings
        self.database = database
        self.sender = sender
        self.limiter = Limiter(database, settings.secret_key, settings.redis_url)
        self.hashing = Hashing()
        self._proxies = settings.proxies
        self._tell_again_at = 0.0

    def address(self, peer: str | None, headers: Headers) -> Address:
        """Where a request comes from, as limits count it.

        A proxy that is not listed makes all who come through it one; an operator is told so once in an hour.
        """
        found = client_address(peer, headers, self._proxies)
        forwarded = any(name == b"x-forwarded-for" for name, _ in headers)
        if forwarded and found.is_private and found == client_address(peer, (), ()):
            now = time.monotonic()
            if now >= self._tell_again_at:
                self._tell_again_at = now + _TELL_AGAIN_S
                log.warning("sign_in.proxy_not_listed", reason="set YINLING_TRUSTED_PROXIES to the proxy's network")
        return found

    async def close(self) -> None:
        """Let go of threads, Redis and what is being sent."""
        self.hashing.close()
        await self.sender.close()
        await self.limiter.close()


async def open_session(
    connection: Connection, settings: Settings, account_id: UUID, role: Role, device: str | None
) -> Session:
    """A session for somebody who has just been proven; staff's ends by itself, others' with the last use of it."""
    token = proofs.new_token()
    idle_s = _DESK_IDLE_S if role in _DESKS else None
    await queries.insert_session(
        connection, proofs.token_hash(token), account_id, _lifetime_s(settings, role), idle_s, device
    )
    await queries.end_oldest_sessions(connection, account_id, _SESSIONS_EACH)
    signed_in = await queries.signed_in(connection, proofs.token_hash(token))
    if signed_in is None:  # the account was closed in this very moment
        raise DomainError("sign_in_failed")
    return _with_token(signed_in.me, token)


def _lifetime_s(settings: Settings, role: Role) -> float:
    if role in _DESKS:
        return settings.session_hours_staff * 3600
    return (settings.session_days_workers if role is Role.WORKER else settings.session_days) * 24 * 3600


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
    """Who a token belongs to, at this moment: a session revoked a moment ago is nobody's.

    The first use in an hour is written down, and extends a session that slides.
    """
    signed_in = await database.ask_as_nobody(lambda nobody: queries.signed_in(nobody, proofs.token_hash(token)))
    if signed_in is not None and signed_in.unseen:
        async with database.unit_of_work(SYSTEM) as connection:
            await queries.see_session(connection, signed_in.session_id)
    return signed_in


async def sessions(database: Database, principal: Principal) -> list[OpenSession]:
    """Where somebody is signed in. Raises not_signed_in."""
    account_id, session_id = _own(principal)
    async with database.unit_of_work(principal) as connection:
        return await queries.sessions_of(connection, account_id, session_id)


async def end_session(database: Database, principal: Principal, session_id: UUID) -> None:
    """End one of one's own sessions; its sockets close within seconds. Raises unknown_session."""
    account_id, _ = _own(principal)
    async with database.unit_of_work(SYSTEM) as connection:
        ended = await queries.end_session(connection, account_id, session_id)
    if not ended:
        raise DomainError("unknown_session")


async def end_other_sessions(database: Database, principal: Principal) -> None:
    """Sign out everywhere but here: after a phone is lost, say."""
    account_id, session_id = _own(principal)
    async with database.unit_of_work(SYSTEM) as connection:
        await queries.end_other_sessions(connection, account_id, session_id)


def _own(principal: Principal) -> tuple[UUID, UUID]:
    if principal.account_id is None or principal.session_id is None:
        raise DomainError("not_signed_in")
    return principal.account_id, principal.session_id


async def ticket(signing: SigningIn, session_id: UUID) -> Ticket:
    """A ticket for one websocket of a session. Raises too_many_requests."""
    await _pace(signing, signing.limiter.use(_TICKETS, session_id.bytes))
    return await issue_ticket(signing.database, signing.settings, session_id)


async def board_ticket(signing: SigningIn, address: Address) -> Ticket:
    """A ticket for the public board. Raises too_many_requests."""
    await _pace(signing, signing.limiter.use(_BOARD_TICKETS, whom(address)))
    return await issue_ticket(signing.database, signing.settings, None)


async def _pace(signing: SigningIn, use: Use) -> None:
    wait_s = await signing.limiter.take(use)
    if wait_s:
        raise refused(wait_s, "Too many tickets were asked for.")


async def issue_ticket(database: Database, settings: Settings, session_id: UUID | None) -> Ticket:
    """A ticket for one websocket; without a session it opens the public board."""
    made = proofs.new_token()
    async with database.unit_of_work(SYSTEM) as connection:
        await queries.insert_ticket(connection, proofs.token_hash(made), session_id, _TICKET_LIFETIME_S)
    return Ticket(made, settings.gateway_url, _TICKET_LIFETIME_S)
