"""What the picture on a sign-in card opens, and where its digits are typed; nobody is signed in before they press."""

from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from backend.accounts import cards
from backend.accounts.model import CardProof
from backend.accounts.requests import address_of
from backend.core.bounds import Asked as Sent
from backend.core.bounds import Wording, wording
from backend.pages.forms import Form, read_form
from backend.pages.problems import Sentence
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.sign_in import let_in

_TOLD: Final = {
    "sign_in_failed": Sentence(
        "这张卡不对，用过了，或者过了时间。请打 {hotline}，再给您一张。",
        "This card is not right, was used, or is too old. Please ring {hotline} and have another one.",
    )
}


class CardForm(Sent, frozen=True):
    """What the card holds: from its picture, or the digits as they were typed."""

    card: Annotated[str, Meta(min_length=1, max_length=60, extra=wording(Wording.MATCHED))]


@get("/card", opt={"public": True})
async def digits_page(request: Asked) -> Response[Any]:
    """Where the digits of a card are typed, when a phone cannot read its picture."""
    return page(request, "sign_in/card_digits.html", form=Form[CardForm]())


@get("/card/{card:str}", opt={"public": True})
async def card_page(request: Asked, card: FromPath[str]) -> Response[Any]:
    """One button. Whatever looks at an address before a person does, such as a chat that shows a preview, uses nothing up.

    It says nothing of whose card it is, nor whether it still is one.
    """
    return page(request, "sign_in/card.html", form=Form[CardForm]({"card": card[:60]}))


@post("/card", opt={"public": True}, status_code=200)
async def come_in(request: Asked) -> Response[Any]:
    """Sign in, once."""
    form = await read_form(request, CardForm)
    if form.filled is not None:
        asked = cards.sign_in_by_card(
            request.app.state.signing_in, address_of(request), CardProof(card=form.filled.card)
        )
        session = await form.answered(asked, _TOLD)
        if session is not None:
            return await let_in(request, session, "")
    if not any(sign.isdigit() for sign in form.value("card")) or len(form.value("card")) > 20:
        form.typed["card"] = ""  # it came from the picture: nobody typed it
    return page(request, "sign_in/card_digits.html", status=422, form=form)


route_handlers = [door([digits_page, card_page, come_in])]
