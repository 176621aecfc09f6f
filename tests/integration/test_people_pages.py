"""The provider's people without script: who cannot come is two presses, and where each visit goes stands there before."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.away import worker_of
from tests.support.city import DAY, City, at
from tests.support.pages import Browsers, Forms, send
from tests.support.swaps import offered, others_of

_HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as opened:
        yield opened


async def _desk(city: City, browsers: Browsers, provider_id: UUID, role: str = "provider") -> httpx.AsyncClient:
    return await browsers.of(
        await city.one(
            """INSERT INTO accounts (role, name, login, password_hash, provider_id)
               VALUES ($3, '某人', $1, 'none', $2) RETURNING id""",
            str(uuid4()), provider_id, role,
        )
    )  # fmt: skip


async def test_who_cannot_come_today_is_two_presses_and_everybody_reads_what_follows(city: City, browsers: Browsers):
    order, _ = await offered(city, "accepted")
    gone, row = await worker_of(city, order), await city.order(order["id"])
    desk = await _desk(city, browsers, row["provider_id"])
    people = await desk.get("/provider/people")
    assert f"/provider/people/{gone}/away" in Forms(people.text).links
    assert "今天还有 1 单" in people.text
    shown = await desk.get(f"/provider/people/{gone}/away")
    said = Forms(shown.text).said
    assert "1 单，都有人。" in said
    assert "去，时间不变" in said
    assert "还没有记，也没有占住谁。" in said
    assert await worker_of(city, order) == gone
    done = await send(desk, shown, f"/provider/people/{gone}/away", reason="sick")
    assert str(done.url).endswith("/provider/people?done=absent")
    assert "请假，到明天 3:00" in done.text
    assert "病假" in done.text
    new = await worker_of(city, order)
    assert new != gone
    name = await city.one("SELECT name FROM workers WHERE id = $1", new)
    assert name in said, "who was shown is who comes"
    absence = await city.one("SELECT id FROM leaves WHERE worker_id = $1", gone)
    back = await send(desk, done, f"/provider/absences/{absence}/end")
    assert "从现在起又派单" in back.text
    assert f"/provider/people/{gone}/away" in Forms(back.text).links


async def test_where_nobody_can_it_says_so_before(city: City, browsers: Browsers):
    order, _ = await offered(city, "accepted")
    gone, row = await worker_of(city, order), await city.order(order["id"])
    await city.sql("DELETE FROM worker_skills WHERE skill = 'rehab' AND worker_id <> $1", gone)
    desk = await _desk(city, browsers, row["provider_id"])
    said = Forms((await desk.get(f"/provider/people/{gone}/away")).text).said
    assert "1 单：1 单给坐席。" in said
    assert "没有人能去，转给坐席" in said
    assert (await city.order(order["id"]))["status"] == "accepted"


async def test_another_time_is_typed_and_what_is_wrong_stands_where_it_was_typed(city: City, browsers: Browsers):
    order, _ = await offered(city, "accepted")
    gone, row = await worker_of(city, order), await city.order(order["id"])
    desk, path = await _desk(city, browsers, row["provider_id"]), f"/provider/people/{gone}/away"
    free = await desk.get(path, params={"first": "2030-03-20T08:00", "last": "2030-03-22T18:00"})
    assert "这段时间没有单。" in free.text
    assert 'value="2030-03-20T08:00"' in free.text
    for first, last, words in (
        ("明天", "2030-03-22T18:00", "有的地方没填对"), ("2030-03-20T08:00", "", "这里还没有填"),
        ("2030-03-22T18:00", "2030-03-20T08:00", "结束的时间比开始的早"), ("2030-03-01T08:00", "2030-03-02T08:00", "已经过了"),
        ("2030-03-20T08:00", "2032-03-20T08:00", "最多记一年"), ("9999-03-20T08:00", "9999-03-21T08:00", "有的地方没填对"),
    ):  # fmt: skip
        wrong = await desk.get(path, params={"first": first, "last": last})
        assert (wrong.status_code, words in wrong.text) == (422, True), (first, last)
        assert "确定请假" not in Forms(wrong.text).said
        if first:
            assert f'value="{first}"' in wrong.text, "what was typed is kept"
    done = await send(desk, free, path, reason="holiday")
    assert "休假" in done.text
    assert f"{path}" in Forms(done.text).links, "today they come"
    again = await send(desk, free, path, reason="training")
    assert (again.status_code, "已经记过请假" in again.text) == (409, True)


async def test_in_english_the_pages_are_english(city: City, browsers: Browsers):
    order, _ = await offered(city, "accepted")
    gone, row = await worker_of(city, order), await city.order(order["id"])
    await city.sql("UPDATE worker_skills SET expires_on = $2 WHERE worker_id = $1", gone, DAY + timedelta(days=1))
    desk = await _desk(city, browsers, row["provider_id"])
    desk.cookies.set("yinling_language", "en", domain=str(desk.base_url.host))
    names = [
        r["name"]
        for r in await city.sql(
            "SELECT name FROM workers UNION SELECT name FROM zones UNION SELECT name FROM providers"
        )
    ]
    for path in ("/provider/people", f"/provider/people/{gone}/away"):
        said = Forms((await desk.get(path)).text).said
        for name in names:
            said = said.replace(name, "")
        assert "ends tomorrow" in said or path.endswith("away")
        assert not _HAN.search(said.replace("中文", "")), (path, _HAN.findall(said))
    await city.sql("UPDATE worker_skills SET expires_on = '2040-01-01'")


async def test_credentials_that_end_are_told_with_the_visits_that_need_somebody_else(city: City, browsers: Browsers):
    order, _ = await offered(city, "accepted")
    worker, row = await worker_of(city, order), await city.order(order["id"])
    desk = await _desk(city, browsers, row["provider_id"])
    await city.sql("UPDATE worker_skills SET expires_on = '2040-01-01'")
    assert "最近没有证件到期。" in (await desk.get("/provider/people")).text
    await city.sql("UPDATE worker_skills SET expires_on = $2 WHERE worker_id = $1", worker, DAY)
    said = (await desk.get("/provider/people")).text
    assert "已到期" in said
    assert "1 单要换人" in said
    await city.sql("UPDATE worker_skills SET expires_on = '2040-01-01'")


async def test_nobody_else_opens_these_pages(city: City, browsers: Browsers):
    """Another provider finds nobody of ours; other roles find no page; whoever is not signed in comes to the sign-in."""
    order, _ = await offered(city, "accepted")
    gone, row = await worker_of(city, order), await city.order(order["id"])
    name = await city.one("SELECT name FROM workers WHERE id = $1", gone)
    other = await city.one("SELECT id FROM providers WHERE id <> $1 LIMIT 1", row["provider_id"])
    stranger = await _desk(city, browsers, other)
    assert (await stranger.get(f"/provider/people/{gone}/away")).status_code == 404
    assert str(gone) not in (await stranger.get("/provider/people")).text
    form = next(iter(Forms((await stranger.get("/reading")).text).found.values()))
    times = {"from_at": at(9, days=3).isoformat(), "to_at": at(10, days=3).isoformat(), "reason": "sick"}
    refused = await stranger.post(f"/provider/people/{gone}/away", data={**form, **times})
    assert (refused.status_code, name in refused.text) == (404, False)
    assert await city.one("SELECT count(*) FROM leaves WHERE worker_id = $1", gone) == 0
    operator = await city.one("INSERT INTO accounts (role, name) VALUES ('operator', '某人') RETURNING id")
    worker = await city.one("SELECT account_id FROM workers WHERE id = $1", gone)
    resident = (await city.resident())["account_id"]
    for account in (operator, worker, resident):
        browser = await browsers.of(account)
        for path in ("/provider/people", f"/provider/people/{gone}/away"):
            assert (await browser.get(path)).status_code == 403, path
    nobody = await browsers.stranger()
    assert "/sign-in" in str((await nobody.get("/provider/people")).url)
    assert await others_of(city, order)
