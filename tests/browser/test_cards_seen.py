"""The sign-in card in Chromium: printed by two keys at the desk, one press on the phone, sound and readable."""

import pytest
from playwright.async_api import Browser, expect

from tests.support import seen
from tests.support.city import City
from tests.support.seen import opened, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'of-cards', 'none') RETURNING id"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_card_is_printed_by_one_key_and_opens_the_home_of_whose_it_is_with_one_press(
    chromium: Browser, city: City, language: str
):
    """On the sheet stands the card alone; an old phone or a small window keeps nobody out."""
    someone, site = await city.resident(), str(city.http.base_url).rstrip("/")
    desk = await opened(
        chromium, site, token=await token_of(city, await city.one(OPERATOR)), width=1440, language=language
    )
    await desk.goto(f"{site}/desk/residents/{someone['id']}/card")
    await seen.sound(desk, "whose")
    await desk.keyboard.press("1")
    await expect(desk.locator(".signcard")).to_be_visible()
    await expect(desk.locator("[data-print]")).to_be_focused()
    for width in (1440, 720, 320):
        await desk.set_viewport_size({"width": width, "height": 900})
        await seen.sound(desk, f"card {width}")
        await seen.large(desk, f"card {width}", text_px=11, target_px=44)
    if language == "en":
        await seen.in_one_language(desk, "card")
    await desk.emulate_media(media="print")
    for hidden in (".bar", ".caller", ".queues", ".keys", "[data-print]"):
        await expect(desk.locator(hidden)).to_be_hidden()
    await expect(desk.locator(".signcard .qr")).to_be_visible()
    digits = await desk.locator(".digits").inner_text()
    phone = await opened(chromium, site, width=320, language=language)
    await phone.goto(f"{site}/card")
    await seen.sound(phone, "digits")
    await seen.large(phone, "digits", text_px=14, target_px=48)
    await phone.goto(f"{site}/card/{'x' * 43}")
    await seen.sound(phone, "press")
    await phone.keyboard.press("Enter")
    await expect(phone.locator("[role=alert]")).to_be_visible()
    await seen.sound(phone, "refused")
    if language == "en":
        await seen.in_one_language(phone, "refused")
    await phone.locator("#card").fill(digits)
    await phone.keyboard.press("Enter")
    await expect(phone).to_have_url(f"{site}/")
    await expect(phone.locator("main h1").first).to_be_visible()
