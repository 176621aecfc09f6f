"""What changes in a worker's day while they are on their way is said to them, until they have taken note of it."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from tests.support import seen
from tests.support.at_the_door import at_work
from tests.support.city import City

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
_MOVE = """UPDATE stops SET during = tstzrange(lower(during) + make_interval(mins => $2), upper(during) + make_interval(mins => $2))
           WHERE order_id = $1"""
_LOOK = "document.querySelector('live-region').dispatchEvent(new Event('look'))"


@pytest.mark.parametrize(
    ("language", "moved", "gone"), [("zh", "改到 10:20，原来 10:00", "不用去了：10:00"), ("en", "now at 10:20, before at 10:00", "not any more: 10:00")]
)  # fmt: skip
async def test_what_has_moved_or_gone_is_told_until_it_is_noted(
    chromium: Browser, city: City, language: str, moved: str, gone: str
):
    """A few minutes are none of their business; a reload before they have pressed says it again, one after it does not."""
    page, order_id = await at_work(chromium, city, language=language)
    strip, order = page.locator("[data-route]"), UUID(order_id)
    await page.goto(f"{city.http.base_url}/worker")
    await expect(page.locator("[data-at]")).to_have_count(1)
    await expect(strip).to_be_hidden()
    await city.sql(_MOVE, order, 5)
    async with page.expect_response("**/worker/live*"):
        await page.evaluate(_LOOK)
    await expect(page.locator("[data-hour='10:05']")).to_have_count(1)
    await expect(strip).to_be_hidden()
    await city.sql(_MOVE, order, 15)
    await page.evaluate(_LOOK)
    await expect(strip).to_contain_text(moved)
    await page.reload()
    await expect(strip).to_contain_text(moved)
    await seen.sound(page, "route-changed")
    if language == "en":
        await seen.in_one_language(page, "route-changed")
    await page.set_viewport_size({"width": 320, "height": 640})
    await seen.large(page, "route-changed", text_px=14, target_px=60)
    await city.sql(_MOVE, order, -20)
    await page.evaluate(_LOOK)
    await expect(strip).to_be_hidden()
    cancelled = await (await city.staff("operator")).post(f"/v1/orders/{order_id}/cancel", {"reason": "不用来了"})
    assert cancelled.status_code == 200, cancelled.text
    await page.evaluate(_LOOK)
    await expect(strip).to_contain_text(gone)
    await strip.locator("button").click()
    await expect(strip).to_be_hidden()
    await page.reload()
    await expect(page.locator("[data-live]")).to_be_visible()
    await expect(strip).to_be_hidden()
