"""Refusals and failures on the pages people look at: a page with a sentence and a way on instead of a problem document."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, Router
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from backend.core.errors import DomainError
from backend.database.rows import RowMissingError
from backend.pages.problems import PROBLEMS
from backend.pages.rendering import Asked, page

_SIGN_IN: Final = "/sign-in"
_BY_STATUS: Final = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 429: "too_many_requests"}


def refused(request: Asked, error: DomainError) -> Response[Any]:
    """A page that says what did not work; whoever is not signed in comes to the sign-in and back again."""
    if error.code == "not_signed_in" and request.method == "GET":
        return Redirect(f"{_SIGN_IN}?{urlencode({'to': request.url.path})}", status_code=303)
    return _told(request, error.code, error.status)


def _told(request: Asked, code: str, status: int) -> Response[str]:
    return page(request, "refused.html", status=status, problem=PROBLEMS[code])


def _missing(request: Asked, _error: RowMissingError) -> Response[str]:
    return _told(request, "not_found", 404)


def _by_the_framework(request: Asked, error: HTTPException) -> Response[str]:
    code = _BY_STATUS.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal_error")
    return _told(request, code, error.status_code)


_HANDLERS: Final[ExceptionHandlersMap] = {
    DomainError: refused,
    RowMissingError: _missing,
    HTTPException: _by_the_framework,
}


def no_such_page(request: Asked) -> Response[str] | None:
    """What somebody sees who has followed an old link; None for a program, which wants a problem document."""
    looks = not request.scope["path"].startswith("/v1/") and "text/html" in request.headers.get("accept", "")
    return _told(request, "not_found", 404) if looks else None


def door(handlers: Iterable[ControllerRouterHandler]) -> Router:
    """The pages of one door, whose refusals are pages too."""
    return Router(path="", route_handlers=list(handlers), exception_handlers=_HANDLERS, include_in_schema=False)
