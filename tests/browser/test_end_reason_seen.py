"""Far from the planned end one reason is asked for, in a real browser: the time is that of the press, and nobody is kept at the door."""

from datetime import datetime
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.at_the_door import MAIN, at_work, becomes
from tests.support.city import City, at

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")


async def _inside(chromium: Browser, city: City, until: datetime, **how: object) -> tuple[Page, str]:
    page, order_id = await at_work(chromium, city, **how)
    await city.clock(at(9, 58))
    await page.goto(f"{city.http.base_url}/worker")
    await page.click(MAIN)
    await becomes(city, page, order_id, "en_route")
    if how.get("java_script_enabled", True):
        await page.wait_for_timeout(900)
    await page.click(MAIN)
    await becomes(city, page, order_id, "in_service")
    await city.clock(until)
    await page.reload()
    await expect(page.locator(MAIN)).to_contain_text("做完" if how.get("language", "zh") == "zh" else "Finished")
    return page, order_id


async def _record(city: City) -> tuple[str | None, datetime | None]:
    (row,) = await city.sql("SELECT end_reason, device_at FROM visit_records WHERE kind = 'check_out'")
    return row["end_reason"], row["device_at"]


async def test_far_from_the_planned_end_one_reason_is_asked_and_the_time_is_that_of_the_press(
    chromium: Browser, city: City
):
    page, order_id = await _inside(chromium, city, at(10, 15))
    await page.click(MAIN)
    await expect(page.locator("[data-end-why]")).to_be_visible()
    later = at(10, 17).isoformat()
    await page.evaluate("at => { document.querySelector('[data-care-now]').dataset.careNow = at; }", later)
    await page.click("[data-end-why] [value=resident_asked]")
    await becomes(city, page, order_id, "awaiting_acceptance")
    reason, pressed_at = await _record(city)
    assert (reason, pressed_at is not None and pressed_at < at(10, 16)) == ("resident_asked", True)
    await expect(page.locator("[data-end-why]")).to_be_hidden()


async def test_near_the_planned_end_nothing_is_asked(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city, at(10, 50))
    end = await city.one("SELECT upper(during) FROM stops WHERE order_id = $1", UUID(order_id))
    await city.clock(end)
    await page.reload()
    await page.click(MAIN)
    await becomes(city, page, order_id, "awaiting_acceptance")
    assert (await _record(city))[0] is None


async def test_in_a_basement_it_is_asked_and_kept_with_the_rest(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city, at(10, 15))
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    await page.reload()
    await page.click(MAIN)
    await page.click("[data-end-why] [value=equipment]")
    await expect(page.locator("[data-count]")).to_contain_text("1")
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await becomes(city, page, order_id, "awaiting_acceptance")
    assert (await _record(city))[0] == "equipment"


async def test_without_script_the_same_is_asked(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city, at(10, 15), java_script_enabled=False)
    await page.click(MAIN)
    await expect(page.locator(".errors")).to_contain_text("选一个原因")
    await page.click("[name=end_reason][value=waited]")
    await becomes(city, page, order_id, "awaiting_acceptance")
    assert (await _record(city))[0] == "waited"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_question_keeps_nobody_out(chromium: Browser, city: City, language: str):
    page, _ = await _inside(chromium, city, at(10, 15), language=language)
    await page.click(MAIN)
    await expect(page.locator("[data-end-why]")).to_be_visible()
    await seen.sound(page, "end-why")
    if language == "en":
        await seen.in_one_language(page, "end-why")
    await page.set_viewport_size({"width": 320, "height": 640})
    await seen.large(page, "end-why", text_px=14, target_px=60)
