"""Hanging up and ringing back in Chromium, by keys: what is held is asked about, and no digit that is typed chooses."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.city import City, at
from tests.support.seen import opened, pressed, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'calls-back', 'none') RETURNING id"


async def _looked_at(page: Page, name: str, language: str) -> None:
    for width in (1440, 720, 320):
        await page.set_viewport_size({"width": width, "height": 900})
        await seen.sound(page, f"{name} {width}")
        await seen.large(page, f"{name} {width}", text_px=11, target_px=44)
    if language == "en":
        await seen.in_one_language(page, name)
    await page.set_viewport_size({"width": 1440, "height": 900})


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_f9_asks_while_a_time_is_held_and_the_call_waits_with_it(chromium: Browser, city: City, language: str):
    """F9, 1: rung back; from the queue, one press leads to the same sentence, and Enter places it."""
    someone, operator = await city.resident(), await city.staff("operator")
    slot = (await city.quote(operator, someone["id"], "rehab-home", at(10), at(11)))[0]["token"]
    held = (await operator.post("/v1/bookings", {"slot": slot, "channel": "phone", "hold_only": True})).json()
    site = str(city.http.base_url).rstrip("/")
    page = await opened(
        chromium, site, token=await token_of(city, await city.one(OPERATOR)), width=1440, language=language
    )
    await page.goto(f"{site}/desk/orders/{held['id']}/read")
    await pressed(page, "F9")
    await _looked_at(page, "hang up", language)
    await pressed(page, "Escape")
    await expect(page).to_have_url(f"{site}/desk/orders/{held['id']}/read")
    await pressed(page, "F9", "1")
    await expect(page).to_have_url(f"{site}/desk?done=waiting")
    await _looked_at(page, "queue", language)
    await page.get_by_role("button", name="我来回拨" if language == "zh" else "I ring them").click()
    await expect(page).to_have_url(f"{site}/desk/orders/{held['id']}/read")
    await _looked_at(page, "taken", language)
    await pressed(page, "Enter")
    assert (await city.sql("SELECT kind, outcome FROM desk_tasks")) == [{"kind": "call_back", "outcome": "placed"}]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_call_is_promised_with_a_line_and_a_key(chromium: Browser, city: City, language: str):
    """Digits belong to the line while it is typed; from the list, one of them says when."""
    someone, site = await city.resident(), str(city.http.base_url).rstrip("/")
    page = await opened(
        chromium, site, token=await token_of(city, await city.one(OPERATOR)), width=1440, language=language
    )
    await page.goto(f"{site}/desk/residents/{someone['id']}/call-back")
    await _looked_at(page, "promise", language)
    await page.keyboard.type("2号楼的事")
    await page.keyboard.press("Tab")
    await pressed(page, "2")
    task = (await city.sql("SELECT details, due_at, owner_id FROM desk_tasks"))[0]
    assert (task["details"]["words"], task["due_at"]) == ("2号楼的事", at(9))
    await _looked_at(page, "promised", language)
    await page.goto(f"{site}/desk/residents/{someone['id']}/call-back")
    await page.keyboard.type("x")
    await pressed(page, "Enter")
    await expect(page.locator("[role=alert]")).to_be_visible()
