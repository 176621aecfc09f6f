"""What a command answers is what its sender may read: an order whoever is a party of it, a receipt whoever has left."""

from typing import Any
from uuid import UUID

import pytest

from tests.integration.test_evidence import BATH, accepted, report, visited
from tests.integration.test_sheets import path
from tests.support.city import Caller, City, at

REPORTS = ("en-route", "check-in", "check-out", "pick-up", "hand-over", "no-access")
OF_THE_VISIT = {"code", "plan_on", "item_code", "kind", "status", "version", "window_from", "window_to", "wait_until"}
RECEIPT = {"id", "code", "status"}


async def handed_on(city: City) -> tuple[dict[str, Any], Caller, list[Caller], list[Caller]]:
    """An order one provider gave back and another took: the order, the first provider, its crew, the new crew."""
    order, crew = await accepted(city, BATH, 3)
    first = await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"]))
    provider = await city.staff("provider", first)
    assert (await provider.post(path(order, "cancel"), {"reason": "人手不够"})).status_code == 200
    await city.dispatch()
    assert await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"])) not in {first, None}
    return order, provider, crew, [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]


@pytest.mark.parametrize("step", REPORTS)
async def test_a_report_of_who_has_left_is_kept_and_answers_nothing_of_the_order(city: City, step: str):
    """Neither who comes now, nor when, nor how far they are: also not by what is odd about the report."""
    order, _, crew, now = await handed_on(city)
    for _ in range(2):
        answer = await report(crew[0], order, step, x=0, y=0)
        assert answer["report"] == {"counts": False, "flags": ["NOT_IN_CREW"]}
        assert answer["id"] == order["id"]
        assert {name for name in OF_THE_VISIT if answer[name] is not None} == set()
        assert answer["flags"] == []
        await visited(city, order, now, from_at=at(10), lasts=at(11) - at(10))
    assert await city.one("SELECT count(*) FROM visit_records WHERE worker_id = ANY (SELECT worker_id FROM assignments "
                          "WHERE status = 'withdrawn') AND 'NOT_IN_CREW' = ANY (flags)") == 2  # fmt: skip


@pytest.mark.parametrize("step", REPORTS)
async def test_a_report_of_the_crew_answers_the_visit_and_not_who_pays_for_it(city: City, step: str):
    order, (worker, _) = await accepted(city, BATH, 3)
    await city.clock(at(10))
    answer = await report(worker, order, step, **await city.door(order["id"]))
    assert set(answer) == {"id", "report", "flags", *OF_THE_VISIT}
    shut = {"wait_until"} - ({"wait_until"} if step == "no-access" else set())  # only at a door that stays shut
    assert {name for name in OF_THE_VISIT if answer[name] is None} == shut


async def test_who_was_only_asked_for_reads_nothing_yet(city: City):
    """The provider has not answered: the worker's day does not show the visit either."""
    await city.manual_acceptance()
    operator, someone = await city.staff("operator"), await city.resident(ability=3)
    order = await city.booked(operator, someone["id"], BATH, at(10), at(11), channel="phone")
    await city.dispatch()
    seat = (await city.crew(order["id"]))[0]
    assert seat["status"] == "proposed"
    answer = await report(await city.worker(seat["worker_id"]), order, "check-in")
    assert (answer["report"], answer["status"]) == ({"counts": False, "flags": []}, None)


@pytest.mark.parametrize("how", ["declined", "stepped back"])
async def test_a_provider_that_gives_an_order_back_reads_that_it_has(city: City, how: str):
    """The next moment it could not read the order either."""
    await city.sql("UPDATE providers SET auto_accept = $1", how == "stepped back")
    operator, someone = await city.staff("operator"), await city.resident(ability=3)
    order = await city.booked(operator, someone["id"], BATH, at(10), at(11), channel="phone")
    await city.dispatch()
    own = await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"]))
    provider = await city.staff("provider", own)
    offer_id = await city.one("SELECT id FROM offers WHERE order_id = $1", UUID(order["id"]))
    route = f"/v1/offers/{offer_id}/decline" if how == "declined" else path(order, "cancel")
    answer = await provider.post(route, {"reason": "人手不够"})
    assert (answer.status_code, set(answer.json()), answer.json()["status"]) == (200, RECEIPT, "placed")
    assert (await provider.get(f"/v1/orders/{order['id']}")).status_code == 404
    await city.sql("UPDATE providers SET auto_accept = true")
    await city.dispatch()
    for command in ("accept", "decline"):
        late = await provider.post(f"/v1/offers/{offer_id}/{command}", {} if command == "accept" else {"reason": ""})
        assert (late.status_code, late.json()["code"]) == (409, "offer_closed")
        assert late.json().get("current") is None, "how another provider's order stands"
    assert (await provider.post(path(order, "statements"), {"words": "不是"})).status_code == 404


async def test_a_provider_whose_crew_is_on_the_way_reads_what_it_has_called_off(city: City):
    """The order ended with it: it stays the provider's own."""
    order, (worker, _) = await accepted(city, BATH, 3)
    await report(worker, order, "en-route")
    own = await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"]))
    provider = await city.staff("provider", own)
    answer = (await provider.post(path(order, "cancel"), {"reason": "车坏了"})).json()
    read = (await provider.get(f"/v1/orders/{order['id']}")).json()
    assert answer == read
    assert answer["status"] == "cancelled"


async def test_family_whose_consent_has_ended_is_answered_by_no_command(city: City):
    order, _ = await accepted(city, BATH, 3)
    resident_id = UUID(order["resident_id"])
    daughter = await city.signed_in(await city.daughter(resident_id))
    assert (await daughter.get(f"/v1/orders/{order['id']}")).status_code == 200
    await city.sql("UPDATE consents SET valid_to = now() WHERE resident_id = $1", resident_id)
    for command in ("cancel", "accept-service", "dispute", "confirm", "release", "extend", "statements"):
        body = {"reason": "不要了"} if command in {"cancel", "dispute"} else {}
        body = {"words": "来过了"} if command == "statements" else body
        answer = await daughter.post(path(order, command), body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order"), command
