"""Why these workers: what the desk and a provider are told of who comes, who else could and who could not, and what they are not."""

import asyncio
import time
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

import dispatch
from backend.orders import crewing
from backend.orders.views import NOT_FOR_THIS
from tests.support.city import DAY, Caller, City, at
from tests.support.other_times import rows_of

REHAB, BATH = "rehab-home", "bath-home"


async def asked(city: City, item: str = REHAB, ability: int = 0) -> tuple[dict[str, Any], Caller]:
    """An order that waits for its provider's word, and that provider."""
    await city.manual_acceptance()
    someone, operator = await city.resident(ability=ability), await city.staff("operator")
    order = await city.booked(operator, someone["id"], item, at(10), at(11), channel="phone")
    await city.dispatch()
    row = await city.order(order["id"])
    assert row["status"] == "offered"
    return order, await city.staff("provider", row["provider_id"])


async def explained(who: Caller, order: dict[str, Any]) -> dict[str, Any]:
    answer = await who.get(f"/v1/orders/{order['id']}/explanation")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _providers(city: City) -> dict[str, UUID]:
    return {str(row["id"]): row["provider_id"] for row in await city.sql("SELECT id, provider_id FROM workers")}


async def test_who_comes_is_told_with_what_speaks_for_them(city: City):
    """The way to the door, the detour, how often they were here, the gender asked for and the skills of their seat."""
    order, provider = await asked(city, BATH, ability=3)
    crew = await city.crew(order["id"])
    earlier = await _earlier(city, order)
    await city.sql(
        "INSERT INTO assignments (order_id, seat, worker_id, status) VALUES ($1, 1, $2, 'checked_out')",
        earlier, crew[0]["worker_id"],
    )  # fmt: skip
    said = await explained(provider, order)
    await city.sql("DELETE FROM assignments WHERE order_id = $1", earlier)
    await city.sql("DELETE FROM orders WHERE id = $1", earlier)
    assert [(one["seat"], UUID(one["worker_id"])) for one in said["crew"]] == [
        (seat["seat"], seat["worker_id"]) for seat in crew
    ]
    assert [one["visits_before"] for one in said["crew"]] == [1, 0]
    assert all(one["travel_s"] > 0 and one["detour_s"] >= 0 and one["name"] for one in said["crew"])
    assert all(one["skills"] == ["bath"] and one["as_wished"] in {True, None} for one in said["crew"])
    assert (said["begun"], said["complete"], said["status"]) == (False, True, "offered")
    start = await city.one("SELECT min(lower(during)) FROM stops WHERE order_id = $1", UUID(order["id"]))
    assert datetime.fromisoformat(said["start_at"]) == start


async def _earlier(city: City, order: dict[str, Any]) -> UUID:
    """The same resident's bath of a week before."""
    columns = [row["column_name"] for row in await city.sql(
        """SELECT column_name FROM information_schema.columns WHERE table_name = 'orders' AND is_generated = 'NEVER'
           AND column_name NOT IN ('id', 'code', 'window_from', 'status', 'plan_on')""")]  # fmt: skip
    names = ", ".join(columns)
    return await city.one(
        f"""INSERT INTO orders (id, code, window_from, status, plan_on, {names})
            SELECT uuidv7(), '00000000000', window_from - interval '7 days', 'completed', plan_on - 7, {names} FROM orders WHERE id = $1
            RETURNING id""",
        UUID(order["id"]),
    )  # fmt: skip


async def test_who_else_could_come_is_told_cheapest_first_and_who_could_not_with_a_rule(city: City):
    order, _ = await asked(city)
    said = await explained(await city.staff("operator"), order)
    costs = [way["cost"] for way in said["others"]]
    assert costs == sorted(costs)
    assert 0 < len(costs) <= 5
    skilled = {str(row["worker_id"]) for row in await city.sql(
        "SELECT worker_id FROM worker_skills WHERE skill = 'rehab' AND (expires_on IS NULL OR expires_on > $1)", DAY)}  # fmt: skip
    named = {one["worker_id"] for way in said["others"] for one in way["crew"]}
    assert named <= skilled
    rules = {one["worker_id"]: one for one in said["unable"]}
    assert not named & rules.keys()
    whose = await _providers(city)
    mine = (await city.order(order["id"]))["provider_id"]
    for worker, one in rules.items():
        wanted = "provider_excluded" if whose[worker] != mine else "no_skill" if worker not in skilled else one["rule"]
        assert one["rule"] == wanted, one
        assert one["lacks"] == (["rehab"] if wanted == "no_skill" else []), one


async def test_a_provider_reads_of_its_own_workers_alone_and_not_that_somebody_refused_one(city: City):
    """That a resident does not want somebody stays with the desk: what the provider is told is that it is not for them."""
    order, provider = await asked(city)
    mine, whose = (await city.order(order["id"]))["provider_id"], await _providers(city)
    refused = (await explained(provider, order))["unable"][0]["worker_id"]
    await city.sql(
        "UPDATE residents SET refused_workers = $1::uuid[] WHERE id = $2", [UUID(refused)], UUID(order["resident_id"])
    )
    await city.sql("UPDATE plans SET version = version + 1")
    said = await explained(provider, order)
    named = [one for part in ("crew", "unable") for one in said[part]]
    named += [one for way in said["others"] for one in way["crew"]]
    assert named
    assert {whose[one["worker_id"]] for one in named} == {mine}
    assert {one["rule"] for one in said["unable"] if one["worker_id"] == refused} == {NOT_FOR_THIS}
    at_the_desk = await explained(await city.staff("operator"), order)
    assert {one["rule"] for one in at_the_desk["unable"] if one["worker_id"] == refused} == {"refused"}
    assert len({whose[one["worker_id"]] for one in at_the_desk["unable"]}) > 1


async def test_only_the_desk_and_the_provider_concerned_are_told(city: City):
    order, provider = await asked(city)
    path = f"/v1/orders/{order['id']}/explanation"
    mine = (await city.order(order["id"]))["provider_id"]
    other = await city.one("SELECT id FROM providers WHERE id <> $1 LIMIT 1", mine)
    resident = await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    assert (await provider.get(path)).status_code == 200
    assert (await (await city.staff("provider", other)).get(path)).json()["code"] == "unknown_order"
    for who in (await city.signed_in(resident), await city.staff("supervisor")):
        assert (await who.get(path)).json()["code"] == "not_allowed"
    await provider.post(f"/v1/orders/{order['id']}/cancel", {"reason": "太远"})
    assert (await provider.get(path)).json()["code"] == "unknown_order", "who gave it back asks about it no more"


async def test_where_nobody_can_the_desk_reads_the_rule_and_what_would_help(city: City):
    """A bath for which one bather is left: two do not come together, and one more would do."""
    await city.manual_acceptance()
    someone, operator = await city.resident(ability=3), await city.staff("operator")
    order = await city.booked(operator, someone["id"], BATH, at(10), at(11), channel="phone")
    first = await city.one("SELECT worker_id FROM stops WHERE order_id = $1 LIMIT 1", UUID(order["id"]))
    await city.sql("DELETE FROM worker_skills WHERE skill = 'bath' AND worker_id <> $1", first)
    await city.sql("DELETE FROM stops WHERE order_id = $1", UUID(order["id"]))
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "manual"
    said = await explained(operator, order)
    assert (said["crew"], said["others"]) == ([], [])
    assert said["summary"] in {"crew_together", "no_skill"}
    assert said["remedies"]
    kinds = {one["kind"]: one for one in said["remedies"]}
    assert kinds.keys() <= {"later", "earlier", "longer_shift", "more_workers", "any_gender", "more_skills"}
    assert "more_workers" in kinds
    then = kinds["more_workers"]["then"]["crew"]
    assert None in {one["name"] for one in then}, "somebody nobody knows yet"


async def test_of_a_visit_under_way_nobody_else_is_named_and_of_one_that_is_over_nothing(city: City):
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.dispatch()
    worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    await city.clock(at(9, 50))
    await worker.post(f"/v1/orders/{order['id']}/en-route", {"device_at": None})
    said = await explained(operator, order)
    assert (said["begun"], said["others"], said["unable"]) == (True, [], [])
    assert len(said["crew"]) == 1
    await operator.post(f"/v1/orders/{order['id']}/cancel", {"reason": "住院"})
    answer = await operator.get(f"/v1/orders/{order['id']}/explanation")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")
    assert answer.json()["current"] == "cancelled"


async def test_asking_changes_nothing(city: City):
    order, provider = await asked(city)
    before, plans = await rows_of(city), await city.sql("SELECT id, version FROM plans ORDER BY id")
    await explained(provider, order)
    assert await rows_of(city) == before
    assert await city.sql("SELECT id, version FROM plans ORDER BY id") == plans


async def test_when_the_time_is_up_what_was_found_is_told_and_that_it_is_not_all(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    order, provider = await asked(city)
    monkeypatch.setattr(crewing, "_THINKING_S", 0.0)
    said = await explained(provider, order)
    assert (said["complete"], said["others"], said["unable"]) == (False, [], [])
    assert len(said["crew"]) == 1


async def test_others_are_answered_while_it_is_thought_about(city: City, monkeypatch: pytest.MonkeyPatch):
    """The thinking holds neither a connection nor the loop: everything else of this process goes on."""
    order, provider = await asked(city)
    thinking, explain = asyncio.Event(), dispatch.explain
    loop = asyncio.get_running_loop()

    def slowly(*about: Any, **more: Any) -> Any:
        loop.call_soon_threadsafe(thinking.set)
        time.sleep(0.5)
        return explain(*about, **more)

    monkeypatch.setattr(dispatch, "explain", slowly)
    asking = asyncio.create_task(explained(provider, order))
    await asyncio.wait_for(thinking.wait(), 5)
    held = (
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
    )
    assert await city.one(held) == 0, "a connection is held meanwhile"
    assert (await provider.get(f"/v1/orders/{order['id']}")).status_code == 200
    assert not asking.done()
    assert (await asking)["complete"]
