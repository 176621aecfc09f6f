"""Each command is for the states it is for: what one of them may do to an order is out of reach of the others."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.orders import queries, seat_queries
from backend.orders.actions import move_seats
from backend.orders.model import AssignmentStatus
from tests.support.city import Caller, City, at

BATH, REHAB = "bath-home", "rehab-home"


async def _booked(city: City, *, auto: bool = True, item: str = BATH) -> tuple[dict[str, Any], Caller]:
    """An order of a resident, asked once of the dispatcher; and the resident."""
    await city.sql("UPDATE providers SET auto_accept = $1, offer_expiry_s = 7200", auto)
    someone = await city.resident(ability=3 if item == BATH else 0)
    resident = await city.signed_in(someone["account_id"])
    order = await city.booked(resident, someone["id"], item, at(12), at(15))
    await city.dispatch()
    return order, resident


async def _provider_of(city: City, order: dict[str, Any]) -> Caller:
    return await city.staff("provider", (await city.order(order["id"]))["provider_id"])


async def _timers(city: City, order: dict[str, Any]) -> set[str]:
    rows = await city.sql("SELECT kind FROM timers WHERE subject_id = $1 AND fired_at IS NULL", UUID(order["id"]))
    return {row["kind"] for row in rows}


async def test_confirming_takes_no_accepted_order_apart(city: City):
    """Otherwise the crew goes on standing there, the offer stays accepted, and the timers fail for ever."""
    order, resident = await _booked(city)
    before = await city.order(order["id"])
    assert before["status"] == "accepted"
    operator = await city.staff("operator")
    for who in (resident, operator):
        for step in ("confirm", "extend", "release"):
            answer = await who.post(f"/v1/orders/{order['id']}/{step}")
            assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition"), step
    assert await city.order(order["id"]) == before
    assert {seat["status"] for seat in await city.crew(order["id"])} == {"accepted"}
    await city.clock(datetime.fromisoformat(order["latest_at"]) + timedelta(hours=2))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "missed"
    assert await city.one("SELECT count(*) FROM timers WHERE tries > 0") == 0


@pytest.mark.parametrize("auto", [True, False])
async def test_confirming_twice_places_once(city: City, *, auto: bool):
    await city.sql("UPDATE providers SET auto_accept = $1", auto)
    someone = await city.resident()
    resident = await city.signed_in(someone["account_id"])
    slot = (await city.quote(resident, someone["id"], REHAB, at(12), at(15)))[0]
    held = (await resident.post("/v1/bookings", {"slot": slot["token"], "channel": "app", "hold_only": True})).json()
    assert (await resident.post(f"/v1/orders/{held['id']}/confirm")).json()["status"] == "placed"
    for _ in range(2):
        again = await resident.post(f"/v1/orders/{held['id']}/confirm")
        assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
        await city.dispatch()
    assert (await city.order(held["id"]))["status"] == ("accepted" if auto else "offered")
    assert "hold_expiry" not in await _timers(city, held)


async def test_a_provider_declines_what_it_was_offered_and_ends_nothing_in_the_residents_name(city: City):
    order, _ = await _booked(city, auto=False)
    provider = await _provider_of(city, order)
    answer = await provider.post(f"/v1/orders/{order['id']}/cancel", {"reason": "full", "side": "resident"})
    assert (answer.status_code, answer.json()["status"]) == (200, "placed")
    after = await city.order(order["id"])
    assert after["reason"] == "offer_declined"
    assert len(after["declined_by"]) == 1
    assert [row["status"] for row in await city.sql("SELECT status FROM offers")] == ["declined"]
    assert await city.crew(order["id"]) == []
    assert await city.one("SELECT count(*) FROM stops") == 0
    again = await provider.post(f"/v1/orders/{order['id']}/cancel", {"reason": "full"})
    assert (again.status_code, again.json()["code"]) == (404, "unknown_order")


async def test_a_provider_that_steps_back_leaves_the_promise_to_another(city: City):
    order, _ = await _booked(city)
    first = (await city.order(order["id"]))["provider_id"]
    provider = await _provider_of(city, order)
    answer = await provider.post(f"/v1/orders/{order['id']}/cancel", {"reason": "ill", "side": "resident"})
    assert (answer.status_code, answer.json()["status"]) == (200, "placed")
    back = await city.order(order["id"])
    assert (back["reason"], back["declined_by"], back["provider_id"]) == ("provider_stepped_back", [first], None)
    assert back["window_from"].isoformat() == order["window_from"] or back["window_from"] == datetime.fromisoformat(
        order["window_from"]
    )
    assert await _timers(city, order) == {"manual_due", "unserved_due"}
    assert await city.crew(order["id"]) == []
    await city.clock(at(8, 2))
    await city.dispatch()
    then = await city.order(order["id"])
    assert then["status"] in {"accepted", "manual"}
    assert then["provider_id"] != first


async def test_a_provider_whose_crew_is_on_the_way_calls_off_from_its_own_side(city: City):
    order, _ = await _booked(city)
    worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    report = {"device_at": None, "x": None, "y": None}
    assert (await worker.post(f"/v1/orders/{order['id']}/en-route", report)).json()["status"] == "en_route"
    provider = await _provider_of(city, order)
    answer = await provider.post(f"/v1/orders/{order['id']}/cancel", {"reason": "car broke down", "side": "resident"})
    assert (answer.json()["status"], answer.json()["reason"]) == ("cancelled", "cancelled_by_provider")
    assert await city.crew(order["id"]) == []
    assert await city.one("SELECT count(*) FROM stops") == 0


@pytest.mark.parametrize("side", [None, "provider", "platform"])
async def test_whose_wish_a_cancellation_was_follows_from_who_asks(city: City, side: str | None):
    """Only an operator, who speaks for others, says whose wish it was."""
    someone = await city.resident()
    callers = {
        "resident": (await city.signed_in(someone["account_id"]), "resident"),
        "family": (await city.signed_in(await city.daughter(someone["id"])), "resident"),
        "operator": (await city.staff("operator"), side or "resident"),
    }
    for number, (who, whose) in enumerate(callers.values()):
        order = await city.booked(who, someone["id"], REHAB, at(9 + 2 * number), at(10 + 2 * number))
        body = {"reason": "x"} if side is None else {"reason": "x", "side": side}
        answer = await who.post(f"/v1/orders/{order['id']}/cancel", body)
        assert answer.json()["reason"] == f"cancelled_by_{whose}"


async def test_a_hold_kept_longer_is_told(city: City):
    """Every version of an order is one event: who counts them misses none."""
    someone = await city.resident()
    operator = await city.staff("operator")
    slot = (await city.quote(operator, someone["id"], REHAB, at(12), at(15)))[0]
    held = (await operator.post("/v1/bookings", {"slot": slot["token"], "channel": "phone", "hold_only": True})).json()
    longer = (await operator.post(f"/v1/orders/{held['id']}/extend")).json()
    assert longer["version"] == 2
    told = await city.sql("SELECT data ->> 'version' v FROM events WHERE type = 'order.held' ORDER BY id")
    assert [row["v"] for row in told] == ["1", "2"]


async def test_a_seat_changes_in_one_place_that_knows_its_table(city: City):
    """Also many seats at once, and never from a version somebody else has moved on from."""
    order, _ = await _booked(city)
    async with city.database.unit_of_work(SYSTEM) as connection:
        current = await queries.order(connection, UUID(order["id"]))
        crew = await seat_queries.assignments_of(connection, current.id)
        assert len(crew) == 2
        with pytest.raises(DomainError) as refused:
            await move_seats(connection, current, crew, AssignmentStatus.CHECKED_OUT)
        assert refused.value.code == "illegal_transition"
        moved = await move_seats(connection, current, crew, AssignmentStatus.EN_ROUTE)
        assert [seat.version - old.version for seat, old in zip(moved, crew, strict=True)] == [1, 1]
        with pytest.raises(DomainError) as refused:
            await move_seats(connection, current, crew, AssignmentStatus.NO_SHOW)
        assert refused.value.code == "stale_version"


async def test_what_the_desk_gave_a_later_start_is_not_missed_or_given_up_before_it(city: City):
    """The clocks of an order count from when somebody is to come, not from the window that was broken already."""
    await city.sql("UPDATE providers SET auto_accept = false, offer_expiry_s = 60")
    someone = await city.resident()
    operator = await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(9), at(9, 30), channel="phone")
    await city.sql("UPDATE orders SET status = 'manual', version = version + 1")
    await city.sql("DELETE FROM stops")
    await city.sql("UPDATE plans SET version = version + 1")
    await city.sql("UPDATE providers SET auto_accept = true")
    worker_id = await city.one(
        """SELECT w.id FROM workers w JOIN worker_skills k ON k.worker_id = w.id AND k.skill = 'rehab'
           JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 LIMIT 1""",
        UUID(order["zone_id"]),
    )
    body = {"worker_ids": [str(worker_id)], "start_at": at(14).isoformat(), "reason": "agreed by phone"}
    assert (await operator.post(f"/v1/orders/{order['id']}/assign", body)).json()["status"] == "accepted"
    await city.clock(at(13, 59))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "accepted"
    await city.clock(at(15, 1))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "missed"
