"""Signing in and out over HTTP, who I am, and tickets for the live feed."""

from typing import Any

from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.params import JSONBody

from backend.accounts import actions
from backend.accounts.guards import anybody_signed_in
from backend.accounts.model import CodeProof, CodeSent, CodeWanted, Me, PasswordProof, Session, SignedIn, Ticket
from backend.core.errors import DomainError
from backend.core.principal import Principal

Asked = Request[Principal, SignedIn, State]
Unknown = Request[Any, Any, State]


@post("/v1/sign-in/codes", opt={"public": True}, status_code=202)
async def send_code(request: Unknown, data: JSONBody[CodeWanted]) -> CodeSent:
    """Send a sign-in code to a telephone number."""
    return await actions.send_code(request.app.state.database, request.app.state.settings, data)


@post("/v1/sign-in/phone", opt={"public": True}, status_code=201)
async def sign_in_by_code(request: Unknown, data: JSONBody[CodeProof]) -> Session:
    """Sign in with the code."""
    return await actions.sign_in_by_code(request.app.state.database, request.app.state.settings, data)


@post("/v1/sign-in/password", opt={"public": True}, status_code=201)
async def sign_in_by_password(request: Unknown, data: JSONBody[PasswordProof]) -> Session:
    """Sign in with a password and a one-time password."""
    return await actions.sign_in_by_password(request.app.state.database, data)


@delete("/v1/sign-in", guards=[anybody_signed_in], status_code=204)
async def sign_out(request: Asked) -> None:
    """Sign out; the token is refused from now on and its sockets close."""
    await actions.sign_out(request.app.state.database, request.auth.session_id)


@get("/v1/me", guards=[anybody_signed_in])
async def me(request: Asked) -> Me:
    """Who is signed in."""
    return request.auth.me


@post("/v1/live/tickets", guards=[anybody_signed_in], status_code=201)
async def ticket(request: Asked) -> Ticket:
    """A ticket that opens one websocket within half a minute."""
    state = request.app.state
    return await actions.issue_ticket(state.database, state.settings, request.auth.session_id)


@post("/v1/live/board-tickets", opt={"public": True}, status_code=201)
async def board_ticket(request: Unknown) -> Ticket:
    """The same for the public board, where the city has opened it; its socket hears that something changed, not what."""
    state = request.app.state
    if not state.settings.board_public:
        raise DomainError("not_found")
    return await actions.issue_ticket(state.database, state.settings, None)


route_handlers = [send_code, sign_in_by_code, sign_in_by_password, sign_out, me, ticket, board_ticket]
