"""What is done at a visit, in a real browser: one press a line, nothing lost in a basement, and an early end that says what is missing."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.at_the_door import MAIN, becomes, in_service
from tests.support.city import City, at

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
LINES = ["mat", "water", "washed", "skin", "dressed", "after"]


async def inside(chromium: Browser, city: City, **how: object) -> tuple[Page, str]:
    """A phone in a visit with the lines of a bath, as its data say: one worker is enough to see them."""
    await city.sql("DELETE FROM item_lines WHERE item = 'rehab'")
    await city.sql("UPDATE item_lines SET item = 'rehab'")
    page, order_id = await in_service(chromium, city, **how)
    await expect(page.locator("[data-checklist]")).to_be_visible()
    return page, order_id


async def _stored(city: City, page: Page, order_id: str, count: int) -> list[tuple[str, bool]]:
    for _ in range(100):
        rows = await city.sql("SELECT line, done FROM visit_ticks WHERE order_id = $1 ORDER BY id", UUID(order_id))
        if len(rows) >= count:
            break
        await page.wait_for_timeout(50)
    return [(row["line"], row["done"]) for row in rows]


async def test_one_press_a_line_and_then_one_to_check_out(chromium: Browser, city: City):
    page, order_id = await inside(chromium, city)
    await expect(page.locator(f"{MAIN} [data-left]")).to_have_text("还差 6 项")
    for turn, line in enumerate(LINES):
        await page.click(f"#line-{line}")
        await expect(page.locator(f"#line-{line}")).to_have_attribute("aria-pressed", "true")
        assert await _stored(city, page, order_id, turn + 1) == [(code, True) for code in LINES[: turn + 1]]
        await page.wait_for_timeout(450)
    await expect(page.locator(f"{MAIN} [data-left]")).to_have_text("")
    await city.clock(at(10, 50))
    await page.reload()
    await page.click(MAIN)
    await becomes(city, page, order_id, "awaiting_acceptance")
    assert (await city.order(order_id))["flags"] == []


async def test_pressed_early_it_shows_what_is_missing_and_sends_nothing(chromium: Browser, city: City):
    page, order_id = await inside(chromium, city)
    for line in ("mat", "washed"):
        await page.click(f"#line-{line}")
        await page.wait_for_timeout(450)
    await page.click(MAIN)
    await expect(page.locator("[data-checklist] [data-told]")).to_be_visible()
    await expect(page.locator("#line-water")).to_be_focused()
    await expect(page.locator("#line-water")).to_be_in_viewport()
    await page.evaluate("document.querySelector('live-region').dispatchEvent(new Event('look'))")
    await page.wait_for_timeout(500)
    await expect(page.locator("[data-checklist] [data-told]")).to_be_visible()
    assert await city.one("SELECT count(*) FROM visit_records WHERE kind = 'check_out'") == 0
    await city.clock(at(10, 50))
    await page.reload()
    await page.click("[data-left-out] summary")
    await page.click("[data-left-out] [value=resident_declined]")
    await becomes(city, page, order_id, "awaiting_acceptance")
    assert await city.one("SELECT lines_reason FROM visit_records WHERE kind = 'check_out'") == "resident_declined"


async def test_a_slip_of_the_thumb_is_taken_back_for_ten_seconds(chromium: Browser, city: City):
    page, order_id = await inside(chromium, city)
    await page.click("#line-skin")
    await expect(page.locator("[data-undo]")).to_contain_text("看过皮肤")
    await page.wait_for_timeout(450)
    await page.click("[data-undo] button")
    await expect(page.locator("[data-undo]")).to_be_hidden()
    await expect(page.locator("#line-skin")).to_have_attribute("aria-pressed", "false")
    assert await _stored(city, page, order_id, 2) == [("skin", True), ("skin", False)]


async def test_in_a_basement_lines_are_kept_with_the_time_of_the_press_and_outlive_the_page(
    chromium: Browser, city: City
):
    page, order_id = await inside(chromium, city)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    await page.reload()
    for line in LINES[:2]:
        await page.click(f"#line-{line}")
        await page.wait_for_timeout(450)
    await page.reload()
    await expect(page.locator("#line-water")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#line-washed")).to_have_attribute("aria-pressed", "false")
    await expect(page.locator("[data-count]")).to_contain_text("2")
    assert await _stored(city, page, order_id, 0) == []
    await city.clock(at(10, 30))
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator("[data-unsent]")).to_be_hidden()
    assert await _stored(city, page, order_id, 2) == [("mat", True), ("water", True)]
    assert await city.one("SELECT bool_and(device_at < $1) FROM visit_ticks", at(10, 5))


async def test_without_script_a_line_is_a_form_and_an_early_end_is_refused_with_the_way_on(
    chromium: Browser, city: City
):
    page, order_id = await inside(chromium, city, java_script_enabled=False)
    await page.click("#line-mat")
    await expect(page.locator("#line-mat")).to_have_attribute("aria-pressed", "true")
    await page.click("#line-mat")
    await expect(page.locator("#line-mat")).to_have_attribute("aria-pressed", "false")
    assert await _stored(city, page, order_id, 2) == [("mat", True), ("mat", False)]
    await page.click(MAIN)
    await expect(page.locator(".errors")).to_contain_text("还有没做完的")
    await expect(page.locator("[data-left-out]")).to_have_attribute("open", "")
    await city.clock(at(10, 50))
    await page.click("[data-left-out] [value=no_time]")
    await becomes(city, page, order_id, "awaiting_acceptance")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_list_keeps_nobody_out(chromium: Browser, city: City, language: str):
    page, _ = await inside(chromium, city, language=language)
    await page.click("#line-mat")
    await page.click("[data-left-out] summary")
    await seen.sound(page, "checklist")
    if language == "en":
        await seen.in_one_language(page, "checklist")
    await page.set_viewport_size({"width": 320, "height": 640})
    await seen.large(page, "checklist", text_px=14, target_px=60)
