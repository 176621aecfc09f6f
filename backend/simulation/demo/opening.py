"""The database a demo starts from: the invented city at twenty to ten, made once and copied at every start."""

import hashlib
import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from backend.core.clock import city_date, machine_now
from backend.core.principal import SYSTEM
from backend.database.migrate import migrate, schema_digest
from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.embedded import Embedded, Urls
from backend.simulation import launch
from backend.simulation.clients import RefusedError
from backend.simulation.demo import city, queries
from backend.simulation.demo.morning import OPENS_AT, Cast, Morning, SlowMorningError

DATABASE: Final = "yinling"
_UNFINISHED: Final = "morning_unfinished"
_SOURCES: Final = ("city.py", "morning.py", "queries.py")
_IMPROVE_S: Final = "0.2"  # of one improvement by the dispatcher: the morning has few orders


async def prepared(server: Embedded, seed: int, logs: Path, progress: Callable[[str], None]) -> str:
    """The name of the database in which the morning is kept; the first time it is prepared.

    A morning belongs to one schema, one script and one seed: another of any is prepared anew. Whoever is interrupted
    while preparing leaves an unfinished database, which the next start throws away. On a machine too busy for all of
    it the demo opens with what was lived, and the next start prepares it again.
    """
    name = _name(seed)
    if not await server.has_database(name):
        try:
            await _prepare(server, seed, logs, progress)
        except (SlowMorningError, RefusedError) as error:
            progress(f"{error}: opening with what there is …")
            return _UNFINISHED
        await server.rename_database(_UNFINISHED, name)
    return name


async def open_at(server: Embedded, morning: str) -> Urls:
    """Put a new copy of the morning in the place of the last demo's database."""
    await server.drop_database(DATABASE)
    return await server.copy_database(morning, DATABASE)


def _name(seed: int) -> str:
    mark = hashlib.sha256(f"{schema_digest()} {seed}".encode())
    for source in _SOURCES:
        mark.update((Path(__file__).parent / source).read_bytes())
    return f"morning_{mark.hexdigest()[:16]}"


async def _prepare(server: Embedded, seed: int, logs: Path, progress: Callable[[str], None]) -> None:
    progress("preparing the demo's morning, once on this machine: the city …")
    await server.drop_database(_UNFINISHED)
    urls = await server.bootstrap(_UNFINISHED)
    await migrate(urls.owner)
    owner = await open_as_owner(urls.owner, size=2)
    try:
        await _live(owner, urls, seed, logs, progress)
    finally:
        await owner.close()


async def _live(owner: Database, urls: Urls, seed: int, logs: Path, progress: Callable[[str], None]) -> None:
    zone_info, chooser = ZoneInfo(city.TIME_ZONE), random.Random(seed)
    on = city_date(machine_now(), zone_info)
    async with owner.unit_of_work(SYSTEM) as connection:
        await city.seed(connection, on, zone_info, chooser)
        cast = Cast(
            await queries.residents(connection), await queries.workers(connection),
            await queries.meal_points(connection), await city.desks(connection),
        )  # fmt: skip
    extra = {"YINLING_DISPATCHER_IMPROVE_SECONDS": _IMPROVE_S}
    async with launch.supervised(urls, logs, launch.free_ports(2), extra) as platform:
        try:
            await Morning(platform.web_url, owner, cast, on, zone_info, chooser).live(progress)
        finally:
            async with owner.unit_of_work(SYSTEM) as connection:
                await queries.set_clock(connection, datetime.combine(on, OPENS_AT, zone_info), 0.0)
    async with owner.unit_of_work(SYSTEM) as connection:
        await queries.forget_sessions(connection)
