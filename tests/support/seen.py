"""Pages in Chromium, judged as every door is: accessible, large enough, in one language, and no wider than the screen."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from backend.accounts import proofs
from tests.support.city import City

# the shell draws the same without a window's machinery, for two thirds of the time
_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM: Final = next(filter(None, map(shutil.which, _NAMES)), None)
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
_AXE: Final = Axe()
_AXE_AGAIN: Final = Axe("")  # in a page that has its script already
_RULES: Final = (  # of a theme, only colours can be different
    ("light", _AXE, {"resultTypes": ["violations"]}),
    ("dark", _AXE_AGAIN, {"resultTypes": ["violations"], "runOnly": ["cat.color"]}),
)
_SMALL: Final = """least => [...document.querySelectorAll('body *')].filter(e => e.checkVisibility()
    && !e.closest('.sprite, .skip, .vh') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
    && parseFloat(getComputedStyle(e).fontSize) < least).map(e => e.outerHTML)"""
_NARROW: Final = """least => [...document.querySelectorAll('a, button, input:not([type=hidden])')].filter(e => e.checkVisibility()
    && !e.closest('.skip, p:not(.links), .errors')).map(e => [e.outerHTML, e.getBoundingClientRect()])
    .filter(([, box]) => box.height < least || box.width < least).map(([html]) => html)"""
_HAN: Final = """() => { const found = []; const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) { const e = walk.currentNode.parentElement;
      if (/[\\u4e00-\\u9fff]/.test(walk.currentNode.data) && e.closest('[lang]').lang === 'en' && !e.closest('script, style'))
        found.push(walk.currentNode.data); }
    return found; }"""
_WIDE: Final = """() => { const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + .5).map(e => e.outerHTML); }"""


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def opened(
    chromium: Browser, url: str, *, width: int = 390, language: str = "zh", size: str = "", token: str = "", **more: Any
) -> Page:
    """A browser of its own that reads in a language and size, signed in where there is a token."""
    context = await chromium.new_context(viewport={"width": width, "height": 844}, **more)
    cookies = {"yinling_language": language, "yinling_size": size, "yinling_session": token}
    await context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items() if value])
    return await context.new_page()


async def sound(page: Page, name: str) -> None:
    """No violation that axe-core knows, by day and by night; the viewport is as high as the page: a dock covers nothing."""
    await page.wait_for_load_state()
    size = page.viewport_size or {"width": 390, "height": 844}
    height = await page.evaluate("document.documentElement.scrollHeight")
    await page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
    for theme, axe, options in _RULES:
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        found = await axe.run(page, options=options)
        assert found.violations_count == 0, (name, theme, found.generate_report())
    await page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    await page.set_viewport_size(size)


async def in_one_language(page: Page, name: str) -> None:
    """An English page has no 汉字 but what is marked as written in 中文: names, addresses, what people typed."""
    await page.wait_for_load_state()
    found = await page.evaluate(_HAN)
    assert found == [], (name, found)


async def large(page: Page, name: str, *, text_px: float, target_px: float) -> None:
    """No text smaller, no target narrower, nothing wider than the screen."""
    await page.wait_for_load_state()
    wide, small = await page.evaluate(_WIDE), await page.evaluate(_SMALL, text_px)
    narrow = await page.evaluate(_NARROW, target_px)
    assert (wide, small, narrow) == ([], [], []), (name, wide, small, narrow)


async def pressed(page: Page, *keys: str) -> None:
    """Press keys as an operator does: each on the page that the one before has opened, once it is there and hears keys."""
    for key in keys:
        await page.wait_for_load_state()
        await page.evaluate("document.documentElement.dataset.before = 'it'")
        await page.keyboard.press(key)
        await expect(page.locator("html[data-before]")).to_have_count(0)
        await page.wait_for_load_state()


async def token_of(city: City, account_id: UUID) -> str:
    """A session of somebody's, for a browser that does not go through the sign-in."""
    token = proofs.new_token()
    await city.sql(
        "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
        proofs.token_hash(token), account_id,
    )  # fmt: skip
    return token
