"""Refusals and failures on the pages people look at: a page with a sentence and a way on instead of a problem document."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, Router
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from backend.pages.problems import PROBLEMS
from backend.pages.rendering import Asked, page

_SIGN_IN: Final = "/sign-in"
_PAGE: Final = "page"


def in_words(request: Asked, code: str, status: int) -> Response[Any] | None:
    """A page that says what did not work; None for a program, which wants a problem document.

    Whoever is not signed in comes to the sign-in and back again. An address that nobody knows is a page for whoever
    accepts one: somebody has followed an old link.
    """
    if "route_handler" in request.scope:
        looks = bool(request.scope["route_handler"].opt.get(_PAGE))
    else:
        looks = not request.scope["path"].startswith("/v1/") and "text/html" in request.headers.get("accept", "")
    if not looks:
        return None
    if code == "not_signed_in" and request.method == "GET":
        return Redirect(f"{_SIGN_IN}?{urlencode({'to': request.url.path})}", status_code=303)
    return page(request, "refused.html", status=status, problem=PROBLEMS[code])


def door(handlers: Iterable[ControllerRouterHandler]) -> Router:
    """The pages of one door, whose refusals and failures are pages too."""
    return Router(path="", route_handlers=list(handlers), opt={_PAGE: True}, include_in_schema=False)
