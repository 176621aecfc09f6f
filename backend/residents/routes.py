"""Residents over HTTP: registering, finding, and who may know."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.model import SignInCard
from backend.accounts.requests import write_once
from backend.core import bounds
from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import as_the_platform
from backend.residents import actions, cards, queries
from backend.residents.model import (
    CardHolder,
    CardWanted,
    Consent,
    ConsentGiven,
    Contact,
    Contacts,
    Followed,
    Found,
    NewNumber,
    NewResident,
    Numbers,
    NumbersKept,
    ResidentCard,
)

Asked = Request[Principal, Any, State]
_DESK = requires(Role.OPERATOR)
_CLIENTS = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR)
_GIVERS = requires(Role.RESIDENT, Role.OPERATOR)


class Search(bounds.Asked, frozen=True):
    """The caller's number, or what an operator types; in the body, so that it stays out of logs."""

    phone: bounds.PhoneText | None = None
    text: bounds.Word | None = None


class Resumed(bounds.Asked, frozen=True):
    """How the desk knows that somebody may be served again."""

    reason: bounds.Reasoned


def _area_code(request: Asked) -> str:
    return request.app.state.settings.area_code


@post("/v1/residents/search", guards=[_DESK], status_code=200)
async def search(request: Asked, data: JSONBody[Search]) -> list[Found]:
    """Whom whoever is ringing may speak for, or whom an operator looks for by name, pinyin, initials or digits."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await actions.find(connection, phone=data.phone, text=data.text, area_code=_area_code(request))


@post("/v1/residents", guards=[_DESK], status_code=201)
async def register(request: Asked, data: JSONBody[NewResident]) -> Response[ResidentCard]:
    """Register a resident with the home that is served."""
    return await write_once(request, 201, lambda c: actions.register(c, data, _area_code(request)))


@get("/v1/me/residents", guards=[requires(Role.RESIDENT, Role.FAMILY)])
async def followed(request: Asked) -> list[Followed]:
    """Whom I may follow: those who have let me, and myself if I am a resident."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await actions.followed(connection, request.user)


@get("/v1/residents/{resident_id:uuid}", guards=[_CLIENTS])
async def read(request: Asked, resident_id: FromPath[UUID]) -> ResidentCard:
    """One resident, for whoever acts for them."""
    if not request.user.acts_for(resident_id):
        raise DomainError("unknown_resident")
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await queries.resident_card(connection, resident_id)


@post("/v1/residents/{resident_id:uuid}/numbers", guards=[_DESK], status_code=200)
async def change_numbers(request: Asked, resident_id: FromPath[UUID], data: JSONBody[Numbers]) -> Response[NumbersKept]:
    """Set a resident's telephone numbers; whoever was signed in with one that is taken away is signed out."""
    return await write_once(
        request, 200, lambda c: actions.change_numbers(c, request.user, resident_id, data, _area_code(request))
    )


@post("/v1/residents/{resident_id:uuid}/resume", guards=[_DESK], status_code=200)
async def resume(request: Asked, resident_id: FromPath[UUID], data: JSONBody[Resumed]) -> Response[ResidentCard]:
    """Serve somebody again who was suspended when a visit found them in hospital."""
    return await write_once(request, 200, lambda c: actions.resume(c, request.user, resident_id, data.reason))


@get("/v1/residents/{resident_id:uuid}/contacts", guards=[_DESK])
async def contacts(request: Asked, resident_id: FromPath[UUID]) -> list[Contact]:
    """Whom to ring about a resident."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        await queries.resident_card(connection, resident_id)
        return await queries.contacts_of(connection, resident_id)


@post("/v1/residents/{resident_id:uuid}/contacts", guards=[_DESK], status_code=200)
async def change_contacts(
    request: Asked, resident_id: FromPath[UUID], data: JSONBody[Contacts]
) -> Response[list[Contact]]:
    """Set whom to ring about a resident; what stood there before is gone."""
    return await write_once(
        request, 200, lambda c: actions.change_contacts(c, request.user, resident_id, data, _area_code(request))
    )


@get("/v1/residents/{resident_id:uuid}/consents", guards=[_GIVERS])
async def consents(request: Asked, resident_id: FromPath[UUID]) -> list[Consent]:
    """To whom the resident has agreed, and what for."""
    actions.own(request.user, resident_id)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        await queries.resident_card(connection, resident_id)
        async with as_the_platform(connection):
            return await queries.consents_of(connection, resident_id)


@post("/v1/residents/{resident_id:uuid}/consents", guards=[_GIVERS], status_code=201)
async def give(request: Asked, resident_id: FromPath[UUID], data: JSONBody[ConsentGiven]) -> Response[Consent]:
    """Let somebody follow or book."""
    return await write_once(
        request, 201, lambda c: actions.give_consent(c, request.user, resident_id, data, _area_code(request))
    )


@post("/v1/residents/{resident_id:uuid}/consents/{consent_id:uuid}/end", guards=[_GIVERS], status_code=200)
async def end(request: Asked, resident_id: FromPath[UUID], consent_id: FromPath[UUID]) -> Response[Consent]:
    """Withdraw a consent."""
    return await write_once(request, 200, lambda c: actions.end_consent(c, request.user, resident_id, consent_id))


@post("/v1/residents/{resident_id:uuid}/consents/{consent_id:uuid}/number", guards=[_GIVERS], status_code=200)
async def move(
    request: Asked, resident_id: FromPath[UUID], consent_id: FromPath[UUID], data: JSONBody[NewNumber]
) -> Response[list[Consent]]:
    """Give whoever a consent is for everything they were given under another number; the old one may nothing any more."""
    return await write_once(
        request,
        200,
        lambda c: actions.move_consents(c, request.user, resident_id, consent_id, data, _area_code(request)),
    )


@get("/v1/residents/{resident_id:uuid}/sign-in-cards", guards=[_DESK])
async def card_holders(request: Asked, resident_id: FromPath[UUID]) -> list[CardHolder]:
    """For whom a sign-in card can be printed."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await cards.holders(connection, resident_id)


@post("/v1/residents/{resident_id:uuid}/sign-in-cards", guards=[_DESK], status_code=201)
async def print_card(request: Asked, resident_id: FromPath[UUID], data: JSONBody[CardWanted]) -> SignInCard:
    """Print a card that signs somebody in once; whichever was printed for them before is good for nothing any more.

    Asked again it makes another: the answer proves a person, and is kept nowhere.
    """
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await cards.print_card(
            connection, request.user, resident_id, data.consent_id, request.app.state.settings.secret_key
        )


route_handlers = [
    search, register, followed, read, change_numbers, resume, contacts, change_contacts, consents, give, end, move,
    card_holders, print_card,
]  # fmt: skip
