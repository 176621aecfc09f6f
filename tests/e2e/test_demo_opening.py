"""What somebody sees who opens the demo: twenty to ten, whatever the wall clock says, with a day under way."""

import asyncio
import io
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from rich.console import Console

from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.embedded import Embedded, Urls
from backend.processes.web import create_app
from backend.simulation.demo import morning, opening, run
from backend.simulation.demo.population import Pace
from tests.support.people import asking, settings

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="yinling-opening-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def _fresh(server: Embedded, seed: int, folder: Path, told: Callable[[str], None]) -> Urls:
    return await opening.open_at(server, await opening.prepared(server, seed, folder, told))


@pytest.fixture(scope="module")
async def opened(folder: Path) -> AsyncIterator[tuple[Embedded, Urls, Path]]:
    with Embedded(folder / "data", durable=False) as server:
        said: list[str] = []
        urls = await _fresh(server, 7, folder, said.append)
        if any("with what there is" in line for line in said):  # too busy a moment: the next start prepares it again
            urls = await _fresh(server, 7, folder, said.append)
        yield server, urls, folder


async def _rows(server: Embedded, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(server.url(opening.DATABASE))
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def test_the_demo_opens_on_finished_running_late_and_waiting_orders(opened: tuple[Embedded, Urls, Path]):
    """An empty board at whatever hour the visitor comes shows nothing of what the platform does."""
    server = opened[0]
    assert (await _rows(server, "SELECT yinling_now() AS now"))[0]["now"].astimezone(ZONE).strftime("%H:%M") == "09:40"
    found = {
        row["status"]: row["count"] for row in await _rows(server, "SELECT status, count(*) FROM orders GROUP BY 1")
    }
    assert found["completed"] >= 5
    assert found["in_service"] >= 3
    assert found["accepted"] >= 20
    assert found["manual"] == 1
    assert found["offered"] == found["held"] == 1
    late = await _rows(server, "SELECT FROM orders WHERE status = 'en_route' AND window_to < yinling_now()")
    assert len(late) == 1
    clock = await _rows(server, "SELECT expires_at > yinling_now() AS runs FROM offers WHERE status = 'open'")
    assert [row["runs"] for row in clock] == [True]
    assert not await _rows(server, "SELECT FROM orders WHERE status IN ('missed', 'unserved', 'exception')")


async def test_the_morning_is_lived_once_and_every_start_gets_a_copy(opened: tuple[Embedded, Urls, Path]):
    server, _, folder = opened
    changed = await asyncpg.connect(server.url(opening.DATABASE))
    await changed.execute("UPDATE care_clock SET care_at = care_at + interval '9 hours'")
    await changed.close()
    said: list[str] = []
    await _fresh(server, 7, folder, said.append)
    assert not any("preparing" in line for line in said)
    assert (await _rows(server, "SELECT yinling_now() AS now"))[0]["now"].astimezone(ZONE).strftime("%H:%M") == "09:40"


async def test_a_machine_too_busy_for_the_morning_opens_with_what_was_lived(
    opened: tuple[Embedded, Urls, Path], monkeypatch: pytest.MonkeyPatch
):
    """A demo that does not start shows less than one with a thinner morning."""
    server, _, folder = opened
    said: list[str] = []
    monkeypatch.setattr(morning, "_PATIENCE_S", 0.0)
    await _fresh(server, 8, folder, said.append)
    assert any("too slow" in line for line in said)
    assert (await _rows(server, "SELECT yinling_now() AS now"))[0]["now"].astimezone(ZONE).strftime("%H:%M") == "09:40"
    await _fresh(server, 7, folder, said.append)


async def test_the_board_says_how_the_clock_runs_and_who_is_late(opened: tuple[Embedded, Urls, Path]):
    server, urls, _ = opened
    clock = await asyncpg.connect(server.url(opening.DATABASE))
    await clock.execute("UPDATE care_clock SET rate = 20, machine_at = now()")
    await clock.close()
    database = await Database.open(urls.app, size=2)
    async with asking(create_app(settings(database, board_public=True), database)) as client:
        page = (await client.get("/board?lang=en")).text
    await database.close()
    assert "a minute here is 20 minutes there" in page
    assert "The clock has just been set" in page
    assert "min late" in page


class Screen(io.StringIO):
    """A console's screen, and the moment the morning is named on it."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def write(self, text: str) -> int:
        if "in the morning" in text:
            self.told.set()
        return super().write(text)


async def test_the_evening_is_followed_by_the_next_morning_and_everybody_is_told(opened: tuple[Embedded, Urls, Path]):
    """A jump of twelve hours that nobody mentions looks like a fault."""
    owner, screen = await open_as_owner(opened[1].owner), Screen()
    pace = Pace(datetime(2030, 3, 12, 11, 29, 59, tzinfo=UTC), 1.0, ZONE)
    nights = asyncio.create_task(run.skip_nights(Console(file=screen), owner, pace, 1.0, 7))
    async with asyncio.timeout(60):
        await screen.told.wait()
    nights.cancel()
    await owner.close()
    assert "it goes on in the morning: 2030-03-13 07:40" in screen.getvalue()
    assert pace.now().astimezone(ZONE).strftime("%d %H:%M") == "13 07:40"
