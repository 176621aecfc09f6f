"""The operator's call by keyboard alone: counted, in both languages, and what is typed is never taken for a command."""

import asyncio
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support import seen
from tests.support.city import City, at
from tests.support.seen import opened, pressed, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
MOST = 12


async def _desk(chromium: Browser, city: City, **how: object) -> Page:
    account = await city.one(
        "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', $1, 'none') RETURNING id",
        str(uuid4()),
    )
    page = await opened(
        chromium, str(city.http.base_url).rstrip("/"), token=await token_of(city, account), width=1440, **how
    )
    await page.goto(f"{city.http.base_url}/desk")
    return page


async def _number(city: City, resident_id: object) -> str:
    return await city.one(
        """SELECT n.phone FROM consents c JOIN account_numbers n ON n.account_id = c.account_id
           WHERE c.resident_id = $1 AND c.purpose = 'book'""",
        resident_id,
    )


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_bath_for_a_daughter_who_rings_takes_few_keys_and_the_same_again_fewer(
    chromium: Browser, city: City, language: str
):
    """Found by the number that rings; every step keeps nobody out, and says nothing untrue of who comes."""
    await city.manual_acceptance()
    someone = await city.resident(ability=3)
    number = await _number(city, someone["id"])
    page = await _desk(chromium, city, language=language)
    await page.keyboard.type(number.removeprefix("+86"))
    keys = ["Enter", "1", "2", "1"]
    names = ["found", "service", "times", "read"]
    for key, name in zip(keys, names, strict=True):
        await pressed(page, key)
        if name == "times" and await page.locator("[name=slot]").count() == 0:
            keys.append("1")
            await pressed(page, "1")
        await seen.sound(page, name)
        await page.set_viewport_size({"width": 720, "height": 900})
        await seen.large(page, name, text_px=11, target_px=44)
        await page.set_viewport_size({"width": 1440, "height": 900})
        if language == "en":
            await seen.in_one_language(page, name)
    await expect(page.locator(".truth")).to_contain_text("没接单" if language == "zh" else "has not accepted")
    keys.append("Enter")
    await pressed(page, "Enter")
    assert len(keys) <= MOST
    row = (await city.sql("SELECT o.status, b.channel FROM orders o JOIN bookings b ON b.id = o.booking_id"))[0]
    assert (row["status"], row["channel"]) == ("placed", "phone")


async def test_zero_is_the_same_as_last_time_and_escape_gives_the_time_back(chromium: Browser, city: City):
    """One key takes what the step before took, and nothing else."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    await city.dispatch()
    await city.clock(at(10))
    await city.sql("UPDATE orders SET status = 'completed' WHERE id = $1", order["id"])
    page = await _desk(chromium, city)
    await page.goto(f"{city.http.base_url}/desk/residents/{someone['id']}")
    await pressed(page, "0")
    await expect(page.locator(".truth")).to_contain_text("自动接单")
    assert await city.one("SELECT count(*) FROM orders WHERE status = 'held'") == 1
    await pressed(page, "+", "Escape")
    assert await city.one("SELECT count(*) FROM orders WHERE status = 'held'") == 0
    await expect(page.locator("[name=slot]").first).to_be_focused()


async def test_keys_pressed_before_the_next_page_is_there_choose_nothing_from_the_one_before(
    chromium: Browser, city: City
):
    """Who is quick presses 2 for a time, not for the bath of the list before: one page is asked for, and it is the first."""
    someone = await city.resident(ability=3)
    page = await _desk(chromium, city)
    await page.goto(f"{city.http.base_url}/desk/residents/{someone['id']}")
    asked, slow = list[str](), asyncio.Event()

    async def slowly(route: Route) -> None:
        asked.append(route.request.url)
        await slow.wait()
        await route.continue_()

    await page.route("**/book/**", slowly)
    for key in ("1", "2", "Enter", "2"):
        await page.keyboard.press(key)
    slow.set()
    await expect(page).to_have_url(f"{city.http.base_url}/desk/residents/{someone['id']}/book/meal")
    assert len(asked) == 1, asked


async def test_what_is_typed_is_never_a_command(chromium: Browser, city: City):
    """Digits in a field type, whatever list stands below it; an input method's Enter is its own; nothing is emptied."""
    someone = await city.resident()
    page = await _desk(chromium, city)
    await page.goto(f"{city.http.base_url}/desk/residents/{someone['id']}")
    await page.keyboard.press("F2")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("1234")
    await page.keyboard.press("Escape")
    await expect(page.locator("#text")).to_have_value("1234")
    assert page.url.endswith(f"/desk/residents/{someone['id']}")
    await page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '2', bubbles: true, isComposing: true}))"
    )
    await page.wait_for_timeout(200)
    assert page.url.endswith(f"/desk/residents/{someone['id']}")
    await page.keyboard.press("F9")
    await expect(page).to_have_url(f"{city.http.base_url}/desk")
