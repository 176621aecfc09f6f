"""A run of meals, in a real browser: every door in order, one press a box, and nothing lost where there is no network."""

from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.integration.test_visits import _meals
from tests.support import seen
from tests.support.at_the_door import MAIN
from tests.support.city import City, at
from tests.support.seen import opened, token_of

pytestmark = [
    pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run"),
    pytest.mark.spoils(
        "a meal is fetched"
    ),  # earlier than planned, and no dispatcher runs that would move the doors up
]


async def _run(chromium: Browser, city: City, **how: Any) -> tuple[Page, list[str]]:
    """Three boxes that were fetched: the courier's phone before the first door, and the orders in the order of their doors."""
    meals, courier = await _meals(city, 3)
    await city.clock(at(9, 40))
    kitchen = await city.sql("SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.pickup_place_id LIMIT 1")
    for meal in meals:
        for step in ("en-route", "pick-up"):
            answer = await courier.post(f"/v1/orders/{meal['id']}/{step}", {"device_at": None, **kitchen[0]})
            assert answer.status_code == 200, answer.text
    rows = await city.sql("SELECT order_id FROM stops WHERE kind = 'drop' AND active ORDER BY lower(during)")
    account = await city.one("SELECT w.account_id FROM assignments a JOIN workers w ON w.id = a.worker_id LIMIT 1")
    await city.clock(at(10))
    url = str(city.http.base_url).rstrip("/")
    page = await opened(chromium, url, token=await token_of(city, account), **how)
    await page.context.grant_permissions(["geolocation"])
    door = await city.door(str(rows[0]["order_id"]))
    await page.context.set_geolocation({"longitude": door["x"], "latitude": door["y"], "accuracy": 12})
    await page.goto(f"{url}/worker")
    return page, [str(row["order_id"]) for row in rows]


async def _brought(city: City, page: Page, order_id: str) -> bool:
    for _ in range(100):
        rows = await city.sql(
            "SELECT left_at_door FROM visit_records WHERE order_id = $1 AND kind = 'hand_over'", UUID(order_id)
        )
        if rows:
            assert len(rows) == 1
            return rows[0]["left_at_door"]
        await page.wait_for_timeout(100)
    raise AssertionError(order_id)


def _door(order_id: str, step: str = "hand-over") -> str:
    return f".doors form[action$='{order_id}/{step}']"


async def test_every_door_stands_there_in_order_and_a_box_is_one_press(chromium: Browser, city: City):
    page, orders = await _run(chromium, city)
    await expect(page.locator(".doors li")).to_have_count(3)
    actions = await page.eval_on_selector_all(
        ".doors form[data-step=hand-over]", "all => all.map(one => one.dataset.order)"
    )
    assert actions == orders
    await expect(page.locator(MAIN)).to_have_count(0), "no other button is next"
    await page.click(f"{_door(orders[0])} .btn--main")
    assert not await _brought(city, page, orders[0])
    await expect(page.locator(".doors li")).to_have_count(2)
    await page.click(f"{_door(orders[1])} summary")
    await page.click(f"{_door(orders[1])} [name=left_at_door]")
    assert await _brought(city, page, orders[1]), "it hangs at the door"


async def test_nobody_opens_is_said_at_that_door_and_the_run_goes_on(chromium: Browser, city: City):
    page, orders = await _run(chromium, city)
    await page.click(f"{_door(orders[0], 'no-access')} button")
    await expect(page.locator(".doors li .strip")).to_be_visible()
    assert (await city.order(orders[0]))["status"] == "no_access"
    await expect(page.locator(".doors li")).to_have_count(3)
    await page.click(f"{_door(orders[0])} .btn--main")
    assert not await _brought(city, page, orders[0])


async def test_without_a_network_each_box_is_kept_with_its_time(chromium: Browser, city: City):
    page, orders = await _run(chromium, city)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    await page.reload()
    await page.click(f"{_door(orders[0])} .btn--main")
    await expect(page.locator(_door(orders[0]))).to_be_hidden()
    await page.click(f"{_door(orders[1])} summary")
    await page.click(f"{_door(orders[1])} [name=left_at_door]")
    await expect(page.locator("[data-count]")).to_contain_text("2")
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    assert [await _brought(city, page, order_id) for order_id in orders[:2]] == [False, True]


async def test_without_script_each_box_is_a_form(chromium: Browser, city: City):
    page, orders = await _run(chromium, city, java_script_enabled=False)
    await page.click(f"{_door(orders[0])} summary")
    await page.click(f"{_door(orders[0])} [name=left_at_door]")
    assert await _brought(city, page, orders[0])
    await expect(page.locator(".doors li")).to_have_count(2)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_list_of_doors_keeps_nobody_out(chromium: Browser, city: City, language: str):
    page, _ = await _run(chromium, city, language=language)
    await page.click(".doors summary >> nth=0")
    await seen.sound(page, "doors")
    if language == "en":
        await seen.in_one_language(page, "doors")
    await page.set_viewport_size({"width": 320, "height": 640})
    await seen.large(page, "doors", text_px=14, target_px=60)
