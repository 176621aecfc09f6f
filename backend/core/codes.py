"""Order codes: ten random digits and one that tells whether somebody misread them, said 3-4-4 like a mobile number.

The last digit is that of H. Michael Damm (Total anti-symmetrische Quasigruppen, dissertation, Marburg 2004): walked
through his quasigroup of order ten, a right code ends at nought. It notices every single wrong digit and every swap of
neighbours, the two slips people make when they read a number aloud.
"""

import re
from typing import Final

from backend.core.errors import DomainError
from backend.core.typed import together

CODES: Final = 10**10  # how many there are, so that a million orders meet an old one once in ten thousand draws
_DAMM: Final = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
_NEW: Final = re.compile(r"[0-9]{11}")
_OLD: Final = re.compile(r"[0-9A-F]{8}")  # codes of orders from before there was a check digit


def _walk(digits: str) -> int:
    at = 0
    for digit in digits:
        at = _DAMM[at][int(digit)]
    return at


def code_of(number: int) -> str:
    """The code of a number below `CODES`, with its check digit."""
    digits = f"{number:010d}"
    return f"{digits}{_walk(digits)}"


def is_right(code: str) -> bool:
    """Whether eleven digits end in their check digit."""
    return _NEW.fullmatch(code) is not None and _walk(code) == 0


def grouped(code: str) -> str:
    """The code as it is shown and read aloud; an old one stays as it is."""
    return f"{code[:3]} {code[3:7]} {code[7:]}" if _NEW.fullmatch(code) else code


def sought(text: str) -> str:
    """The code somebody typed or read, however grouped, in full-width digits too, as it is stored.

    Raises DomainError mistyped_code where a digit is wrong or two have changed places, invalid_request for no code.
    """
    plain = together(text).upper()
    if _OLD.fullmatch(plain):
        return plain
    if not _NEW.fullmatch(plain):
        raise DomainError("invalid_request", "An order code has eleven digits.")
    if not is_right(plain):
        raise DomainError("mistyped_code")
    return plain
