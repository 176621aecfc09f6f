"""The live board in a real browser: it shows the city, follows it without reloading, and says nobody's name."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.city import at
from tests.support.platform import Running

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")


@pytest.fixture(scope="module")
async def city(running_city: Running) -> Running:
    await running_city.sql("UPDATE providers SET auto_accept = true")
    return running_city


@pytest.fixture
async def page(chromium: Browser) -> Page:
    opened = await chromium.new_page(viewport={"width": 1400, "height": 1200})
    opened.troubles = []  # pyright: ignore[reportAttributeAccessIssue]
    opened.on("pageerror", lambda error: opened.troubles.append(str(error)))
    opened.on("console", lambda m: opened.troubles.append(m.text) if m.type == "error" else None)
    return opened


async def _book(city: Running, number: int) -> dict[str, Any]:
    operator = await city.desk("operator")
    someone = (await city.sql("SELECT id, phone FROM residents ORDER BY phone OFFSET $1 LIMIT 1", number))[0]
    wish = {"from_at": at(10).isoformat(), "to_at": at(16).isoformat()}
    quote = await operator.quote({"resident_id": str(someone["id"]), "item_code": "rehab-home", "wish": wish})
    return await operator.post("/v1/bookings", {"slot": quote["slots"][0]["token"], "channel": "phone"})


async def test_the_board_follows_the_city_without_a_reload(city: Running, page: Page, tmp_path: Path):
    await page.goto(f"{city.platform.web_url}/board?lang=en")
    for zone in ("东湖片区", "梧桐片区", "南塘片区", "柳巷片区"):
        await expect(page.get_by_text(zone).first).to_be_visible()
    before = await page.inner_text("main")
    await page.evaluate("window.stayed = true")
    await _book(city, 0)
    await page.wait_for_function("old => document.querySelector('main').innerText !== old", arg=before, timeout=15000)
    assert await page.evaluate("window.stayed") is True
    await page.screenshot(path=tmp_path / "board.png", full_page=True)
    assert (tmp_path / "board.png").stat().st_size > 30_000
    assert page.troubles == []  # pyright: ignore[reportAttributeAccessIssue]


async def test_the_board_names_nobody(city: Running, page: Page):
    await _book(city, 1)
    await page.goto(f"{city.platform.web_url}/board")
    shown = await page.content()
    people = await city.sql(
        """SELECT name, phone FROM residents UNION ALL
           SELECT name, phone FROM accounts LEFT JOIN account_numbers ON account_id = id"""
    )
    for person in people:
        assert person["phone"] is None or person["phone"] not in shown
        if person["name"] not in {"operator", "supervisor"}:
            assert f">{person['name']}<" not in shown


async def test_the_board_reads_without_scripts_and_fits_a_phone(city: Running, chromium: Browser):
    context = await chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = await context.new_page()
    await page.goto(f"{city.platform.web_url}/board")
    await expect(page.get_by_text("东湖片区").first).to_be_visible()
    wide = await page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
    assert wide <= 0
