"""The gateway process: websockets only."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from litestar import Litestar, get
from litestar.datastructures import State

from backend.config import Settings
from backend.database.pool import Database, Lane
from backend.live.channels import Hub
from backend.live.gateway import Door, live
from backend.live.tail import Tail
from backend.processes.logging import where
from backend.processes.problems import HANDLERS
from backend.processes.serving import serve

log = structlog.get_logger()
_CONNECTIONS: Final = 2  # and one to listen on
_SEND_BUFFER: Final = 64 * 1024  # so that a reader who stops reading is noticed after kilobytes, not megabytes


@get("/health/live", include_in_schema=False)
async def alive() -> dict[str, str]:
    """The process runs and stands in the feed."""
    return {"status": "ok"}


def create_gateway(settings: Settings, database: Database, hub: Hub | None = None) -> Litestar:
    """The application; it follows the feed for as long as it runs."""
    hub = hub or Hub()
    tail = Tail(database, hub, settings.redis_url)

    @asynccontextmanager
    async def following(_app: Litestar) -> AsyncGenerator[None]:
        await tail.start()
        task = asyncio.create_task(tail.run())
        task.add_done_callback(_die_with_it)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return Litestar(
        route_handlers=[alive, live],
        lifespan=[following],
        exception_handlers=HANDLERS,
        openapi_config=None,
        logging_config=None,
        state=State({"door": Door(database, hub, tail, settings.origins, settings.proxies)}),
    )


def _die_with_it(task: "asyncio.Task[None]") -> None:
    """A gateway that no longer reads the feed must not look alive; whoever started it starts it again."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("gateway.stopped_reading", error=type(error).__name__, trace=where(error))
        signal.raise_signal(signal.SIGTERM)


def _lanes(connections: int) -> dict[Lane, int]:
    """One connection follows the feed whatever crowd stands at the door."""
    return {Lane.FEED: 1, Lane.COUNTER: max(1, connections - 1)}


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    database = await Database.open(
        settings.database_url, time_zone=settings.time_zone, lanes=_lanes(settings.database_connections or _CONNECTIONS)
    )
    try:
        app = create_gateway(settings, database)
        await serve(app, settings, settings.gateway_port, stop, send_buffer=_SEND_BUFFER)
    finally:
        await database.close()
