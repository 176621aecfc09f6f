"""The wish of a caller in Chromium: typed beside the list, narrowing it by Enter, and no digit of it chooses a time."""

import pytest
from playwright.async_api import Browser, expect

from tests.support import seen
from tests.support.city import City
from tests.support.seen import opened, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'wishes-seen', 'none') RETURNING id"


@pytest.mark.parametrize(("language", "wish"), [("zh", "下午2点以后，骑马"), ("en", "after 2 pm, horses")])
async def test_a_wish_is_typed_and_its_digits_choose_nothing(chromium: Browser, city: City, language: str, wish: str):
    someone, site = await city.resident(), str(city.http.base_url).rstrip("/")
    page = await opened(
        chromium, site, token=await token_of(city, await city.one(OPERATOR)), width=1440, language=language
    )
    await page.goto(f"{site}/desk/residents/{someone['id']}/book/rehab?item=rehab-home")
    await expect(page.locator("[name=slot]").first).to_be_focused()
    await page.locator("#wish").focus()
    await page.keyboard.type(wish)
    assert page.url.endswith("item=rehab-home"), "a digit that is typed is no key"
    await page.keyboard.press("Enter")
    await expect(page.locator(".heard .wrong")).to_contain_text("骑马" if language == "zh" else "horses")
    await expect(page.locator(".heard .tag").first).to_be_visible()
    await expect(page.locator("[name=slot]").first).to_be_focused()
    for width in (1440, 720, 320):
        await page.set_viewport_size({"width": width, "height": 900})
        await seen.sound(page, f"heard {width}")
        await seen.large(page, f"heard {width}", text_px=11, target_px=44)
    if language == "en":
        await seen.in_one_language(page, "heard")
    assert await city.one("SELECT count(*) FROM orders") == 0
