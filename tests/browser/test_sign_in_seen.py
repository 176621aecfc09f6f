"""The sign-in in a real browser: accessible in both languages and themes, large on a small screen, and without script."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.web import create_app
from tests.support import seen
from tests.support.people import one_database, person, served, settings
from tests.support.seen import opened

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
PAGES = ("/sign-in", "/sign-in/staff", "/reading", "/nowhere-at-all")
SMALLEST_PX, TARGET_PX = 18, 60  # of a resident's page; WCAG 2.2 (2.5.5) asks for targets of 44 px


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture(scope="module")
async def url(database: Database) -> AsyncIterator[str]:
    async with served(create_app(settings(database), database)) as address:
        yield f"http://{address}"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_no_page_keeps_anybody_out(chromium, url, database, language):
    page = await opened(chromium, url, language=language)
    resident = await person(database, "resident")

    async def sound(name: str) -> None:
        await seen.sound(page, name)
        await seen.in_one_language(page, name)

    for path in PAGES:
        await page.goto(url + path)
        await sound(path.strip("/").replace("/", "-"))
    await page.goto(f"{url}/sign-in")
    await page.fill("#phone", "12")
    await page.click(".btn--main")
    await expect(page.locator("#phone")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator(".errors")).to_be_focused()
    await sound("number-wrong")
    await page.fill("#phone", resident.phone)
    await page.click(".btn--main")
    await sound("digits")


@pytest.mark.parametrize("size", ["", "1", "5"])
async def test_text_is_large_and_fits_the_smallest_phone(chromium, url, size):
    for language in ("zh", "en"):
        page = await opened(chromium, url, width=320, language=language, size=size)
        for path in PAGES:
            await page.goto(url + path)
            await seen.large(page, path, text_px=SMALLEST_PX, target_px=TARGET_PX)


async def test_everything_works_with_script_switched_off(chromium, url, database):
    resident = await person(database, "resident")
    page = await opened(chromium, url, java_script_enabled=False)
    await page.goto(f"{url}/sign-in?to=/reading")
    await page.fill("#phone", resident.phone)
    await page.click(".btn--main")
    code = await page.locator("[data-demo-code]").inner_text()
    await page.fill("#code", code)
    await page.click(".btn--main")
    await expect(page).to_have_url(f"{url}/reading")
    await page.click("[name=size][value='5']")
    await expect(page).to_have_url(f"{url}/")
    await page.goto(f"{url}/reading")
    await expect(page.locator("html")).to_have_attribute("data-size", "5")
    await page.click("form[action='/sign-out'] button")
    await expect(page).to_have_url(f"{url}/sign-in")


async def test_chinese_is_drawn_and_not_boxes(chromium, url):
    """老 must not look like a character that no font has."""
    page = await opened(chromium, url)
    await page.goto(f"{url}/sign-in")
    widths = await page.evaluate(
        """() => ['老', '\\u{10FFFD}'].map(c => { const e = document.createElement('canvas'); e.width = e.height = 64;
           const t = e.getContext('2d'); t.font = '48px ' + getComputedStyle(document.body).fontFamily; t.fillText(c, 4, 50);
           return t.getImageData(0, 0, 64, 64).data.filter((v, i) => i % 4 === 3 && v > 0).length; })"""
    )
    assert widths[0] > 0
    assert widths[0] != widths[1]


def test_residents_pages_use_no_pale_ink():
    """The palest ink is for staff: on a resident's page every text has at least 7:1."""
    sheet = (Path(__file__).parents[2] / "backend" / "pages" / "static" / "resident.css").read_text()
    assert "--ink-3" not in sheet


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _ratio(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_pair_of_text_and_ground_keeps_its_contrast(theme):
    """WCAG 2 ratios, recomputed from the tokens: 7:1 for whatever residents read, 4.5:1 for staff, 3:1 for edges."""
    text = (Path(__file__).parents[2] / "backend" / "pages" / "static" / "tokens.css").read_text()
    block = (text[: text.index("@media")], text[text.index(':root[data-theme="dark"]') : text.index("@media print")])[
        theme
    ]
    tone = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))
    pairs = [("ink", "paper"), ("ink", "surface"), ("ink-2", "paper"), ("ink-2", "surface"), ("ink-2", "sunken"), ("brand", "paper"),
             ("brand", "surface"), ("on", "brand"), ("brand", "brand-soft"), ("bar-ink", "bar")]  # fmt: skip
    pairs += [(kind, f"{kind}-soft") for kind in ("wait", "good", "info", "alert", "meal", "bath", "rehab")]
    wrong = [(pair, _ratio(tone[pair[0]], tone[pair[1]])) for pair in pairs if _ratio(tone[pair[0]], tone[pair[1]]) < 7]
    wrong += [(e, g) for e, g, least in (("ink-3", "paper", 4.5), ("ink-3", "surface", 4.5), ("edge", "surface", 3), ("edge", "paper", 3))
              if _ratio(tone[e], tone[g]) < least]  # fmt: skip
    assert wrong == []
