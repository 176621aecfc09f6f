"""What is measured before a bath: kept whatever it says, read by few, and missed when somebody checks out without it."""

from typing import Any
from uuid import UUID

import pytest

from tests.support.at_the_door import FIT, accepted, checked, report
from tests.support.city import Caller, City, at

BATH = ("bath-home", 3)


async def _bathing(city: City) -> tuple[dict[str, Any], list[Caller]]:
    """Two bathers at the door, and in."""
    order, crew = await accepted(city, *BATH)
    for worker in crew:
        await report(city, worker, order, "check-in")
    return order, crew


async def _left(city: City, order: dict[str, Any], crew: list[Caller], **said: Any) -> dict[str, Any]:
    await city.clock(at(10, 50))
    return [await report(city, worker, order, "check-out", **said) for worker in crew][-1]


async def _read(reader: Caller, order: dict[str, Any]) -> Any:
    answer = await reader.get(f"/v1/orders/{order['id']}/pre-check")
    return len(answer.json()["done"]) if answer.status_code == 200 else answer.json()["code"]


async def test_an_item_says_what_is_measured_and_that_nobody_has_confirmed_the_limits(city: City):
    """Data with their sources: a city writes its own, and an item's own go before those of its kind."""
    order, (worker, _) = await _bathing(city)
    told = (await worker.get(f"/v1/orders/{order['id']}/pre-check")).json()
    assert [check["code"] for check in told["checks"]] == [answer["check"] for answer in FIT]
    assert all(check["source"] and not check["verified"] for check in told["checks"])
    await city.sql("""INSERT INTO item_checks (item, code, position, name, name_en, kind, least, most, source)
                      VALUES ('bath-home', 'oxygen', 1, '血氧', 'Oxygen', 'number', 90, 100, 'x')""")
    told = (await worker.get(f"/v1/orders/{order['id']}/pre-check")).json()
    assert [check["code"] for check in told["checks"]] == ["oxygen"]


async def test_a_passed_check_by_either_bather_is_enough(city: City):
    order, crew = await _bathing(city)
    found = await checked(crew[0], order)
    assert (found["passed"], found["outside"], found["missing"]) == (True, [], [])
    assert (await _left(city, order, crew))["flags"] == []


@pytest.mark.parametrize(
    ("changed", "outside", "missing"),
    [({"systolic": 159}, [], []), ({"systolic": 160}, ["systolic"], []), ({"systolic": 89}, ["systolic"], []),
     ({"systolic": 90}, [], []), ({"temperature": 37.5, "skin": "to_see"}, ["temperature", "skin"], []),
     ({"skin": "minor"}, [], []), ({"skin": "whatever"}, ["skin"], []), ({"pulse": "fast"}, ["pulse"], []),
     ({"pulse": None}, [], ["pulse"])],
)  # fmt: skip
async def test_the_answer_says_what_is_outside_the_limits_and_what_was_left_out(
    city: City, changed: dict[str, Any], outside: list[str], missing: list[str]
):
    """Nothing is refused: what cannot be right is outside, and the worker measures again or stops."""
    order, crew = await _bathing(city)
    found = await checked(crew[0], order, **changed)
    assert (found["outside"], found["missing"], found["passed"]) == (outside, missing, not outside and not missing)


async def test_outside_the_limits_one_measures_again_or_stops(city: City):
    """The last one counts: who was calm after a rest is bathed, who was not is told of as the visit's end."""
    order, crew = await _bathing(city)
    assert not (await checked(crew[0], order, systolic=168))["passed"]
    assert (await checked(crew[0], order))["passed"]
    assert not (await checked(crew[0], order, temperature=38.2))["passed"]
    answer = await crew[0].post(f"/v1/orders/{order['id']}/abort", {"reason": "precheck_failed"})
    assert answer.json()["status"] == "aborted"
    assert await city.one("SELECT count(*) FROM pre_checks") == 3


@pytest.mark.parametrize("measured", [None, 168])
async def test_who_bathes_without_a_passed_check_is_not_stopped_and_a_person_looks_at_it(
    city: City, measured: int | None
):
    """The bath has happened: refusing the report would only hide it. Neither silence nor the household's word ends it."""
    order, crew = await _bathing(city)
    if measured:
        await checked(crew[0], order, systolic=measured)
    left = await _left(city, order, crew)
    assert (left["status"], left["flags"]) == ("awaiting_acceptance", ["NO_PRE_CHECK"])
    resident = await city.signed_in(
        await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    )
    assert (await resident.post(f"/v1/orders/{order['id']}/accept-service")).json()["status"] == "exception"


async def test_the_last_one_before_the_end_is_what_counts(city: City):
    """Fit on arrival and not after undressing: that they had been fit changes nothing."""
    order, crew = await _bathing(city)
    await checked(crew[0], order)
    await city.clock(at(10, 5))
    await checked(crew[1], order, temperature=38.2)
    assert (await _left(city, order, crew))["flags"] == ["NO_PRE_CHECK"]


async def test_a_check_of_the_other_bathers_phone_that_comes_later_is_in_time_by_its_own_clock(city: City):
    order, crew = await _bathing(city)
    assert (await _left(city, order, crew))["flags"] == ["NO_PRE_CHECK"]
    said = {"answers": FIT, "offline": True, "device_at": at(10, 2).isoformat()}
    await city.clock(at(11))
    assert (await crew[1].post(f"/v1/orders/{order['id']}/pre-check", said)).json()["passed"]
    assert (await city.order(order["id"]))["flags"] == []
    assert await city.one("SELECT count(*) FROM visit_records WHERE 'NO_PRE_CHECK' = ANY (flags)") == 0


async def test_a_check_after_the_bath_is_none_before_it(city: City):
    order, crew = await _bathing(city)
    await _left(city, order, crew)
    await city.clock(at(11))
    await checked(crew[0], order)
    assert (await city.order(order["id"]))["flags"] == ["NO_PRE_CHECK"]


async def test_what_is_sent_later_by_who_has_not_come_counts_for_nothing(city: City):
    """A phone sends its check-in first: that there was no network is no way round it."""
    order, crew = await accepted(city, *BATH)
    said = {"answers": FIT, "offline": True, "device_at": at(10, 2).isoformat()}
    await city.clock(at(10, 5))
    for worker in crew:
        assert (await worker.post(f"/v1/orders/{order['id']}/pre-check", said)).json()["passed"]
        await report(city, worker, order, "check-in")
    assert await city.one("SELECT count(*) FROM pre_checks WHERE counts") == 0
    assert (await _left(city, order, crew))["flags"] == ["NO_PRE_CHECK"]


async def test_what_is_measured_before_anybody_has_come_is_kept_and_counts_for_nothing(city: City):
    """Health cannot be read from the bus."""
    order, crew = await accepted(city, *BATH)
    assert (await checked(crew[0], order))["passed"]
    for worker in crew:
        await report(city, worker, order, "check-in")
    assert (await _left(city, order, crew))["flags"] == ["NO_PRE_CHECK"]


async def test_a_service_without_checks_is_not_asked_for_any(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    answer = await worker.post(f"/v1/orders/{order['id']}/pre-check", {"answers": FIT})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert (await _left(city, order, [worker]))["flags"] == []


async def test_who_leaves_a_shut_door_has_measured_nothing_and_need_not(city: City):
    order, crew = await accepted(city, *BATH)
    await report(city, crew[0], order, "no-access")
    assert "NO_PRE_CHECK" not in (await report(city, crew[0], order, "check-out"))["report"]["flags"]


async def test_what_was_measured_is_read_by_few_and_by_the_crew_while_it_is_there(city: City):
    """Health: the resident always, family only where reports were consented to, the desk; the crew until it has left."""
    order, crew = await _bathing(city)
    await checked(crew[0], order)
    resident_id = UUID(order["resident_id"])
    resident = await city.signed_in(await city.one("SELECT account_id FROM residents WHERE id = $1", resident_id))
    follower = await city.daughter(resident_id)
    daughter, desk = await city.signed_in(follower), await city.staff("operator")
    provider = await city.staff("provider", await city.one("SELECT provider_id FROM orders"))
    stranger = await city.signed_in((await city.resident(number=1))["account_id"])
    assert [await _read(who, order) for who in (resident, desk, *crew)] == [1, 1, 1, 1]
    assert await _read(daughter, order) == 0, "following a visit is no consent to its readings"
    assert await _read(provider, order) == "not_allowed"
    assert await _read(stranger, order) == "unknown_order"
    await city.sql(
        """INSERT INTO consents (resident_id, account_id, purpose, given_by, channel, evidence, text_version)
           VALUES ($1, $2, 'reports', 'resident', 'phone', 'x', '1')""", resident_id, follower,
    )  # fmt: skip
    assert await _read(daughter, order) == 1
    await _left(city, order, crew)
    assert [await _read(who, order) for who in (resident, *crew)] == [1, 0, 0]


async def test_readings_are_in_no_event_and_no_answer_of_others(city: City):
    order, crew = await _bathing(city)
    await checked(crew[0], order, skin="a word that no id holds")
    kept = str(await city.sql("SELECT data, keys FROM events"))
    provider = await city.staff("provider", await city.one("SELECT provider_id FROM orders"))
    pages = [
        (await provider.get(f"/v1/orders/{order['id']}")).text,
        (await crew[1].get("/v1/workers/me/route", on="2030-03-12")).text,
    ]
    assert not any("a word that no id holds" in text for text in (kept, *pages))


async def test_sent_later_says_when_it_was_measured(city: City):
    order, (worker, _) = await _bathing(city)
    answer = await worker.post(f"/v1/orders/{order['id']}/pre-check", {"answers": FIT, "offline": True})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
