"""What is measured before a service, in a real browser: one thing per screen, large keys, and nothing lost in a basement."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.at_the_door import FIT, MAIN, NUMBERS, becomes, in_service, measure
from tests.support.city import City, at
from tests.support.seen import opened, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
DONE = ".measure [data-done]"


async def _inside(chromium: Browser, city: City, **how: object) -> tuple[Page, str]:
    """A phone at a visit before which things are measured, as its data say: one worker is enough to see it."""
    await city.sql("UPDATE item_checks SET item = 'rehab'")
    page, order_id = await in_service(chromium, city, **how)
    await expect(page.locator(".measure")).to_be_visible()
    return page, order_id


async def _stored(city: City, order_id: str, count: int) -> list[bool]:
    for _ in range(300):
        rows = await city.sql("SELECT passed FROM pre_checks WHERE order_id = $1 ORDER BY id", UUID(order_id))
        if len(rows) == count:
            return [row["passed"] for row in rows]
    return []


async def test_one_thing_per_screen_and_then_the_visit_goes_on(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city)
    await expect(page.locator(MAIN)).to_have_count(0), "nothing else is next"
    async with page.expect_response("**/pre-check"):
        await measure(page, *NUMBERS)
    assert await _stored(city, order_id, 1) == [True]
    await expect(page.locator(".measure")).to_have_count(0)
    await city.clock(at(10, 45))
    await page.reload()
    await expect(page.locator(MAIN)).to_have_text("做完，签退")
    await page.click(MAIN)
    await becomes(city, page, order_id, "awaiting_acceptance")
    assert (await city.order(order_id))["flags"] == []


async def test_outside_the_limits_it_says_what_and_is_measured_again(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city)
    async with page.expect_response("**/pre-check"):
        await measure(page, "168", *NUMBERS[1:])
    await expect(page.locator(".measure [data-words]")).to_contain_text("血压 高压")
    await expect(page.locator("[data-told] a[href$='/abort']")).to_be_visible()
    await expect(page.locator(MAIN)).to_have_count(0)
    await page.wait_for_timeout(900)
    async with page.expect_response("**/pre-check"):
        await measure(page, *NUMBERS)
    assert await _stored(city, order_id, 2) == [False, True]


async def test_a_slip_of_the_thumb_is_taken_back_and_nothing_is_left_out(chromium: Browser, city: City):
    page, _ = await _inside(chromium, city)
    await page.click("[data-go]")
    await expect(page.locator("[data-turn-of]")).to_have_text("1/5"), "an empty screen is not passed over"
    for key in ("1", "9", "⌫", "3"):
        await page.click(f".keys button:text-is('{key}')")
    await expect(page.locator("[name=systolic]")).to_have_value("13")


async def test_what_is_typed_outlives_news(chromium: Browser, city: City):
    """The page is fetched anew every half minute; a number half typed is not taken away by it."""
    page, _ = await _inside(chromium, city)
    await page.click(".keys button:text-is('1')")
    await page.evaluate("document.querySelector('live-region').refresh()")
    await page.wait_for_timeout(1200)
    await expect(page.locator("[name=systolic]")).to_have_value("1")


async def test_in_a_basement_it_is_kept_and_the_next_step_is_there(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    await page.reload()
    await measure(page, "168", *NUMBERS[1:])
    await expect(page.locator(".measure [data-words]")).to_contain_text("血压 高压"), "the phone knows the limits, too"
    await expect(page.locator(MAIN)).to_have_count(0)
    await measure(page, *NUMBERS)
    await expect(page.locator("[data-count]")).to_contain_text("2")
    await expect(page.locator(MAIN)).to_have_text("做完，签退")
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator("[data-unsent]")).to_be_hidden()
    assert await _stored(city, order_id, 2) == [False, True]


async def test_without_script_all_fields_are_one_form(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city, java_script_enabled=False)
    for answer in FIT:
        if "number" in answer:
            await page.fill(f"[name={answer['check']}]", str(answer["number"]))
    await page.click(".choice:has([value=to_see])")
    await page.click(DONE)
    await expect(page.locator(".measure [data-words]")).to_contain_text("皮肤")
    assert await _stored(city, order_id, 1) == [False]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_measuring_and_readings_keep_nobody_out(chromium: Browser, city: City, language: str):
    page, order_id = await _inside(chromium, city, language=language)
    for step in ("number", "outside", "choice"):
        if step == "outside":
            async with page.expect_response("**/pre-check"):
                await measure(page, "168", *NUMBERS[1:])
            await page.wait_for_timeout(900)
        if step == "choice":
            for number in NUMBERS:
                for key in number:
                    await page.click(f".keys button:text-is('{key}')")
                await page.click("[data-go]")
        await seen.sound(page, f"measure-{step}")
        if language == "en":
            await seen.in_one_language(page, f"measure-{step}")
        size = page.viewport_size
        await page.set_viewport_size({"width": 320, "height": 640})
        await seen.large(page, f"measure-{step}", text_px=14, target_px=60)
        await page.set_viewport_size(size or {"width": 390, "height": 844})
    own = await city.one(
        "SELECT r.account_id FROM orders o JOIN residents r ON r.id = o.resident_id WHERE o.id = $1", UUID(order_id)
    )
    url = str(city.http.base_url).rstrip("/")
    home = await opened(chromium, url, token=await token_of(city, own), language=language)
    await home.goto(f"{url}/visits/{order_id}")
    await expect(home.locator(".readings")).to_contain_text("168 mmHg")
    await seen.sound(home, "readings")
    if language == "en":
        await seen.in_one_language(home, "readings")
    await home.set_viewport_size({"width": 320, "height": 640})
    await seen.large(home, "readings", text_px=18, target_px=44)
