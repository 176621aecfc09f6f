"""What only a person decides, on the desk's pages: a shut door, a visit that is doubted, a search that ends, an alarm."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.at_the_door import accepted, report
from tests.support.city import City, at
from tests.support.pages import Browsers, Forms, send


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as opened:
        yield opened


async def _operator(city: City, browsers: Browsers) -> httpx.AsyncClient:
    account = await city.one(
        "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', $1, 'none') RETURNING id",
        str(uuid4()),
    )
    return await browsers.of(account)


async def _status(city: City, order_id: str) -> str:
    return await city.one("SELECT status FROM orders WHERE id = $1", UUID(order_id))


@pytest.mark.parametrize(
    ("action", "typed", "status", "said"),
    [
        ("door-opened", {"words": "女儿有钥匙"}, "arrived", "门口的人进去"),
        ("another-time", {"words": "下午在家"}, "manual", "人工派单"),
        ("abort", {"reason": "hospital", "remark": "邻居说的"}, "aborted", "住院了"),
    ],
)
async def test_the_desk_says_what_is_behind_a_shut_door(
    city: City, browsers: Browsers, action: str, typed: dict[str, str], status: str, said: str
):
    """Without a reason nothing happens, and the page says where it is missing; a reason of a visit is no reason of a door."""
    order, crew = await accepted(city)
    await report(city, crew[0], order, "check-in")
    await report(city, crew[0], order, "no-access")
    desk = await _operator(city, browsers)
    seen = await desk.get(f"/desk/orders/{order['id']}")
    empty = await send(desk, seen, f"/desk/orders/{order['id']}/door-opened")
    assert empty.status_code == 422
    assert await _status(city, order["id"]) == "no_access"
    wrong = await desk.post(
        f"/desk/orders/{order['id']}/abort",
        data={**dict(_hidden(seen.text, "abort")), "reason": "equipment"},
    )
    assert wrong.status_code == 422
    done = await desk.post(f"/desk/orders/{order['id']}/{action}", data={**dict(_hidden(seen.text, "abort")), **typed})
    assert said in done.text
    assert await _status(city, order["id"]) == status


def _hidden(text: str, ends: str) -> list[tuple[str, str]]:
    found = next(fields for action, fields in Forms(text).found.items() if action.endswith(ends))
    return [(name, value) for name, value in found.items() if name in {"forgery", "key"}]


async def test_an_operator_decides_about_a_doubted_visit_and_never_about_a_made_up_choice(
    city: City, browsers: Browsers
):
    order, crew = await accepted(city)
    far = {"device_at": None, "x": 120.0, "y": 30.0, "accuracy_m": 5}
    assert (await crew[0].post(f"/v1/orders/{order['id']}/check-in", far)).status_code == 200
    await city.clock(at(10, 45))
    assert (await crew[0].post(f"/v1/orders/{order['id']}/check-out", far)).status_code == 200
    await city.clock(at(10, days=5))
    await city.timers()
    assert await _status(city, order["id"]) == "exception"
    desk = await _operator(city, browsers)
    seen = await desk.get(f"/desk/orders/{order['id']}")
    assert "不在现场范围" in seen.text
    path = f"/desk/orders/{order['id']}/resolve"
    wrong = await send(desk, seen, path, decided="completed made_up", words="x")
    assert (wrong.status_code, await _status(city, order["id"])) == (422, "exception")
    done = await send(
        desk, seen, path, decided="completed resident_confirmed", words="老人说做了", resident="做了，很好"
    )
    assert "决定记下了" in done.text
    assert await _status(city, order["id"]) == "completed"
    assert await city.one("SELECT words FROM visit_statements WHERE side = 'resident'") == "做了，很好"


async def test_a_search_that_ends_tells_why(city: City, browsers: Browsers):
    await city.manual_acceptance()
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    await city.sql("DELETE FROM stops")
    await city.sql("UPDATE orders SET status = 'manual', reason = 'nobody_accepted' WHERE id = $1", order["id"])
    desk = await _operator(city, browsers)
    queue = await desk.get("/desk")
    assert f"/desk/orders/{order['id']}" in queue.text
    seen = await desk.get(f"/desk/orders/{order['id']}")
    assert "无机构接单" in seen.text
    done = await send(desk, seen, f"/desk/orders/{order['id']}/unserved", words="今天没有人")
    assert "请给老人打电话" in done.text
    assert await _status(city, order["id"]) == "unserved"


async def test_an_alarm_is_raised_for_who_rings_taken_once_and_closed_with_what_it_was(city: City, browsers: Browsers):
    """F8 in a call: whoever hears it has it; without an outcome nothing is closed."""
    someone = await city.resident()
    desk, other = await _operator(city, browsers), await _operator(city, browsers)
    call = await desk.get(f"/desk/residents/{someone['id']}")
    alarm = await send(desk, call, f"/desk/residents/{someone['id']}/alarm")
    path = alarm.url.path
    assert path.startswith("/desk/alarms/")
    address = await city.one("SELECT address FROM homes WHERE resident_id = $1 AND current", someone["id"])
    assert address in alarm.text
    assert path in (await other.get("/desk")).text
    theirs = await other.get(path)
    assert "别人在办" in theirs.text
    empty = await send(desk, alarm, f"{path}/close")
    assert empty.status_code == 422
    closed = await send(desk, alarm, f"{path}/close", outcome="hospital", remark="送了医院")
    assert closed.url.path == "/desk"
    assert await city.one("SELECT outcome FROM emergencies") == "hospital"
    assert (await send(desk, alarm, f"{path}/close", outcome="fine")).status_code == 422


async def test_an_order_that_waits_at_the_desk_is_given_to_people_who_can_go(city: City, browsers: Browsers):
    """From the page that says who could; a choice no page has offered is refused, and one without a reason is asked again."""
    await city.manual_acceptance()
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    await city.sql("DELETE FROM stops")
    await city.sql("UPDATE orders SET status = 'manual', reason = 'nobody_accepted' WHERE id = $1", order["id"])
    desk = await _operator(city, browsers)
    seen = await desk.get(f"/desk/orders/{order['id']}/why")
    way = next(value for _, name, value in Forms(seen.text).buttons if name == "way")
    path = f"/desk/orders/{order['id']}/assign"
    for typed in (
        {"way": way, "words": " "},
        {"way": way.split("@")[0] + "@2030-03-12T99:00:00+08:00", "words": "x"},
        {"way": "x"},
    ):
        assert (await send(desk, seen, path, **typed)).status_code in {400, 422}
        assert await _status(city, order["id"]) == "manual"
    done = await send(desk, seen, path, way=way, words="电话里说好了")
    assert "等机构答复" in done.text
    assert await _status(city, order["id"]) == "offered"
    again = await send(desk, seen, path, way=way, words="电话里说好了，再按一次")
    assert again.status_code == 409
