"""A recorded day through the public interface, people as separate clients, judged from the database afterwards."""

from pathlib import Path
from typing import Any

import msgspec
from rich.progress import Progress

from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.simulation.generator import write_mdrp
from backend.simulation.replay import Options, instances, replay
from tests.support.day_judge import broken
from tests.support.replaying import DAYS, clean


async def _lived(path: Path, form: str) -> dict[str, Any]:
    """The figures of a day that broke no rule."""
    wrong: list[str] = []

    async def look(database: Database) -> None:
        async with database.unit_of_work(SYSTEM) as connection:
            wrong.extend(await broken(connection.fetch))

    options = Options(form=form, speed=0, settle_s=2)
    with Progress(disable=True) as progress:
        report = await replay(instances(path, options)[0], options, progress, look)
    assert wrong == []
    found = msgspec.to_builtins(report)
    clean(found)
    return found


async def test_a_day_of_home_care_is_booked_dispatched_and_carried_out() -> None:
    """Twelve orders with crews of two and gaps between orders: all done, nobody in two places, no event lost or doubled."""
    found = await _lived(DAYS / "hhcrsp" / "InstanzCPLEX_HCSRP_10_1.json.gz", "hhcrsp")
    assert found["orders"] == found["completed"] == 12


async def test_a_day_of_meals_is_delivered_as_it_comes_in(tmp_path: Path) -> None:
    """Orders appear at their recorded minute; each is delivered, or unserved with a reason the oracle confirms."""
    found = await _lived(write_mdrp(tmp_path / "day", seed=3, orders=25, couriers=8, restaurants=5), "mdrp")
    assert found["orders"] == 25
    assert found["completed"] + found["unserved"] == 25
