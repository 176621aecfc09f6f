"""Signing in and out over HTTP, who I am and where, and tickets for the live feed."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from backend.accounts import actions, cards, codes, passwords
from backend.accounts.guards import anybody_signed_in
from backend.accounts.model import (
    CardProof,
    CodeProof,
    CodeSent,
    CodeWanted,
    Me,
    OpenSession,
    PasswordProof,
    Session,
    SignedIn,
    Ticket,
    WhoAreYou,
)
from backend.accounts.requests import address_of
from backend.core.errors import DomainError
from backend.core.principal import Principal

Asked = Request[Principal, SignedIn, State]
Unknown = Request[Any, Any, State]


@post("/v1/sign-in/codes", opt={"public": True}, status_code=202)
async def send_code(request: Unknown, data: JSONBody[CodeWanted]) -> CodeSent:
    """Send a sign-in code to a telephone number."""
    return await codes.send_code(request.app.state.signing_in, address_of(request), data)


@post(
    "/v1/sign-in/phone",
    opt={"public": True},
    status_code=201,
    responses={
        200: ResponseSpec(WhoAreYou, description="Several people have this number: send the code again with `who`")
    },
)
async def sign_in_by_code(request: Unknown, data: JSONBody[CodeProof]) -> Response[Session | WhoAreYou]:
    """Sign in with the code; who shares a number says who they are."""
    answer = await codes.sign_in_by_code(request.app.state.signing_in, address_of(request), data)
    return Response(answer, status_code=200 if isinstance(answer, WhoAreYou) else 201)


@post("/v1/sign-in/password", opt={"public": True}, status_code=201)
async def sign_in_by_password(request: Unknown, data: JSONBody[PasswordProof]) -> Session:
    """Sign in with a password and a one-time password."""
    return await passwords.sign_in_by_password(request.app.state.signing_in, address_of(request), data)


@post("/v1/sign-in/card", opt={"public": True}, status_code=201)
async def sign_in_by_card(request: Unknown, data: JSONBody[CardProof]) -> Session:
    """Sign in with a printed card, once."""
    return await cards.sign_in_by_card(request.app.state.signing_in, address_of(request), data)


@delete("/v1/sign-in", guards=[anybody_signed_in], status_code=204)
async def sign_out(request: Asked) -> None:
    """Sign out; the token is refused from now on and its sockets close."""
    await actions.end_session(request.app.state.database, request.user, request.auth.session_id)


@get("/v1/me", guards=[anybody_signed_in])
async def me(request: Asked) -> Me:
    """Who is signed in."""
    return request.auth.me


@get("/v1/me/sessions", guards=[anybody_signed_in])
async def sessions(request: Asked) -> list[OpenSession]:
    """Where I am signed in, the session used last first."""
    return await actions.sessions(request.app.state.database, request.user)


@delete("/v1/me/sessions/{session_id:uuid}", guards=[anybody_signed_in], status_code=204)
async def end_session(request: Asked, session_id: FromPath[UUID]) -> None:
    """End one of my sessions; its token is refused from now on and its sockets close."""
    await actions.end_session(request.app.state.database, request.user, session_id)


@delete("/v1/me/sessions", guards=[anybody_signed_in], status_code=204)
async def end_other_sessions(request: Asked) -> None:
    """End all my sessions but this one."""
    await actions.end_other_sessions(request.app.state.database, request.user)


@post("/v1/live/tickets", guards=[anybody_signed_in], status_code=201)
async def ticket(request: Asked) -> Ticket:
    """A ticket that opens one websocket within half a minute."""
    return await actions.ticket(request.app.state.signing_in, request.auth.session_id)


@post("/v1/live/board-tickets", opt={"public": True}, status_code=201)
async def board_ticket(request: Unknown) -> Ticket:
    """The same for the public board, where the city has opened it; its socket hears that something changed, not what."""
    if not request.app.state.settings.board_public:
        raise DomainError("not_found")
    return await actions.board_ticket(request.app.state.signing_in, address_of(request))


route_handlers = [
    send_code, sign_in_by_code, sign_in_by_password, sign_in_by_card, sign_out, me, sessions, end_session, end_other_sessions, ticket,
    board_ticket,
]  # fmt: skip
