"""Wet hands, in a real browser: from the check-in to the check-out of a bath everything is large, and a slip counts once."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.test_checklist_seen import LINES, inside
from tests.support import seen
from tests.support.at_the_door import MAIN, at_work, becomes
from tests.support.city import City, at

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
_HEIGHTS = "all => all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().height)"
_GAPS = """() => { const rows = [...document.querySelectorAll('.tasks li')].map(one => one.getBoundingClientRect());
    return rows.slice(1).map((row, n) => row.top - rows[n].bottom); }"""


async def _bathing(chromium: Browser, city: City, **how: object) -> tuple[Page, str]:
    """A bath for one worker, with nothing to measure before it."""
    page, order_id = await inside(chromium, city, **how)
    await city.sql("DELETE FROM item_checks")
    await city.sql("UPDATE item_lines SET item = 'bath'")
    await city.sql("UPDATE orders SET kind = 'bath' WHERE id = $1", UUID(order_id))
    await page.reload()
    await expect(page.locator(".wet")).to_have_count(1)
    await expect(page.locator("[data-checklist]")).to_be_visible()
    return page, order_id


@pytest.mark.parametrize("script", [True, False])
async def test_a_bath_has_large_buttons_by_itself_and_a_switch(chromium: Browser, city: City, script: bool):
    page, _ = await _bathing(chromium, city, java_script_enabled=script)
    assert min(await page.eval_on_selector_all(".wet .tasks button", _HEIGHTS)) >= 96
    assert min(await page.eval_on_selector_all(".wet .btn--main", _HEIGHTS)) >= 96
    assert min(await page.eval_on_selector_all(".wet button, .wet a, .wet summary", _HEIGHTS)) >= 72
    assert min(await page.evaluate(_GAPS)) >= 14
    await page.click("[data-wet-switch] button")
    await expect(page.locator(".wet")).to_have_count(0)
    await page.reload()
    await expect(page.locator(".wet")).to_have_count(0), "it stays off"
    await page.wait_for_timeout(450)
    await page.click("[data-wet-switch] button")
    await expect(page.locator(".wet")).to_have_count(1)


async def test_another_visit_has_none_of_it(chromium: Browser, city: City):
    page, _ = await inside(chromium, city)
    await expect(page.locator(".wet")).to_have_count(0)
    await expect(page.locator("[data-wet-switch]")).to_have_count(0)


async def test_a_second_tap_right_after_the_first_is_none_and_an_alarm_always_is(chromium: Browser, city: City):
    page, _ = await _bathing(chromium, city)
    await page.dblclick("#line-mat", delay=5)
    await expect(page.locator("#line-mat")).to_have_attribute("aria-pressed", "true")
    await page.wait_for_timeout(500)
    assert await city.one("SELECT count(*) FROM visit_ticks") == 1
    await page.click("#line-water")
    await page.click(".alarm button")
    await page.wait_for_url("**/sos/**")


async def test_in_a_basement_it_begins_with_the_check_in_on_the_phone(chromium: Browser, city: City):
    await city.sql("DELETE FROM item_checks")
    page, order_id = await at_work(chromium, city)
    await city.sql("UPDATE orders SET kind = 'bath' WHERE id = $1", UUID(order_id))
    await city.clock(at(9, 58))
    await page.goto(f"{city.http.base_url}/worker")
    await page.click(MAIN)
    await becomes(city, page, order_id, "en_route")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    await page.reload()
    await expect(page.locator(".wet")).to_have_count(0)
    await page.click(MAIN)
    await expect(page.locator(".wet")).to_have_count(1)
    await expect(page.locator(f"#line-{LINES[0]}")).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_keeps_nobody_out(chromium: Browser, city: City, language: str):
    page, _ = await _bathing(chromium, city, language=language)
    await page.click("#line-mat")
    await seen.sound(page, "wet")
    if language == "en":
        await seen.in_one_language(page, "wet")
    await page.set_viewport_size({"width": 320, "height": 640})
    await seen.large(page, "wet", text_px=14, target_px=60)
