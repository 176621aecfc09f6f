"""Four digits and no position in a real browser: said at the door, kept without a network, and why it has none is one press more."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.at_the_door import MAIN, at_work, becomes
from tests.support.city import City, at
from tests.support.seen import opened, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
OPEN = ".digits summary"


async def _on_the_way(chromium: Browser, city: City, **how: object) -> tuple[Page, str, str]:
    """A phone whose owner is on the way, the order, and the digits its resident will say."""
    page, order_id = await at_work(chromium, city, **how)
    await city.clock(at(9, 58))
    await page.goto(f"{city.http.base_url}/worker")
    await page.click(MAIN)
    await becomes(city, page, order_id, "en_route")
    return page, order_id, await city.one("SELECT digits FROM door_digits WHERE order_id = $1", UUID(order_id))


async def _record(city: City, order_id: str) -> dict[str, object]:
    (row,) = await city.sql(
        "SELECT x IS NOT NULL AS placed, flags, digits_fit, position_reason, device_at FROM visit_records "
        "WHERE order_id = $1 AND kind = 'check_in' AND counts", UUID(order_id),
    )  # fmt: skip
    return row


async def test_digits_are_one_press_and_four_keys(chromium: Browser, city: City):
    """Without a position, too: then nothing is asked, because the digits say more than any reason."""
    page, order_id, digits = await _on_the_way(chromium, city)
    await page.context.clear_permissions()
    await expect(page.locator(MAIN)).to_have_text("我到了")
    await page.click(OPEN)
    await page.fill("[name=door_code]", digits)
    await page.click(".digits button")
    await becomes(city, page, order_id, "in_service")
    row = await _record(city, order_id)
    assert (row["placed"], row["flags"], row["digits_fit"], row["position_reason"]) == (False, [], True, None)


async def test_digits_wait_on_the_phone_like_everything_else(chromium: Browser, city: City):
    page, order_id, digits = await _on_the_way(chromium, city)
    await expect(page.locator(OPEN)).to_be_visible()
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    await page.reload()
    await page.click(OPEN)
    await page.fill("[name=door_code]", digits)
    await page.click(".digits button")
    await expect(page.locator("[data-count]")).to_contain_text("1")
    await expect(page.locator(MAIN)).to_have_text("做完，签退")
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await becomes(city, page, order_id, "in_service")
    assert (await _record(city, order_id))["digits_fit"] is True


async def test_a_slip_is_told_and_put_right_on_the_same_page(chromium: Browser, city: City):
    page, order_id, digits = await _on_the_way(chromium, city)
    await page.click(OPEN)
    for typed, flags in ((f"{(int(digits) + 1) % 10_000:04d}", ["WRONG_CODE"]), (digits, [])):
        await expect(page.locator("[name=door_code]")).to_have_value("")
        await page.fill("[name=door_code]", typed)
        async with page.expect_response("**/check-in"):
            await page.click(".digits button")
        told = page.locator(".strip--alert")
        await (expect(told).to_contain_text("不对") if flags else expect(told).to_have_count(0))
        assert (await _record(city, order_id))["flags"] == flags


async def test_news_takes_away_neither_a_press_nor_what_was_opened_nor_what_was_typed(chromium: Browser, city: City):
    """The clock on the page moves between down and up of the press, and again between opening the box and the fourth digit."""
    page, _, digits = await _on_the_way(chromium, city)
    look = "document.querySelector('live-region').dispatchEvent(new Event('look'))"
    await page.hover(OPEN)
    await page.mouse.down()
    await city.clock(at(9, 59))
    async with page.expect_response("**/worker/live*"):
        await page.evaluate(look)
    await page.mouse.up()
    await expect(page.locator("[name=door_code]")).to_be_visible()
    await page.fill("[name=door_code]", digits[:2])
    await page.evaluate("document.activeElement.blur(); document.querySelector('.digits').dataset.before = '1'")
    await city.clock(at(10))
    await page.evaluate(look)
    await expect(page.locator("[data-before]")).to_have_count(0)
    await expect(page.locator("[name=door_code]")).to_be_visible()
    await expect(page.locator("[name=door_code]")).to_have_value(digits[:2])


@pytest.mark.parametrize("away", [True, False])
async def test_without_a_position_at_the_door_one_reason_is_asked_and_the_time_is_that_of_the_first_press(
    chromium: Browser, city: City, away: bool
):
    page, order_id, _ = await _on_the_way(chromium, city)
    await expect(page.locator(MAIN)).to_have_text("我到了")
    if away:
        await page.context.set_geolocation({"longitude": 120.0, "latitude": 31.0, "accuracy": 12})
    else:
        await page.context.clear_permissions()
    await page.click(MAIN)
    await expect(page.locator("[data-why]")).to_be_visible()
    await seen.sound(page, "why")
    assert await city.one("SELECT status FROM orders WHERE id = $1", UUID(order_id)) == "en_route"
    later = at(9, 59).isoformat()
    await page.evaluate("at => { document.querySelector('[data-care-now]').dataset.careNow = at; }", later)
    await page.click("[data-why] [value=door_elsewhere]")
    await becomes(city, page, order_id, "in_service")
    row = await _record(city, order_id)
    assert (row["placed"], row["position_reason"]) == (away, "door_elsewhere")
    assert row["device_at"] == at(9, 58)
    await expect(page.locator("[data-why]")).to_be_hidden()


async def test_in_range_nothing_is_asked(chromium: Browser, city: City):
    page, order_id, _ = await _on_the_way(chromium, city)
    await expect(page.locator(MAIN)).to_have_text("我到了")
    await page.click(MAIN)
    await becomes(city, page, order_id, "in_service")
    await expect(page.locator("[data-why]")).to_be_hidden()
    assert (await _record(city, order_id))["position_reason"] is None


@pytest.mark.parametrize("with_digits", [True, False])
async def test_without_script_digits_and_reasons_are_forms(chromium: Browser, city: City, with_digits: bool):
    page, order_id, digits = await _on_the_way(chromium, city, java_script_enabled=False)
    if with_digits:
        await page.click(OPEN)
        await page.fill("[name=door_code]", digits)
        await page.click(".digits button")
    else:
        await page.click("noscript summary")
        await page.click("noscript [value=no_signal]")
    await becomes(city, page, order_id, "in_service")
    row = await _record(city, order_id)
    assert (row["digits_fit"], row["position_reason"]) == ((True, None) if with_digits else (None, "no_signal"))


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_digits_are_large_for_whoever_opens_and_reachable_for_whoever_comes(
    chromium: Browser, city: City, language: str
):
    """On the page of the resident, of a daughter who may follow, and of the desk that reads them out."""
    page, order_id, digits = await _on_the_way(chromium, city, language=language)
    await page.wait_for_load_state()
    await page.click(OPEN)
    await seen.sound(page, "worker-digits")
    if language == "en":
        await seen.in_one_language(page, "worker-digits")
    await page.set_viewport_size({"width": 320, "height": 640})
    await seen.large(page, "worker-digits", text_px=14, target_px=60)
    resident_id = await city.one("SELECT resident_id FROM orders WHERE id = $1", UUID(order_id))
    own = await city.one("SELECT account_id FROM residents WHERE id = $1", resident_id)
    url = str(city.http.base_url).rstrip("/")
    for name, account in (("resident", own), ("family", await city.daughter(resident_id))):
        home = await opened(chromium, url, token=await token_of(city, account), language=language)
        await home.goto(f"{url}/visits/{order_id}")
        await expect(home.locator(".code .digits")).to_have_text(" ".join(digits))
        await seen.sound(home, f"digits-{name}")
        if language == "en":
            await seen.in_one_language(home, f"digits-{name}")
        await home.set_viewport_size({"width": 320, "height": 640})
        await seen.large(home, f"digits-{name}", text_px=18 if name == "resident" else 14, target_px=44)
