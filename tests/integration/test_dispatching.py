"""From placed to accepted, or to an operator with the reasons; whatever provider, clock or dispatcher does."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.core.principal import SYSTEM
from backend.processes.dispatcher import Dispatcher
from backend.scheduling.snapshots import Planner
from tests.support.city import DAY, City, NoSolver, at

BATH, REHAB = "bath-home", "rehab-home"


async def _placed(city: City, *, item: str = REHAB, ability: int = 0, number: int = 0) -> dict[str, Any]:
    operator, someone = await city.staff("operator"), await city.resident(ability=ability, number=number)
    return await city.booked(operator, someone["id"], item, at(12), at(15), channel="phone")


async def _offer(city: City, order_id: str) -> dict[str, Any]:
    return (await city.sql("SELECT * FROM offers WHERE order_id = $1 AND status = 'open'", UUID(order_id)))[0]


async def test_a_provider_with_a_rule_accepts_at_once(city: City):
    await city.sql("UPDATE providers SET auto_accept = true")
    order = await _placed(city, item=BATH, ability=3)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    crew = await city.crew(order["id"])
    assert [seat["seat"] for seat in crew] == [1, 2]
    assert {seat["status"] for seat in crew} == {"accepted"}


async def test_a_person_at_the_provider_accepts_and_only_once(city: City):
    await city.manual_acceptance()
    order = await _placed(city)
    await city.dispatch()
    offer = await _offer(city, order["id"])
    desk = await city.staff("provider", offer["provider_id"])
    assert [o["id"] for o in (await desk.get("/v1/offers")).json()] == [str(offer["id"])]
    accepted = await asyncio.gather(*(desk.post(f"/v1/offers/{offer['id']}/accept") for _ in range(4)))
    assert sorted(answer.status_code for answer in accepted) == [200, 409, 409, 409]
    assert {a.json()["code"] for a in accepted if a.status_code == 409} == {"offer_closed"}
    assert (await city.order(order["id"]))["provider_id"] == offer["provider_id"]


async def test_another_provider_sees_and_takes_nothing(city: City):
    await city.manual_acceptance()
    order = await _placed(city)
    await city.dispatch()
    offer = await _offer(city, order["id"])
    other = await city.staff(
        "provider", await city.one("SELECT id FROM providers WHERE id <> $1 LIMIT 1", offer["provider_id"])
    )
    assert (await other.get("/v1/offers")).json() == []
    assert (await other.get(f"/v1/orders/{order['id']}")).json()["code"] == "unknown_order"
    assert (await other.post(f"/v1/offers/{offer['id']}/accept")).json()["code"] == "unknown_offer"


async def test_a_decliner_is_not_asked_again_and_the_next_one_is(city: City):
    await city.manual_acceptance()
    order = await _placed(city)
    asked: list[UUID] = []
    for _ in range(3):
        await city.dispatch()
        if (await city.order(order["id"]))["status"] != "offered":
            break
        offer = await _offer(city, order["id"])
        asked.append(offer["provider_id"])
        desk = await city.staff("provider", offer["provider_id"])
        assert (await desk.post(f"/v1/offers/{offer['id']}/decline", {"reason": "full"})).json()["status"] == "placed"
        await city.clock(await city.one("SELECT yinling_now() + interval '2 minutes'"))
    assert len(asked) == len(set(asked)) >= 2
    await city.dispatch()
    manual = await city.order(order["id"])
    assert manual["status"] == "manual"
    assert manual["reasons"]
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 0


async def test_an_offer_expires_and_is_made_once_more(city: City):
    await city.sql("UPDATE providers SET auto_accept = false, offer_expiry_s = 600")
    await city.sql("DELETE FROM shifts WHERE worker_id IN (SELECT id FROM workers WHERE provider_id <> "
                   "(SELECT provider_id FROM workers WHERE code = 'W103'))")  # fmt: skip
    order = await _placed(city, item=BATH)
    for _ in range(2):
        await city.dispatch()
        offer = await _offer(city, order["id"])
        await city.clock(offer["expires_at"] + timedelta(seconds=1))
        await city.timers()
        assert (await city.order(order["id"]))["status"] == "placed"
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "manual"
    assert await city.one("SELECT array_agg(DISTINCT status) FROM offers") == ["expired"]


async def test_what_nobody_accepts_in_half_an_hour_is_on_the_desk_and_an_operator_solves_it(city: City):
    await city.manual_acceptance()
    await city.sql("UPDATE providers SET offer_expiry_s = 7200")
    order = await _placed(city)
    await city.dispatch()
    await city.clock(at(8, 31))
    await city.timers()
    manual = await city.order(order["id"])
    assert (manual["status"], manual["reason"]) == ("manual", "nobody_accepted")
    operator = await city.staff("operator")
    worker_id = await city.one(
        """SELECT w.id FROM workers w JOIN worker_skills k ON k.worker_id = w.id AND k.skill = 'rehab'
           JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 LIMIT 1""",
        manual["zone_id"],
    )
    body = {"worker_ids": [str(worker_id)], "start_at": at(14).isoformat(), "reason": "agreed by phone"}
    assert (await operator.post(f"/v1/orders/{order['id']}/assign", body)).json()["status"] == "offered"
    assert await city.one("SELECT lower(during) FROM stops") == at(14)
    assert await city.one("SELECT reason FROM audit WHERE action = 'assign'") == "agreed by phone"
    body["reason"] = " "
    refused = await operator.post(f"/v1/orders/{order['id']}/assign", body)
    assert refused.json()["code"] == "invalid_request"


async def test_the_later_of_two_services_that_begins_first_is_over_before_the_other_one(city: City):
    """A carer of a crew stood in the room, and the order before it was put to the same hour by hand: nobody receives two at once."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident(ability=3)
    first = await city.booked(operator, someone["id"], REHAB, at(10), at(14), channel="phone")
    second = await city.booked(operator, someone["id"], BATH, at(10), at(14), channel="phone")
    await city.dispatch()
    links = await city.sql("SELECT before_id, after_id FROM order_links")
    before, after = (str(links[0][end]) for end in ("before_id", "after_id"))
    assert {before, after} == {first["id"], second["id"]}

    async def ordered() -> list[tuple[str, str]]:
        async with city.database.unit_of_work(SYSTEM) as connection:
            read = await Planner("Asia/Shanghai").read(connection, UUID(first["zone_id"]), DAY, at(9))
        return [(link.before, link.after) for link in read.built().problem.links]

    assert await ordered() == [(before, after)]
    await city.sql("UPDATE stops SET started = true WHERE order_id = $1 AND seat = 1", UUID(after))
    assert await ordered() == [(after, before)]


async def test_an_operator_cannot_send_somebody_who_may_not_do_it(city: City):
    order = await _placed(city)
    await city.sql("UPDATE orders SET status = 'manual'")
    worker_id = await city.one(
        """SELECT w.id FROM workers w JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 AND NOT EXISTS
           (SELECT FROM worker_skills k WHERE k.worker_id = w.id AND k.skill = 'rehab') LIMIT 1""",
        UUID(order["zone_id"]),
    )
    await city.sql("DELETE FROM stops")
    operator = await city.staff("operator")
    body = {"worker_ids": [str(worker_id)], "start_at": at(14).isoformat(), "reason": "please"}
    refused = await operator.post(f"/v1/orders/{order['id']}/assign", body)
    assert refused.json()["code"] == "no_shift"
    assert "no_skill" in refused.json()["detail"]


async def test_what_nobody_could_do_ends_unserved_at_the_end_of_its_window(city: City):
    await city.manual_acceptance()
    order = await _placed(city)
    await city.dispatch()
    await city.clock(datetime.fromisoformat(order["window_to"]) + timedelta(seconds=1))
    await city.timers()
    ended = await city.order(order["id"])
    assert ended["status"] == "unserved"
    assert ended["reason"]
    assert await city.one("SELECT count(*) FROM offers WHERE status = 'open'") == 0
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 0


async def test_breaks_are_kept(city: City):
    """A full day of bookings leaves every worker half an hour in the window of their break."""
    operator = await city.staff("operator")
    await city.sql("UPDATE shifts SET break_s = 1800 WHERE break_s = 0")
    for number in range(20):
        someone = await city.resident(number=number)
        for item in (BATH, REHAB):
            slots = await city.quote(operator, someone["id"], item, at(11), at(14))
            if slots:
                await operator.post("/v1/bookings", {"slot": slots[len(slots) // 2]["token"], "channel": "phone"})
    rests = await city.sql(
        """SELECT w.code, sh.break_from, sh.break_to, sh.break_s, array_agg(s.during ORDER BY s.during) AS busy
           FROM stops s JOIN workers w ON w.id = s.worker_id JOIN shifts sh ON sh.worker_id = w.id
           WHERE sh.plan_on = '2030-03-12' GROUP BY 1, 2, 3, 4"""
    )
    assert len(rests) > 3
    for rest in rests:
        free, found = rest["break_from"], False
        for busy in rest["busy"]:
            found = found or busy.lower - max(free, rest["break_from"]) >= timedelta(seconds=rest["break_s"])
            free = max(free, busy.upper)
        assert found or free <= rest["break_to"], rest["code"]


async def test_two_dispatchers_share_the_city_and_offer_each_order_once(city: City):
    """Both run at the same time; every zone obeys one of them, and no order is offered twice."""
    await city.manual_acceptance()
    operator = await city.staff("operator")
    for zone in ("Z1", "Z2", "Z3", "Z4"):
        for number in range(3):
            someone = await city.resident(zone=zone, number=number)
            await city.booked(operator, someone["id"], REHAB, at(9), at(17), channel="phone")
    other = Dispatcher(city.settings, city.database, NoSolver())
    await asyncio.gather(city.dispatcher.renew(), other.renew())
    assert not set(city.dispatcher.zones) & set(other.zones)
    assert len(city.dispatcher.zones) + len(other.zones) == 4
    await asyncio.gather(*(d.cycle() for d in (city.dispatcher, other) for _ in range(3)))
    assert await city.one("SELECT count(*) FROM offers") == 12
    assert await city.one("SELECT array_agg(DISTINCT status) FROM orders") == ["offered"]
    for one, heir in ((city.dispatcher, other), (other, city.dispatcher)):
        await one.give_back()
        assert one.zones == []
        await heir.renew()
        assert len(heir.zones) == 4, "whoever stops leaves its zones to the others at once"
    await other.give_back()
    await other.renew()
    assert other.zones == [], "whoever stops takes nobody's zones"


async def test_what_is_on_the_desk_is_not_planned_by_the_search(city: City):
    order = await _placed(city)
    await city.sql("DELETE FROM stops")
    await city.sql("UPDATE orders SET status = 'manual'")
    await city.sql("UPDATE plans SET version = version + 1")
    planner = Planner("Asia/Shanghai")
    async with city.database.unit_of_work(SYSTEM) as connection:
        read = await planner.read(connection, UUID(order["zone_id"]), DAY, at(8))
    day = read.built()
    assert order["id"] in {visit.id for visit in day.problem.visits}
    assert order["id"] not in {visit.id for visit in day.searchable.visits}


async def test_why_nobody_came_is_told_to_the_desk_only(city: City):
    await city.manual_acceptance()
    order = await _placed(city)
    await city.sql("""UPDATE orders SET reasons = '[{"worker": "w", "rule": "refused"}]'""")
    operator = await city.staff("operator")
    resident = await city.signed_in(
        await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    )
    assert (await operator.get(f"/v1/orders/{order['id']}")).json()["reasons"]
    assert (await resident.get(f"/v1/orders/{order['id']}")).json()["reasons"] == []
