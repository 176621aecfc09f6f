"""What is done at a visit, line by line: kept as pressed, asked for once at the check-out, and never a reason to lose a report."""

from typing import Any
from uuid import UUID

import pytest

from tests.support.at_the_door import accepted, checked, report, ticked
from tests.support.city import Caller, City, at

BATH = ("bath-home", 3)
REQUIRED = ["mat", "water", "washed", "skin", "dressed", "after"]


async def _bathing(city: City) -> tuple[dict[str, Any], list[Caller]]:
    """Two bathers at the door and in, with somebody who is fit."""
    order, crew = await accepted(city, *BATH)
    for worker in crew:
        await report(city, worker, order, "check-in")
    await checked(crew[0], order)
    return order, crew


async def _leave(city: City, worker: Caller, order: dict[str, Any], **said: Any) -> Any:
    return await worker.post(f"/v1/orders/{order['id']}/check-out", {**await city.door(order["id"]), **said})


async def _records(city: City, order: dict[str, Any]) -> list[tuple[list[str], str | None]]:
    rows = await city.sql(
        "SELECT flags, lines_reason FROM visit_records WHERE order_id = $1 AND kind = 'check_out' ORDER BY id",
        UUID(order["id"]),
    )
    return [(row["flags"], row["lines_reason"]) for row in rows]


async def _seen(reader: Caller, order: dict[str, Any]) -> Any:
    answer = await reader.get(f"/v1/orders/{order['id']}/checklist")
    return len(answer.json()["ticks"]) if answer.status_code == 200 else answer.json()["code"]


async def test_an_item_says_what_is_done_and_that_nobody_has_confirmed_it(city: City):
    """Data with their sources: a city writes its own, and an item's own go before those of its kind; a meal has none."""
    order, (worker, _) = await _bathing(city)
    told = (await worker.get(f"/v1/orders/{order['id']}/checklist")).json()
    assert [line["code"] for line in told["lines"]] == told["missing"] == REQUIRED
    assert all(line["source"] and line["name_en"] and not line["verified"] for line in told["lines"])
    await city.sql("""INSERT INTO item_lines (item, code, position, name, name_en, required, source)
                      VALUES ('bath-home', 'towel', 1, '毛巾', 'Towel', false, 'x')""")
    told = (await worker.get(f"/v1/orders/{order['id']}/checklist")).json()
    assert ([line["code"] for line in told["lines"]], told["missing"]) == (["towel"], [])
    assert await city.one("SELECT count(*) FROM item_lines WHERE item = 'meal'") == 0


async def test_either_of_the_crew_ticks_and_takes_back_and_the_last_press_counts(city: City):
    order, (first, second) = await _bathing(city)
    assert (await ticked(first, order, "mat", "water"))["missing"] == REQUIRED[2:]
    await ticked(second, order, "skin")
    assert (await ticked(second, order, "water", done=False))["missing"] == ["water", "washed", "dressed", "after"]
    assert await city.one("SELECT count(*) FROM visit_ticks") == 4, "what was pressed is kept"


async def test_who_is_done_checks_out_by_one_report(city: City):
    order, crew = await _bathing(city)
    await ticked(crew[0], order)
    await city.clock(at(10, 50))
    left = [(await _leave(city, worker, order)).json() for worker in crew]
    assert (left[-1]["status"], left[-1]["flags"]) == ("awaiting_acceptance", [])
    assert await _records(city, order) == [([], None), ([], None)]


async def test_pressed_early_it_is_refused_and_says_what_is_missing(city: City):
    """Whoever stands there can still do it: nothing is stored, and the visit goes on."""
    order, (worker, _) = await _bathing(city)
    await ticked(worker, order, *REQUIRED[:4])
    await city.clock(at(10, 50))
    answer = await _leave(city, worker, order)
    assert (answer.status_code, answer.json()["code"], answer.json()["missing"]) == (
        409,
        "lines_missing",
        "dressed,after",
    )
    assert (await _records(city, order), (await city.order(order["id"]))["status"]) == ([], "in_service")


async def test_with_a_reason_it_is_taken_and_the_desk_reads_it(city: City):
    """Who cannot do a line is not kept at the door. It is a note on the report: silence still ends the visit."""
    order, crew = await _bathing(city)
    await city.clock(at(10, 50))
    for worker in crew:
        answer = await _leave(city, worker, order, lines_reason="resident_declined")
        assert answer.status_code == 200, answer.text
    assert await _records(city, order) == [(["LINES_MISSING"], "resident_declined")] * 2
    assert (await city.order(order["id"]))["flags"] == []


async def test_what_a_phone_without_signal_says_is_never_refused(city: City):
    order, crew = await _bathing(city)
    await city.clock(at(11, 30))
    for worker in crew:
        answer = await _leave(city, worker, order, offline=True, device_at=at(10, 50).isoformat())
        assert answer.status_code == 200, answer.text
    assert {tuple(flags) for flags, _ in await _records(city, order)} == {("OFFLINE", "LINES_MISSING")}
    assert (await city.order(order["id"]))["status"] == "awaiting_acceptance"


async def test_ticks_of_a_mates_phone_that_come_later_clear_it_by_its_own_clock(city: City):
    """One phone has signal, the other does not: what was done by then was done."""
    order, crew = await _bathing(city)
    await city.clock(at(11, 30))
    for worker in crew:
        await _leave(city, worker, order, offline=True, device_at=at(10, 50).isoformat())
    for line in REQUIRED[:5]:
        await ticked(crew[1], order, line, offline=True, device_at=at(10, 30).isoformat())
    assert ["LINES_MISSING" in flags for flags, _ in await _records(city, order)] == [True, True]
    await ticked(crew[1], order, "after", offline=True, device_at=at(10, 55).isoformat())
    assert ["LINES_MISSING" in flags for flags, _ in await _records(city, order)] == [True, True], (
        "pressed after the end"
    )
    await ticked(crew[1], order, "after", offline=True, device_at=at(10, 45).isoformat())
    assert [flags for flags, _ in await _records(city, order)] == [["OFFLINE"], ["OFFLINE"]]


async def test_a_press_that_is_sent_twice_is_one(city: City):
    order, (worker, _) = await _bathing(city)
    path, said = f"/v1/orders/{order['id']}/checklist", {"line": "mat", "device_at": at(10).isoformat()}
    answers = [await worker.post(path, said, key="the-same-key-of-a-phone") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert await city.one("SELECT count(*) FROM visit_ticks") == 1


async def test_what_is_ticked_on_the_bus_is_kept_and_counts_for_nothing(city: City):
    order, crew = await accepted(city, *BATH)
    assert (await ticked(crew[0], order))["missing"] == REQUIRED
    for worker in crew:
        await report(city, worker, order, "check-in")
    await checked(crew[0], order)
    await city.clock(at(10, 50))
    assert (await _leave(city, crew[0], order)).json()["code"] == "lines_missing"
    assert await city.one("SELECT count(*) FROM visit_ticks WHERE NOT counts") == len(REQUIRED)


async def test_a_list_that_only_reminds_asks_nothing(city: City):
    """What is trained stands in a therapist's plan: the lines of a rehabilitation visit are not required."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    assert (await ticked(worker, order, "asked"))["missing"] == []
    await city.clock(at(10, 50))
    assert (await _leave(city, worker, order)).json()["flags"] == []


async def test_who_leaves_a_shut_door_has_done_nothing_and_need_not(city: City):
    order, crew = await accepted(city, *BATH)
    await report(city, crew[0], order, "no-access")
    answer = await _leave(city, crew[0], order)
    assert (answer.status_code, answer.json()["report"]["flags"]) == (200, [])


async def test_what_was_done_is_read_by_desk_provider_and_the_crew_while_it_is_there(city: City):
    order, crew = await _bathing(city)
    await ticked(crew[0], order)
    resident_id = UUID(order["resident_id"])
    provider_id = await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"]))
    provider, desk = await city.staff("provider", provider_id), await city.staff("operator")
    resident = await city.signed_in(await city.one("SELECT account_id FROM residents WHERE id = $1", resident_id))
    elsewhere = await city.one("SELECT id FROM providers WHERE id <> $1 LIMIT 1", provider_id)
    assert [await _seen(who, order) for who in (desk, provider, *crew)] == [6, 6, 6, 6]
    assert await _seen(resident, order) == "not_allowed"
    if elsewhere is not None:
        assert await _seen(await city.staff("provider", elsewhere), order) == "unknown_order"
    await city.clock(at(10, 50))
    for worker in crew:
        await _leave(city, worker, order)
    assert [await _seen(who, order) for who in (desk, provider, *crew)] == [6, 6, 0, 0]


@pytest.mark.parametrize("said", [{"line": ""}, {"line": "mat", "offline": True}, {"line": "mat", "lines": []}, {}])
async def test_what_is_no_press_is_refused(city: City, said: dict[str, Any]):
    order, (worker, _) = await _bathing(city)
    answer = await worker.post(f"/v1/orders/{order['id']}/checklist", said)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
