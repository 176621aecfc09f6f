"""How soon pages are there and tell what happened: bytes and seconds on a slow line, steps at a door, keys at the desk, pages of a city.

    python -m tests.benchmarks.doors --visits 10 --keys 100 --pages 200

Starts the processes of the platform with the invented city and Chromium beside them, prints one JSON object and ends them. `home` is what the
resident's first page transfers, and when it is complete at 400 kbit/s and 400 ms. `step_s` is from a worker's press to
the new words on the daughter's page, over a websocket. `key_ms` is what the browser's main thread works for a key typed
at a desk with 200 tasks. `page_ms` is a page as a client on the same machine waits for it, while orders are booked beside it.
"""

import argparse
import asyncio
import json
import statistics
import time
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx
from playwright.async_api import Browser, Page

from backend.accounts import proofs
from tests.support import seen
from tests.support.city import at
from tests.support.platform import Running, running
from tests.support.scratch import scratch_folder
from tests.support.seen import opened

SLOW: Final = {
    "offline": False,
    "latency": 400,
    "downloadThroughput": 50_000,
    "uploadThroughput": 50_000,
}  # bytes/s: 400 kbit/s
MAIN: Final = ".dock form:not([hidden]) .btn--main"
TASKS: Final = 200
_SAYS: Final = "words => document.querySelector('h1').innerText.includes(words)"


def told(values: list[float]) -> dict[str, float]:
    """The median, the 99th of 100 and the greatest of some measurements."""
    ordered = sorted(values)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {
        "n": len(ordered),
        "median": round(statistics.median(ordered), 4),
        "p99": round(last, 4),
        "max": round(ordered[-1], 4),
    }


async def token_of(city: Running, account_id: UUID) -> str:
    """A session of somebody's."""
    token = proofs.new_token()
    await city.sql(
        "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 day')",
        proofs.token_hash(token), account_id,
    )  # fmt: skip
    return token


async def home(city: Running, chromium: Browser, times: int) -> dict[str, Any]:
    """The resident's first page with nothing kept, on a slow line."""
    account = (await city.sql("SELECT account_id FROM residents WHERE account_id IS NOT NULL LIMIT 1"))[0]["account_id"]
    seconds, sizes = list[float](), list[float]()
    for _ in range(times):
        page = await opened(chromium, city.platform.web_url, token=await token_of(city, account))
        line, received = await page.context.new_cdp_session(page), [0]
        await line.send("Network.enable")
        await line.send("Network.emulateNetworkConditions", SLOW)
        line.on("Network.loadingFinished", lambda event, received=received: received.append(event["encodedDataLength"]))
        began = time.perf_counter()
        await page.goto(city.platform.web_url, wait_until="load")
        seconds.append(time.perf_counter() - began)
        await page.wait_for_timeout(1000)
        sizes.append(sum(received))
        await page.context.close()
    return {"bytes": told(sizes), "seconds": told(seconds)}


async def steps(city: Running, chromium: Browser, visits: int) -> dict[str, float]:
    """From a worker's press to the daughter's page, for each step of some visits."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator = await city.desk("operator")
    people = await city.sql(
        """SELECT r.id, c.account_id AS daughter FROM residents r
           JOIN consents c ON c.resident_id = r.id AND c.purpose = 'status' AND c.account_id IS NOT NULL ORDER BY r.phone LIMIT $1""",
        visits,
    )
    seconds: list[float] = []
    for number, person in enumerate(people):
        day, hour = 1 + number // 2, (9, 13)[number % 2]  # the clock goes from one to the next
        wish = {"from_at": at(hour, days=day).isoformat(), "to_at": at(hour + 3, days=day).isoformat()}
        quote = await operator.quote({"resident_id": str(person["id"]), "item_code": "rehab-home", "wish": wish})
        order = await operator.post("/v1/bookings", {"slot": quote["slots"][0]["token"], "channel": "phone"})
        order_id = UUID(order["id"])
        crew: list[Any] = []
        while not crew:
            crew = await city.sql(
                "SELECT w.account_id, lower(s.during) AS at FROM assignments a JOIN workers w ON w.id = a.worker_id JOIN stops s ON s.order_id = a.order_id "
                "WHERE a.order_id = $1 AND a.status = 'accepted'",
                order_id,
            )
            await asyncio.sleep(0.1)
        await city.clock(crew[0]["at"] - timedelta(minutes=5))
        worker = await opened(chromium, city.platform.web_url, token=await token_of(city, crew[0]["account_id"]))
        await worker.context.grant_permissions(["geolocation"])
        place = (
            await city.sql("SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.place_id WHERE o.id = $1", order_id)
        )[0]
        await worker.context.set_geolocation(
            {"longitude": float(place["x"]), "latitude": float(place["y"]), "accuracy": 9}
        )
        daughter = await opened(chromium, city.platform.web_url, token=await token_of(city, person["daughter"]))
        await daughter.goto(f"{city.platform.web_url}/visits/{order_id}")
        await daughter.wait_for_timeout(1500)  # the socket is open
        await worker.goto(f"{city.platform.web_url}/worker")
        for minutes, words in ((0, "在路上"), (5, "正在服务"), (55, "做完了")):
            if minutes:
                await city.clock(crew[0]["at"] + timedelta(minutes=minutes - 5))
                await worker.reload()
            await worker.wait_for_selector(MAIN)
            began = time.perf_counter()
            await worker.click(MAIN)
            await _says(daughter, words)
            seconds.append(time.perf_counter() - began)
            await worker.wait_for_timeout(700)
        for page in (worker, daughter):
            await page.context.close()
    return told(seconds)


async def _says(page: Page, words: str) -> None:
    """Wait until the first words of a page say so, asked every few milliseconds. Raises TimeoutError."""
    async with asyncio.timeout(20):
        while not await page.evaluate(_SAYS, words):
            await page.wait_for_timeout(10)


async def keys(city: Running, chromium: Browser, count: int) -> dict[str, float]:
    """What one key typed into the search of a desk with many tasks costs the browser."""
    operator = (await city.sql("SELECT id FROM accounts WHERE role = 'operator' ORDER BY id LIMIT 1"))[0]["id"]
    await city.sql(
        """WITH raised AS (INSERT INTO emergencies (raised_by, role, resident_id) SELECT r.account_id, 'resident', r.id
               FROM residents r CROSS JOIN generate_series(1, $1) n WHERE r.account_id IS NOT NULL LIMIT $1 RETURNING id)
           INSERT INTO desk_tasks (kind, emergency_id) SELECT 'emergency', id FROM raised""",
        TASKS,
    )
    page = await opened(chromium, city.platform.web_url, width=1440, token=await token_of(city, operator))
    await page.goto(f"{city.platform.web_url}/desk")
    shown = await page.locator("live-region li").count()
    assert shown >= TASKS, shown
    line = await page.context.new_cdp_session(page)
    await line.send("Performance.enable")
    values: list[float] = []
    await page.focus("#text")
    for number in range(count):
        before = await _task_s(line)
        await page.keyboard.press(str(number % 10))
        await page.wait_for_timeout(50)
        values.append(1000 * (await _task_s(line) - before))
    await page.context.close()
    await city.sql("DELETE FROM desk_tasks WHERE kind = 'emergency'")
    await city.sql("DELETE FROM emergencies")
    return told(values)


async def _task_s(line: Any) -> float:
    metrics = (await line.send("Performance.getMetrics"))["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


async def pages(city: Running, count: int) -> dict[str, dict[str, float]]:
    """How long pages take while somebody books beside them."""
    accounts = {
        "/": "SELECT account_id AS id FROM residents WHERE account_id IS NOT NULL LIMIT 1",
        "/family": "SELECT account_id AS id FROM consents WHERE purpose = 'status' AND account_id IS NOT NULL LIMIT 1",
        "/desk": "SELECT id FROM accounts WHERE role = 'operator' LIMIT 1",
        "/provider": "SELECT id FROM accounts WHERE role = 'provider' LIMIT 1",
        "/worker": "SELECT account_id AS id FROM workers LIMIT 1",
    }
    busy = asyncio.create_task(_book_on(city))
    found: dict[str, dict[str, float]] = {}
    for path, statement in accounts.items():
        token = await token_of(city, (await city.sql(statement))[0]["id"])
        async with httpx.AsyncClient(
            base_url=city.platform.web_url, cookies={"yinling_session": token}, trust_env=False
        ) as client:
            values: list[float] = []
            for _ in range(count):
                began = time.perf_counter()
                answer = await client.get(path)
                values.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, (path, answer.status_code)
            found[path] = told(values)
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    return found


async def _book_on(city: Running) -> None:
    """A booking a second by telephone."""
    operator = await city.desk("operator")
    people = await city.sql("SELECT id FROM residents ORDER BY phone")
    for number in range(10_000):
        wish = {"from_at": at(9, days=2).isoformat(), "to_at": at(17, days=6).isoformat()}
        quote = await operator.quote(
            {"resident_id": str(people[number % len(people)]["id"]), "item_code": "rehab-home", "wish": wish}
        )
        if quote["slots"]:
            await operator.post("/v1/bookings", {"slot": quote["slots"][-1]["token"], "channel": "phone"})
        await asyncio.sleep(1)


async def main() -> None:
    """Measure all of it once and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("visits", 10), ("keys", 100), ("pages", 200), ("homes", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    wanted = parser.parse_args()
    with scratch_folder("yinling-doors-") as folder:
        async with running(folder) as city, seen.started() as chromium:
            found = {
                "home": await home(city, chromium, wanted.homes),
                "page_ms": await pages(city, wanted.pages),
                "key_ms": await keys(city, chromium, wanted.keys),
                "step_s": await steps(city, chromium, wanted.visits),
            }
    print(json.dumps(found, indent=1))  # noqa: T201 - what it is asked for


if __name__ == "__main__":
    asyncio.run(main())
