"""From a request's token to the principal it runs as, read anew for every request."""

from typing import Any, Final
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from backend.accounts.actions import who_is
from backend.core.errors import DomainError

COOKIE: Final = "yinling_session"
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER: Final = "bearer "
_PROOFS: Final = frozenset({"token", "access_token", "ticket", "session"})  # what never belongs into an address


class Authentication(AbstractAuthenticationMiddleware):
    """Puts a Principal into `request.user`; a route is closed unless it opts out with `opt={"public": True}`."""

    async def authenticate_request(self, connection: ASGIConnection) -> AuthenticationResult:
        """Resolve the token. Raises DomainError not_signed_in, not_allowed, invalid_request."""
        if any(name.lower() in _PROOFS for name in connection.query_params):
            raise DomainError("invalid_request", "Send tokens in a header: addresses are written into logs.")
        token = bearer(connection)
        if token is None:
            token = connection.cookies.get(COOKIE)
            if token is not None and not _from_our_pages(connection):
                raise DomainError("not_allowed", "This request came from another site.")
        public = bool(connection.route_handler.opt.get("public"))
        signed_in = None if token is None else await who_is(connection.app.state.database, token)
        if signed_in is None:
            if public:
                return AuthenticationResult(user=None, auth=None)
            raise DomainError("not_signed_in")
        return AuthenticationResult(user=signed_in.principal, auth=signed_in)


def bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The token of the Authorization header, if there is one."""
    header = connection.headers.get("authorization", "")
    return header[len(_BEARER) :].strip() or None if header[: len(_BEARER)].lower() == _BEARER else None


def _from_our_pages(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """A cookie is sent by the browser on its own, so whatever changes something must come from our own origin."""
    if connection.scope.get("method") in _READING:
        return True
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site") in {"same-origin", "none"}
    try:
        same_host = urlsplit(origin).netloc == connection.headers.get("host")
    except ValueError:  # brackets that do not close: no address at all
        return False
    return same_host or origin in connection.app.state.settings.origins
