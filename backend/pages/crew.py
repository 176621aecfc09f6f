"""Who comes, why, and who else could: for the desk, and for a provider of its own people; and one in place of another."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Meta, ValidationError, convert

from backend.accounts.guards import requires
from backend.core import bounds
from backend.core.bounds import Asked as Sent
from backend.core.bounds import Instant, Wording, wording
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.orders import crewing, provider_day
from backend.orders.crewing import ManualAssignment, Swap
from backend.orders.swapping import Option, Options
from backend.orders.views import OrderView
from backend.pages import facts, rule_words
from backend.pages.commands import key_of, told
from backend.pages.facts import calendar
from backend.pages.forms import Form, read_form
from backend.pages.problems import Sentence
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed

_CREWS: Final = requires(Role.OPERATOR, Role.PROVIDER)
_INSTEAD: Final = {
    "no_shift": Sentence("他们现在去不了这一单了，请另选。什么都没有改。", "They cannot go to this order any more; please choose others. Nothing was changed."),
}  # fmt: skip
_ID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class SwapForm(Sent, frozen=True):
    """The whole crew that shall come, and the order as it was shown."""

    crew: Annotated[str, Meta(pattern=f"^{_ID}(,{_ID}){{0,3}}$", extra=wording(Wording.MATCHED))]
    version: Annotated[int, Meta(ge=1, le=10**9)]


class AssignForm(Sent, frozen=True):
    """Who shall go and when, as one of the ways that were shown, and why the desk decides so."""

    way: Annotated[str, Meta(pattern=f"^{_ID}(,{_ID}){{0,3}}@[-0-9T:.+Z]{{20,40}}$", extra=wording(Wording.MATCHED))]
    words: bounds.Reasoned


@get(["/provider/orders/{order_id:uuid}/why", "/desk/orders/{order_id:uuid}/why"], guards=[_CREWS])
async def why_page(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Why these workers, who else could come, who could not, and what would help where nobody can."""
    return await _why(request, order_id, Form[AssignForm]())


async def _why(request: Asked, order_id: UUID, form: Form[Any], status: int = 200) -> Response[str]:
    said = await crewing.explain(request, order_id)
    return await _page(request, "why.html", form, status, said=said, order_id=order_id)


@post("/desk/orders/{order_id:uuid}/assign", guards=[requires(Role.OPERATOR)], status_code=200)
async def assign(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Give an order that waits at the desk to people who can go."""
    form = await read_form(request, AssignForm)
    if (said := form.filled) is None:
        return await _why(request, order_id, form, 422)
    crew, start = said.way.split("@")
    wanted = ManualAssignment([UUID(one) for one in crew.split(",")], _instant(start), said.words)
    asked = crewing.assign(request, order_id, wanted, key=key_of(form))
    if await told(form, OrderView, asked, _INSTEAD) is None:
        return await _why(request, order_id, form, 409)
    return Redirect(f"/desk/orders/{order_id}?done=assigned", status_code=303)


def _instant(text: str) -> datetime:
    """Read an instant of a form. Raises invalid_request (400)."""
    try:
        return convert(text, Instant)
    except ValidationError as error:
        raise DomainError("invalid_request") from error


@get(["/provider/orders/{order_id:uuid}/swap", "/desk/orders/{order_id:uuid}/swap"], guards=[_CREWS])
async def swap_page(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Everybody of the provider, seat by seat: who can come instead is pressed, who cannot says why."""
    return await _swapping(request, order_id, Form[SwapForm]())


async def _swapping(request: Asked, order_id: UUID, form: Form[Any], status: int = 200) -> Response[str]:
    options = await crewing.options(request, order_id)
    return await _page(
        request,
        "swap.html",
        form,
        status,
        options=options,
        order_id=order_id,
        crew_with=_crew_with(options),
        press=Form[Pressed](),
    )


def _crew_with(options: Options) -> dict[tuple[int, UUID], str]:
    """By seat and who takes it over: the crew as it would be, in the words of the form."""

    def crew(new: Option) -> str:
        return ",".join(str(new.worker_id if one.seat == new.seat else one.worker_id) for one in options.crew)

    return {(one.seat, one.worker_id): crew(one) for one in options.options if one.rule is None}


@post(["/provider/orders/{order_id:uuid}/swap", "/desk/orders/{order_id:uuid}/swap"], guards=[_CREWS], status_code=200)
async def swap(request: Asked, order_id: FromPath[UUID]) -> Response[Any]:
    """Have somebody else come."""
    form = await read_form(request, SwapForm)
    if (said := form.filled) is None:
        return await _swapping(request, order_id, form, 422)
    wanted = Swap(worker_ids=[UUID(one) for one in said.crew.split(",")], version=said.version)
    asked = crewing.swap(request, order_id, wanted, key=key_of(form))
    order = await told(form, OrderView, asked, _INSTEAD)
    if order is None:
        return await _swapping(request, order_id, form, 409)
    return Redirect(await _after(request, order), status_code=303)


async def _after(request: Asked, order: OrderView) -> str:
    """Where whoever has sent somebody else goes on: an offer is still to be answered."""
    if request.user.role is not Role.PROVIDER:
        return f"/desk/orders/{order.id}/why"
    if order.status.value == "offered":
        return f"/provider?order={order.id}&done=swapped"
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
    return f"/provider/{'today' if order.plan_on <= city_date(when.now, when.zone) else 'tomorrow'}?done=swapped"


async def _page(request: Asked, template: str, form: Form[Any], status: int = 200, **more: Any) -> Response[str]:
    desk = request.user.role is Role.OPERATOR
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
        who = None if desk else await provider_day.provider(connection, request.user)
    return page(
        request, f"crew/{template}", status=status, frame="desk/frame.html" if desk else "provider/frame.html",
        base="/desk" if desk else "/provider", who=who, form=form, when=when, facts=facts, words=rule_words, **more,
    )  # fmt: skip


route_handlers = [door([why_page, assign, swap_page, swap])]
