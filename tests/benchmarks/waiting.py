"""How long people wait in the demo's city: for slots, for a booking to be taken, and until a provider is asked.

    python -m tests.benchmarks.waiting [--seconds 120] [--every 0.3] [--speed 20]

The whole platform runs with a database of its own and the demo's people on it, who book more often than in the demo.
Residents and the operator wait through the public interface; from placed to offered the database knows.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from backend.core.clock import city_date, machine_now
from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.processes.embedded import Urls
from backend.simulation import launch, queries
from backend.simulation.demo import city
from backend.simulation.demo import queries as people
from backend.simulation.demo.population import Pace, Population
from backend.simulation.report import share

_SEED = 7
_HOUR = 9  # the city wakes up here, with the whole day before it


async def measure(asked: argparse.Namespace) -> None:
    """Live for a while and print one line for each kind of waiting."""
    zone_info = ZoneInfo(city.TIME_ZONE)
    begins = machine_now().astimezone(zone_info).replace(hour=_HOUR, minute=0, second=0, microsecond=0)

    async def prepare(urls: Urls) -> None:
        owner = await open_as_owner(urls.owner)
        async with owner.unit_of_work(SYSTEM) as connection:
            await people.set_clock(connection, begins, 0.0)
            await city.seed(connection, city_date(begins, zone_info), zone_info, random.Random(_SEED))
        await owner.close()

    async with launch.running({"YINLING_DISPATCHER_IMPROVE_SECONDS": "1"}, prepare) as platform:
        owner = await open_as_owner(platform.urls.owner)
        async with owner.unit_of_work(SYSTEM) as connection:
            desks = await city.desks(connection)
            residents, workers = await people.residents(connection), await people.workers(connection)
            points = await people.meal_points(connection)
            await people.set_clock(connection, begins, asked.speed)
        population = Population(platform.web_url, Pace(begins, asked.speed, zone_info), random.Random(_SEED))
        living = asyncio.create_task(population.live(residents, workers, points, desks, asked.every))
        done, _ = await asyncio.wait({living}, timeout=asked.seconds)
        living.cancel()
        if done:
            await living
        async with owner.unit_of_work(SYSTEM) as connection:
            offered_ms = await queries.dispatch_latencies(connection)
        await owner.close()
    sys.stdout.write(f"{'waiting for':<20}{'times':>8}{'p50, ms':>10}{'p99, ms':>10}\n")
    _told("a quote", population.traffic.quote_ms)
    _told("a booking", population.traffic.booking_ms)
    _told("placed to offered", offered_ms)


def _told(what: str, took: Sequence[float]) -> None:
    sys.stdout.write(f"{what:<20}{len(took):>8}{share(took, 0.5):>10.1f}{share(took, 0.99):>10.1f}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=0.3, help="mean seconds between two bookings")
    parser.add_argument("--speed", type=float, default=20.0, help="care seconds per real second")
    asyncio.run(measure(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
