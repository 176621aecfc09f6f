"""The family's door: one's people with what is true now, what one may see of each, and what one has asked for."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from litestar import Response, get
from litestar.params import FromQuery
from msgspec import Struct

from backend.accounts.guards import requires
from backend.core.principal import Role
from backend.orders import progress
from backend.orders.progress import VisitLine
from backend.pages import consents, facts
from backend.pages.forms import Form
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.resident import Pressed
from backend.residents import actions as residents
from backend.residents import asking
from backend.residents.model import ConsentRequest, Held, Purpose, RequestStatus

FAMILY: Final = requires(Role.RESIDENT, Role.FAMILY)
_KINDS: Final = ("meal", "bath", "rehab")
_TOLD: Final = frozenset({RequestStatus.ASKED, RequestStatus.REFUSED, RequestStatus.EXPIRED, RequestStatus.GIVEN})
_LINES: Final = 3


class Somebody(Struct, frozen=True):
    """One of my people: what I may, what comes next where I may see it, and what I have asked for last."""

    id: UUID
    name: str
    purposes: list[Purpose]
    looks: bool
    lines: list[VisitLine]
    request: ConsentRequest | None

    @property
    def missing(self) -> list[Purpose]:
        """What I could ask for."""
        return [one for one in Purpose if one not in self.purposes]

    @property
    def waits(self) -> bool:
        """Whether they have still to answer me."""
        return self.request is not None and self.request.status is RequestStatus.ASKED


@get("/family", guards=[FAMILY])
async def people_page(request: Asked, done: FromQuery[str] = "") -> Response[Any]:
    """My people: one row each with the state of what comes next."""
    return await people(request, "people.html", done=done)


@get("/family/live", guards=[FAMILY])
async def people_live(request: Asked) -> Response[Any]:
    """The same, fetched again when something changed."""
    return await people(request, "people_live.html")


async def people(
    request: Asked, template: str, status: int = 200, form: Form[Any] | None = None, done: str = ""
) -> Response[str]:
    """Everybody who has let me in for anything, and whom I have asked besides."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        read = {one.id for one in await residents.followed(connection, request.user)}
        held, asked = await asking.held(connection, request.user), await asking.mine(connection, request.user)
        mine = list[Somebody]()
        for one in held:
            looks = one.resident_id in read
            lines = await progress.next_visits(connection, request.user, one.resident_id) if looks else []
            mine.append(_somebody(one, lines, asked, looks=looks))
        when = await facts.calendar(connection, request)
    return page(
        request, f"family/{template}", status=status, facts=facts, people=mine, others=_others(asked), when=when,
        kinds=_KINDS, words=consents, form=form or Form[Pressed](), done=done,
    )  # fmt: skip


def _somebody(one: Held, lines: list[VisitLine], asked: Sequence[ConsentRequest], *, looks: bool) -> Somebody:
    last = next((it for it in asked if it.resident_id == one.resident_id and it.status in _TOLD), None)
    return Somebody(one.resident_id, one.name, one.purposes, looks, lines[:_LINES], last)


def _others(asked: Sequence[ConsentRequest]) -> list[ConsentRequest]:
    """The last question to each whom I have named by a number, until it is answered with yes: then they are my people."""
    last = dict[tuple[str, str | None], ConsentRequest]()
    for one in asked:
        if one.resident_id is None:
            last.setdefault((one.name, one.phone), one)
    return [one for one in last.values() if one.status in _TOLD - {RequestStatus.GIVEN}]


route_handlers = [door([people_page, people_live])]
