"""What people type and paste: full-width digits, groups with gaps between them, a newline at the end."""

import re
import unicodedata
from typing import Final

_BETWEEN: Final = re.compile(r"[\s\-‐-―·.,_/#()]+")  # whatever people put between groups


def plain(text: str) -> str:
    """The text in plain digits and letters; a gap stays a gap."""
    return unicodedata.normalize("NFKC", text).strip()


def together(text: str) -> str:
    """The digits and letters without what stands between groups of them."""
    return _BETWEEN.sub("", plain(text))
