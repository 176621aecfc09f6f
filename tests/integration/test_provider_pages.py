"""The provider's door without script, and what a worker's phone tells of doors: no more than is their business, no longer than it is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.city import DAY, City, at
from tests.support.pages import Browsers, Forms, send

BATH, REHAB = "bath-home", "rehab-home"


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as opened:
        yield opened


async def _desk(city: City, provider_id: UUID) -> UUID:
    return await city.one(
        """INSERT INTO accounts (role, name, login, password_hash, provider_id)
           VALUES ('provider', '某人', $1, 'none', $2) RETURNING id""",
        str(uuid4()), provider_id,
    )  # fmt: skip


async def _asked(city: City, browsers: Browsers) -> tuple[dict[str, Any], dict[str, Any], httpx.AsyncClient]:
    """A bath that a provider is asked for: the order, its offer, and the browser at the provider's desk."""
    await city.manual_acceptance()
    someone, operator = await city.resident(ability=3), await city.staff("operator")
    order = await city.booked(operator, someone["id"], BATH, at(10), at(11), channel="phone")
    await city.dispatch()
    offer = (await city.sql("SELECT id, provider_id FROM offers WHERE order_id = $1", UUID(order["id"])))[0]
    return order, offer, await browsers.of(await _desk(city, offer["provider_id"]))


async def _private(city: City, order: dict[str, Any]) -> list[str]:
    row = (await city.sql("""SELECT r.name, r.phone, h.address FROM orders o JOIN residents r ON r.id = o.resident_id
                             JOIN homes h ON h.id = o.home_id WHERE o.id = $1""", UUID(order["id"])))[0]  # fmt: skip
    return [row["name"], row["phone"], row["address"]]


async def test_an_offer_is_taken_with_one_press_and_its_door_is_told_only_then(city: City, browsers: Browsers):
    order, offer, desk = await _asked(city, browsers)
    board = await desk.get("/")
    assert str(board.url).endswith("/provider")
    said = Forms(board.text).said
    for words in ("上门助浴", "10:00–10:30", "8:20 到时", "128元", "东湖片区"):
        assert words in said, words
    marks = await _private(city, order)
    for page in (board, await desk.get("/provider/today")):
        assert not [mark for mark in marks if mark in page.text], "whose home it is comes with the acceptance"
    taken = await send(desk, board, f"/provider/offers/{offer['id']}/accept")
    assert "接单了" in taken.text
    assert (await city.order(order["id"]))["status"] == "accepted"
    today = await desk.get("/provider/today")
    assert marks[0] in today.text
    assert marks[2] in today.text
    assert marks[1] not in today.text, "nobody needs the number to plan"


async def test_an_offer_is_declined_with_a_reason_and_the_next_provider_is_asked(city: City, browsers: Browsers):
    order, offer, desk = await _asked(city, browsers)
    asked = await desk.get(f"/provider/offers/{offer['id']}/decline")
    done = await send(desk, asked, f"/provider/offers/{offer['id']}/decline", why="too_far")
    assert "拒单了" in done.text
    assert "太远" in done.text
    assert await city.one("SELECT reason FROM offers WHERE id = $1", offer["id"]) == "too_far"
    await city.dispatch()
    assert (await city.order(order["id"]))["provider_id"] != offer["provider_id"]


async def test_of_two_at_one_desk_the_second_reads_who_was_first(city: City, browsers: Browsers):
    """It is no error page: what is still to be answered stands below the sentence."""
    _, offer, desk = await _asked(city, browsers)
    board = await desk.get("/provider")
    await send(desk, board, f"/provider/offers/{offer['id']}/accept")
    declining = await desk.post(
        f"/provider/offers/{offer['id']}/decline",
        data={**Forms(board.text).found[f"/provider/offers/{offer['id']}/accept"], "why": "other"},
    )
    assert declining.status_code == 409
    assert "这一单已经派给别家了" in declining.text
    assert "接了" in declining.text


async def test_another_provider_finds_neither_the_offer_nor_the_day(city: City, browsers: Browsers):
    order, offer, _ = await _asked(city, browsers)
    other = await city.one("SELECT id FROM providers WHERE id <> $1 LIMIT 1", offer["provider_id"])
    stranger = await browsers.of(await _desk(city, other))
    assert (await stranger.get(f"/provider/offers/{offer['id']}/decline")).status_code == 404
    for path in ("/provider", f"/provider?offer={offer['id']}", "/provider/today"):
        answer = await stranger.get(path)
        assert not [
            mark for mark in [*await _private(city, order), str(offer["id"])] if mark in answer.text.replace(path, "")
        ]
    form = next(iter(Forms((await stranger.get("/reading")).text).found.values()))
    assert (await stranger.post(f"/provider/offers/{offer['id']}/accept", data=form)).status_code == 409
    assert (await city.order(order["id"]))["status"] == "offered"


async def test_a_worker_is_told_whose_door_it_is_an_hour_before_and_no_longer_than_the_visit(city: City):
    """Addresses of the week on a lost phone are a list of who lives alone."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.dispatch()
    worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    name, _, address = await _private(city, order)
    planned = await city.one("SELECT lower(during) FROM stops WHERE order_id = $1", UUID(order["id"]))

    async def told() -> tuple[str | None, str | None]:
        stop = (await worker.get("/v1/workers/me/route", on=DAY.isoformat())).json()["stops"][0]
        return stop["resident"], stop["address"]

    await city.clock(planned - timedelta(minutes=60, seconds=1))
    assert await told() == (None, None)
    await city.clock(planned - timedelta(minutes=60))
    assert await told() == (name, address)
    door = await city.door(order["id"])
    for minutes, step in ((0, "check-in"), (50, "check-out")):
        await city.clock(planned + timedelta(minutes=minutes))
        await worker.post(f"/v1/orders/{order['id']}/{step}", {"device_at": None, **door})
    assert await told() == (name, None)
