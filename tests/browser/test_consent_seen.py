"""Asking for consents in a real browser: three doors keep nobody out, and what changes is seen by whoever it concerns at once."""

from uuid import UUID, uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from backend.accounts import proofs
from tests.support import seen
from tests.support.city import City
from tests.support.platform import Running
from tests.support.seen import opened, pressed, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")
RESIDENT = {"text_px": 18, "target_px": 60}
FAMILY = {"text_px": 12, "target_px": 44}
TAKEN_BACK_MS = 5000


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_on_the_way_to_a_yes_or_no_keeps_nobody_out(chromium: Browser, city: City, language: str):
    """On the smallest phone, in both languages, by day and by night; the desk by keys."""
    someone, url = await city.resident(), str(city.http.base_url).rstrip("/")
    child = await city.daughter(someone["id"])
    operator = await city.one(
        "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', $1, 'none') RETURNING id",
        str(uuid4()),
    )
    how = {"language": language}
    mother = await opened(chromium, url, width=320, token=await token_of(city, someone["account_id"]), **how)
    daughter = await opened(chromium, url, width=320, token=await token_of(city, child), **how)
    desk = await opened(chromium, url, width=1440, token=await token_of(city, operator), **how)

    async def look(page: Page, name: str) -> None:
        await seen.sound(page, name)
        if language == "en":
            await seen.in_one_language(page, name)
        if page is not desk:
            await seen.large(page, name, **(RESIDENT if page is mother else FAMILY))

    await daughter.goto(f"{url}/family")
    await look(daughter, "people")
    await daughter.goto(f"{url}/family/ask")
    await look(daughter, "ask-anybody")
    await daughter.click(".btn--main")
    await expect(daughter.locator(".errors")).to_be_focused()
    await look(daughter, "ask-empty")
    await daughter.goto(f"{url}/family/ask?of={someone['id']}")
    for purpose in ("location", "reports"):
        await daughter.check(f"[name={purpose}]")
    await look(daughter, "ask")
    await daughter.click("[name=by_desk]")
    await expect(daughter.locator(".waits")).to_be_visible()
    await look(daughter, "waits")
    await mother.goto(url)
    await look(mother, "home-asked")
    await mother.click(".strip .btn")
    await expect(mother).to_have_url(f"{url}/asked")
    await look(mother, "asked")
    await mother.goto(f"{url}/sharing")
    await look(mother, "sharing-asked")
    await desk.goto(f"{url}/desk/residents/{someone['id']}")
    await pressed(desk, "8")
    await expect(desk).to_have_url(f"{url}/desk/residents/{someone['id']}/asked")
    await look(desk, "desk-asked")
    script = await desk.locator(".script").inner_text()
    await pressed(desk, "1")
    await expect(desk.locator(".script")).not_to_have_text(script)
    await pressed(desk, "2")
    await expect(desk).to_have_url(f"{url}/desk/residents/{someone['id']}?done=answered")
    await look(desk, "desk-answered")
    answers = await city.sql("SELECT given, refused, channel FROM consent_requests")
    assert answers == [{"given": ["location"], "refused": ["reports"], "channel": "phone"}]
    await daughter.goto(f"{url}/family")
    await look(daughter, "refused")
    await mother.goto(f"{url}/sharing")
    await expect(mother.locator(".looks")).to_be_visible()
    await look(mother, "sharing-looked")


async def _person(city: Running, chromium: Browser, account_id: object) -> Page:
    token = proofs.new_token()
    await city.sql(
        "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
        proofs.token_hash(token), account_id,
    )  # fmt: skip
    return await opened(chromium, city.platform.web_url, token=token)


async def test_a_question_an_answer_and_a_consent_taken_back_are_seen_without_loading(
    running_city: Running, chromium: Browser
):
    """The mother's first page shows that somebody asks, the daughter's what she said; and a visit she may follow no longer is gone."""
    (family,) = await running_city.sql(
        """SELECT r.id, r.account_id AS mother, c.account_id AS daughter, r.name, h.address FROM residents r
           JOIN consents c ON c.resident_id = r.id AND c.purpose = 'book' JOIN homes h ON h.resident_id = r.id AND h.current
           JOIN zones z ON z.id = h.zone_id WHERE z.code = 'Z1' AND r.ability_level <= 2 ORDER BY r.phone LIMIT 1"""
    )
    url = running_city.platform.web_url
    mother, daughter = [await _person(running_city, chromium, family[who]) for who in ("mother", "daughter")]
    await mother.goto(f"{url}/book/rehab")
    await mother.click(".slot >> nth=0")
    await mother.click(".btn--main")
    await mother.wait_for_url("**/visits/*done=placed*")
    order_id = UUID(mother.url.split("?")[0].rsplit("/", 1)[1])
    await mother.goto(url)
    await daughter.goto(f"{url}/family/ask?of={family['id']}")
    await daughter.check("[name=location]")
    await daughter.click(".btn--main")
    await expect(daughter.locator(".waits")).to_be_visible()
    await expect(mother.locator(".strip")).to_be_visible()
    await mother.click(".strip .btn")
    await mother.click("[name=agreed][value=yes]")
    await expect(daughter.locator(".waits")).to_have_count(0)

    await daughter.goto(f"{url}/visits/{order_id}")
    await expect(daughter.locator("live-region [data-live]")).to_have_attribute("data-state", "on")
    await mother.goto(f"{url}/sharing")
    for purpose in ("status", "book"):
        switch = mother.locator(
            "form", has=mother.locator(f"[name=consent][value='{await _consent(running_city, family, purpose)}']")
        )
        await switch.locator("button").click()
        await mother.wait_for_load_state()
    await expect(daughter.locator("h1")).to_contain_text("收回了，您不能再看", timeout=TAKEN_BACK_MS)
    left = await daughter.content()
    for told in (family["address"], "上门", "康复"):
        assert str(told) not in left, told
    again = await daughter.goto(f"{url}/visits/{order_id}/live")
    assert again is not None
    assert again.status == 404


async def _consent(city: Running, family: dict[str, object], purpose: str) -> object:
    (row,) = await city.sql(
        "SELECT id FROM consents WHERE resident_id = $1 AND account_id = $2 AND purpose = $3 AND valid_to IS NULL",
        family["id"], family["daughter"], purpose,
    )  # fmt: skip
    return row["id"]
