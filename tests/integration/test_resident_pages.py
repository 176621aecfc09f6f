"""The doors of residents and families without script: booking, following, calling off, confirming, and what is nobody else's."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.core.principal import SYSTEM
from backend.processes.embedded import Embedded
from backend.processes.web import create_app
from tests.support.city import City, at
from tests.support.pages import Browsers, Forms, send
from tests.support.people import SECRET, asking, consent, one_database, person, settings

BATH, REHAB = "bath-home", "rehab-home"
PAGES = ("/past", "/sharing", "/book/bath", "/family")


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as opened:
        yield opened


async def _resident(city: City, browsers: Browsers, **which: int) -> tuple[dict[str, Any], httpx.AsyncClient]:
    someone = await city.resident(**which)
    return someone, await browsers.of(someone["account_id"])


async def _held(browser: httpx.AsyncClient, kind: str = "rehab", nth: int = 0) -> httpx.Response:
    """The page that shows a held time once more before it is booked."""
    times = await browser.get(f"/book/{kind}")
    slots = [value for action, name, value in Forms(times.text).buttons if name == "slot"]
    assert len(slots) == 3, times.text
    return await send(browser, times, "/book/hold", slot=slots[nth])


def _order(answer: httpx.Response) -> UUID:
    found = re.search(r"/visits/([0-9a-f-]{36})", str(answer.url))
    assert found is not None, answer.url
    return UUID(found[1])


async def _status(city: City, order_id: UUID) -> str:
    return await city.one("SELECT status FROM orders WHERE id = $1", order_id)


async def test_a_bath_is_booked_in_two_presses_and_read_before_it_is_promised(city: City, browsers: Browsers):
    _, browser = await _resident(city, browsers, ability=3)
    check = await _held(browser, "bath")
    order_id = _order(check)
    assert await _status(city, order_id) == "held"
    for words in ("上门助浴", "两人", "128元", "8:03", "预计；机构接单后才算定"):
        assert words in check.text, words
    placed = await send(browser, check, f"/visits/{order_id}/place")
    assert await _status(city, order_id) == "placed"
    assert "订好了" in placed.text
    home = await browser.get("/")
    assert "下一次：" in home.text
    assert "时间定了，正在找人" in home.text
    await city.dispatch()
    names = [row["name"] for row in await city.sql(
        "SELECT w.name FROM assignments a JOIN workers w ON w.id = a.worker_id WHERE order_id = $1", order_id)]  # fmt: skip
    visit = await browser.get(f"/visits/{order_id}")
    assert len(names) == 2
    assert all(name in visit.text for name in names)


async def test_a_button_pressed_twice_books_once(city: City, browsers: Browsers):
    """A slow network: the same form comes again, and gets the same answer."""
    _, browser = await _resident(city, browsers)
    times = await browser.get("/book/rehab")
    slot = next(value for _, name, value in Forms(times.text).buttons if name == "slot")
    first, second = await asyncio.gather(*(send(browser, times, "/book/hold", slot=slot) for _ in range(2)))
    held = [answer for answer in (first, second) if "/check" in str(answer.url)]
    again = await send(browser, times, "/book/hold", slot=slot)
    assert {_order(answer) for answer in [*held, again]} == {_order(held[0])}
    order_id = _order(held[0])
    for _ in range(2):
        placed = await send(browser, held[0], f"/visits/{order_id}/place")
        assert "订好了" in placed.text
    assert await city.one("SELECT count(*) FROM orders WHERE status <> 'lapsed'") == 1


async def test_a_hold_that_ran_out_while_it_was_read_is_taken_up_again(city: City, browsers: Browsers):
    """An old person reads slowly: as long as nobody has taken the time, they notice nothing."""
    _, browser = await _resident(city, browsers)
    check = await _held(browser, nth=1)
    order_id = _order(check)
    await city.clock(at(8, 10))
    await city.timers()
    assert await _status(city, order_id) == "lapsed"
    placed = await send(browser, check, f"/visits/{order_id}/place")
    assert "订好了" in placed.text
    assert _order(placed) != order_id
    rows = await city.sql("SELECT window_from, status FROM orders ORDER BY id")
    assert [row["status"] for row in rows] == ["lapsed", "placed"]
    assert rows[0]["window_from"] == rows[1]["window_from"]


async def test_a_time_somebody_else_took_is_answered_with_the_nearest_ones(city: City, browsers: Browsers):
    _, browser = await _resident(city, browsers)
    check = await _held(browser)
    order_id = _order(check)
    await city.clock(at(8, 10))
    await city.timers()
    await city.sql("DELETE FROM shifts WHERE plan_on = $1", (await city.order(str(order_id)))["plan_on"])
    answer = await send(browser, check, f"/visits/{order_id}/place")
    assert answer.status_code == 422
    assert "留的时间到了" in answer.text
    assert len([name for _, name, _ in Forms(answer.text).buttons if name == "slot"]) == 3
    assert "出错：" in answer.text


async def test_whoever_still_thinks_keeps_the_time_a_little_longer_until_it_cannot_be_kept_any_longer(
    city: City, browsers: Browsers
):
    """An old person reads slowly, and asks her daughter; but the time is somebody else's, too."""
    _, browser = await _resident(city, browsers)
    check = await _held(browser)
    order_id = _order(check)
    until = "SELECT hold_expires_at FROM orders WHERE id = $1"
    before = await city.one(until, order_id)
    check = await send(browser, check, f"/visits/{order_id}/longer")
    assert check.status_code == 200
    assert await city.one(until, order_id) > before
    while check.status_code == 200:
        before = await city.one(until, order_id)
        check = await send(browser, check, f"/visits/{order_id}/longer")
    assert "不能再留更久了" in check.text
    assert await city.one(until, order_id) == before
    placed = await send(browser, check, f"/visits/{order_id}/place")
    assert "订好了" in placed.text


async def test_who_comes_is_said_to_be_open_only_until_a_provider_has_accepted(city: City, browsers: Browsers):
    """On the page that was opened when the visit was booked, too."""
    _, browser = await _resident(city, browsers)
    placed = await send(browser, check := await _held(browser), f"/visits/{_order(check)}/place")
    assert "谁来，机构接单后告诉您" in placed.text
    await city.dispatch()
    assert await _status(city, _order(check)) == "accepted"
    for page in (str(placed.url), f"/visits/{_order(check)}/live"):
        assert "接单后" not in (await browser.get(page)).text


async def test_going_back_gives_the_time_back(city: City, browsers: Browsers):
    _, browser = await _resident(city, browsers)
    check = await _held(browser)
    order_id = _order(check)
    times = await send(browser, check, f"/visits/{order_id}/back")
    assert await _status(city, order_id) == "lapsed"
    assert "哪个时间来方便" in times.text


async def test_the_same_as_last_time_is_one_press_and_one_confirmation(city: City, browsers: Browsers):
    someone, browser = await _resident(city, browsers)
    operator = await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(14), at(15), channel="phone")
    await city.dispatch()
    worker, door = await city.worker((await city.crew(order["id"]))[0]["worker_id"]), await city.door(order["id"])
    for hour, step in ((14, "check-in"), (15, "check-out")):
        await city.clock(at(hour, 5))
        await worker.post(f"/v1/orders/{order['id']}/{step}", {"device_at": None, **door})
    visit = await browser.get(f"/visits/{order['id']}")
    assert "做完了，请您确认" in visit.text
    await send(browser, visit, f"/visits/{order['id']}/well")
    assert await _status(city, UUID(order["id"])) == "completed"
    home = await browser.get("/")
    check = await send(browser, home, "/again", order=order["id"])
    held = await city.order(str(_order(check)))
    was = await city.order(order["id"])
    assert held["status"] == "held"
    assert held["window_from"] - was["window_from"] == timedelta(days=7), "the same weekday and hour"
    past = await browser.get("/past")
    assert "做完了，160元" in " ".join(Forms(past.text).said.split())


async def test_lunch_is_booked_from_the_nearest_kitchen_until_ten_and_the_same_again(city: City, browsers: Browsers):
    """Three presses with the dish; after ten o'clock today's kitchen has counted its boxes."""
    someone, browser = await _resident(city, browsers)
    times = await browser.get("/book/meal")
    slots = [value for _, name, value in Forms(times.text).buttons if name == "slot"]
    assert len(slots) == 3
    assert "今天 星期二 上午" in times.text
    check = await send(browser, times, "/book/hold", slot=slots[0])
    order_id = _order(check)
    placed = await send(browser, check, f"/visits/{order_id}/place")
    assert "订好了" in placed.text
    row = await city.order(str(order_id))
    nearest = await city.one(
        """SELECT f.id FROM facilities f JOIN places p ON p.id = f.place_id, homes h JOIN places d ON d.id = h.place_id
           WHERE h.resident_id = $1 AND f.zone_id = h.zone_id AND f.kind = 'meal_point'
           ORDER BY (p.x - d.x) ^ 2 + (p.y - d.y) ^ 2 LIMIT 1""",
        someone["id"],
    )
    assert (row["pickup_facility_id"], row["window_from"], row["ready_at"]) == (nearest, at(11), at(10, 45))
    await city.sql("UPDATE orders SET status = 'completed' WHERE id = $1", order_id)
    await city.sql("DELETE FROM stops")
    await city.clock(at(10))
    again = await send(browser, await browser.get("/"), "/again", order=str(order_id))
    assert (await city.order(str(_order(again))))["window_from"] == at(11, days=1), "today's was ordered until ten"


async def test_calling_off_is_one_press_and_says_so(city: City, browsers: Browsers):
    _, browser = await _resident(city, browsers)
    check = await _held(browser)
    order_id = _order(check)
    await send(browser, check, f"/visits/{order_id}/place")
    asked = await browser.get(f"/visits/{order_id}/cancel")
    done = await send(browser, asked, f"/visits/{order_id}/cancel", why="hospital")
    assert await _status(city, order_id) == "cancelled"
    assert "取消了，没有人来了" in done.text
    assert await city.one("SELECT reason FROM audit WHERE action = 'cancel'") == "hospital"
    again = await send(browser, asked, f"/visits/{order_id}/cancel", why="other")
    assert again.status_code == 422
    assert "这一单现在不能这样办了" in again.text


async def test_another_time_is_two_presses_and_the_old_one_stands_until_then(city: City, browsers: Browsers):
    _, browser = await _resident(city, browsers)
    check = await _held(browser)
    order_id = _order(check)
    placed = await send(browser, check, f"/visits/{order_id}/place")
    assert f"/visits/{order_id}/change" in Forms(placed.text).links
    was = await city.order(str(order_id))
    times = await browser.get(f"/visits/{order_id}/change")
    assert (await city.order(str(order_id)))["window_from"] == was["window_from"]
    slots = [value for _, name, value in Forms(times.text).buttons if name == "slot"]
    await city.clock(at(8, 1))
    moved = await send(browser, times, f"/visits/{order_id}/change", slot=slots[1])
    assert "换好了" in moved.text
    now = await city.order(str(order_id))
    assert (now["status"], now["code"]) == ("placed", was["code"])
    assert now["window_from"] > was["window_from"]
    late = await send(browser, times, f"/visits/{order_id}/change", slot=slots[2])
    assert late.status_code == 422
    assert "刚在别处改过了" in late.text
    assert len([name for _, name, _ in Forms(late.text).buttons if name == "slot"]) == 3


async def test_what_was_not_right_is_told_in_a_few_words(city: City, browsers: Browsers):
    someone, browser = await _resident(city, browsers)
    operator = await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(9), at(10), channel="phone")
    await city.dispatch()
    worker, door = await city.worker((await city.crew(order["id"]))[0]["worker_id"]), await city.door(order["id"])
    for hour, step in ((9, "check-in"), (10, "check-out")):
        await city.clock(at(hour, 5))
        await worker.post(f"/v1/orders/{order['id']}/{step}", {"device_at": None, **door})
    asked = await browser.get(f"/visits/{order['id']}/dispute")
    empty = await send(browser, asked, f"/visits/{order['id']}/dispute", words="  ")
    assert empty.status_code == 422
    assert 'aria-invalid="true"' in empty.text
    told = await send(browser, empty, f"/visits/{order['id']}/dispute", words="水太凉")
    assert "我们打电话给您" in told.text
    assert await _status(city, UUID(order["id"])) == "disputed"


async def test_a_daughter_books_for_her_mother_and_follows_each_step(city: City, browsers: Browsers):
    someone, mother = await _resident(city, browsers)
    daughter = await browsers.of(await city.daughter(someone["id"]))
    people = await daughter.get("/")
    assert str(people.url).endswith("/family")
    times = await daughter.get(f"/book/rehab?of={someone['id']}")
    slot = next(value for _, name, value in Forms(times.text).buttons if name == "slot")
    check = await send(daughter, times, "/book/hold", slot=slot)
    order_id = _order(check)
    placed = await send(daughter, check, f"/visits/{order_id}/place")
    assert 'data-door="family"' in placed.text
    assert "下一次：" in (await mother.get("/")).text
    await city.dispatch()
    visit = await daughter.get(f"/visits/{order_id}")
    assert "接单" in visit.text
    assert "订下" in visit.text
    await mother.post("/sharing", data={})  # a forged form changes nothing
    shared = await mother.get("/sharing")
    consents = re.findall(r'name="consent" value="([0-9a-f-]{36})">.*?<span>(\S+?)<br>', shared.text, re.DOTALL)
    assert [words for _, words in consents] == ["进度", "现在在哪里", "服务记录", "替我订"]
    form = {**Forms(shared.text).found["/sharing"], "consent": consents[3][0]}
    form.pop("purpose", None)
    assert (await mother.post("/sharing", data=form)).status_code == 200
    refused = await daughter.get(f"/book/rehab?of={someone['id']}")
    assert 'name="slot"' not in refused.text
    assert (await daughter.get(f"/visits/{order_id}")).status_code == 200, "she may still look"
    status = await city.one(
        "UPDATE consents SET valid_to = now() WHERE resident_id = $1 AND valid_to IS NULL RETURNING id", someone["id"]
    )
    assert status
    assert (await daughter.get(f"/visits/{order_id}")).status_code == 404


async def test_the_alarm_is_one_press_from_every_page_and_told_to_the_desk_at_once(city: City, browsers: Browsers):
    """Pressed twice it is one alarm; a slip is said, and nobody else can read or call it off."""
    someone, browser = await _resident(city, browsers)
    neighbour = await browsers.of((await city.resident(number=1))["account_id"])
    for path in ("/", "/past", "/sharing", "/book/rehab"):
        assert "/sos" in Forms((await browser.get(path)).text).found, path
    pressed = [await send(browser, await browser.get(path), "/sos") for path in ("/", "/past")]
    assert str(pressed[0].url) == str(pressed[1].url)
    assert "别急，已经告诉值班员了" in pressed[0].text
    rows = await city.sql("SELECT e.resident_id, t.kind FROM emergencies e JOIN desk_tasks t ON t.emergency_id = e.id")
    assert [(row["resident_id"], row["kind"]) for row in rows] == [(someone["id"], "emergency")]
    path = pressed[0].url.path
    assert (await neighbour.get(path)).status_code == 404
    form = next(iter(Forms((await neighbour.get("/reading")).text).found.values()))
    assert (await neighbour.post(f"{path}/fine", data=form)).status_code == 404
    assert await city.one("SELECT called_off_at IS NULL FROM emergencies")
    slip = await send(browser, pressed[0], f"{path}/fine")
    assert "没事就好" in slip.text
    assert await city.one("SELECT called_off_at IS NOT NULL FROM emergencies")
    assert "tel:" in (await (await browsers.stranger()).get("/")).text, "a stranger's button rings the hotline"


async def test_pages_are_nobodys_but_those_whose_visits_they_show(city: City, browsers: Browsers):
    """Strangers, neighbours, staff and workers on every address: nothing of the visit, of its resident or of their people."""
    someone, browser = await _resident(city, browsers)
    check = await _held(browser)
    order_id = _order(check)
    await send(browser, check, f"/visits/{order_id}/place")
    await city.dispatch()
    card = (await city.sql("SELECT r.name, r.phone, h.address FROM residents r JOIN homes h ON h.resident_id = r.id "
                           "WHERE r.id = $1", someone["id"]))[0]  # fmt: skip
    marks = [str(order_id), card["name"], card["address"], (await city.order(str(order_id)))["code"]]
    neighbour = await city.resident(number=1)
    follower = await city.one("INSERT INTO accounts (role, name) VALUES ('family', '某人') RETURNING id")
    await consent(city.database, someone["id"], follower, "status")
    worker = await city.one("SELECT account_id FROM workers LIMIT 1")
    provider = await city.one(
        """INSERT INTO accounts (role, name, login, password_hash, provider_id)
           SELECT 'provider', '某人', 'x', 'none', id FROM providers WHERE id <> coalesce($1, id) OR $1 IS NULL LIMIT 1 RETURNING id""",
        (await city.order(str(order_id)))["provider_id"],
    )
    addresses = [f"/visits/{order_id}{rest}" for rest in ("", "/live", "/cancel", "/dispute", "/check")]
    addresses += [*PAGES, f"/past?of={someone['id']}", f"/book/rehab?of={someone['id']}"]
    for who in (None, neighbour["account_id"], worker, provider):
        stranger = await browsers.stranger() if who is None else await browsers.of(who)
        for path in addresses:
            answer = await stranger.get(path)
            assert answer.status_code < 500, (path, answer.text)
            assert not [mark for mark in marks if mark in answer.text.replace(path, "")], (who, path)
        for path in ("place", "back", "cancel", "well", "dispute"):
            own = await stranger.get("/sign-in/staff" if who is None else "/reading")
            form = next(iter(Forms(own.text).found.values()))
            answer = await stranger.post(f"/visits/{order_id}/{path}", data={**form, "why": "other", "words": "某事"})
            assert answer.status_code in {200, 401, 403, 404, 422}, answer.text
    assert await _status(city, order_id) in {"accepted", "offered"}
    looking = await browsers.of(follower)
    assert (await looking.get(f"/visits/{order_id}")).status_code == 200
    asked = await looking.get(f"/visits/{order_id}/cancel")
    form = next(iter(Forms((await looking.get("/reading")).text).found.values()))
    assert (await looking.post(f"/visits/{order_id}/cancel", data={**form, "why": "other"})).status_code == 422
    assert "取消</button>" not in asked.text
    assert await _status(city, order_id) in {"accepted", "offered"}


@pytest.mark.parametrize(
    "path", ["/visits/{}", "/visits/{}/check", "/visits/{}/cancel", "/book/nothing", "/book/bath/nothing"]
)
async def test_what_is_not_there_is_a_page_with_a_way_on(city: City, browsers: Browsers, path: str):
    _, browser = await _resident(city, browsers)
    answer = await browser.get(path.format(uuid4()))
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="tel:' in answer.text


async def test_one_press_lets_somebody_into_the_demo_and_nobody_anywhere_else(city: City, browsers: Browsers):
    """The people shown are the only ones: whoever sends another account's id gets nowhere."""
    stranger = await browsers.stranger()
    start = await stranger.get("/")
    accounts = [value for _, name, value in Forms(start.text).buttons if name == "account"]
    assert len(accounts) >= 3
    somebody = await city.resident(number=5)
    assert (await send(stranger, start, "/demo/enter", account=str(somebody["account_id"]))).status_code == 404
    inside = await send(stranger, start, "/demo/enter", account=accounts[0])
    assert inside.status_code == 200
    assert "演示：" not in inside.text


async def test_outside_the_demo_nobody_is_listed_and_nobody_let_in(server: Embedded):
    """The one press exists in the demo alone; a proof that is right and an account that exists change nothing."""
    async with one_database(server) as database:
        await person(database, "operator")
        real = settings(database, demo=False, secret_key=SECRET)
        async with asking(create_app(real, database)) as client:
            client.headers["Origin"] = str(client.base_url).rstrip("/")
            start = await client.get("/")
            assert "/demo/enter" not in start.text
            form = next(iter(Forms((await client.get("/sign-in")).text).found.values()))
            async with database.unit_of_work(SYSTEM) as connection:
                account = await connection.fetchval("SELECT id FROM accounts")
            answer = await client.post("/demo/enter", data={"forgery": form["forgery"], "account": str(account)})
            assert answer.status_code == 404
            assert (await client.get("/v1/me")).status_code == 401
