"""A zone's day at the desk as the database has it: who goes where, who will be late, and what nobody goes to."""

from typing import Any
from uuid import UUID

from backend.core.principal import SYSTEM
from backend.pages import lane_queries
from tests.support.city import DAY, City, at
from tests.support.pages import Browsers

_OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'of-lanes', 'none') RETURNING id"
REHAB = "rehab-home"


async def _stops(city: City, zone_id: UUID) -> list[dict[str, Any]]:
    async with city.owner.unit_of_work(SYSTEM) as connection:
        found = await lane_queries.stops(connection, zone_id, DAY)
    return [
        {"worker": one.worker_id, "late": one.late_min, "due": one.due, "order": one.order_id}
        for one in found
        if one.order_id
    ]


async def test_a_visit_is_due_when_it_should_have_begun_and_late_once_its_window_is_over(city: City):
    """As planned, as now: whoever is under way is still late; whoever is at work no more."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(12), channel="phone")
    await city.dispatch()
    zone, order_id = someone["zone_id"], UUID(order["id"])
    mine = [one for one in await _stops(city, zone) if one["order"] == order_id]
    assert [(one["late"], one["due"]) for one in mine] == [(0, False)]
    begins, promised = (await city.sql(
        "SELECT lower(s.during) AS a, o.window_to AS b FROM stops s JOIN orders o ON o.id = s.order_id WHERE s.active AND s.kind = 'visit'"
    ))[0].values()  # fmt: skip
    await city.clock(begins)
    assert not (await _stops(city, zone))[0]["due"]
    await city.clock(begins.replace(second=1))
    assert (await _stops(city, zone))[0]["due"]
    await city.clock(promised.replace(minute=promised.minute + 7))
    assert [one["late"] for one in await _stops(city, zone)] == [7]
    await city.sql("UPDATE orders SET status = 'in_service' WHERE id = $1", order_id)
    assert [(one["late"], one["due"]) for one in await _stops(city, zone)] == [(0, False)]
    await city.sql("UPDATE orders SET status = 'accepted' WHERE id = $1", order_id)


async def test_an_order_nobody_goes_to_stands_in_its_zone_and_in_no_other(city: City):
    """It is what an operator is there for; one with a crew in the plan is not among them."""
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(12), channel="phone")
    assert [one["worker"] is None for one in await _stops(city, someone["zone_id"])] == [False]
    await city.sql("UPDATE stops SET active = false WHERE order_id = $1", UUID(order["id"]))
    alone = [one for one in await _stops(city, someone["zone_id"]) if one["worker"] is None]
    assert [one["order"] for one in alone] == [UUID(order["id"])]
    for other in await city.sql("SELECT id FROM zones WHERE id <> $1", someone["zone_id"]):
        assert await _stops(city, other["id"]) == []
    await city.sql("UPDATE stops SET active = true WHERE order_id = $1", UUID(order["id"]))


async def test_the_desk_shows_one_zone_and_changes_it_without_script(city: City):
    """A zone nobody knows is the first one: an old bookmark keeps nobody from their work."""
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR))
        codes = [row["code"] for row in await city.sql("SELECT code FROM zones ORDER BY code")]
        for asked, shown in ((codes[0], codes[0]), (codes[-1], codes[-1]), ("nowhere", codes[0]), ("", codes[0])):
            page = await desk.get("/desk", params={"zone": asked})
            assert f'src="/desk/lanes?zone={shown}"' in page.text, asked
            assert (await desk.get("/desk/lanes", params={"zone": asked})).status_code == 200
        names = await city.sql(
            """SELECT DISTINCT w.name FROM shifts s JOIN workers w ON w.id = s.worker_id JOIN zones z ON z.id = s.zone_id
               WHERE z.code = $1 AND s.plan_on = $2""", codes[0], DAY)  # fmt: skip
        assert names
        assert all(row["name"] in page.text for row in names)
