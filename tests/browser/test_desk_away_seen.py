"""The desk's page for absences in Chromium: a name, a digit, a digit; and it keeps nobody out."""

import pytest
from playwright.async_api import Browser

from tests.support import seen
from tests.support.city import City
from tests.support.seen import opened, pressed, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'away-seen', 'none') RETURNING id"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_an_absence_is_recorded_by_a_name_and_two_digits(chromium: Browser, city: City, language: str):
    worker = (await city.sql("SELECT id, name FROM workers WHERE active ORDER BY id LIMIT 1"))[0]
    site = str(city.http.base_url).rstrip("/")
    page = await opened(
        chromium, site, token=await token_of(city, await city.one(OPERATOR)), width=1440, language=language
    )
    await page.goto(f"{site}/desk/workers")
    await page.keyboard.insert_text(worker["name"])
    await pressed(page, "Enter")
    for name, key in (("found", "1"), ("away", "2"), ("recorded", "")):
        for width in (1440, 720, 320):
            await page.set_viewport_size({"width": width, "height": 900})
            await seen.sound(page, f"{name} {width}")
            await seen.large(page, f"{name} {width}", text_px=11, target_px=44)
        if language == "en":
            await seen.in_one_language(page, name)
        await page.set_viewport_size({"width": 1440, "height": 900})
        if key:
            await pressed(page, key)
    rows = await city.sql(
        "SELECT w.name, l.reason FROM leaves l JOIN workers w ON w.id = l.worker_id WHERE w.id = $1", worker["id"]
    )
    assert [(row["name"], row["reason"]) for row in rows] == [(worker["name"], "holiday")]
