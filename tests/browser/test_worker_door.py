"""The worker's door in a real browser: one press for each step, and a door without a network loses nothing."""

import asyncio
from uuid import UUID

import pytest
from playwright.async_api import Browser, Route, expect

from tests.support import seen
from tests.support.at_the_door import MAIN, at_work, becomes, in_service
from tests.support.city import City, at
from tests.support.seen import opened, token_of

pytestmark = pytest.mark.skipif(seen.CHROMIUM is None, reason="no chromium on the path: browser tests are not run")


async def _status(city: City, order_id: str) -> str:
    return await city.one("SELECT status FROM orders WHERE id = $1", UUID(order_id))


async def test_each_step_is_one_press_and_the_button_is_always_the_next_legal_one(chromium: Browser, city: City):
    page, order_id = await at_work(chromium, city)
    await city.clock(at(9, 30))
    await page.goto(f"{city.http.base_url}/worker")
    address = await city.one(
        "SELECT h.address FROM homes h JOIN orders o ON o.home_id = h.id WHERE o.id = $1", UUID(order_id)
    )
    await expect(page.locator(".nextup .addr")).to_contain_text(address)
    for words, minute, status in (
        ("出发", 40, "en_route"),
        ("我到了", 58, "in_service"),
        ("做完，签退", 59, "awaiting_acceptance"),
    ):
        await city.clock(at(9, minute) if status != "awaiting_acceptance" else at(10, 45))
        await page.reload()
        await expect(page.locator(MAIN)).to_have_text(words)
        await page.click(MAIN)
        await becomes(city, page, order_id, status)
    flags = await city.one(
        "SELECT array_agg(DISTINCT f) FROM visit_records, unnest(flags) f WHERE order_id = $1", UUID(order_id)
    )
    assert flags is None, "the phone said where it was, and its clock is right"
    await expect(page.locator("#d")).to_be_visible()


async def test_a_door_without_a_network_loses_nothing_and_keeps_the_time_of_the_press(chromium: Browser, city: City):
    """The basement: both presses wait on the phone, the page says so, and each is stored once with its own time."""
    page, order_id = await at_work(chromium, city)
    await city.clock(at(9, 50))
    await page.goto(f"{city.http.base_url}/worker")
    await expect(page.locator(MAIN)).to_have_text("出发")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.context.set_offline(True)
    for words in ("出发", "我到了"):
        await expect(page.locator(MAIN)).to_have_text(words)
        await page.click(MAIN)
    await expect(page.locator("[data-count]")).to_contain_text("2")
    assert await _status(city, order_id) == "accepted"
    await page.reload()
    await expect(page.locator("[data-count]")).to_contain_text("2"), "the page is there without a network, too"
    await expect(page.locator(MAIN)).to_have_text("做完，签退")
    await city.clock(at(10, 5))
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await becomes(city, page, order_id, "in_service")
    await expect(page.locator("[data-unsent]")).to_be_hidden()
    rows = await city.sql("SELECT kind, device_at FROM visit_records WHERE order_id = $1 ORDER BY id", UUID(order_id))
    assert [(row["kind"], row["device_at"]) for row in rows] == [("en_route", at(9, 50)), ("check_in", at(9, 50))]


async def test_a_report_that_is_not_taken_says_so_and_harms_nothing(chromium: Browser, city: City):
    """Sent twice, or after the seat was given to somebody else: the phone shows what became of it."""
    page, order_id = await at_work(chromium, city)
    await city.clock(at(9, 50))
    await page.goto(f"{city.http.base_url}/worker")
    await page.route(
        "**/en-route",
        lambda route: route.fulfill(
            status=404, content_type="application/problem+json", body='{"code":"unknown_order"}'
        ),
    )
    await page.click(MAIN)
    await expect(page.locator("[data-unsent] li")).to_contain_text("没收 (unknown_order)")
    assert await _status(city, order_id) == "accepted"


async def test_a_press_while_another_is_being_sent_is_sent_right_after_it(chromium: Browser, city: City):
    """Not at the next try a quarter of a minute later: the desk would look for somebody who stands at the door."""
    page, order_id = await at_work(chromium, city)
    await city.clock(at(9, 58))
    await page.goto(f"{city.http.base_url}/worker")
    answered = asyncio.Event()

    async def slow(route: Route) -> None:
        answer = await route.fetch()
        await answered.wait()
        await route.fulfill(response=answer)

    await page.route("**/en-route", slow)
    await page.click(MAIN)
    await becomes(city, page, order_id, "en_route")
    await expect(page.locator(MAIN)).to_have_text("我到了")
    await page.click(MAIN)
    await expect(page.locator("[data-count]")).to_contain_text("2")
    answered.set()
    await becomes(city, page, order_id, "in_service")


async def test_a_step_that_was_taken_does_not_come_back_before_the_page_knows(chromium: Browser, city: City):
    """Pressed twice it would be a report made twice, which casts doubt on the visit; an answer that was asked for before knows nothing."""
    page, order_id = await at_work(chromium, city)
    await city.clock(at(9, 58))
    await page.goto(f"{city.http.base_url}/worker")
    before, told = asyncio.Event(), asyncio.Event()

    async def slow(route: Route) -> None:
        answer = await route.fetch()
        before.set()
        await told.wait()
        await route.fulfill(response=answer)

    await page.route("**/worker/live", slow)
    await page.evaluate("document.querySelector('live-region').dispatchEvent(new Event('look'))")
    await before.wait()
    await page.click(MAIN)
    await becomes(city, page, order_id, "en_route")
    for moment in ("sent", "an old answer is there"):
        await page.wait_for_timeout(500)
        assert await page.inner_text(MAIN) == "我到了", moment
        told.set()
    await page.unroute_all(behavior="ignoreErrors")


async def test_a_report_whose_position_is_still_asked_for_is_sent_once_and_with_it(chromium: Browser, city: City):
    """The network comes back while the phone looks for the sky: sent before, the same report would go out in two versions."""
    page, order_id = await at_work(chromium, city)
    await city.clock(at(9, 58))
    await page.add_init_script(
        "const asked = navigator.geolocation.getCurrentPosition.bind(navigator.geolocation);"
        "navigator.geolocation.getCurrentPosition = (...how) => { addEventListener('sky', () => asked(...how)); };"
    )
    await page.goto(f"{city.http.base_url}/worker")
    await page.click(MAIN)
    await becomes(city, page, order_id, "en_route")
    await page.click(MAIN)
    await expect(page.locator("[data-count]")).to_contain_text("1")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.wait_for_timeout(300)
    assert await _status(city, order_id) == "en_route"
    await page.evaluate("dispatchEvent(new Event('sky'))")
    await becomes(city, page, order_id, "in_service")
    await expect(page.locator("[data-unsent]")).to_be_hidden()
    rows = await city.sql(
        "SELECT x, flags FROM visit_records WHERE order_id = $1 AND kind = 'check_in'", UUID(order_id)
    )
    assert [(row["x"] is None, row["flags"]) for row in rows] == [(False, [])]


@pytest.mark.parametrize(
    ("status", "code", "shown"),
    [(401, "sign_in_required", True), (409, "request_in_progress", True), (502, "", True), (422, "idempotency_key_reused", False)],
)  # fmt: skip
async def test_a_report_nobody_judged_waits_and_one_that_arrived_before_is_done(
    chromium: Browser, city: City, status: int, code: str, shown: bool
):
    """Signed out elsewhere, a proxy between versions, an answer that was lost: none of these is a refusal."""
    page, _ = await at_work(chromium, city)
    await city.clock(at(9, 50))
    await page.goto(f"{city.http.base_url}/worker")
    body = f'{{"code":"{code}"}}' if code else "<html>Bad gateway</html>"
    await page.route("**/en-route", lambda route: route.fulfill(status=status, body=body))
    async with page.expect_response("**/en-route"):
        await page.click(MAIN)
    await page.wait_for_timeout(300)
    if shown:
        await expect(page.locator("[data-unsent] li")).to_contain_text("手机里")
    else:
        await expect(page.locator("[data-unsent]")).to_be_hidden()


async def test_nobody_opens_is_one_press_and_the_family_sees_it(chromium: Browser, city: City):
    """The desk has a task at once; the big button becomes the one for a door that opens after all."""
    page, order_id = await in_service(chromium, city)
    await page.click(".asides button:has-text('敲门没人开')")
    await becomes(city, page, order_id, "no_access")
    assert await city.one("SELECT count(*) FROM desk_tasks WHERE kind = 'no_access' AND closed_at IS NULL") == 1
    daughter = await opened(chromium, str(city.http.base_url), token=await token_of(city, await city.daughter(
        await city.one("SELECT resident_id FROM orders WHERE id = $1", UUID(order_id)))))  # fmt: skip
    await daughter.goto(f"{city.http.base_url}/visits/{order_id}")
    await expect(daughter.locator("h1")).to_have_text("敲门没人应，我们在找老人")
    await expect(page.locator(MAIN)).to_have_text("开门了")
    await city.clock(at(10, 4))
    await page.click(MAIN)
    await becomes(city, page, order_id, "in_service")


async def test_a_visit_that_cannot_be_carried_out_is_stopped_with_its_reason(chromium: Browser, city: City):
    page, order_id = await in_service(chromium, city)
    await page.click(".asides a")
    await seen.sound(page, "abort")
    await page.click("[value=precheck_failed]")
    await becomes(city, page, order_id, "aborted")
    await expect(page).to_have_url(f"{city.http.base_url}/worker")
    assert await city.one("SELECT abort_reason FROM orders") == "precheck_failed"
    resident = await opened(chromium, str(city.http.base_url), token=await token_of(
        city, await city.one("SELECT r.account_id FROM orders o JOIN residents r ON r.id = o.resident_id")))  # fmt: skip
    await resident.goto(f"{city.http.base_url}/visits/{order_id}")
    await expect(resident.locator("h1")).to_contain_text("今天没做成")


async def test_a_visit_is_stopped_in_a_basement_too(chromium: Browser, city: City):
    """The page of reasons is there without a network, and the press waits on the phone."""
    page, order_id = await in_service(chromium, city)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    async with page.expect_response("**/abort"):
        await page.reload()
    await page.wait_for_timeout(1000)  # until the service worker has put it away
    await page.context.set_offline(True)
    await page.click(".asides a")
    await page.click("[value=unwell]")
    await expect(page).to_have_url(f"{city.http.base_url}/worker")
    await expect(page.locator("[data-count]")).to_contain_text("1")
    assert await _status(city, order_id) == "in_service"
    await page.context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await becomes(city, page, order_id, "aborted")
    assert await city.one("SELECT abort_reason FROM orders") == "unwell"


async def test_without_script_each_step_is_a_form(chromium: Browser, city: City):
    page, order_id = await at_work(chromium, city, java_script_enabled=False)
    await city.clock(at(9, 50))
    await page.goto(f"{city.http.base_url}/worker")
    await page.click(MAIN)
    assert await _status(city, order_id) == "en_route"
    await page.click(MAIN)
    assert await _status(city, order_id) == "in_service"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_worker_s_page_keeps_nobody_out(chromium: Browser, city: City, language: str):
    page, _ = await at_work(chromium, city, language=language)
    await page.goto(f"{city.http.base_url}/worker")
    await seen.sound(page, "worker-early")
    await city.clock(at(9, 30))
    await page.goto(f"{city.http.base_url}/worker")
    await seen.sound(page, "worker")
    if language == "en":
        await seen.in_one_language(page, "worker")
    await page.set_viewport_size({"width": 320, "height": 640})
    await seen.large(page, "worker", text_px=14, target_px=60)
