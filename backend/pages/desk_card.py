"""The desk prints a sign-in card: for whom, then the card itself, which stands on this one answer and nowhere else."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from markupsafe import Markup

from backend.accounts.model import SignInCard
from backend.core.bounds import Asked as Sent
from backend.pages.call import DESK, in_a_call
from backend.pages.forms import Form, read_form
from backend.pages.pictures import qr
from backend.pages.refusals import door
from backend.pages.rendering import Asked
from backend.residents import cards
from backend.residents.model import CardHolder


class CardForm(Sent, frozen=True):
    """For whom the card is: family by a consent of theirs, else the resident."""

    consent: UUID | None = None


@get("/desk/residents/{resident_id:uuid}/card", guards=[DESK])
async def card_page(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """For whom a card can be printed; digits choose."""
    return await _shown(request, resident_id, Form[CardForm]())


@post("/desk/residents/{resident_id:uuid}/card", guards=[DESK], status_code=200)
async def print_card(request: Asked, resident_id: FromPath[UUID]) -> Response[Any]:
    """The card, to be printed from this page: sent again, the form makes another, and the one before lets nobody in."""
    form = await read_form(request, CardForm)
    if (wanted := form.filled) is None:
        return await _shown(request, resident_id, form, 422)
    secret_key = request.app.state.settings.secret_key
    async with request.app.state.database.unit_of_work(request.user) as connection:
        made = cards.print_card(connection, request.user, resident_id, wanted.consent, secret_key)
        card = await form.answered(made)
    return await _shown(request, resident_id, form, 200 if card else 409, card, wanted.consent)


async def _shown(
    request: Asked, resident_id: UUID, form: Form[Any], status: int = 200, card: SignInCard | None = None, consent: UUID | None = None
) -> Response[Any]:  # fmt: skip
    async with request.app.state.database.unit_of_work(request.user) as connection:
        holders = await cards.holders(connection, resident_id)
    whose = next((one for one in holders if one.consent_id == consent), None)
    return await in_a_call(
        request, "card.html", resident_id, form, status, holders=holders, made=card,
        whose=whose or CardHolder(None, ""), picture=_picture(request, card), site=_site(request),
    )  # fmt: skip


def _site(request: Asked) -> str:
    """Where this desk was reached, as its browser says it: a card leads to the same place."""
    named = request.headers.get("origin", "")
    return named if named.startswith(("https://", "http://")) else str(request.base_url).rstrip("/")


def _picture(request: Asked, card: SignInCard | None) -> Markup:
    return Markup() if card is None else qr(f"{_site(request)}/card/{card.card}")


route_handlers = [door([card_page, print_card])]
