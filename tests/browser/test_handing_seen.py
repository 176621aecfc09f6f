"""The phone in the resident's hand, in a real browser: large buttons, their own digits, and a way on for whoever has none."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.at_the_door import MAIN, at_work, becomes
from tests.support.city import City, at
from tests.support.seen import opened, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
HANDING = "[data-handing]:not([data-ahead])"
AHEAD = "[data-handing][data-ahead]"


async def _inside(chromium: Browser, city: City, **how: object) -> tuple[Page, str]:
    page, order_id = await at_work(chromium, city, **how)
    await city.clock(at(9, 58))
    await page.goto(f"{city.http.base_url}/worker")
    for status in ("en_route", "in_service"):
        await page.click(MAIN)
        await becomes(city, page, order_id, status)
        if how.get("java_script_enabled", True):
            await page.wait_for_timeout(900)
    await city.clock(await city.one("SELECT upper(during) FROM stops WHERE order_id = $1", UUID(order_id)))
    await page.reload()
    return page, order_id


async def _over(chromium: Browser, city: City, **how: object) -> tuple[Page, str]:
    page, order_id = await _inside(chromium, city, **how)
    await page.click(MAIN)
    await becomes(city, page, order_id, "awaiting_acceptance")
    await expect(page.locator(HANDING)).to_be_visible()
    return page, order_id


async def _digits(city: City, order_id: str) -> str:
    return await city.one("SELECT digits FROM word_digits WHERE order_id = $1", UUID(order_id))


async def _say(page: Page, word: str, digits: str, within: str = HANDING) -> None:
    await page.click(f"{within} .choice:has([value={word}])")
    await page.fill(f"{within} [name=digits]", digits)
    await page.click(f"{within} .btn--main")


async def test_the_resident_presses_it_with_their_digits_and_a_slip_is_told(chromium: Browser, city: City):
    page, order_id = await _over(chromium, city)
    digits = await _digits(city, order_id)
    async with page.expect_response("**/handed-word"):
        await _say(page, "well", f"{(int(digits) + 1) % 10_000:04d}")
    await expect(page.locator(f"{HANDING} [role=status]")).to_contain_text("不对")
    await _say(page, "well", digits)
    await becomes(city, page, order_id, "completed")
    await expect(page.locator(HANDING)).to_have_count(0)


async def test_who_has_no_digits_is_rung(chromium: Browser, city: City):
    page, _ = await _over(chromium, city)
    await page.click(f"{HANDING} .asides button")
    await expect(page.locator(HANDING)).to_contain_text("坐席会打给老人")
    assert await city.one("SELECT count(*) FROM desk_tasks WHERE kind = 'word_asked'") == 1


async def test_in_a_basement_the_word_is_kept_and_comes_after_the_end(chromium: Browser, city: City):
    page, order_id = await _inside(chromium, city)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    await page.reload()
    await expect(page.locator(AHEAD)).to_be_hidden(), "before the end nobody is asked"
    await page.click(MAIN)
    await expect(page.locator(AHEAD)).to_be_visible()
    await city.sql(
        "INSERT INTO word_digits (order_id, resident_id, digits) SELECT id, resident_id, '0417' FROM orders WHERE id = $1",
        UUID(order_id),
    )
    await _say(page, "objects", "0417", AHEAD)
    await expect(page.locator(AHEAD)).to_be_hidden()
    await expect(page.locator("[data-count]")).to_contain_text("2")
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await becomes(city, page, order_id, "disputed")


async def test_without_script_it_is_a_form(chromium: Browser, city: City):
    """Without script no position was taken, which a word on the worker's phone does not make up for."""
    page, order_id = await _over(chromium, city, java_script_enabled=False)
    await _say(page, "fair", await _digits(city, order_id))
    await becomes(city, page, order_id, "exception")
    assert await city.one("SELECT words FROM visit_statements WHERE channel = 'workers_phone'") == "还可以"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_keeps_nobody_out(chromium: Browser, city: City, language: str):
    page, order_id = await _over(chromium, city, language=language)
    account = await city.one(
        "SELECT r.account_id FROM orders o JOIN residents r ON r.id = o.resident_id WHERE o.id = $1", UUID(order_id)
    )
    url = str(city.http.base_url).rstrip("/")
    home = await opened(chromium, url, token=await token_of(city, account), language=language)
    await home.goto(f"{url}/visits/{order_id}")
    await expect(home.locator(".code")).to_contain_text((await _digits(city, order_id))[0])
    for shown, name, target_px in ((page, "handing", 60), (home, "word-digits", 44)):
        await seen.sound(shown, name)
        if language == "en":
            await seen.in_one_language(shown, name)
        await shown.set_viewport_size({"width": 320, "height": 640})
        await seen.large(shown, name, text_px=14, target_px=target_px)
    heights = await page.eval_on_selector_all(
        f"{HANDING} .choice", "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 72
