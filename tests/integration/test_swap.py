"""Other workers of the same provider come instead: within the promise, all of it at once, and everybody concerned hears of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.errors import DomainError
from backend.orders import swapping
from backend.processes.dispatcher import Dispatcher
from tests.support.city import City, Solver, at
from tests.support.orphans import orphans
from tests.support.other_times import refusal, rows_of, stops_of
from tests.support.swaps import BATH, offered, others_of, swap


@pytest.mark.parametrize("state", ["offered", "accepted"])
async def test_another_worker_comes_at_the_minute_that_was_told(city: City, state: str):
    """Route, seat, offer, event and audit say the same afterwards; the order keeps its state and gets a new version."""
    order, provider = await offered(city, state)
    later = "UPDATE stops SET during = tstzrange(lower(during) + interval '10 minutes', upper(during) + interval '10 minutes')"
    await city.sql(later)  # a minute that nobody would choose anew
    await city.sql("UPDATE plans SET version = version + 1")
    ((old, times),) = ((stop["worker_id"], (stop["from_at"], stop["to_at"])) for stop in await stops_of(city, order))
    new = (await others_of(city, order))[0]
    before, plan = await city.order(order["id"]), await city.one("SELECT max(version) FROM plans")
    answer = await swap(provider, order, [new])
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["version"]) == (state, before["version"] + 1)
    (stop,) = await stops_of(city, order)
    assert (stop["worker_id"], stop["from_at"], stop["to_at"]) == (new, *times)
    seats = await city.sql(
        "SELECT worker_id, status, chosen FROM assignments WHERE order_id = $1 ORDER BY id", before["id"]
    )
    now = "proposed" if state == "offered" else "accepted"
    assert seats == [
        {"worker_id": old, "status": "replaced", "chosen": False}, {"worker_id": new, "status": now, "chosen": True}
    ]  # fmt: skip
    named = await city.one(
        "SELECT s.worker_id FROM offer_seats s JOIN offers f ON f.id = s.offer_id WHERE f.order_id = $1", before["id"]
    )
    assert named == (new if state == "offered" else old), "what was accepted stays as it was accepted"
    assert await city.one("SELECT max(version) FROM plans") > plan
    noted = await city.sql("SELECT action, role, reason FROM audit WHERE action = 'swap'")
    assert noted == [{"action": "swap", "role": "provider", "reason": "请假"}]
    assert not await orphans(city)


async def test_who_comes_no_more_and_who_comes_now_are_told_and_so_is_the_family(city: City):
    order, provider = await offered(city, "accepted")
    old, new = (await stops_of(city, order))[0]["worker_id"], (await others_of(city, order))[0]
    since = await city.one("SELECT max(id) FROM events")
    await swap(provider, order, [new])
    told = await city.sql("SELECT type, keys, data FROM events WHERE id > $1 ORDER BY id", since)
    kinds = {row["type"]: row for row in told if row["type"] != "route.changed"}
    assert kinds.keys() == {"assignment.replaced", "assignment.accepted", "order.accepted"}
    assert f"worker:{old}" in kinds["assignment.replaced"]["keys"]
    assert f"worker:{new}" in kinds["assignment.accepted"]["keys"]
    for row in kinds.values():
        assert f"resident:{order['resident_id']}" in row["keys"]
    assert kinds["order.accepted"]["keys"].count(f"worker:{new}") == 1
    assert f"worker:{old}" not in kinds["order.accepted"]["keys"]
    routes = {key for row in told if row["type"] == "route.changed" for key in row["keys"] if key.startswith("worker:")}
    assert routes == {f"worker:{old}", f"worker:{new}"}
    followed = await (await city.staff("operator")).get(f"/v1/orders/{order['id']}/visit")
    assert [one["name"] for one in followed.json()["crew"]] == [
        await city.one("SELECT name FROM workers WHERE id = $1", new)
    ]


async def test_of_two_who_come_together_one_is_replaced_and_the_other_hears_nothing_new(city: City):
    """They still arrive at once; whoever stays keeps their seat, so nothing has changed for them."""
    order, provider = await offered(city, "accepted", BATH)
    crew = await city.crew(order["id"])
    before = {stop["worker_id"]: stop["from_at"] for stop in await stops_of(city, order)}
    since = await city.one("SELECT max(id) FROM events")
    for leaves, stays in (crew, crew[::-1]):
        new = (await others_of(city, order))[0]
        answer = await swap(provider, order, [stays["worker_id"], new])
        assert answer.status_code == 200, answer.text
        after = await city.crew(order["id"])
        assert {seat["seat"]: seat["worker_id"] for seat in after} == {
            stays["seat"]: stays["worker_id"], leaves["seat"]: new
        }  # fmt: skip
        assert {stop["from_at"] for stop in await stops_of(city, order)} == set(before.values())
        told = await city.sql("SELECT data FROM events WHERE id > $1 AND type LIKE 'assignment.%'", since)
        assert {UUID(row["data"]["worker_id"]) for row in told} == {leaves["worker_id"], new}
        await swap(provider, order, [seat["worker_id"] for seat in crew])
        since = await city.one("SELECT max(id) FROM events")
    assert not await orphans(city)


async def test_a_crew_that_is_chosen_stays_chosen_when_the_day_is_improved(city: City):
    """A search that finds somebody nearer would undo what a person decided; who takes leave is nobody's choice any more."""
    city.dispatcher = Dispatcher(city.settings, city.database, Solver())
    order, provider = await offered(city, "accepted")
    beside, operator = await city.resident(number=1), await city.staff("operator")
    await city.booked(
        operator, beside["id"], "rehab-home", at(14), at(15), channel="phone"
    )  # one stop is no day to improve
    new = (await others_of(city, order))[0]
    await city.sql(
        """UPDATE workers SET start_place_id = far.id, end_place_id = far.id FROM (
               SELECT p.id FROM homes h JOIN places p ON p.id = h.place_id, orders o JOIN places d ON d.id = o.place_id
               WHERE o.id = $2 AND h.zone_id = o.zone_id ORDER BY abs(p.x - d.x) + abs(p.y - d.y) DESC LIMIT 1) far
           WHERE workers.id = $1""",
        new, UUID(order["id"]),
    )  # fmt: skip
    assert (await swap(provider, order, [new])).status_code == 200
    for _ in range(3):
        await city.sql("UPDATE plans SET improved_version = 0")
        await city.dispatch()
    assert [seat["worker_id"] for seat in await city.crew(order["id"])] == [new]
    await city.sql(
        "INSERT INTO leaves (worker_id, during, reason) VALUES ($1, tstzrange($2, $3), 'sick')", new, at(9), at(12)
    )
    await city.dispatch()
    await city.dispatch()
    assert [seat["worker_id"] for seat in await city.crew(order["id"])] != [new]
    assert not await orphans(city)


@pytest.mark.parametrize(("why", "rule"), [("skill", "no_skill"), ("leave", "no_shift"), ("at work later", "no_gap"),
                                           ("other provider", "no_shift"), ("refused", "not_for_this_order")])  # fmt: skip
async def test_who_cannot_come_is_refused_with_the_rule_and_nothing_has_changed(city: City, why: str, rule: str):
    order, provider = await offered(city, "accepted")
    new = (await others_of(city, order))[0]
    stop = (await stops_of(city, order))[0]
    match why:
        case "skill":
            await city.sql("DELETE FROM worker_skills WHERE worker_id = $1", new)
        case "leave":
            await city.sql("DELETE FROM shifts WHERE worker_id = $1", new)
        case "at work later":
            await city.sql("UPDATE shifts SET during = tstzrange($2, $3) WHERE worker_id = $1", new, at(16), at(18))
        case "refused":
            await city.sql(
                "UPDATE residents SET refused_workers = ARRAY[$1::uuid] WHERE id = $2", new, UUID(order["resident_id"])
            )
        case _:
            mine = (await city.order(order["id"]))["provider_id"]
            new = await city.one("SELECT id FROM workers WHERE provider_id <> $1 ORDER BY id LIMIT 1", mine)
    await city.sql("UPDATE plans SET version = version + 1")
    before = await rows_of(city)
    answer = await swap(provider, order, [new])
    assert (answer.status_code, answer.json()["code"], answer.json()["rule"]) == (422, "no_shift", rule), answer.text
    assert await rows_of(city) == before
    assert (await stops_of(city, order))[0] == stop
    desk = await swap(await city.staff("operator"), order, [new])
    assert desk.json()["rule"] == {"refused": "refused"}.get(why, rule)


async def test_who_can_take_a_seat_over_is_told_before_and_then_can(city: City):
    """Each of those named as able is taken, each of those refused is refused with the same rule."""
    order, provider = await offered(city, "accepted", BATH)
    said = (await provider.get(f"/v1/orders/{order['id']}/swaps")).json()
    assert said["complete"]
    assert {UUID(one["worker_id"]) for one in said["crew"]} == {
        seat["worker_id"] for seat in await city.crew(order["id"])
    }
    mine = (await city.order(order["id"]))["provider_id"]
    whose = {row["provider_id"] for row in await city.sql(
        "SELECT provider_id FROM workers WHERE id = ANY ($1)", [UUID(one["worker_id"]) for one in said["options"]])}  # fmt: skip
    assert whose == {mine}
    assert {one["rule"] is None for one in said["options"]} == {True, False}
    crew = {seat["seat"]: seat["worker_id"] for seat in await city.crew(order["id"])}
    for one in said["options"]:
        named = [one["worker_id"] if seat == one["seat"] else str(worker) for seat, worker in crew.items()]
        answer = await swap(provider, order, named)
        assert (answer.json().get("rule"), answer.status_code) == (one["rule"], 200 if one["rule"] is None else 422), (
            one
        )
        if one["rule"] is None:
            assert (await swap(provider, order, list(crew.values()))).status_code == 200


async def test_a_crew_is_named_as_a_whole(city: City):
    order, provider = await offered(city, "accepted", BATH)
    crew = [seat["worker_id"] for seat in await city.crew(order["id"])]
    before = await rows_of(city)
    for named in (crew[:1], [*crew, uuid4()], [crew[0], crew[0]]):
        answer = await swap(provider, order, named)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    same = await swap(provider, order, crew[::-1])
    assert (same.status_code, same.json()["version"]) == (200, (await city.order(order["id"]))["version"])
    assert await rows_of(city) == before, "who comes already is told nothing"


async def test_whose_order_it_is_not_finds_none(city: City):
    order, _ = await offered(city, "accepted")
    new = (await others_of(city, order))[0]
    mine = (await city.order(order["id"]))["provider_id"]
    other = await city.staff("provider", await city.one("SELECT id FROM providers WHERE id <> $1 LIMIT 1", mine))
    for ask in (swap(other, order, [new]), other.get(f"/v1/orders/{order['id']}/swaps")):
        answer = await ask
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order")
    resident = await city.signed_in(
        await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    )
    assert (await swap(resident, order, [new])).json()["code"] == "not_allowed"
    desk = await swap(await city.staff("operator"), order, [new])
    assert desk.status_code == 200, "the desk may, with the same provider's people"


async def test_the_provider_swaps_an_offer_only_as_long_as_it_may_answer_it(city: City):
    order, provider = await offered(city, "offered")
    new, due = (await others_of(city, order))[0], await city.one("SELECT expires_at FROM offers")
    await city.clock(due)
    answer = await swap(provider, order, [new])
    assert (answer.status_code, answer.json()["code"]) == (409, "offer_closed")
    await city.clock(due - timedelta(seconds=1))
    assert (await swap(provider, order, [new])).status_code == 200
    offer = await city.one("SELECT id FROM offers")
    taken = await provider.post(f"/v1/offers/{offer}/accept")
    assert (taken.status_code, taken.json()["status"]) == (200, "accepted")
    assert [seat["worker_id"] for seat in await city.crew(order["id"])] == [new]
    assert not await orphans(city)


async def test_a_swap_that_fails_half_way_has_never_begun(city: City, monkeypatch: pytest.MonkeyPatch):
    order, provider = await offered(city, "accepted")
    new, before = (await others_of(city, order))[0], await rows_of(city)

    def breaking(step: Any) -> Any:
        async def broken(*about: Any, **more: Any) -> Any:
            await step(*about, **more)
            raise DomainError("busy")

        return broken

    for name in ("write_plan", "follow_plan", "tell", "note", "await_crew"):
        with monkeypatch.context() as patch:
            patch.setattr(swapping, name, breaking(getattr(swapping, name)))
            assert refusal(await swap(provider, order, [new])) == "busy", name
        assert await rows_of(city) == before, name
    assert (await swap(provider, order, [new])).status_code == 200


async def test_a_swap_sent_again_is_done_once_and_answered_the_same(city: City):
    order, provider = await offered(city, "accepted")
    new, key = (await others_of(city, order))[0], str(uuid4())
    first = await swap(provider, order, [new], key=key)
    before = await rows_of(city)
    again = await swap(provider, order, [new], key=key)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert await rows_of(city) == before


async def test_nobody_is_late_where_the_time_told_is_too_early_for_who_comes_now(city: City):
    """Their shift begins within the window: they come then, and not outside what was promised."""
    order, provider = await offered(city, "accepted", span=(at(10), at(11)))
    row, stop, new = await city.order(order["id"]), (await stops_of(city, order))[0], (await others_of(city, order))[0]
    await city.sql(
        "UPDATE shifts SET during = tstzrange($2, upper(during)) WHERE worker_id = $1", new, row["window_from"]
    )
    assert stop["from_at"] == row["window_from"]
    assert (await swap(provider, order, [new])).status_code == 200
    (now,) = await stops_of(city, order)
    assert row["window_from"] < now["from_at"] <= row["window_to"]
