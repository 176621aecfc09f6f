"""Accounts and sessions as rows, and what signing in asks and answers."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from backend.core.principal import Principal, Role


class Recent(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a number has asked for a code lately."""

    last_minute: int
    last_hour: int
    last_day: int


class OpenCode(Struct, frozen=True, forbid_unknown_fields=True):
    """A code that may still be entered."""

    phone: str
    code_hash: bytes


class Holder(Struct, frozen=True, forbid_unknown_fields=True):
    """An account that signs in by code."""

    id: UUID
    role: Role


class Staff(Struct, frozen=True, forbid_unknown_fields=True):
    """An account that signs in by password and one-time password."""

    id: UUID
    role: Role
    password_hash: str
    totp_secret: str | None
    locked: bool


class Admitted(Struct, frozen=True, forbid_unknown_fields=True):
    """A ticket that was used up; without a session it opens the public board."""

    session_id: UUID | None


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer a key was given before."""

    request_hash: bytes
    status: int
    body: bytes


class Me(Struct, frozen=True, kw_only=True):
    """Who is signed in."""

    role: Role
    account_id: UUID
    resident_id: UUID | None
    worker_id: UUID | None
    provider_id: UUID | None
    expires_at: datetime


class SignedIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A standing session with everything its holder may book for and follow."""

    session_id: UUID
    expires_at: datetime
    account_id: UUID
    role: Role
    provider_id: UUID | None
    worker_id: UUID | None
    resident_id: UUID | None
    booked_for: list[UUID]
    followed: list[UUID]

    @property
    def principal(self) -> Principal:
        """The identity this session runs as: for whom its holder may book, and whom they may only follow."""
        own = [self.resident_id] if self.resident_id else []
        only_followed = tuple(resident_id for resident_id in self.followed if resident_id not in self.booked_for)
        return Principal(
            self.role,
            self.account_id,
            self.session_id,
            self.provider_id,
            self.worker_id,
            (*own, *self.booked_for, *only_followed),
            only_followed,
        )

    @property
    def me(self) -> Me:
        """What the holder is told of it."""
        return Me(
            role=self.role,
            account_id=self.account_id,
            resident_id=self.resident_id,
            worker_id=self.worker_id,
            provider_id=self.provider_id,
            expires_at=self.expires_at,
        )


class CodeWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The number a code is wanted for."""

    phone: str


class CodeSent(Struct, frozen=True):
    """A code is on its way; only the demo shows it."""

    challenge_id: UUID
    expires_in_s: int
    demo_code: str | None = None


class CodeProof(Struct, frozen=True, forbid_unknown_fields=True):
    """The code that came."""

    challenge_id: UUID
    code: str


class PasswordProof(Struct, frozen=True, forbid_unknown_fields=True):
    """Staff sign-in."""

    login: str
    password: str
    totp: str


class Session(Struct, frozen=True, kw_only=True):
    """A new session; its token is shown once and stored only as a hash."""

    token: str
    role: Role
    account_id: UUID
    resident_id: UUID | None
    worker_id: UUID | None
    provider_id: UUID | None
    expires_at: datetime


class Ticket(Struct, frozen=True):
    """A single-use ticket for one websocket at `url`."""

    ticket: str
    url: str
    expires_in_s: int
