"""Show that a form was filled in on a page of ours, by whoever got that page.

A browser sends its cookies with whatever another site makes it send. Each form carries a proof made of the session, or of
a random cookie before there is one, with the server's key: another site can make neither.
"""

import hmac
import secrets
from typing import Any, Final

from litestar import Request
from litestar.datastructures import State

from backend.accounts.model import SignedIn
from backend.core.errors import DomainError

VISITOR: Final = "yinling_visitor"
_LENGTHS: Final = range(20, 65)


def visitor_of(request: Request[Any, Any, State]) -> str:
    """The random name under which a browser is known before anybody signs in: its cookie, else a new one."""
    known = request.cookies.get(VISITOR, "")
    return known if len(known) in _LENGTHS and known.isascii() and known.isprintable() else secrets.token_urlsafe(24)


def forgery_proof(request: Request[Any, Any, State], visitor: str) -> str:
    """What a form on this page must send back."""
    signed_in = request.scope.get("auth")  # not there yet where sign-in itself is refused
    holder = signed_in.session_id.bytes if isinstance(signed_in, SignedIn) else visitor.encode()
    return hmac.digest(request.app.state.settings.secret_key.encode(), b"form\0" + holder, "sha256").hex()


def check_forgery(request: Request[Any, Any, State], sent: str) -> None:
    """Refuse a form that was not filled in on our page. Raises DomainError not_allowed."""
    expected = forgery_proof(request, visitor_of(request))
    if not hmac.compare_digest(expected.encode(), sent.encode()):
        raise DomainError("not_allowed", "This form is no longer valid; open the page again.")
