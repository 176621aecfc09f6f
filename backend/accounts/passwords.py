"""Signing in at a desk: a password and a one-time password, both or nothing.

Failures are counted by login and address, so that a stranger locks nobody out but themselves. Whoever brings a valid
one-time password is heard from a locked place, too; it is used up by that, so it buys one guess at the password.
"""

from typing import Final

from backend.accounts import proofs, queries
from backend.accounts.actions import SigningIn, open_session
from backend.accounts.limits import Rule, Use, refused, whom
from backend.accounts.model import PasswordProof, Session, Staff
from backend.core.addresses import Address
from backend.core.clock import machine_now
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM

_PLACE: Final = Rule("failures of a login and address", room=10, every_s=90, longest_s=300)
_ADDRESS: Final = Rule("failures of an address", room=30, every_s=10, longest_s=120)
_LOGIN: Final = Rule("failures of a login from unknown places", room=100, every_s=30, longest_s=120)
_ALL: Final = Rule("failures from unknown places", room=600, every_s=0.5, longest_s=30)

_NEW_TO_ADDRESS: Final = Rule("login new to an address", room=1, every_s=600, longest_s=0)
_NEW_TO_PASSWORD: Final = Rule("login new to a password", room=1, every_s=600, longest_s=0)
_LOGINS_OF_ADDRESS: Final = Rule("logins of an address", room=10, every_s=60, longest_s=300)
_LOGINS_OF_PASSWORD: Final = Rule("logins of a password", room=10, every_s=60, longest_s=300)
_TELLING: Final = (_ADDRESS, _LOGIN, _ALL, _LOGINS_OF_ADDRESS, _LOGINS_OF_PASSWORD)
_PASSWORD_BYTES: Final = 3  # enough to tell passwords apart for minutes, too little to guess one from it


async def sign_in_by_password(signing: SigningIn, address: Address, proof: PasswordProof) -> Session:
    """Turn a right password and one-time password into a session. Raises sign_in_failed, too_many_requests."""
    hashing, limiter = signing.hashing, signing.limiter
    totp = proofs.typed_code(proof.totp)
    if proof.totp and totp is None:  # a slip of the hand, whatever the password: nothing is told and nothing counted
        raise DomainError("sign_in_failed")
    if not hashing.has_room(proven=False) and not hashing.has_room(proven=True):
        raise refused(1, "Many people sign in just now.")
    async with signing.database.unit_of_work(SYSTEM) as connection:
        place = limiter.key("place", proof.login, whom(address))
        staff = await queries.staff_by_login(connection, proof.login, place)
    step = _step(staff, totp or "")
    uses = _uses(signing, address, proof, staff)
    waits = await limiter.waits(*uses)  # before hashing: of many tries at once no more come through than there is room
    wait_s = max(0.0, *waits)
    for use in (use for use, wait in zip(uses, waits, strict=True) if wait > 0 and use.rule in _TELLING):
        limiter.notice(use)
    if wait_s and step is None:
        raise refused(wait_s, "Too many attempts; please wait.")
    spent = step is not None and (wait_s > 0 or not hashing.has_room(proven=False))
    if spent and not await _spend(signing, staff, step):
        raise DomainError("sign_in_failed")
    stored = None if staff is None else staff.password_hash
    right = await hashing.password_fits(stored, proof.password, proven=step is not None)
    session = None
    if right and staff is not None and step is not None:
        session = await _open(signing, staff, None if spent else step, place, proof.device)
    if session is None:
        await _count_logins(signing, address, proof)
        raise DomainError("sign_in_failed")
    if not wait_s:
        await limiter.give_back(*uses)
    return session


def _uses(signing: SigningIn, address: Address, proof: PasswordProof, staff: Staff | None) -> list[Use]:
    """What a try counts against, until it turns out right. What strangers fill does not bind a place that is known."""
    limiter = signing.limiter
    own = limiter.use(_PLACE, proof.login, whom(address))
    if staff is not None and staff.known_place:
        return [own]
    return [
        own,
        limiter.use(_ADDRESS, whom(address)),
        limiter.use(_LOGIN, proof.login),
        limiter.use(_ALL),
        limiter.use(_LOGINS_OF_ADDRESS, whom(address), times=0),
        limiter.use(_LOGINS_OF_PASSWORD, _short(signing, proof), times=0),
    ]


def _short(signing: SigningIn, proof: PasswordProof) -> bytes:
    return signing.limiter.key("password", proof.password)[:_PASSWORD_BYTES]


def _step(staff: Staff | None, typed: str) -> int | None:
    """The unused half minute the one-time password belongs to; as long in coming when there is nobody to ask."""
    secret = None if staff is None else staff.totp_secret
    step = proofs.totp_step(secret, typed, machine_now().timestamp())
    return step if staff is not None and step is not None and step > staff.totp_last_step else None


async def _spend(signing: SigningIn, staff: Staff | None, step: int | None) -> bool:
    if staff is None or step is None:
        return False
    async with signing.database.unit_of_work(SYSTEM) as connection:
        return await queries.use_totp_step(connection, staff.id, step)


async def _open(signing: SigningIn, staff: Staff, step: int | None, place: bytes, device: str | None) -> Session | None:
    """The session, if the account is still what it was before hashing and nobody was faster with the same proof."""
    async with signing.database.unit_of_work(SYSTEM) as connection:
        if not await queries.is_unchanged(connection, staff):
            return None
        if step is not None and not await queries.use_totp_step(connection, staff.id, step):
            return None
        await queries.remember_place(connection, place)
        return await open_session(connection, signing.settings, staff.id, staff.role, device)


async def _count_logins(signing: SigningIn, address: Address, proof: PasswordProof) -> None:
    """Count the logins an address, or a password, was tried with; ten in ten minutes fill either limit."""
    limiter = signing.limiter
    short = _short(signing, proof)
    new = await limiter.each(
        limiter.use(_NEW_TO_ADDRESS, whom(address), proof.login), limiter.use(_NEW_TO_PASSWORD, short, proof.login)
    )
    found = [limiter.use(_LOGINS_OF_ADDRESS, whom(address)), limiter.use(_LOGINS_OF_PASSWORD, short)]
    await limiter.each(*(use for use, is_new in zip(found, new, strict=True) if is_new))
