"""A visit whose crew is there at ten o'clock, and what they report from the door."""

from typing import Any, Final
from uuid import UUID

from playwright.async_api import Browser, Page, expect

from tests.support.city import Caller, City, at
from tests.support.fit import all_done
from tests.support.seen import opened, token_of

MAIN: Final = ".dock form:not([hidden]) .btn--main"


async def accepted(city: City, item: str = "rehab-home", ability: int = 0) -> tuple[dict[str, Any], list[Caller]]:
    """An order at ten o'clock with its crew."""
    await city.sql("UPDATE providers SET auto_accept = true")
    desk, someone = await city.staff("operator"), await city.resident(ability=ability)
    order = await city.booked(desk, someone["id"], item, at(10), at(11), channel="phone")
    await city.dispatch()
    await city.clock(at(10))
    return order, [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]


async def report(city: City, worker: Caller, order: dict[str, Any], step: str, **more: Any) -> dict[str, Any]:
    """A report from the door itself; who checks out has done everything, see test_checklists for who has not."""
    if step == "check-out":
        await all_done(city, order["id"])
    answer = await worker.post(f"/v1/orders/{order['id']}/{step}", {**await city.door(order["id"]), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


FIT: Final = [
    {"check": "systolic", "number": 138}, {"check": "diastolic", "number": 82}, {"check": "pulse", "number": 72},
    {"check": "temperature", "number": 36.6}, {"check": "skin", "choice": "none"},
]  # fmt: skip
"""Somebody who may have their bath."""
NUMBERS: Final = [str(answer["number"]) for answer in FIT if "number" in answer]


async def checked(worker: Caller, order: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What is measured before a bath; what is changed by check, with None for what is left out."""
    told = {answer["check"]: answer for answer in FIT}
    for check, answer in changed.items():
        told[check] = {"check": check, "choice" if isinstance(answer, str) else "number": answer}
    answers = [answer for check, answer in told.items() if changed.get(check, "") is not None]
    answer = await worker.post(f"/v1/orders/{order['id']}/pre-check", {"answers": answers})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ticked(worker: Caller, order: dict[str, Any], *lines: str, **said: Any) -> dict[str, Any]:
    """These lines of a visit pressed one after the other, or all of them; returns the list after the last one."""
    path = f"/v1/orders/{order['id']}/checklist"
    answer = await worker.get(path)
    for line in lines or [one["code"] for one in answer.json()["lines"]]:
        answer = await worker.post(path, {"line": line, **said})
        assert answer.status_code == 200, answer.text
    return answer.json()


async def at_work(chromium: Browser, city: City, **how: object) -> tuple[Page, str]:
    """A therapist's phone and the order that is next on it."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    await city.dispatch()
    worker = (await city.crew(order["id"]))[0]["worker_id"]
    account = await city.one("SELECT account_id FROM workers WHERE id = $1", worker)
    url = str(city.http.base_url).rstrip("/")
    page = await opened(chromium, url, token=await token_of(city, account), **how)
    await page.context.grant_permissions(["geolocation"])
    door = await city.door(order["id"])
    await page.context.set_geolocation({"longitude": door["x"], "latitude": door["y"], "accuracy": 12})
    return page, order["id"]


async def becomes(city: City, page: Page, order_id: str, status: str) -> None:
    for _ in range(300):
        if await city.one("SELECT status FROM orders WHERE id = $1", UUID(order_id)) == status:
            return
        await page.wait_for_timeout(100)
    assert await city.one("SELECT status FROM orders WHERE id = $1", UUID(order_id)) == status


async def in_service(chromium: Browser, city: City, **how: object) -> tuple[Page, str]:
    """The same phone after its first two presses: the visit has begun."""
    page, order_id = await at_work(chromium, city, **how)
    await city.clock(at(9, 58))
    await page.goto(f"{city.http.base_url}/worker")
    await page.click(MAIN)
    await becomes(city, page, order_id, "en_route")
    if how.get("java_script_enabled", True):
        await page.wait_for_timeout(900)
    await page.click(MAIN)
    await becomes(city, page, order_id, "in_service")
    return page, order_id


SLOW_MS: Final = 450
"""A second tap sooner than this is none where hands are wet."""


async def measure(page: Page, *numbers: str, skin: str = "none") -> None:
    """All of it with the keys of the page, and the last thing by one press; as slowly as wet hands are."""
    for turn, number in enumerate(numbers):
        await expect(page.locator("[data-turn-of]")).to_have_text(f"{turn + 1}/{len(numbers) + 1}")
        for key in number:
            await page.click(f".keys button:text-is('{key}')")
        await page.wait_for_timeout(SLOW_MS)
        await page.click("[data-go]")
    await page.wait_for_timeout(SLOW_MS)
    await page.click(f".choice:has([value={skin}])")
    await page.wait_for_timeout(SLOW_MS)
    await page.click(".measure [data-done]")


async def tick_lines(page: Page) -> None:
    """Every line of the list, one after the other."""
    for line in await page.eval_on_selector_all("form[data-line]", "all => all.map(one => one.dataset.line)"):
        await page.wait_for_timeout(SLOW_MS)
        await page.click(f"#line-{line}")
        await expect(page.locator(f"#line-{line}")).to_have_attribute("aria-pressed", "true")
