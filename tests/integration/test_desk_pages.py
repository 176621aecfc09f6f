"""The operator's desk without script: who is ringing, booking for them on the telephone, and what waits for a person."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.city import City, at
from tests.support.pages import Browsers, Forms, send

REHAB = "rehab-home"


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


async def test_a_daughter_who_rings_is_found_by_her_number_and_a_bath_is_booked_for_her_mother(
    city: City, browsers: Browsers
):
    """What was typed stays out of every address; the booking says that it came by telephone, and by whose hands."""
    desk = await _operator(city, browsers)
    someone = await city.resident(ability=3)
    number = await city.one(
        """SELECT n.phone FROM consents c JOIN account_numbers n ON n.account_id = c.account_id
           WHERE c.resident_id = $1 AND c.purpose = 'book'""",
        someone["id"],
    )
    first = await desk.get("/")
    assert str(first.url).endswith("/desk")
    found = await send(desk, first, "/desk/find", text=number.removeprefix("+86"))
    assert str(found.url).endswith("/desk/find")
    assert f"/desk/residents/{someone['id']}" in Forms(found.text).links
    person = await desk.get(f"/desk/residents/{someone['id']}")
    address = await city.one("SELECT address FROM homes WHERE resident_id = $1 AND current", someone["id"])
    assert address in person.text
    times = await desk.get(f"/book/bath?of={someone['id']}")
    slot = next(value for _, name, value in Forms(times.text).buttons if name == "slot")
    check = await send(desk, times, "/book/hold", slot=slot)
    order_id = check.url.path.split("/")[2]
    await send(desk, check, f"/visits/{order_id}/place")
    row = (await city.sql("SELECT o.status, b.channel FROM orders o JOIN bookings b ON b.id = o.booking_id"))[0]
    assert (row["status"], row["channel"]) == ("placed", "phone")
    assert "待派单" in (await desk.get(f"/desk/residents/{someone['id']}")).text


async def test_a_part_fetched_alone_brings_the_icons_it_shows(city: City, browsers: Browsers):
    """A page draws what it shows; a part that is fetched later into another page, or in another state, may show more."""
    await _shut_door(city)
    part = (await (await _operator(city, browsers)).get("/desk/live")).text
    shown, drawn = set(re.findall(r'href="#(i-\w+)"', part)), set(re.findall(r'id="(i-\w+)"', part))
    assert shown
    assert shown <= drawn


async def test_an_operator_books_what_the_caller_said_yes_to(city: City, browsers: Browsers):
    """Read back first, with what is true by now of who comes; held meanwhile, longer where asked, and given back where not."""
    desk, someone = await _operator(city, browsers), await city.resident(ability=3)
    await city.sql("UPDATE providers SET auto_accept = false")
    times = await desk.get(f"/desk/residents/{someone['id']}/book/bath")
    slot = next(value for _, name, value in Forms(times.text).buttons if name == "slot")
    read = await send(desk, times, f"/desk/residents/{someone['id']}/hold", slot=slot)
    order_id = read.url.path.split("/")[3]
    assert "没接单" in read.text
    view = (await (await city.staff("operator")).get(f"/v1/orders/{order_id}/read-back")).json()
    assert (view["truth"], view["provider"] in read.text, view["answers_within_s"] > 0) == ("asked", True, True)
    longer = await send(desk, read, f"/desk/orders/{order_id}/longer")
    again = await send(desk, longer, f"/desk/orders/{order_id}/back")
    assert again.url.path.endswith("/book/bath")
    slot = next(value for _, name, value in Forms(again.text).buttons if name == "slot")
    read = await send(desk, again, f"/desk/residents/{someone['id']}/hold", slot=slot)
    await city.sql("UPDATE providers SET auto_accept = true")
    read = await desk.get(read.url.path)
    assert "自动接单" in read.text
    placed = await send(desk, read, f"{read.url.path.removesuffix('/read')}/place")
    assert placed.url.path == f"/desk/residents/{someone['id']}"
    rows = await city.sql(
        "SELECT o.status, b.channel FROM orders o JOIN bookings b ON b.id = o.booking_id ORDER BY o.id"
    )
    assert [(row["status"], row["channel"]) for row in rows] == [("lapsed", "phone"), ("placed", "phone")]
    await city.dispatch()
    view = (await (await city.staff("operator")).get(f"/v1/orders/{read.url.path.split('/')[3]}/read-back")).json()
    assert view["truth"] == "settled"
    assert (await desk.get(read.url.path)).url.path == read.url.path.removesuffix("/read"), "it is placed already"


async def test_of_an_order_nobody_can_serve_no_people_are_promised(city: City):
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.sql("DELETE FROM stops")
    view = (await operator.get(f"/v1/orders/{order['id']}/read-back")).json()
    assert (view["truth"], view["provider"]) == ("nobody", None)


@pytest.mark.parametrize(("typed", "status"), [("没有这个人", 200), ("12", 422), ("", 422)])
async def test_nobody_found_and_too_little_typed_say_what_to_do(
    city: City, browsers: Browsers, typed: str, status: int
):
    desk = await _operator(city, browsers)
    answer = await send(desk, await desk.get("/desk"), "/desk/find", text=typed)
    assert answer.status_code == status
    assert ("没有这个人。" in answer.text) == (status == 200)
    assert f'value="{typed}"' in answer.text, "what was typed stays"


async def _shut_door(city: City) -> str:
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order: dict[str, Any] = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.dispatch()
    worker, door = await city.worker((await city.crew(order["id"]))[0]["worker_id"]), await city.door(order["id"])
    await city.clock(at(10))
    for step in ("check-in", "no-access"):
        assert (await worker.post(f"/v1/orders/{order['id']}/{step}", {"device_at": None, **door})).status_code == 200
    return order["id"]


async def test_a_shut_door_waits_at_the_desk_and_belongs_to_whoever_takes_it(city: City, browsers: Browsers):
    """Of two operators one sees to it; the other reads that somebody does."""
    order_id = await _shut_door(city)
    desk, other = await _operator(city, browsers), await _operator(city, browsers)
    seen = await desk.get("/desk")
    assert "无人应答" in seen.text
    task = str(await city.one("SELECT id FROM desk_tasks WHERE order_id = $1", UUID(order_id)))
    elsewhere = await other.get("/desk")
    taken = await send(desk, seen, f"/desk/tasks/{task}/take")
    assert "您在办" in taken.text
    second = await send(other, elsewhere, f"/desk/tasks/{task}/take")
    assert second.status_code == 409
    assert "别人在办" in second.text


async def test_the_desk_is_nobodys_but_operators(city: City, browsers: Browsers):
    """Names, numbers and what waits: refused by role before anything is looked up."""
    someone = await city.resident()
    worker = await city.one("SELECT account_id FROM workers LIMIT 1")
    for account in (someone["account_id"], worker, await city.daughter(someone["id"])):
        browser = await browsers.of(account)
        for path in ("/desk", "/desk/live", f"/desk/residents/{someone['id']}"):
            assert (await browser.get(path)).status_code == 403, path
        form = next(iter(Forms((await browser.get("/reading")).text).found.values()))
        assert (await browser.post("/desk/find", data={**form, "text": "13"})).status_code == 403
