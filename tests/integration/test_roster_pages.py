"""The week as a grid without script: typed, kept and explained where it is wrong, copied, and nobody else's."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.away import worker_of
from tests.support.city import DAY, City, at
from tests.support.pages import Browsers, Forms, send
from tests.support.swaps import offered, others_of

WEEK = f"/provider/roster?week={DAY}"


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as opened:
        yield opened


async def _opened(city: City, browsers: Browsers) -> tuple[dict[str, Any], UUID, UUID, httpx.AsyncClient]:
    """An accepted order, its worker, a colleague, and the browser at their provider's desk; only today has shifts."""
    order, _ = await offered(city, "accepted")
    await city.sql("DELETE FROM shifts WHERE plan_on > $1", DAY)
    provider_id = (await city.order(order["id"]))["provider_id"]
    desk = await browsers.of(
        await city.one(
            "INSERT INTO accounts (role, name, login, password_hash, provider_id) VALUES ('provider', '某人', $1, 'none', $2) RETURNING id",
            str(uuid4()), provider_id,
        )
    )  # fmt: skip
    return order, await worker_of(city, order), (await others_of(city, order))[0], desk


def _cell(worker: UUID, ahead: int) -> str:
    return f"{DAY + timedelta(days=ahead):%Y%m%d}-{worker}"


async def _shifts(city: City, worker: UUID, ahead: int) -> list[tuple[datetime, datetime]]:
    rows = await city.sql(
        "SELECT lower(during) AS a, upper(during) AS b FROM shifts WHERE worker_id = $1 AND plan_on = $2 ORDER BY 1",
        worker, DAY + timedelta(days=ahead),
    )  # fmt: skip
    return [(row["a"], row["b"]) for row in rows]


async def test_cells_are_typed_and_the_week_says_so(city: City, browsers: Browsers):
    """The first cell that is changed changes; what was not touched is not written."""
    _, worker, colleague, desk = await _opened(city, browsers)
    grid = await desk.get(WEEK)
    fields = Forms(grid.text).found["/provider/roster"]
    assert fields[_cell(worker, 0)] == "8-18"
    assert fields[_cell(worker, 1)] == ""
    assert _cell(worker, -1) not in fields, "what is over is not typed into"
    before = await city.sql("SELECT id FROM shifts WHERE worker_id = $1", worker)
    done = await send(
        desk, grid, "/provider/roster", **{_cell(worker, 1): "9:30-17:30", _cell(colleague, 2): "8-12 14-18"}
    )
    assert "排好了" in done.text
    assert await _shifts(city, worker, 1) == [(at(9, 30, days=1), at(17, 30, days=1))]
    assert await _shifts(city, colleague, 2) == [(at(8, days=2), at(12, days=2)), (at(14, days=2), at(18, days=2))]
    assert (await city.sql("SELECT id FROM shifts WHERE worker_id = $1 AND plan_on = $2", worker, DAY)) == before
    assert Forms(done.text).found["/provider/roster"][_cell(colleague, 2)] == "8-12 14-18"
    same = await send(desk, done, "/provider/roster")
    assert "没有改动" in same.text


async def test_what_is_wrong_stands_in_its_cell_and_everything_typed_is_kept(city: City, browsers: Browsers):
    _, worker, colleague, desk = await _opened(city, browsers)
    grid = await desk.get(WEEK)
    typed = {_cell(worker, 1): "九点到五点", _cell(colleague, 1): "9-17"}
    wrong = await send(desk, grid, "/provider/roster", **typed)
    assert wrong.status_code == 422
    assert "写成 9-19 或 9:30-17:30" in wrong.text
    kept = Forms(wrong.text).found["/provider/roster"]
    assert {name: kept[name] for name in typed} == typed
    assert await _shifts(city, colleague, 1) == [], "all or nothing"
    right = await send(desk, wrong, "/provider/roster", **{_cell(worker, 1): "9-17"})
    assert "排好了" in right.text
    assert await _shifts(city, colleague, 1) == await _shifts(city, worker, 1) == [(at(9, days=1), at(17, days=1))]


async def test_a_cell_that_holds_visits_says_how_many(city: City, browsers: Browsers):
    _, worker, colleague, desk = await _opened(city, browsers)
    grid = await desk.get(WEEK)
    refused = await send(desk, grid, "/provider/roster", **{_cell(worker, 0): "", _cell(colleague, 1): "9-17"})
    assert refused.status_code == 409
    assert "这段时间里有 1 单已经答应了" in refused.text
    assert f'id="{_cell(worker, 0)}-wrong"' in refused.text
    assert await _shifts(city, worker, 0) == [(at(8), at(18))]
    assert await _shifts(city, colleague, 1) == []


async def test_two_desks_that_type_at_once_do_not_undo_each_other(city: City, browsers: Browsers):
    _, worker, _, desk = await _opened(city, browsers)
    mine, theirs = await desk.get(WEEK), await desk.get(WEEK)
    assert "排好了" in (await send(desk, mine, "/provider/roster", **{_cell(worker, 1): "8-12"})).text
    second = await send(desk, theirs, "/provider/roster", **{_cell(worker, 1): "9-17"})
    assert second.status_code == 409
    assert await _shifts(city, worker, 1) == [(at(8, days=1), at(12, days=1))]


async def test_last_week_is_copied_with_one_press(city: City, browsers: Browsers):
    _, worker, _, desk = await _opened(city, browsers)
    monday = DAY - timedelta(days=DAY.weekday()) + timedelta(days=7)
    grid = await desk.get(f"/provider/roster?week={monday}")
    done = await send(desk, grid, "/provider/roster/copy")
    assert "上周的班复制过来了" in done.text
    assert await _shifts(city, worker, 7) == [(at(8, days=7), at(18, days=7))]
    assert f"week={monday}" in str(done.url)


async def test_a_week_that_is_none_is_this_one_and_a_forged_grid_is_refused(city: City, browsers: Browsers):
    _, worker, _, desk = await _opened(city, browsers)
    for week in ("", "x", "2030-13-40"):
        page = await desk.get("/provider/roster", params={"week": week})
        assert _cell(worker, 0) in Forms(page.text).found["/provider/roster"]
    for week in ("0001-01-01", "9999-12-31"):
        assert (await desk.get("/provider/roster", params={"week": week})).status_code == 200
    grid = await desk.get(WEEK)
    for shown in ("", "[]", '{"x": "9-19"}', '{"20300312-x": "9"}'):
        assert (await send(desk, grid, "/provider/roster", shown=shown)).status_code in {400, 200}
    theirs = await city.one("SELECT id FROM workers WHERE provider_id <> (SELECT provider_id FROM workers WHERE id = $1) AND active LIMIT 1",
                            worker)  # fmt: skip
    cell = _cell(theirs, 1)
    forged = await send(desk, grid, "/provider/roster", shown=f'{{"{cell}": ""}}', **{cell: "9-17"})
    assert forged.status_code == 409
    assert await _shifts(city, theirs, 1) == []


async def test_nobody_else_sees_the_roster(city: City, browsers: Browsers):
    order, worker, _, _ = await _opened(city, browsers)
    resident = (await city.resident())["account_id"]
    operator = await city.one("INSERT INTO accounts (role, name) VALUES ('operator', '某人') RETURNING id")
    for account in (resident, operator, await city.one("SELECT account_id FROM workers WHERE id = $1", worker)):
        assert (await (await browsers.of(account)).get("/provider/roster")).status_code == 403
    other = await city.one(
        "SELECT id FROM providers WHERE id <> $1 LIMIT 1", (await city.order(order["id"]))["provider_id"]
    )
    stranger = await browsers.of(await city.one(
        "INSERT INTO accounts (role, name, login, password_hash, provider_id) VALUES ('provider', '某人', 'x', 'none', $1) RETURNING id", other
    ))  # fmt: skip
    assert str(worker) not in (await stranger.get(WEEK)).text
