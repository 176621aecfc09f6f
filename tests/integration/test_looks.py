"""Who looked: what family is shown by virtue of a consent is noted once an hour, and the resident alone reads it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from tests.support.city import Caller, City, at
from tests.support.pages import Browsers
from tests.support.people import consent, person


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as opened:
        yield opened


class House:
    """A resident with a visit to come, and a daughter who may follow it."""

    def __init__(self, city: City, me: dict[str, Any], order: dict[str, Any], mine: Caller) -> None:
        self.city, self.me, self.order, self.mine = city, me, order, mine

    @classmethod
    async def of(cls, city: City) -> "House":
        me = await city.resident()
        order = await city.booked(await city.staff("operator"), me["id"], "rehab-home", at(10), at(12), channel="phone")
        return cls(city, me, order, await city.signed_in(me["account_id"]))

    async def rows(self) -> list[tuple[UUID, str, Any]]:
        found = await self.city.sql(
            "SELECT account_id, purpose, looked_at FROM consent_looks ORDER BY looked_at, purpose"
        )
        return [(row["account_id"], row["purpose"], row["looked_at"]) for row in found]

    async def read(self) -> list[dict[str, Any]]:
        answer = await self.mine.get(f"/v1/residents/{self.me['id']}/looks")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def house(city: City) -> House:
    return await House.of(city)


_PLACES = (
    "/v1/orders", "/v1/orders/{order}", "/v1/orders/{order}/visit", "/v1/residents/{resident}/visits",
    "/v1/residents/{resident}/visits?when=past",
)  # fmt: skip
_PAGES = ("/family", "/family/live", "/visits/{order}", "/visits/{order}/live", "/past?of={resident}")


@pytest.mark.parametrize("place", [*_PLACES, *_PAGES])
async def test_wherever_family_sees_how_visits_go_a_look_is_noted_and_the_resident_reads_it(
    house: House, browsers: Browsers, place: str
):
    child = await house.city.daughter(house.me["id"])
    address = place.format(order=house.order["id"], resident=house.me["id"])
    if place in _PAGES:
        answer = await (await browsers.of(child)).get(address)
    else:
        path, _, query = address.partition("?")
        answer = await (await house.city.signed_in(child)).get(path, **dict([query.split("=")] if query else []))
    assert answer.status_code == 200, answer.text
    assert await house.rows() == [(child, "status", at(8))]
    (look,) = await house.read()
    name = await house.city.one("SELECT name FROM accounts WHERE id = $1", child)
    assert (look["person"], look["purpose"]) == (name, "status")


async def test_within_an_hour_a_look_is_one_row_and_the_first_time_stays(house: House):
    """A page that is fetched again every half minute, from two telephones at once."""
    child = await house.city.daughter(house.me["id"])
    daughter, path = await house.city.signed_in(child), f"/v1/orders/{house.order['id']}/visit"
    for minute in (0, 20, 59):
        await house.city.clock(at(8, minute))
        answers = await asyncio.gather(*(daughter.get(path) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
    assert await house.rows() == [(child, "status", at(8))]
    await house.city.clock(at(9))
    await daughter.get(path)
    assert await house.rows() == [(child, "status", at(8)), (child, "status", at(9))]
    assert [look["looked_at"][11:16] for look in await house.read()] in (["09:00", "08:00"], ["01:00", "00:00"])


async def test_who_is_on_duty_and_the_resident_themselves_leave_no_look(house: House, browsers: Browsers):
    """And nobody is told of a look that was refused."""
    for role in ("operator", "supervisor"):
        staff = await house.city.staff(role)
        assert (await staff.get(f"/v1/orders/{house.order['id']}/visit")).status_code == 200
        assert (await staff.get("/v1/orders")).status_code == 200
    assert (await house.mine.get(f"/v1/orders/{house.order['id']}/visit")).status_code == 200
    assert (await (await browsers.of(house.me["account_id"])).get("/")).status_code == 200
    stranger = await house.city.signed_in((await person(house.city.database, "family")).account_id)
    assert (await stranger.get(f"/v1/orders/{house.order['id']}/visit")).status_code == 404
    assert (await stranger.get("/v1/orders")).status_code == 200
    assert await house.rows() == []


async def test_a_neighbour_who_was_let_in_looks_too(house: House):
    """A resident themselves, and family to somebody else."""
    neighbour = await house.city.resident(number=1)
    await consent(house.city.database, house.me["id"], neighbour["account_id"], "status")
    caller = await house.city.signed_in(neighbour["account_id"])
    assert (await caller.get(f"/v1/orders/{house.order['id']}/visit")).status_code == 200
    assert await house.rows() == [(neighbour["account_id"], "status", at(8))]


@pytest.mark.parametrize("reads", [True, False])
async def test_readings_are_a_look_of_their_own_for_whoever_may_read_them(house: House, reads: bool):
    child = await house.city.daughter(house.me["id"])
    if reads:
        await consent(house.city.database, house.me["id"], child, "reports")
    await house.city.sql(
        """INSERT INTO pre_checks (order_id, resident_id, worker_id, offline, answers, outside, missing, counts)
           SELECT $1, $2, id, false, '{}', '{}', '{}', true FROM workers LIMIT 1""",
        UUID(house.order["id"]), house.me["id"],
    )  # fmt: skip
    daughter = await house.city.signed_in(child)
    answer = await daughter.get(f"/v1/orders/{house.order['id']}/pre-check")
    assert (len(answer.json()["done"]), await house.rows()) == (
        (1, [(child, "reports", at(8))]) if reads else (0, [])
    )  # fmt: skip


async def test_the_resident_reads_it_on_the_page_of_who_may_see_what(house: House, browsers: Browsers):
    child = await house.city.daughter(house.me["id"])
    await (await browsers.of(child)).get(f"/visits/{house.order['id']}")
    await house.city.clock(at(9, days=1))
    page = await (await browsers.of(house.me["account_id"])).get("/sharing")
    assert "昨天上午8:00看了进度" in page.text


async def test_nobody_in_the_family_reads_who_looked(house: House):
    """Not who looked themselves, and not a booker."""
    daughter = await house.city.signed_in(await house.city.daughter(house.me["id"]))
    await daughter.get(f"/v1/orders/{house.order['id']}/visit")
    answer = await daughter.get(f"/v1/residents/{house.me['id']}/looks")
    assert answer.status_code == 403
    assert len(await house.read()) == 1
