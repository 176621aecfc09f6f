"""What people type and paste: full-width digits, groups with gaps between them, a newline at the end, or nothing at all."""

import re
import unicodedata
from typing import Final

_UNSEEN: Final = frozenset(
    {"Zs", "Zl", "Zp", "Cc", "Cf"}
)  # gaps, line ends, control and format characters: zero width too
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and a sign by name, drawn as gaps
_BETWEEN: Final = re.compile(r"[\s\-‐-―·.,_/#()]+")  # whatever people put between groups


def plain(text: str) -> str:
    """The text in plain digits and letters; a gap stays a gap."""
    return unicodedata.normalize("NFKC", text).strip()


def together(text: str) -> str:
    """The digits and letters without what stands between groups of them."""
    return _BETWEEN.sub("", plain(text))


def trimmed(text: str) -> str:
    """Return the text without what nobody sees at its ends."""
    seen = [number for number, character in enumerate(text) if not _unseen(character)]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def says_something(text: str) -> bool:
    """Tell whether a text holds a letter or a digit of any script: a dot or a dash put where words are asked for does not."""
    return any(unicodedata.category(character)[0] in "LN" and not _unseen(character) for character in text)


def _unseen(character: str) -> bool:
    return character in _BLANK_LETTERS or unicodedata.category(character) in _UNSEEN
