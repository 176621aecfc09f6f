"""The web process: every slice's routes behind sign-in, with one shape for refusals."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import structlog
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from backend.accounts import routes as accounts
from backend.accounts.actions import SigningIn
from backend.accounts.authentication import Authentication
from backend.accounts.guards import declares_its_roles
from backend.accounts.sending import Sender
from backend.bookings import routes as bookings
from backend.catalogue import routes as catalogue
from backend.config import Settings
from backend.core.principal import SYSTEM
from backend.database.deciding import OneAtATime
from backend.database.pool import Database, Lane
from backend.emergencies import routes as emergencies
from backend.orders import call_routes as calls
from backend.orders import crew_routes as crews
from backend.orders import door_routes as doors
from backend.orders import people_routes as people
from backend.orders import progress_routes as progress
from backend.orders import provider_routes as provider_board
from backend.orders import review_routes as reviews
from backend.orders import roster_routes as roster
from backend.orders import routes as orders
from backend.pages import (
    alarm,
    asked,
    board,
    booking,
    call,
    crew,
    demo,
    desk,
    desk_alarm,
    desk_asked,
    desk_away,
    desk_calls,
    desk_card,
    desk_lanes,
    desk_order,
    desk_wishes,
    family,
    family_asking,
    provider,
    reading,
    resident,
    sharing,
    sign_in,
    sign_in_card,
    worker,
    worker_visit,
)
from backend.pages import people as people_pages
from backend.pages import roster as roster_pages
from backend.processes import description as openapi
from backend.processes.headers import add_headers, headers_for
from backend.processes.problems import HANDLERS, UNAVAILABLE
from backend.processes.reading import StrictRequest, read_strictly
from backend.processes.serving import MESSAGE_LIMIT, serve
from backend.processes.warming import warm_kernels
from backend.providers import routes as providers
from backend.residents import consent_routes as consents
from backend.residents import routes as residents
from backend.scheduling.snapshots import Planner
from backend.scheduling.zones import Zones
from backend.tasks import routes as tasks
from backend.tasks.actions import close_task, open_task
from backend.tasks.model import TaskKind

log = structlog.get_logger()
_CONNECTIONS: Final = 7
_READY_WITHIN_S: Final = 2.0
_SLICES: Final[tuple[Iterable[ControllerRouterHandler], ...]] = (
    accounts.route_handlers,
    residents.route_handlers,
    consents.route_handlers,
    providers.route_handlers,
    catalogue.route_handlers,
    orders.route_handlers,
    progress.route_handlers,
    provider_board.route_handlers,
    calls.route_handlers,
    crews.route_handlers,
    people.route_handlers,
    roster.route_handlers,
    reviews.route_handlers,
    doors.route_handlers,
    bookings.route_handlers,
    emergencies.route_handlers,
    tasks.route_handlers,
    board.route_handlers,
    alarm.route_handlers,
    resident.route_handlers,
    booking.route_handlers,
    sharing.route_handlers,
    asked.route_handlers,
    family.route_handlers,
    family_asking.route_handlers,
    provider.route_handlers,
    people_pages.route_handlers,
    roster_pages.route_handlers,
    call.route_handlers,
    crew.route_handlers,
    desk.route_handlers,
    desk_alarm.route_handlers,
    desk_asked.route_handlers,
    desk_away.route_handlers,
    desk_calls.route_handlers,
    desk_card.route_handlers,
    desk_lanes.route_handlers,
    desk_order.route_handlers,
    desk_wishes.route_handlers,
    worker.route_handlers,
    worker_visit.route_handlers,
    demo.route_handlers,
    sign_in.route_handlers,
    sign_in_card.route_handlers,
    reading.route_handlers,
)


class OpenRouteError(RuntimeError):
    """A route says neither that it is public nor whose it is."""


class Health(msgspec.Struct, frozen=True):
    """Whether the process runs, or can do its work."""

    status: str


@get("/health/live", opt={"public": True}, include_in_schema=False)
async def live() -> Health:
    """The process runs."""
    return Health("ok")


@get("/health/ready", opt={"public": True}, include_in_schema=False)
async def ready(request: Request[Any, Any, State]) -> Response[Health]:
    """The process can plan and reach its database."""
    if not request.app.state.planner.ready:
        return Response(Health("compiling"), status_code=503)
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            await request.app.state.database.ask_as_nobody(lambda nobody: nobody.execute("SELECT 1"))
    except UNAVAILABLE:
        return Response(Health("no database"), status_code=503)
    return Response(Health("ok"))


def create_app(settings: Settings, database: Database, warm: asyncio.Event | None = None) -> Litestar:
    """The application; it plans days, and is ready, once `warm` is set. Raises OpenRouteError when a route forgot to say who may call it."""
    app = assemble()
    equip(app, settings, database, warm)
    return app


def assemble() -> Litestar:
    """The application's routes and what every request goes through; it has nothing to work with yet. Raises OpenRouteError."""
    app = Litestar(
        on_shutdown=[_let_go],
        route_handlers=[live, ready, openapi.description, *(handler for handlers in _SLICES for handler in handlers)],
        middleware=[Authentication],
        exception_handlers=HANDLERS,
        before_request=read_strictly,
        request_class=StrictRequest,
        before_send=[add_headers],
        request_max_body_size=MESSAGE_LIMIT,
        openapi_config=openapi.config(),
        logging_config=None,
        debug=False,
    )
    _closed_by_default(app)
    return app


def equip(app: Litestar, settings: Settings, database: Database, warm: asyncio.Event | None = None) -> None:
    """Give an application that serves nobody what it works with from now on."""
    app.state = State(
        {
            "settings": settings,
            "headers": headers_for(settings),
            "database": database,
            "zones": Zones(database),
            "one_at_a_time": OneAtATime(),
            "signing_in": SigningIn(settings, database, _sender(settings, database)),
            "planner": Planner(settings.time_zone, settings.policy, warm),
        }
    )


def _sender(settings: Settings, database: Database) -> Sender:
    """Whoever sends sign-in codes; while they do not leave the desk has a task."""

    async def told(why: str | None) -> None:
        try:
            async with database.unit_of_work(SYSTEM) as connection:
                if why is None:
                    await close_task(connection, TaskKind.CODES_NOT_SENT)
                else:
                    await open_task(connection, TaskKind.CODES_NOT_SENT, {"reason": why})
        except UNAVAILABLE as error:  # the next code that leaves, or does not, is told again
            log.warning("sign_in.desk_not_told", error=type(error).__name__)

    return Sender(settings.sender_url, settings.sender_key, told)


async def _let_go(app: Litestar) -> None:
    await app.state.signing_in.close()


def _closed_by_default(app: Litestar) -> None:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            answers = isinstance(handler, HTTPRouteHandler) and handler.http_methods != {"OPTIONS"}
            if answers and not declares_its_roles(handler):
                raise OpenRouteError(f"{route.path} names no role; give it `guards=[requires(...)]`")


def lanes(connections: int) -> dict[Lane, int]:
    """A web process's connections: two of seven for quotes, three for what locks, two for everybody else; one each at least."""
    planning, commands = max(1, connections * 2 // 7), max(1, connections * 3 // 7)
    return {
        Lane.PLANNING: planning,
        Lane.COMMANDS: commands,
        Lane.COUNTER: max(1, connections - planning - commands),
    }


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    database = await Database.open(
        settings.database_url, time_zone=settings.time_zone, lanes=lanes(settings.database_connections or _CONNECTIONS)
    )
    warm = asyncio.Event()
    warming = asyncio.create_task(warm_kernels(warm, ("quotes",)))
    try:
        await serve(create_app(settings, database, warm), settings, settings.web_port, stop)
    finally:
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)
        await database.close()
