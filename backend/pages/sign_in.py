"""The sign-in of everybody: telephone and code, or for staff a name, a password and a second factor; and signing out."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect
from msgspec import Meta

from backend.accounts import actions, codes, passwords
from backend.accounts.authentication import COOKIE
from backend.accounts.guards import anybody_signed_in
from backend.accounts.model import CodeProof, CodeWanted, PasswordProof, Session, SignedIn, WhoAreYou
from backend.accounts.requests import address_of
from backend.core.bounds import Asked as Sent
from backend.core.bounds import PhoneText, Secret, Wording, wording
from backend.core.clock import machine_now
from backend.pages.forms import Form, Typed, read_form
from backend.pages.problems import Sentence
from backend.pages.refusals import door
from backend.pages.rendering import Asked, inside, page

_FIRST_PAGE: Final = "/"
_STAFF_TOLD: Final = {
    "sign_in_failed": Sentence(
        "登录名、密码或动态码不对。", "The sign-in name, the password or the digits are not right."
    )
}


class NumberForm(Sent, frozen=True):
    """Whose telephone number it is that a code goes to, and the page to come back to."""

    phone: PhoneText
    to: Typed = ""


class DigitsForm(Sent, frozen=True):
    """The digits of the message; `who` where several people have the number."""

    challenge: UUID
    code: Annotated[str, Meta(min_length=1, max_length=12, extra=wording(Wording.MATCHED))]
    phone: PhoneText
    who: UUID | None = None
    to: Typed = ""


class StaffForm(Sent, frozen=True):
    """What staff sign in with."""

    login: Secret
    password: Secret
    totp: Annotated[str, Meta(max_length=12, extra=wording(Wording.MATCHED))] = ""
    to: Typed = ""


class Empty(Sent, frozen=True):
    """A form that is one button."""


@get("/sign-in", opt={"public": True})
async def number_page(request: Asked, to: FromQuery[str] = "") -> Response[Any]:
    """The first question: which telephone number."""
    if isinstance(request.auth, SignedIn):
        return Redirect(_onward(to), status_code=303)
    return page(request, "sign_in/number.html", form=Form[NumberForm]({"to": to}))


@post("/sign-in", opt={"public": True}, status_code=200)
async def send_code(request: Asked) -> Response[Any]:
    """Send the digits, and ask for them."""
    form = await read_form(request, NumberForm)
    if form.filled is not None:
        wanted = CodeWanted(phone=form.filled.phone)
        sent = await form.answered(codes.send_code(request.app.state.signing_in, address_of(request), wanted))
        if sent is not None:
            asked = Form[DigitsForm]({**form.typed, "challenge": str(sent.challenge_id), "code": ""})
            return page(request, "sign_in/digits.html", form=asked, demo_code=sent.demo_code)
    return page(request, "sign_in/number.html", status=422, form=form)


@post("/sign-in/digits", opt={"public": True}, status_code=200)
async def check_digits(request: Asked) -> Response[Any]:
    """Sign in with the digits, or ask who it is where several people have the number."""
    form = await read_form(request, DigitsForm)
    if form.filled is not None:
        proof = CodeProof(challenge_id=form.filled.challenge, code=form.filled.code, who=form.filled.who)
        found = await form.answered(codes.sign_in_by_code(request.app.state.signing_in, address_of(request), proof))
        if isinstance(found, WhoAreYou):
            return page(request, "sign_in/who.html", form=form, people=found.who)
        if found is not None:
            return await let_in(request, found, form.filled.to)
    return page(request, "sign_in/digits.html", status=422, form=form, demo_code=None)


@get("/sign-in/staff", opt={"public": True})
async def staff_page(request: Asked, to: FromQuery[str] = "") -> Response[Any]:
    """The three proofs staff sign in with, on one page."""
    return page(request, "sign_in/staff.html", form=Form[StaffForm]({"to": to}))


@post("/sign-in/staff", opt={"public": True}, status_code=200)
async def check_staff(request: Asked) -> Response[Any]:
    """Sign staff in; what was wrong is told in one sentence for all cases."""
    form = await read_form(request, StaffForm)
    if form.filled is not None:
        proof = PasswordProof(login=form.filled.login, password=form.filled.password, totp=form.filled.totp)
        session = await form.answered(
            passwords.sign_in_by_password(request.app.state.signing_in, address_of(request), proof), _STAFF_TOLD
        )
        if session is not None:
            return await let_in(request, session, form.filled.to)
    form.typed.pop("password", None)
    form.typed.pop("totp", None)
    return page(request, "sign_in/staff.html", status=422, form=form)


async def let_in(request: Asked, session: Session, to: str) -> Response[Any]:
    """The door of whoever has signed in; the session this browser had before is over."""
    state = request.app.state
    if isinstance(request.auth, SignedIn):
        await actions.end_session(state.database, request.user, request.auth.session_id)
    lasts_s = max(0, int((session.expires_at - machine_now()).total_seconds()))
    return Redirect(_onward(to), status_code=303, cookies=[_kept(request, session.token, lasts_s)])


def _kept(request: Asked, token: str, lasts_s: int) -> Cookie:
    """Make the cookie that a browser keeps a session in; 0 seconds throw it away."""
    secure = not request.app.state.settings.demo
    return Cookie(COOKIE, value=token, max_age=lasts_s, httponly=True, samesite="lax", secure=secure)


def _onward(to: str) -> str:
    """Where somebody wanted to go who has signed in by now: not to the sign-in again."""
    path = inside(to, _FIRST_PAGE)
    return _FIRST_PAGE if path.startswith("/sign-in") else path


@post("/sign-out", guards=[anybody_signed_in], status_code=200)
async def sign_out(request: Asked) -> Response[Any]:
    """Sign out here."""
    await read_form(request, Empty)
    await actions.end_session(request.app.state.database, request.user, request.auth.session_id)
    return Redirect("/sign-in", status_code=303, cookies=[_kept(request, "", 0)])


@post("/sign-out/elsewhere", guards=[anybody_signed_in], status_code=200)
async def sign_out_elsewhere(request: Asked) -> Response[Any]:
    """Sign out everywhere but here: after a telephone is lost, say."""
    await read_form(request, Empty)
    await actions.end_other_sessions(request.app.state.database, request.user)
    return Redirect("/reading?done=elsewhere", status_code=303)


route_handlers = [door([number_page, send_code, check_digits, staff_page, check_staff, sign_out, sign_out_elsewhere])]
