"""A zone's day at the desk in Chromium: trouble on top, zones by digits, and nothing wider than a small window."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from tests.support import seen
from tests.support.city import City, at
from tests.support.seen import opened, pressed, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'lanes-seen', 'none') RETURNING id"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_between_calls_trouble_is_on_top_and_a_digit_shows_another_zone(
    chromium: Browser, city: City, language: str
):
    """In the search field a digit is typed; from the zones on it chooses, and what is late leads to its order."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    await city.dispatch()
    window_to = await city.one("SELECT window_to FROM orders WHERE id = $1", UUID(order["id"]))
    await city.clock(window_to.replace(minute=window_to.minute + 9))
    site = str(city.http.base_url).rstrip("/")
    page = await opened(
        chromium, site, token=await token_of(city, await city.one(OPERATOR)), width=1440, language=language
    )
    await page.goto(f"{site}/desk")
    await page.keyboard.type("2")
    await expect(page.locator("#text")).to_have_value("2")
    await expect(page.locator(".troubles em").first).to_have_text("晚9分" if language == "zh" else "9 min late")
    await expect(page.locator(".lane").first).to_have_attribute("data-look", "")
    for width in (1440, 720, 320):
        await page.set_viewport_size({"width": width, "height": 900})
        await seen.sound(page, f"lanes {width}")
        await seen.large(page, f"lanes {width}", text_px=11, target_px=44)
    if language == "en":
        await seen.in_one_language(page, "lanes")
    await page.set_viewport_size({"width": 1440, "height": 900})
    await page.locator(".zonetabs a").first.focus()
    await pressed(page, "2")
    await expect(page.locator(".zonetabs [aria-current]")).to_have_attribute("data-key", "2")
    await page.locator(".zonetabs a").first.focus()
    await pressed(page, "1")
    await page.locator(".troubles a").first.click()
    await expect(page).to_have_url(f"{site}/desk/orders/{order['id']}")
