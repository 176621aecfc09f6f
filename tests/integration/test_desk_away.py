"""A worker rings the desk and cannot come: found by name, seen before it is recorded, ended from the same page; of every provider."""

from uuid import UUID

import pytest

from tests.support.away import worker_of
from tests.support.city import City
from tests.support.pages import Browsers, Forms, send
from tests.support.swaps import offered

_OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'of-away', 'none') RETURNING id"


async def test_whoever_rings_is_found_by_name_or_pinyin_and_their_visits_go_to_others(city: City):
    """The desk sees what follows before anything is recorded, and ends it where they are back."""
    order, _ = await offered(city, "accepted")
    gone = await worker_of(city, order)
    name = await city.one("SELECT name FROM workers WHERE id = $1", gone)
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR))
        first = await desk.get("/desk")
        assert "/desk/workers" in Forms(first.text).links
        found = await send(desk, await desk.get("/desk/workers"), "/desk/workers", sought=name)
        assert str(found.url).endswith("/desk/workers"), "what was typed stays out of the address"
        assert f"/desk/workers/{gone}/away" in Forms(found.text).links
        nobody = await send(desk, found, "/desk/workers", sought="zzzz")
        assert "没有这个人" in nobody.text
        shown = await desk.get(f"/desk/workers/{gone}/away")
        assert "还没有记，也没有占住谁。" in shown.text
        assert await worker_of(city, order) == gone
        done = await send(desk, shown, f"/desk/workers/{gone}/away", reason="sick")
        assert (done.url.path, "都通知到了" in done.text, "病假" in done.text) == (
            f"/desk/workers/{gone}/away",
            True,
            True,
        )
        assert await worker_of(city, order) != gone
        absence = await city.one("SELECT id FROM leaves WHERE worker_id = $1", gone)
        back = await send(desk, done, f"/desk/workers/{gone}/absences/{absence}/end")
        assert "从现在起又派单" in back.text


@pytest.mark.parametrize(
    "typed",
    [
        {"first": "2030-13-99T10:00", "last": "2030-03-12T12:00"},
        {"first": "2030-03-12T12:00", "last": "2030-03-12T10:00"},
    ],
)
async def test_times_that_cannot_be_stand_in_their_fields(city: City, typed: dict[str, str]):
    """Nothing is recorded, and what was typed stays."""
    worker: UUID = await city.one("SELECT id FROM workers WHERE active ORDER BY id LIMIT 1")
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR))
        wrong = await desk.get(f"/desk/workers/{worker}/away", params=typed)
        assert (wrong.status_code, f'value="{typed["last"]}"' in wrong.text) == (422, True)
        assert (await desk.get(f"/desk/workers/{UUID(int=7)}/away")).status_code == 404
    assert await city.sql("SELECT id FROM leaves WHERE worker_id = $1", worker) == []
