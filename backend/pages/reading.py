"""How somebody wants to read: text size and language, kept by their browser; works without script."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect
from msgspec import Meta

from backend.core.bounds import Asked as Sent
from backend.core.bounds import Wording, wording
from backend.pages.forms import Form, Typed, read_form
from backend.pages.refusals import door
from backend.pages.rendering import SIZES, Asked, Reader, inside, page


class ReadingForm(Sent, frozen=True):
    """A text size from 1 to 5, or a language, and the page to come back to."""

    size: Annotated[str, Meta(pattern="^[1-5]?$", extra=wording(Wording.MATCHED))] = ""
    language: Annotated[str, Meta(pattern="^(zh|en)?$", extra=wording(Wording.MATCHED))] = ""
    to: Typed = "/"


@get("/reading", opt={"public": True})
async def reading_page(request: Asked, to: FromQuery[str] = "/", done: FromQuery[str] = "") -> Response[Any]:
    """Five text sizes, each shown in its own size, and the two languages."""
    form = Form[ReadingForm]({"to": inside(to, "/")})
    return page(request, "reading.html", form=form, sizes=SIZES, done=done, signed_in=request.auth is not None)


@post("/reading", opt={"public": True}, status_code=200)
async def choose(request: Asked) -> Response[Any]:
    """Keep the choice and go back."""
    form = await read_form(request, ReadingForm)
    wanted, now = form.filled, Reader.of(request)
    if wanted is None:
        return page(
            request, "reading.html", status=422, form=form, sizes=SIZES, done="", signed_in=request.auth is not None
        )
    chosen = Reader(wanted.language or now.language, wanted.size or now.size)
    return Redirect(inside(wanted.to, "/"), status_code=303, cookies=chosen.cookies())


route_handlers = [door([reading_page, choose])]
