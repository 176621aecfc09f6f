"""The gateway process: websockets only."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from litestar import Litestar, get
from litestar.datastructures import State

from backend.config import Settings
from backend.database.pool import Database
from backend.live.channels import Hub
from backend.live.gateway import Door, live
from backend.live.tail import Tail
from backend.processes.problems import HANDLERS
from backend.processes.serving import serve

_POOL_SIZE: Final = 6
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
        state=State({"door": Door(database, hub, tail, settings.origins)}),
    )


async def run(settings: Settings) -> None:
    """Serve until stopped."""
    database = await Database.open(settings.database_url, size=_POOL_SIZE)
    try:
        await serve(create_gateway(settings, database), settings.host, settings.gateway_port, send_buffer=_SEND_BUFFER)
    finally:
        await database.close()
