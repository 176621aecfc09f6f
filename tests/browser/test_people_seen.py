"""The provider's people and their week in a real browser: for everybody, in both languages, down to a small phone."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page

from tests.support import seen
from tests.support.away import record, worker_of
from tests.support.city import DAY, City, at
from tests.support.seen import opened, token_of
from tests.support.swaps import BATH, offered

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_providers_people_keep_nobody_out(chromium: Browser, city: City, language: str):
    order, provider = await offered(city, "accepted", BATH)
    row, gone = await city.order(order["id"]), await worker_of(city, order)
    await city.sql("UPDATE worker_skills SET expires_on = $2 WHERE worker_id = $1", gone, DAY + timedelta(days=1))
    other = await city.one(
        "SELECT id FROM workers WHERE provider_id = $1 AND id <> $2 AND active ORDER BY id LIMIT 1",
        row["provider_id"],
        gone,
    )
    assert (await record(provider, other, at(8), at(18, days=1), reason="holiday")).status_code == 201
    account = await city.one(
        "INSERT INTO accounts (role, name, login, password_hash, provider_id) VALUES ('provider', '某人', 'desk', 'none', $1) RETURNING id",
        row["provider_id"],
    )
    url = str(city.http.base_url).rstrip("/")
    page = await opened(chromium, url, width=1440, language=language, token=await token_of(city, account))
    wrong = f"/provider/people/{gone}/away?first=x&last=2030-03-20T08:00"
    for path in ("/provider/people", f"/provider/people/{gone}/away", wrong, "/provider/roster"):
        await page.goto(url + path)
        await page.wait_for_load_state()
        await seen.sound(page, path)
        if language == "en":
            await seen.in_one_language(page, path)
        for width in (1440, 720, 320):
            await page.set_viewport_size({"width": width, "height": 900})
            await seen.large(page, f"{path} {width}", text_px=11, target_px=44)
    await _typed(page, url, str(gone))
    await page.goto(url + "/provider/people")
    for button in (f"a[href='/provider/people/{gone}/away']", "button[name=reason] >> nth=0"):
        await page.click(button)
        await page.wait_for_load_state()
    assert await city.one("SELECT count(*) FROM leaves WHERE worker_id = $1", gone) == 1, "two presses"
    await page.context.close()
    await city.sql("UPDATE worker_skills SET expires_on = '2040-01-01' WHERE worker_id = $1", gone)


async def _typed(page: Page, url: str, worker: str) -> None:
    """Arrow keys lead through the week; what is wrong stands in its cell, for everybody to read."""
    await page.set_viewport_size({"width": 1440, "height": 900})
    await page.goto(f"{url}/provider/roster?week={DAY + timedelta(days=7)}")
    await page.wait_for_load_state()
    first = page.locator(".grid tbody tr >> nth=0").locator("input >> nth=0")
    await first.fill("9-1")
    await first.press("End")
    await first.press("ArrowRight")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.type("x")
    second = page.locator(".grid tbody tr >> nth=1").locator("input >> nth=1")
    assert await second.input_value() == "x"
    await page.click(".rosterform .btn--main")
    await page.wait_for_load_state()
    await seen.sound(page, "a wrong cell")
    assert await page.locator(".grid .wrong").count() == 1
    assert await page.locator(".grid tbody tr >> nth=0").locator("input >> nth=0").input_value() == "9-1"
