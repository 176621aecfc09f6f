"""The doors of residents and families in a real browser: in every state of a visit accessible, large, and in one language."""

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support import seen
from tests.support.at_the_door import checked, ticked
from tests.support.city import City, at
from tests.support.seen import opened, token_of
from tests.support.swaps import BATH, offered

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
RESIDENT = {"text_px": 18, "target_px": 60}
FAMILY = {"text_px": 12, "target_px": 44}


class Walk:
    """One resident's story, looked at from both doors."""

    def __init__(self, city: City, mother: Page, daughter: Page, language: str) -> None:
        self.city, self.mother, self.daughter, self.language = city, mother, daughter, language
        self.url = str(city.http.base_url).rstrip("/")

    async def look(self, page: Page, name: str) -> None:
        await seen.sound(page, name)
        if self.language == "en":
            await seen.in_one_language(page, name)
        await seen.large(page, name, **(RESIDENT if page is self.mother else FAMILY))

    async def both(self, path: str, name: str) -> None:
        for page, who in ((self.mother, "resident"), (self.daughter, "family")):
            await page.goto(self.url + path)
            await self.look(page, f"{who}-{name}")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_bath_from_the_first_page_to_the_last_word_keeps_nobody_out(
    chromium: Browser, city: City, language: str
):
    """Every page of two doors, as it is in each state; booking takes two presses once the service is chosen."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, url = await city.resident(ability=3), str(city.http.base_url).rstrip("/")
    mother = await opened(chromium, url, language=language, token=await token_of(city, someone["account_id"]))
    child = await city.daughter(someone["id"])
    daughter = await opened(chromium, url, language=language, token=await token_of(city, child))
    walk = Walk(city, mother, daughter, language)
    await mother.goto(url)
    await walk.look(mother, "home-empty")
    await mother.click(".svc--bath")
    await walk.look(mother, "times")
    presses = 0
    for button in (".slot >> nth=0", ".btn--main"):
        await mother.click(button)
        presses += 1
        await walk.look(mother, ("check", "placed")[presses - 1])
    assert presses == 2
    order_id = mother.url.split("?")[0].rsplit("/", 1)[1]
    await city.dispatch()
    await walk.both("/", "home")
    await walk.both(f"/visits/{order_id}", "accepted")
    starts = await city.one("SELECT max(lower(during)) FROM stops WHERE order_id = $1", UUID(order_id))
    crew = [await city.worker(seat["worker_id"]) for seat in await city.crew(order_id)]
    door = await city.door(order_id)
    for step, minutes, name in (
        ("en-route", -10, "en-route"),
        ("check-in", 0, "in-service"),
        ("check-out", 60, "judge"),
    ):
        await city.clock(starts + timedelta(minutes=minutes))
        for worker in crew:
            assert (await worker.post(f"/v1/orders/{order_id}/{step}", {"device_at": None, **door})).status_code == 200
        if step == "check-in":
            await checked(crew[0], {"id": order_id})
            await ticked(crew[0], {"id": order_id})
        await walk.both(f"/visits/{order_id}", name)
        if step == "en-route":
            await mother.goto(f"{url}/visits/{order_id}/cancel")
            await walk.look(mother, "cancel")
    await mother.goto(f"{url}/visits/{order_id}/dispute")
    await mother.click(".btn--main")
    await expect(mother.locator(".errors")).to_be_focused()
    await walk.look(mother, "dispute-empty")
    await mother.goto(f"{url}/visits/{order_id}")
    await mother.click(".btn--main")
    await walk.look(mother, "well")
    for path in ("/past", "/sharing", "/family", "/book/meal"):
        await mother.goto(url + path)
        await seen.sound(mother, path.strip("/").replace("/", "-"))
    await mother.goto(url)
    await mother.click(".again")
    await walk.look(mother, "again")


@pytest.mark.parametrize("size", ["1", "5"])
async def test_a_visit_fits_the_smallest_phone_at_every_size(chromium: Browser, city: City, size: str):
    """320 px with text of 30: nothing scrolls sideways, nothing is cut."""
    someone, url = await city.resident(), str(city.http.base_url).rstrip("/")
    page = await opened(chromium, url, width=320, size=size, token=await token_of(city, someone["account_id"]))
    await page.goto(url)
    await seen.large(page, "home", **RESIDENT)
    await page.click(".svc--rehab")
    await seen.large(page, "times", **RESIDENT)
    await page.click(".slot >> nth=0")
    await seen.large(page, "check", **RESIDENT)
    await page.click(".btn--main")
    await seen.large(page, "placed", **RESIDENT)
    await city.dispatch()
    for path in ("", "/cancel", "/dispute"):
        await page.goto(page.url.split("?")[0].removesuffix("/cancel") + path)
        await seen.large(page, path or "accepted", **RESIDENT)


async def test_a_visit_is_booked_with_script_switched_off(chromium: Browser, city: City):
    someone, url = await city.resident(), str(city.http.base_url).rstrip("/")
    page = await opened(chromium, url, java_script_enabled=False, token=await token_of(city, someone["account_id"]))
    await page.goto(url)
    await page.click(".svc--rehab")
    await page.click(".slot >> nth=1")
    await page.click(".btn--main")
    await expect(page.locator(".strip--good")).to_be_visible()
    assert await city.one("SELECT status FROM orders") == "placed"
    assert await page.locator("noscript").count() == 1, "it asks again by itself"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_staff_doors_keep_nobody_out(chromium: Browser, city: City, language: str):
    """The desk, and a provider's board with an offer on it; wide, and at twice the zoom."""
    await city.manual_acceptance()
    someone, operator, url = (
        await city.resident(ability=3),
        await city.staff("operator"),
        str(city.http.base_url).rstrip("/"),
    )
    order = await city.booked(operator, someone["id"], "bath-home", at(10), at(11), channel="phone")
    alarm = (await operator.post("/v1/emergencies", {"resident_id": str(someone["id"])})).json()["id"]
    await city.dispatch()
    offer = (await city.sql("SELECT id, provider_id FROM offers"))[0]
    accounts = [
        await city.one("INSERT INTO accounts (role, name, login, password_hash, provider_id) VALUES ($1, '某人', $1, 'none', $2) RETURNING id",
                       role, provider)
        for role, provider in (("operator", None), ("provider", offer["provider_id"]))
    ]  # fmt: skip
    desk, board = [
        await opened(chromium, url, width=1440, language=language, token=await token_of(city, a)) for a in accounts
    ]
    pages = [(desk, "/desk"), (desk, f"/desk/orders/{order['id']}"), (desk, f"/desk/alarms/{alarm}"), (board, "/provider"), (board, "/provider/today"),
             (board, f"/provider/offers/{offer['id']}/decline")]  # fmt: skip
    for page, path in pages:
        await page.goto(url + path)
        await seen.sound(page, path)
        if language == "en":
            await seen.in_one_language(page, path)
        for width in (1440, 720):
            await page.set_viewport_size({"width": width, "height": 900})
            await seen.large(page, f"{path} {width}", text_px=11, target_px=44)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_who_else_could_come_keeps_nobody_out(chromium: Browser, city: City, language: str):
    """Why these and who instead, at the desk and at the provider's; down to the width of a small phone."""
    order, _ = await offered(city, "offered", BATH)
    url, provider_id = str(city.http.base_url).rstrip("/"), (await city.order(order["id"]))["provider_id"]
    accounts = [
        await city.one("INSERT INTO accounts (role, name, login, password_hash, provider_id) VALUES ($1, '某人', $1, 'none', $2) RETURNING id",
                       role, provider)
        for role, provider in (("operator", None), ("provider", provider_id))
    ]  # fmt: skip
    for account, door in zip(accounts, ("/desk", "/provider"), strict=True):
        page = await opened(chromium, url, width=1440, language=language, token=await token_of(city, account))
        pages = [f"{door}/orders/{order['id']}/why", f"{door}/orders/{order['id']}/swap"]
        for path in [*pages, "/provider/tomorrow"] if door == "/provider" else pages:
            await page.goto(url + path)
            await seen.sound(page, path)
            if language == "en":
                await seen.in_one_language(page, path)
            for width in (1440, 720, 320):
                await page.set_viewport_size({"width": width, "height": 900})
                await seen.large(page, f"{path} {width}", text_px=11, target_px=44)
        if door == "/provider":
            await page.goto(f"{url}/provider")
            presses = 0
            for button in (f"a[href='/provider/orders/{order['id']}/swap']", "button[name=crew] >> nth=0"):
                await page.click(button)
                presses += 1
                await page.wait_for_load_state()
            assert presses == 2
            assert await city.one("SELECT count(*) FROM audit WHERE action = 'swap'") == 1
        await page.context.close()
