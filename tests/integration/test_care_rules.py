"""What care rules say of who comes, when and for how much reaches the planner whole, and what it decides reaches the door."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from backend.core.principal import SYSTEM
from backend.scheduling.quotes import visit_of
from backend.scheduling.snapshots import Day, Planner
from dispatch import Break, Delivery, Link, Seat, Shift, Visit, Worker
from tests.support.city import DAY, Caller, City, Solver, at

BATH, REHAB, MEAL = "bath-home", "rehab-home", "meal-lunch"
_ORIGIN = at(3)


def _s(instant: datetime | None) -> int | None:
    return None if instant is None else int((instant - _ORIGIN).total_seconds())


async def _day(city: City, zone_id: UUID) -> Day:
    planner = Planner("Asia/Shanghai")
    async with city.database.unit_of_work(SYSTEM) as connection:
        now = await connection.fetchval("SELECT yinling_now()")
        read = await planner.read(connection, zone_id, DAY, now)
    return read.built()


async def _meal(who: Caller, city: City, someone: dict[str, Any], *, soft: bool, **more: Any) -> dict[str, Any]:
    pickup = {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": at(11).isoformat(), **more}
    wish: dict[str, Any] = {"from_at": at(11, 10).isoformat(), "to_at": at(12).isoformat()}
    wish |= {"soft": True, "latest_at": at(12, 40).isoformat()} if soft else {}
    asked = {"resident_id": str(someone["id"]), "item_code": MEAL, "wish": wish, "pickup": pickup}
    answer = await who.post("/v1/quotes", asked)
    assert answer.status_code == 200, answer.text
    booked = await who.post("/v1/bookings", {"slot": answer.json()["slots"][0]["token"], "channel": "phone"})
    assert booked.status_code == 201, booked.text
    return booked.json()


async def _busy_day(city: City) -> UUID:
    """Every kind of order in the zone whose doors are barred to some: firm and soft, alone and in crews, with a gap."""
    operator = await city.staff("operator")
    one, two = await city.resident(zone="Z4"), await city.resident(zone="Z4", number=1)
    weak, other = await city.resident(zone="Z4", ability=3), await city.resident(zone="Z4", ability=3, number=1)
    await city.sql("UPDATE residents SET gender_wish = 'male' WHERE id = $1", other["id"])
    await _meal(operator, city, one, soft=False)
    await _meal(operator, city, two, soft=True, max_ride_s=1200, pickup_s=90)
    for someone in (weak, other, one):
        await city.booked(operator, someone["id"], BATH, at(13, 30), at(16), channel="phone")
    for someone in (two, other):
        await city.booked(operator, someone["id"], REHAB, at(8, 30), at(10), channel="phone")
    return one["zone_id"]


async def test_whoever_comes_is_whom_the_rules_let_come(city: City):
    """At each of these doors lives somebody who must not come; the judge of the day says so in the end, before and after a search."""
    zone_id = await _busy_day(city)
    await city.dispatch()
    assert await city.one("SELECT count(*) FROM orders WHERE zone_id = $1 AND status = 'accepted'", zone_id) == 7
    city.dispatcher._solver = Solver()
    await city.clock(at(8, 5))
    await city.dispatch()


async def test_the_same_workers_come_where_and_when_nothing_bars_them(city: City):
    """Refused by one resident they come to another, at the hours of their own shifts: a rule that bars too much shows here."""
    operator = await city.staff("operator")
    for someone in (await city.resident(zone="Z4", ability=3), await city.resident(zone="Z4", ability=3, number=1)):
        await city.sql("UPDATE residents SET refused_workers = '{}' WHERE id = $1", someone["id"])
        for begins in (8, 16):
            await city.booked(operator, someone["id"], REHAB, at(begins), at(begins + 1), channel="phone")
    came = {row["code"] for row in await city.sql("SELECT w.code FROM stops s JOIN workers w ON w.id = s.worker_id")}
    assert all(code.startswith("X") for code in came), "nobody lives nearer than these"
    assert len(came) > 2


@pytest.mark.spoils("a worker is planned by a provider that declined")
async def test_planning_knows_of_every_order_what_its_row_says(city: City):
    """Field by field: what is lost between a row and the planner is a promise the plan does not know."""
    zone_id = await _busy_day(city)
    await city.dispatch()
    operator = await city.staff("operator")
    for number, ability in ((0, 3), (1, 0)):
        someone = await city.resident(zone="Z4", number=number, ability=ability)
        await city.booked(operator, someone["id"], BATH, at(9), at(11), channel="phone")
    providers = [row["id"] for row in await city.sql("SELECT id FROM providers WHERE active ORDER BY id")]
    orders = [row["id"] for row in await city.sql("SELECT id FROM orders WHERE status = 'placed' ORDER BY id")]
    await city.sql("UPDATE orders SET declined_by = $2 WHERE id = $1", orders[0], providers[:1])
    await city.sql("UPDATE orders SET expired_by = $2 WHERE id = $1", orders[1], [*providers[1:2] * 2, providers[2]])
    await city.sql("UPDATE plans SET version = version + 1")
    day = await _day(city, zone_id)
    at_work = {worker.provider for worker in day.problem.workers}
    for row in await city.sql(
        "SELECT o.*, r.gender, r.refused_workers FROM orders o JOIN residents r ON r.id = o.resident_id"
    ):
        seats = await city.sql("SELECT * FROM order_seats WHERE order_id = $1 ORDER BY number", row["id"])
        wish, same = row["gender_wish"], row["gender"]
        barred = set(row["declined_by"]) | {p for p in row["expired_by"] if row["expired_by"].count(p) == 2}
        meal = row["pickup_place_id"] and Delivery(
            day.place(row["pickup_place_id"]), _s(row["ready_at"]) or 0, row["pickup_s"], row["max_ride_s"]
        )
        soft = row["window_soft"]
        assert next(visit for visit in day.problem.visits if visit.id == str(row["id"])) == Visit(
            id=str(row["id"]), place=day.place(row["place_id"]),
            seats=tuple(
                Seat(frozenset(s["skills"]), s["duration_s"],
                     wish if wish != "any" else same if s["gender_rule"] == "same" else None)
                for s in seats
            ),
            earliest_s=_s(row["window_from"]) or 0, latest_s=_s(row["latest_at"] if soft else row["window_to"]) or 0,
            due_s=_s(row["window_to"]) if soft else None, delivery=meal or None,
            providers=(
                {str(row["provider_id"])} if row["provider_id"] else at_work - {str(p) for p in barred} if barred else None
            ),
            refused_workers=frozenset(map(str, row["refused_workers"])),
        )  # fmt: skip
    links = await city.sql("SELECT * FROM order_links")
    assert links
    assert set(day.problem.links) == {
        Link(str(x["before_id"]), str(x["after_id"]), x["min_gap_s"], x["max_gap_s"], from_end=x["gap_from"] == "end")
        for x in links
    }


async def test_planning_knows_of_every_worker_what_their_rows_say(city: City):
    """Shifts less leave, breaks, box, home and what they may do on the day; and nobody else is there, and not before now."""
    await city.clock(at(9) + timedelta(seconds=0.5))
    zone_id = (await city.resident(zone="Z4"))["zone_id"]
    await city.sql("UPDATE workers SET box_capacity = 2 + length(name) % 3")
    day = await _day(city, zone_id)
    rows = await city.sql(
        """SELECT w.*, array_agg(h.during ORDER BY h.during) AS shifts, max(h.break_from) AS break_from, max(h.break_to) AS break_to,
                  max(h.break_s) AS break_s, (SELECT array_agg(k.skill) FROM worker_skills k WHERE k.worker_id = w.id
                      AND coalesce(k.valid_from, $2) <= $2 AND coalesce(k.expires_on, 'infinity') > $2) AS skills,
                  (SELECT l.during FROM leaves l WHERE l.worker_id = w.id AND l.during && tstzrange($3, $4)) AS leave
           FROM workers w JOIN shifts h ON h.worker_id = w.id JOIN providers p ON p.id = w.provider_id
           WHERE h.zone_id = $1 AND h.plan_on = $2 AND w.active AND p.active GROUP BY w.id""",
        zone_id, DAY, at(3), at(3, days=1),
    )  # fmt: skip
    expected = {
        str(row["id"]): Worker(
            id=str(row["id"]), provider=str(row["provider_id"]), skills=frozenset(row["skills"] or ()),
            gender=row["gender"], mode=row["travel_mode"], start_place=day.place(row["start_place_id"]),
            end_place=row["end_place_id"] and day.place(row["end_place_id"]), shifts=_shifts(row),
            breaks=(Break(_s(row["break_from"]) or 0, _s(row["break_to"]) or 0, row["break_s"]),) if row["break_to"] else (),
            box_capacity=row["box_capacity"],
        )
        for row in rows
    }  # fmt: skip
    assert day.problem.now_s == day.now_s == (_s(at(9)) or 0) + 1, "a second that has begun is over"
    known = {worker.id: worker for worker in day.problem.workers}
    assert {name for name, worker in expected.items() if not worker.shifts} & known.keys() == set()
    assert known == {name: worker for name, worker in expected.items() if worker.shifts}
    assert len({len(worker.shifts) for worker in known.values()}) == 2, "somebody's day is in two parts"


def _shifts(row: dict[str, Any]) -> tuple[Shift, ...]:
    """Each shift without the leave, which here begins within it or before and ends with it."""
    spans = [(during.lower, during.upper) for during in row["shifts"]]
    if row["leave"] is not None:
        spans = [(begins, min(ends, row["leave"].lower)) for begins, ends in spans if row["leave"].lower > begins]
    return tuple(Shift(_s(begins) or 0, _s(ends) or 0) for begins, ends in spans)


@pytest.mark.parametrize("soft", [False, True])
async def test_what_is_asked_of_the_planner_for_a_slot_is_what_its_order_asks_for_later(city: City, soft: bool):
    """A quote that forgets a rule promises what nobody may keep."""
    operator, someone = await city.staff("operator"), await city.resident(zone="Z4")
    asked: list[Visit] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("backend.scheduling.quotes.visit_of", lambda *args: asked.append(visit_of(*args)) or asked[-1])
        order = await _meal(operator, city, someone, soft=soft, max_ride_s=900)
    row = await city.order(order["id"])
    day = await _day(city, someone["zone_id"])
    planned = next(visit for visit in day.problem.visits if visit.id == order["id"])
    taken = asked[-1]
    assert taken.delivery is not None
    assert planned.delivery is not None
    assert (taken.seats, taken.refused_workers, taken.earliest_s, taken.latest_s, taken.due_s) == (
        planned.seats, planned.refused_workers, planned.earliest_s, planned.latest_s, planned.due_s
    )  # fmt: skip
    assert taken.delivery.max_ride_s == planned.delivery.max_ride_s == row["max_ride_s"] == 900
    assert taken.delivery.ready_s == planned.delivery.ready_s == _s(at(11))
    assert {visit.delivery.max_ride_s for visit in asked if visit.delivery} == {900}


async def test_a_price_counts_from_the_first_moment_of_its_day_and_is_the_one_shown(city: City):
    """What is shown, quoted and kept is one price: of the newest version that is valid when it is booked; a slot of an old one is void."""
    operator, someone = await city.staff("operator"), await city.resident()
    for now, fen in ((at(2, 59, days=4), 16000), (at(3, days=4), 32000)):
        await city.clock(now)
        begins = at(9, days=5)
        slots = await city.quote(operator, someone["id"], REHAB, begins, begins + timedelta(hours=2))
        assert {slot["price_fen"] for slot in slots} == {fen}
        assert {line["fen"] for slot in slots for line in slot["price_lines"]} == {fen}
        if fen == 16000:
            old = slots[0]["token"]
            continue
        void = await operator.post("/v1/bookings", {"slot": old, "channel": "phone"})
        assert (void.status_code, void.json()["code"]) == (422, "slot_invalid"), void.text
        order = (await operator.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone"})).json()
        assert (order["price_fen"], [line["fen"] for line in order["price_lines"]]) == (fen, [fen])
    for now, times in ((at(12), 1), (at(12, days=4), 2)):
        await city.clock(now)
        shown = (await operator.get("/v1/catalogue/items")).json()
        items = shown if isinstance(shown, list) else shown["items"]
        assert {item["code"]: item["price_fen"] for item in items} == {
            MEAL: 1500 * times, BATH: 12800 * times, REHAB: 16000 * times
        }  # fmt: skip


async def test_a_meal_comes_from_a_meal_point_of_the_resident_s_own_zone(city: City):
    """The point next door belongs to the next zone, and where people spend the day nobody cooks."""
    operator, someone = await city.staff("operator"), await city.resident()
    own = await city.meal_point(someone["zone_id"])
    points = await city.sql(
        """SELECT f.id FROM facilities f JOIN homes h ON h.place_id = f.place_id WHERE f.zone_id <> h.zone_id"""
    )
    assert points
    await city.sql("UPDATE facilities SET kind = 'day_care_centre' WHERE id = $1", own)
    wish = {"from_at": at(11, 30).isoformat(), "to_at": at(12, 30).isoformat()}
    for point in [own, *(row["id"] for row in points)]:
        pickup = {"facility_id": str(point), "ready_at": at(11).isoformat()}
        asked = {"resident_id": str(someone["id"]), "item_code": MEAL, "wish": wish, "pickup": pickup}
        answer = await operator.post("/v1/quotes", asked)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_facility"), answer.text


async def test_nobody_is_booked_for_who_is_suspended(city: City):
    """Whoever asks, and also where the slot was quoted before."""
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, someone["id"], REHAB, at(9), at(11))
    await city.sql("UPDATE residents SET suspended = true WHERE id = $1", someone["id"])
    callers = [
        operator,
        await city.signed_in(someone["account_id"]),
        await city.signed_in(await city.daughter(someone["id"])),
    ]
    for caller in callers:
        channel = "phone" if caller is operator else "app"
        asked = await caller.post("/v1/quotes", {"resident_id": str(someone["id"]), "item_code": REHAB, "days": 1})
        taken = await caller.post("/v1/bookings", {"slot": slots[0]["token"], "channel": channel})
        for answer in (asked, taken):
            assert answer.status_code in {403, 409, 422}, answer.text
            assert answer.json()["code"] == "not_entitled"
    assert await city.one("SELECT count(*) FROM orders") == 0
