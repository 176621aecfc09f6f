"""Making and checking what proves a person: codes, tokens, passwords and one-time passwords."""

import hashlib
import hmac
import re
import secrets
from functools import cache
from typing import Final
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct
from pyotp import random_base32
from pyotp.totp import TOTP

from backend.core.codes import CODES, code_of, is_right
from backend.core.typed import together

_SIX: Final = re.compile(r"[0-9]{6}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_STEP_S: Final = 30
_STEPS: Final = (0, -1, 1)  # a phone's clock may be half a minute off either way
_HASHER: Final = PasswordHasher()
_NOBODYS_SECRET: Final = random_base32()  # makes a login without a second factor take as long as one with it


def new_code() -> str:
    """Six digits from the system's random source."""
    return f"{secrets.randbelow(1_000_000):06}"


def typed_code(text: str) -> str | None:
    """The six digits somebody typed, as an app shows them with a gap, in full width, or pasted; None when these are none.

    What has not six digits is a slip of the hand: nobody guesses with it, so nobody counts it.
    """
    digits = together(text)
    return digits if _SIX.fullmatch(digits) else None


def code_hash(secret_key: str, challenge_id: UUID, code: str) -> bytes:
    """What is stored of a code: useless without the server's key, and good for one challenge only."""
    message = b"sign-in code\0" + challenge_id.bytes + code.encode()
    return hmac.digest(secret_key.encode(), message, "sha256")


def same(one: bytes, other: bytes) -> bool:
    """Whether two hashes agree, in constant time."""
    return hmac.compare_digest(one, other)


def new_card_digits() -> str:
    """Eleven digits of a card, the last of which tells a slip, as an order code has them."""
    return code_of(secrets.randbelow(CODES))


def card_digits_hash(secret_key: str, digits: str) -> bytes:
    """What is stored of a card's digits: useless without the server's key."""
    return hmac.digest(secret_key.encode(), b"sign-in card\0" + digits.encode(), "sha256")


class CardTyped(Struct, frozen=True):
    """What somebody brings of a card: how it is stored, and whether it is the digits, which can be guessed at."""

    stored: bytes
    by_digits: bool


def typed_card(secret_key: str, text: str) -> CardTyped | None:
    """Read what a card's picture holds, or its digits however grouped; None when it is neither, or a digit is wrong."""
    digits = together(text)
    if is_right(digits):
        return CardTyped(card_digits_hash(secret_key, digits), by_digits=True)
    token = text.strip()
    return CardTyped(token_hash(token), by_digits=False) if _TOKEN.fullmatch(token) else None


def new_token() -> str:
    """32 random bytes as text."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


@cache
def nobodys_hash() -> str:
    """A hash that makes an unknown login take as long as a known one; made when a process begins to listen for logins."""
    return _HASHER.hash(secrets.token_urlsafe())


def password_fits(stored: str | None, password: str) -> bool:
    """Whether the password is right; takes as long when there is none stored. Slow on purpose: call it in a thread."""
    try:
        return _HASHER.verify(stored or nobodys_hash(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def totp_step(secret: str | None, typed: str, at_s: float) -> int | None:
    """The half minute a one-time password belongs to, or None when it fits none around now.

    Takes as long without a secret, which nothing fits; a secret that cannot be read is none.
    """
    now = int(at_s) // _STEP_S
    try:
        passwords = _passwords(secret or _NOBODYS_SECRET, now)
    except ValueError:
        return None
    fitting = [step for step, password in passwords if hmac.compare_digest(password.encode(), typed.encode())]
    return fitting[0] if fitting and secret else None


def _passwords(secret: str, now: int) -> list[tuple[int, str]]:
    totp = TOTP(secret, interval=_STEP_S)
    return [(now + offset, totp.generate_otp(now + offset)) for offset in _STEPS]
