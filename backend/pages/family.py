"""The family's door: one's people with what is true now, each visit as it goes, and booking for those who have agreed."""

from typing import Any, Final

from litestar import Response, get

from backend.accounts.guards import requires
from backend.core.principal import Role
from backend.orders import progress
from backend.pages import facts
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.residents import actions as residents

_FAMILY: Final = requires(Role.RESIDENT, Role.FAMILY)
_KINDS: Final = ("meal", "bath", "rehab")


@get("/family", guards=[_FAMILY])
async def people_page(request: Asked) -> Response[Any]:
    """My people: one row each with the state of what comes next."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        people = [
            (person, (await progress.next_visits(connection, request.user, person.id))[:3])
            for person in await residents.followed(connection, request.user)
            if person.id != request.user.own_id
        ]
        when = await facts.calendar(connection, request)
    return page(request, "family/people.html", facts=facts, people=people, when=when, kinds=_KINDS)


route_handlers = [door([people_page])]
