"""`make screenshots`: every page of every door in both languages, three widths, by day and by night, with an index to look through."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Final
from uuid import UUID

from playwright.async_api import Browser, Page

from tests.support import seen
from tests.support.at_the_door import checked, ticked
from tests.support.city import Caller, City, at
from tests.support.prepared import scratch_server
from tests.support.scratch import STORY
from tests.support.seen import opened, token_of

SIZES: Final = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
BATH: Final = "bath-home"


class Story:
    """One bath from the booking to the last word, and every page that shows it on the way."""

    def __init__(self, city: City, chromium: Browser, folder: Path) -> None:
        self.city, self.chromium, self.folder = city, chromium, folder
        self.url = str(city.http.base_url).rstrip("/")
        self.taken: list[str] = []

    async def shoot(self, name: str, path: str, token: str = "") -> None:
        """One page in all languages, widths and themes."""
        for language in ("zh", "en"):
            page = await opened(self.chromium, self.url, language=language, token=token)
            for size, (width, height) in SIZES.items():
                await page.set_viewport_size({"width": width, "height": height})
                for theme in ("light", "dark"):
                    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
                    await page.goto(self.url + path)
                    await self._keep(page, f"{name}-{size}-{language}-{theme}.png")
            await page.context.close()

    async def _keep(self, page: Page, name: str) -> None:
        await page.screenshot(path=self.folder / name, full_page=True)
        self.taken.append(name)

    async def live(self) -> None:
        """Walk through it."""
        city = self.city
        await city.manual_acceptance()
        someone, operator = await city.resident(ability=3), await city.staff("operator")
        mother = await token_of(city, someone["account_id"])
        daughter = await token_of(city, await city.daughter(someone["id"]))
        for name, path in (
            ("start", "/"),
            ("sign-in", "/sign-in"),
            ("staff", "/sign-in/staff"),
            ("board", "/board?lang=zh"),
        ):
            await self.shoot(name, path)
        for name, path in (("resident-home", "/"), ("resident-times", "/book/bath"), ("resident-meal", "/book/meal"),
                           ("resident-sharing", "/sharing"), ("reading", "/reading")):  # fmt: skip
            await self.shoot(name, path, mother)
        order = await city.booked(operator, someone["id"], BATH, at(10), at(11), channel="phone")
        visit = f"/visits/{order['id']}"
        await self.both("placed", visit, mother, daughter)
        await self.shoot("resident-change", f"{visit}/change", mother)
        await self.shoot("resident-cancel", f"{visit}/cancel", mother)
        await city.dispatch()
        offer = (await city.sql("SELECT id, provider_id FROM offers WHERE order_id = $1", UUID(order["id"])))[0]
        desk = await token_of(city, await city.one(
            """INSERT INTO accounts (role, name, login, password_hash, provider_id)
               VALUES ('provider', '某人', 'screens', 'none', $1) RETURNING id""", offer["provider_id"]))  # fmt: skip
        for name, path in (
            ("provider-offer", "/provider"),
            ("provider-decline", f"/provider/offers/{offer['id']}/decline"),
        ):
            await self.shoot(name, path, desk)
        await (await city.staff("provider", offer["provider_id"])).post(f"/v1/offers/{offer['id']}/accept")
        gone = (await city.crew(order["id"]))[0]["worker_id"]
        for name, path in (
            ("provider-today", "/provider/today"),
            ("provider-people", "/provider/people"),
            ("provider-away", f"/provider/people/{gone}/away"),
            ("provider-roster", "/provider/roster"),
            ("provider-why", f"/provider/orders/{order['id']}/why"),
        ):
            await self.shoot(name, path, desk)
        await self._at_the_desk(someone["id"], order["id"], mother, daughter)
        await self.shoot("resident-home-next", "/", mother)
        await self.shoot("family", "/family", daughter)
        await self._at_the_door(order["id"], mother, daughter)
        await self.shoot("resident-past", "/past", mother)

    async def _at_the_desk(self, resident_id: UUID, order_id: str, mother: str, daughter: str) -> None:
        """A call, what waits, and a consent that is asked for."""
        city = self.city
        operator = await token_of(city, await city.one(
            "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'desk', 'none') RETURNING id"))  # fmt: skip
        asked = {"resident_id": str(resident_id), "purposes": ["reports"], "by_desk": True}
        answer = await Caller(city.http, daughter).post("/v1/consent-requests", asked)
        assert answer.status_code == 201, answer.text
        caller = f"/desk/residents/{resident_id}"
        for name, path in (("desk", "/desk"), ("desk-caller", caller), ("desk-times", f"{caller}/book/bath"),
                           ("desk-order", f"/desk/orders/{order_id}"), ("desk-asked", f"{caller}/asked")):  # fmt: skip
            await self.shoot(name, path, operator)
        await self.shoot("resident-asked", "/asked", mother)
        await self.shoot("family-ask", f"/family/ask?of={resident_id}", daughter)

    async def both(self, name: str, path: str, mother: str, daughter: str) -> None:
        """A visit as its resident and as their family see it."""
        await self.shoot(f"resident-{name}", path, mother)
        await self.shoot(f"family-{name}", path, daughter)

    async def _at_the_door(self, order_id: str, mother: str, daughter: str) -> None:
        city, visit = self.city, f"/visits/{order_id}"
        starts = await city.one("SELECT max(lower(during)) FROM stops WHERE order_id = $1", UUID(order_id))
        seats = await city.crew(order_id)
        crew, door = [await city.worker(seat["worker_id"]) for seat in seats], await city.door(order_id)
        phone = await token_of(
            city, await city.one("SELECT account_id FROM workers WHERE id = $1", seats[0]["worker_id"])
        )
        await city.clock(starts - timedelta(minutes=40))
        await self.shoot("worker-today", "/worker", phone)
        for step, minutes, name in (("en-route", -12, "en-route"), ("check-in", 0, "in-service"), ("no-access", 1, "no-access"),
                                    ("check-in", 4, "opened"), ("check-out", 60, "judge")):  # fmt: skip
            await city.clock(starts + timedelta(minutes=minutes))
            for worker in crew:
                await worker.post(f"/v1/orders/{order_id}/{step}", {"device_at": None, **door})
            if name == "opened":
                await checked(crew[0], {"id": order_id})
                await ticked(crew[0], {"id": order_id})
            else:
                await self.both(name, visit, mother, daughter)
                await self.shoot(f"worker-{name}", "/worker", phone)
        await self.shoot("resident-dispute", f"{visit}/dispute", mother)


@asynccontextmanager
async def _city() -> AsyncIterator[City]:
    with scratch_server("yinling-screens-") as server:
        async with City.open(server.urls(STORY), board_public=True) as city:
            yield city


def _index(names: list[str]) -> str:
    figures = "".join(f'<figure><img src="{escape(n)}" loading="lazy"><figcaption>{escape(n)}</figcaption></figure>' for n in names)  # fmt: skip
    style = "body{font:14px sans-serif;display:flex;flex-wrap:wrap;gap:16px}figure{margin:0;width:300px}img{width:100%;border:1px solid #999}"
    return f'<!doctype html><meta charset="utf-8"><title>Yinling, every page</title><style>{style}</style>{figures}'


async def _take(folder: Path) -> list[str]:
    async with _city() as city, seen.started() as chromium:
        story = Story(city, chromium, folder)
        await story.live()
    return story.taken


def main() -> None:
    """Take them all into the folder asked for."""
    asked = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    asked.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"))
    folder: Path = asked.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    taken = asyncio.run(_take(folder))
    (folder / "index.html").write_text(_index(taken), encoding="utf-8")
    sys.stdout.write(f"{len(taken)} pictures: {folder / 'index.html'}\n")


if __name__ == "__main__":
    main()
