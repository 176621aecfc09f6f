"""Answers that never change while a process runs: bytes made once, with a tag by which a browser knows that it has them."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response
from msgspec import Struct

_ASK_AGAIN: Final = "no-cache"  # kept by browsers, but shown only after asking whether it is still the same


class Fixed(Struct, frozen=True):
    """A body with its type and its tag."""

    body: bytes
    media_type: str
    tag: str


def fixed(body: bytes, media_type: str) -> Fixed:
    """The bytes with their tag."""
    return Fixed(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def answer(request: Request[Any, Any, Any], what: Fixed) -> Response[bytes]:
    """The bytes, or 304 to whoever has them already."""
    headers = {"ETag": what.tag, "Cache-Control": _ASK_AGAIN}
    if what.tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(what.body, media_type=what.media_type, headers=headers)


def files_below(folder: Path) -> dict[str, Fixed]:
    """Every file of a folder by its path inside it, read once: no name a client can write ever reaches the disk."""
    found: dict[str, Fixed] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.relative_to(folder).as_posix()] = fixed(path.read_bytes(), media_type)
    return found
