"""Accounts and sessions as rows, and what sign-in asks and answers."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, Struct

from backend.core.bounds import Asked, PhoneText, Secret, Wording, wording
from backend.core.principal import Principal, Role

Device = Annotated[str, Meta(min_length=1, max_length=60, extra=wording(Wording.SAID))]
_TYPED: Final = wording(Wording.MATCHED)


class CodeWanted(Asked, frozen=True):
    """A person wants to sign in with this telephone number."""

    phone: PhoneText


class CodeSent(Struct, frozen=True, omit_defaults=True):
    """A code is on its way to the number, if anybody is registered under it; the demo shows it instead."""

    challenge_id: UUID
    expires_in_s: int
    demo_code: str | None = None


class CodeProof(Asked, frozen=True):
    """The code as typed in."""

    challenge_id: UUID
    code: Annotated[str, Meta(min_length=1, max_length=12, extra=_TYPED)]
    device: Device | None = None  # how its owner will recognise this session
    who: UUID | None = None  # one of those behind the number, where there are several


class Candidate(Struct, frozen=True):
    """Somebody the owner of a number may be; `id` goes into `who`."""

    id: UUID
    name: str
    role: Role


class WhoAreYou(Struct, frozen=True):
    """Several people have this number: the code is right and stays good, and is sent again with one of these."""

    who: list[Candidate]


class CardProof(Asked, frozen=True):
    """What a printed card proves: what its picture holds, or the digits below it."""

    card: Annotated[str, Meta(min_length=1, max_length=60, extra=_TYPED)]
    device: Device | None = None


class SignInCard(Struct, frozen=True):
    """A card to be printed: what its picture holds (`/card/` and this), the same in digits, and until when it is good."""

    card: str
    digits: str
    expires_at: datetime


class PasswordProof(Asked, frozen=True):
    """What staff sign in with: a password and the one-time password of their device."""

    login: Secret
    password: Secret
    totp: Annotated[str, Meta(max_length=12, extra=_TYPED)] = ""
    device: Device | None = None


class Me(Struct, frozen=True, kw_only=True):
    """Who is signed in, and until when."""

    role: Role
    account_id: UUID
    resident_id: UUID | None
    worker_id: UUID | None
    provider_id: UUID | None
    expires_at: datetime


class Session(Me, frozen=True, kw_only=True):
    """The same with the token that proves it; the token is shown once and never stored."""

    token: str


class OpenSession(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the sessions somebody has open, as its owner reads it; where it came from is not kept."""

    id: UUID
    current: bool
    device: str | None
    created_at: datetime
    last_seen_at: datetime  # to the hour
    expires_at: datetime


class Ticket(Struct, frozen=True):
    """A word that opens one websocket, once, within seconds."""

    ticket: str
    url: str
    expires_in_s: int


class SignedIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A live session as it is stored, with everything its holder's rows are scoped by."""

    session_id: UUID
    expires_at: datetime
    account_id: UUID
    role: Role
    provider_id: UUID | None
    worker_id: UUID | None
    resident_id: UUID | None
    booked_for: list[UUID]  # residents who let this family member book
    followed: list[UUID]  # residents who let this family member follow their visits
    unseen: bool = False  # not used within the last hour until now

    @property
    def principal(self) -> Principal:
        """The identity its units of work run as."""
        own = () if self.resident_id is None else (self.resident_id,)
        acting = (*own, *self.booked_for)
        only_read = tuple(resident_id for resident_id in self.followed if resident_id not in acting)
        return Principal(
            self.role,
            account_id=self.account_id,
            session_id=self.session_id,
            provider_id=self.provider_id if self.role is Role.PROVIDER else None,
            worker_id=self.worker_id,
            resident_ids=(*acting, *only_read),
            followed_ids=only_read,
            own_id=self.resident_id,
        )

    @property
    def me(self) -> Me:
        """The same as its holder reads it."""
        return Me(
            role=self.role,
            account_id=self.account_id,
            resident_id=self.resident_id,
            worker_id=self.worker_id,
            provider_id=self.provider_id,
            expires_at=self.expires_at,
        )


class OpenCode(Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in code that has just been tried."""

    phone: str
    code_hash: bytes


class Someone(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the people behind a number, as whom its owner may sign in."""

    id: UUID
    name: str
    role: Role
    has_account: bool


class Staff(Struct, frozen=True, forbid_unknown_fields=True):
    """An account that signs in by password."""

    id: UUID
    role: Role
    password_hash: str
    totp_secret: str | None
    totp_last_step: int
    known_place: bool  # it has signed in from this address before


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """The stored answer of a request made before under the same Idempotency-Key."""

    request_hash: bytes
    status: int
    body: bytes


class Admitted(Struct, frozen=True, forbid_unknown_fields=True):
    """A ticket taken up: the session it was for, or none for the public board."""

    session_id: UUID | None
