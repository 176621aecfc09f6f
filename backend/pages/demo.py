"""The first page of whoever has not signed in; in the demo its invented people stand there, one press each.

Outside the demo nobody is listed, and the address that lets one in without a code answers that it does not exist.
"""

from typing import Any, Final
from uuid import UUID

from litestar import Response, post

from backend.accounts import actions, queries
from backend.core.bounds import Asked as Sent
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.pages.forms import Form, read_form
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.sign_in import let_in

ROLES: Final = {
    "resident": ("老人", "Resident"), "family": ("家属", "Family"), "operator": ("坐席", "Operator"), "provider": ("机构", "Provider"),
    "worker": ("护理员", "Worker"), "supervisor": ("民政", "Civil affairs"),
}  # fmt: skip


class EnterForm(Sent, frozen=True):
    """As whom somebody looks round the demo."""

    account: UUID


async def start(request: Asked) -> Response[Any]:
    """Where everybody begins: the ways in, and in the demo the people of its story."""
    people = []
    if request.app.state.settings.demo:
        async with request.app.state.database.unit_of_work(SYSTEM) as connection:
            people = await queries.one_of_each_role(connection)
    return page(request, "start.html", demo_people=people, roles=ROLES, form=Form[EnterForm]())


@post("/demo/enter", opt={"public": True}, status_code=200)
async def enter(request: Asked) -> Response[Any]:
    """Let somebody in as one of the people shown, in the demo only. Raises not_found everywhere else."""
    settings = request.app.state.settings
    if not settings.demo:
        raise DomainError("not_found")
    form = await read_form(request, EnterForm)
    async with request.app.state.database.unit_of_work(SYSTEM) as connection:
        people = {person.id: person for person in await queries.one_of_each_role(connection)}
        wanted = people.get(form.filled.account) if form.filled else None
        if wanted is None:
            raise DomainError("not_found")
        session = await actions.open_session(connection, settings, wanted.id, wanted.role, None)
    return await let_in(request, session, "")


route_handlers = [door([enter])]
