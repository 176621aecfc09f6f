"""Answers that never change while a process runs: bytes made once, with a tag by which a browser knows that it has them.

They are compressed once, too. Pages are not: they hold proofs beside what a stranger may have typed, and the length of both
together would tell of the proof (BREACH, 2013).
"""

import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response
from msgspec import Struct

_ASK_AGAIN: Final = "no-cache"  # kept by browsers, but shown only after asking whether it is still the same


class Fixed(Struct, frozen=True):
    """A body with its type and its tag, and the same compressed where that is shorter."""

    body: bytes
    compressed: bytes | None
    media_type: str
    tag: str


def fixed(body: bytes, media_type: str) -> Fixed:
    """The bytes with their tag."""
    packed = gzip.compress(body, 9, mtime=0)
    compressed = packed if len(packed) < len(body) else None
    return Fixed(body, compressed, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def answer(request: Request[Any, Any, Any], what: Fixed) -> Response[bytes]:
    """The bytes, or 304 to whoever has them already."""
    packed = what.compressed if _takes_gzip(request.headers.get("accept-encoding", "")) else None
    tag = what.tag if packed is None else f'{what.tag[:-1]}-gzip"'
    headers = {"ETag": tag, "Cache-Control": _ASK_AGAIN, "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    if packed is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(packed or what.body, media_type=what.media_type, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether a client takes gzip (RFC 9110, 12.5.3): it names it, and not with a weight of nothing."""
    for one in accepted.lower().split(","):
        coding, _, weight = one.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def files_below(folder: Path) -> dict[str, Fixed]:
    """Every file of a folder by its path inside it, read once: no name a client can write ever reaches the disk."""
    found: dict[str, Fixed] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.relative_to(folder).as_posix()] = fixed(path.read_bytes(), media_type)
    return found
