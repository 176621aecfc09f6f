"""One story on six pages at once, against the real processes: the daughter rings, and everybody sees it happen."""

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from backend.accounts import proofs
from tests.support import seen
from tests.support.at_the_door import MAIN, NUMBERS, measure, tick_lines
from tests.support.platform import Running
from tests.support.seen import opened, pressed

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
SOON_MS = 15000


class Story:
    """The city, and a browser for everybody in the story."""

    def __init__(self, city: Running, chromium: Browser) -> None:
        self.city, self.chromium, self.url = city, chromium, city.platform.web_url

    async def person(self, account_id: UUID, path: str, width: int = 390) -> Page:
        """Somebody's own browser, signed in, at a page."""
        token = proofs.new_token()
        await self.city.sql(
            "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
            proofs.token_hash(token), account_id,
        )  # fmt: skip
        page = await opened(self.chromium, self.url, token=token, width=width)
        await page.goto(self.url + path)
        return page

    async def found(self, statement: str, *args: object) -> dict[str, object]:
        return (await self.city.sql(statement, *args))[0]

    async def becomes(self, page: Page, order_id: UUID, status: str) -> None:
        for _ in range(300):
            if (await self.found("SELECT status FROM orders WHERE id = $1", order_id))["status"] == status:
                return
            await page.wait_for_timeout(100)
        assert (await self.found("SELECT status FROM orders WHERE id = $1", order_id))["status"] == status

    async def sees(self, page: Page, words: str) -> None:
        """The page says so by itself: nobody loads it again."""
        await expect(page.locator("h1").first).to_contain_text(words, timeout=SOON_MS)


async def test_a_bath_is_promised_offered_carried_out_and_confirmed_on_six_pages(
    running_city: Running, chromium: Browser
):
    """The daughter never loads her page again; the network is cut at the door, and no step is lost or told twice."""
    story = Story(running_city, chromium)
    await running_city.sql("UPDATE providers SET auto_accept = false")
    family = await story.found(
        """SELECT r.id, r.account_id AS mother, c.account_id AS daughter, n.phone FROM residents r
           JOIN consents c ON c.resident_id = r.id AND c.purpose = 'book'
           JOIN account_numbers n ON n.account_id = c.account_id
           WHERE r.ability_level > 2 AND EXISTS (SELECT FROM consents s WHERE s.resident_id = r.id AND s.purpose = 'status'
               AND s.account_id = c.account_id) ORDER BY r.phone LIMIT 1"""
    )
    operator = (await story.found("SELECT id FROM accounts WHERE role = 'operator' ORDER BY id LIMIT 1"))["id"]
    desk = await story.person(operator, "/desk", width=1440)  # pyright: ignore[reportArgumentType]
    daughter = await story.person(family["daughter"], "/family")  # pyright: ignore[reportArgumentType]

    await desk.keyboard.type(str(family["phone"]).removeprefix("+86"))
    await pressed(desk, "Enter", "1", "2", "2")
    order_id = UUID(desk.url.split("/")[-2])
    await expect(desk.locator(".truth")).to_contain_text("谁来，接单后告诉您")
    await pressed(desk, "Enter")
    await expect(desk.locator(".strip--good")).to_contain_text("订好了")

    await daughter.goto(f"{story.url}/visits/{order_id}")
    offer = None
    for _ in range(300):
        if rows := await running_city.sql("SELECT id, provider_id FROM offers WHERE order_id = $1", order_id):
            offer = rows[0]
            break
        await daughter.wait_for_timeout(100)
    assert offer is not None
    await story.sees(daughter, "等机构答复")
    office = (
        await story.found(
            "SELECT id FROM accounts WHERE provider_id = $1 AND role = 'provider' LIMIT 1", offer["provider_id"]
        )
    )["id"]
    provider = await story.person(office, "/provider", width=1440)  # pyright: ignore[reportArgumentType]
    await provider.locator(".btn--main").first.click()
    await story.sees(daughter, "都定了")

    starts = (await story.found("SELECT min(lower(during)) AS at FROM stops WHERE order_id = $1", order_id))["at"]
    crew = await running_city.sql(
        "SELECT w.account_id FROM assignments a JOIN workers w ON w.id = a.worker_id WHERE a.order_id = $1 AND a.status = 'accepted' ORDER BY a.seat",
        order_id,
    )
    place = await story.found(
        "SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.place_id WHERE o.id = $1", order_id
    )
    await running_city.clock(starts - timedelta(minutes=10))  # pyright: ignore[reportOperatorIssue]
    phones = [await story.person(one["account_id"], "/worker") for one in crew]
    for phone in phones:
        await phone.context.grant_permissions(["geolocation"])
        await phone.context.set_geolocation(
            {"longitude": float(str(place["x"])), "latitude": float(str(place["y"])), "accuracy": 9}
        )
        await expect(phone.locator(MAIN)).to_have_text("出发")
        await phone.click(MAIN)
        await expect(phone.locator(MAIN)).to_have_text("我到了")
    await story.sees(daughter, "在路上")

    first, second = phones
    await running_city.clock(starts)  # pyright: ignore[reportArgumentType]
    for phone in phones:
        await phone.reload()  # a phone's own clock is right; the city's has just been set
    await first.context.set_offline(True)
    await first.click(MAIN)
    await expect(first.locator("[data-count]")).to_contain_text("1")
    await second.click(MAIN)
    await story.sees(daughter, "到门口了")
    await first.context.set_offline(False)
    await first.evaluate("dispatchEvent(new Event('online'))")
    await story.sees(daughter, "正在服务")

    await first.reload()
    async with first.expect_response("**/pre-check"):
        await measure(first, *NUMBERS)
    await expect(first.locator("[data-checklist]")).to_be_visible()
    await tick_lines(first)
    await expect(first.locator("[data-unsent]")).to_be_hidden()
    await running_city.clock(starts + timedelta(minutes=62))  # pyright: ignore[reportOperatorIssue]
    for phone in phones:
        await phone.reload()
        await expect(phone.locator(MAIN)).to_have_text("做完，签退")
        await phone.click(MAIN)
    await story.sees(daughter, "做完了")
    mother = await story.person(family["mother"], f"/visits/{order_id}")  # pyright: ignore[reportArgumentType]
    await mother.locator(".btn--main").first.click()
    await story.becomes(mother, order_id, "completed")
    records = await running_city.sql(
        "SELECT kind, count(*) AS n, bool_and(counts) AS counts FROM visit_records WHERE order_id = $1 GROUP BY kind ORDER BY kind",
        order_id,
    )
    assert [(row["kind"], row["n"], row["counts"]) for row in records] == [
        ("check_in", 2, True), ("check_out", 2, True), ("en_route", 2, True),
    ]  # fmt: skip
