"""The provider's door without script, and what a worker's phone tells of doors: no more than is their business, no longer than it is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.pages.rule_words import RULES
from tests.support.city import DAY, City, at
from tests.support.pages import Browsers, Forms, send
from tests.support.swaps import offered, others_of

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


async def test_somebody_else_is_sent_with_two_presses_before_and_after_the_acceptance(city: City, browsers: Browsers):
    """换人, then a person. The offer then names who comes now, and after the acceptance the day does."""
    order, _ = await offered(city)
    desk = await browsers.of(await _desk(city, (await city.order(order["id"]))["provider_id"]))
    board = await desk.get("/provider")
    path = f"/provider/orders/{order['id']}/swap"
    assert path in Forms(board.text).links
    people = Forms((listed := await desk.get(path)).text)
    able = [value for action, name, value in people.buttons if (action, name) == (path, "crew")]
    assert sorted(able) == sorted(str(worker) for worker in await others_of(city, order)), "who can go, and nobody else"
    assert "没有这项技能" in people.said
    name = await city.one("SELECT name FROM workers WHERE id = $1", UUID(able[0]))
    done = await send(desk, listed, path, crew=able[0])
    assert "换好了，还没接单" in done.text
    assert f"接单，派{name}" in Forms(done.text).said.replace("\n", "")
    offer = await city.one("SELECT id FROM offers")
    await send(desk, done, f"/provider/offers/{offer}/accept")
    today = await desk.get("/provider/today")
    assert name in today.text
    assert path in Forms(today.text).links
    again = await desk.get(path)
    back = next(value for _, called, value in Forms(again.text).buttons if called == "crew")
    done = await send(desk, again, path, crew=back)
    assert str(done.url).endswith("/provider/today?done=swapped")
    assert "换好了，都通知到了" in done.text
    assert [seat["worker_id"] for seat in await city.crew(order["id"])] == [UUID(back)]


async def test_who_is_late_with_a_swap_reads_how_it_stands_and_nothing_has_changed(city: City, browsers: Browsers):
    """Of two desks the second sees the order as the first has left it; with the crew on the way there is nothing to swap."""
    order, _ = await offered(city, "accepted")
    account = await _desk(city, (await city.order(order["id"]))["provider_id"])
    one, two = await browsers.of(account), await browsers.of(account)
    path = f"/provider/orders/{order['id']}/swap"
    seen, also = await one.get(path), await two.get(path)
    some = [value for _, name, value in Forms(seen.text).buttons if name == "crew"]
    await send(one, seen, path, crew=some[0])
    late = await send(two, also, path, crew=some[1])
    assert late.status_code == 409
    assert "刚在别处改过了" in late.text
    assert [str(seat["worker_id"]) for seat in await city.crew(order["id"])] == [some[0]]
    made_up = await send(two, late, path, crew=str(await city.one("SELECT id FROM workers ORDER BY id DESC LIMIT 1")))
    assert made_up.status_code == 409
    assert "请另选" in made_up.text
    assert (await send(two, late, path, crew="x")).status_code == 422
    worker = await city.worker(some[0])
    await city.clock(at(9, 30))
    await worker.post(f"/v1/orders/{order['id']}/en-route", {"device_at": None})
    assert (await one.get(path)).status_code == 409


async def test_why_these_is_told_to_the_provider_and_to_the_desk(city: City, browsers: Browsers):
    """Each in words: nobody reads a code, and the provider no name of another provider's workers."""
    order, _ = await offered(city)
    row = await city.order(order["id"])
    desk, provider = await browsers.of(await _operator(city)), await browsers.of(await _desk(city, row["provider_id"]))
    names = await city.sql("SELECT name, provider_id = $1 AS own FROM workers", row["provider_id"])
    own = "、".join(one["name"] for one in names if one["own"])
    others = [one["name"] for one in names if not one["own"] and one["name"] not in own]
    mine = await city.one(
        "SELECT w.name FROM stops s JOIN workers w ON w.id = s.worker_id WHERE s.order_id = $1", row["id"]
    )
    for browser, door in ((provider, "/provider"), (desk, "/desk")):
        for language in ("zh", "en"):
            browser.cookies.set("yinling_language", language, domain=city.http.base_url.host)
            answer = await browser.get(f"{door}/orders/{order['id']}/why")
            assert answer.status_code == 200
            said = Forms(answer.text).said
            assert not [code for code in RULES if code in said and "_" in code]
            assert ("没有这项技能" if language == "zh" else "does not have the skill") in said
            if language == "zh":
                assert mine in said
                assert any(name in said for name in others) is (door == "/desk")
    assert (await desk.get(f"/desk/orders/{order['id']}/swap")).status_code == 200


async def _operator(city: City) -> UUID:
    return await city.one(
        "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', $1, 'none') RETURNING id",
        str(uuid4()),
    )


async def test_tomorrow_is_a_page_of_its_own(city: City, browsers: Browsers):
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10, days=1), at(11, days=1), channel="phone")
    await city.dispatch()
    row = await city.order(order["id"])
    desk = await browsers.of(await _desk(city, row["provider_id"]))
    name = (await _private(city, order))[0]
    assert name not in (await desk.get("/provider/today")).text
    tomorrow = await desk.get("/provider/tomorrow")
    assert name in tomorrow.text
    assert name in (await desk.get("/provider/tomorrow/live")).text
    assert f"/provider/orders/{order['id']}/swap" in Forms(tomorrow.text).links
