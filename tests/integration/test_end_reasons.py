"""Why a visit ended long before its planned end, or long after it: asked for, kept, and never a reason to refuse a report."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.at_the_door import accepted, report
from tests.support.city import Caller, City, at
from tests.support.pages import Browsers, send


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as several:
        yield several


async def _in(city: City) -> tuple[dict[str, Any], Caller]:
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    return order, worker


async def _planned_end(city: City, order: dict[str, Any]) -> datetime:
    return await city.one("SELECT upper(during) FROM stops WHERE order_id = $1", UUID(order["id"]))


async def _ends(reader: Caller, order: dict[str, Any]) -> list[str | None]:
    return [end["end_reason"] for end in (await reader.get(f"/v1/orders/{order['id']}/checklist")).json()["ends"]]


async def test_why_a_visit_ended_early_is_kept_and_read_by_desk_and_provider(city: City):
    order, worker = await _in(city)
    await city.clock(at(10, 20))
    await report(city, worker, order, "check-out", end_reason="resident_asked")
    desk = await city.staff("operator")
    provider = await city.staff("provider", await city.one("SELECT provider_id FROM orders"))
    assert [await _ends(who, order) for who in (desk, provider, worker)] == [["resident_asked"], ["resident_asked"], []]
    assert await city.one("SELECT end_reason FROM visit_records WHERE kind = 'check_out'") == "resident_asked"


async def test_that_somebody_was_not_well_is_not_told_to_the_provider(city: City):
    """As with a visit that was stopped: a fact of somebody's health."""
    order, worker = await _in(city)
    await city.clock(at(10, 20))
    await report(city, worker, order, "check-out", end_reason="unwell", lines_reason="unwell")
    desk = await city.staff("operator")
    provider = await city.staff("provider", await city.one("SELECT provider_id FROM orders"))
    assert [await _ends(who, order) for who in (desk, provider)] == [["unwell"], [None]]
    answer = await provider.get(f"/v1/orders/{order['id']}/checklist")
    assert "unwell" not in answer.text


@pytest.mark.parametrize("late", [False, True])
async def test_no_report_is_refused_for_want_of_it(city: City, late: bool):
    order, worker = await _in(city)
    await city.clock(at(12))
    said = {"offline": True, "device_at": at(10, 10).isoformat()} if late else {}
    assert (await report(city, worker, order, "check-out", **said))["report"]["counts"]


async def test_a_reason_nobody_has_words_for_is_refused(city: City):
    order, worker = await _in(city)
    answer = await worker.post(f"/v1/orders/{order['id']}/check-out", {"end_reason": "rain"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_the_phone_is_told_from_when_on_it_asks(city: City):
    """The rule is a city's own figure."""
    _, worker = await _in(city)
    await city.sql("UPDATE rule_parameters SET value = 300 WHERE code = 'end_asked_s'")
    assert (await worker.get("/v1/workers/me/route", on="2030-03-12")).json()["end_asked_s"] == 300


@pytest.mark.parametrize("minutes", [-16, -14, 14, 16])
async def test_without_script_the_page_asks_once_and_takes_the_answer(city: City, browsers: Browsers, minutes: int):
    """More than a quarter of an hour before the planned end, or after it; within it nobody is asked anything."""
    order, _ = await _in(city)
    account = await city.one("SELECT w.account_id FROM assignments a JOIN workers w ON w.id = a.worker_id")
    await city.clock(await _planned_end(city, order) + timedelta(minutes=minutes))
    browser, path = await browsers.of(account), f"/worker/{order['id']}/check-out"
    answer = await send(browser, await browser.get("/worker"), path)
    if abs(minutes) > 15:
        assert answer.status_code == 422
        assert (await city.order(order["id"]))["status"] == "in_service"
        answer = await send(browser, answer, path, end_reason="waited")
    assert answer.status_code == 200
    rows = await city.sql("SELECT end_reason FROM visit_records WHERE kind = 'check_out'")
    assert [row["end_reason"] for row in rows] == ["waited" if abs(minutes) > 15 else None]


async def test_without_script_what_was_left_out_is_asked_before_the_time_and_not_forgotten(
    city: City, browsers: Browsers
):
    await city.sql("UPDATE item_lines SET required = true WHERE code = 'trained'")
    order, _ = await _in(city)
    account = await city.one("SELECT w.account_id FROM assignments a JOIN workers w ON w.id = a.worker_id")
    await city.clock(at(10, 15))
    browser, path = await browsers.of(account), f"/worker/{order['id']}/check-out"
    answer = await send(browser, await browser.get("/worker"), path)
    assert (answer.status_code, "end_reason" in answer.text) == (422, False)
    answer = await send(browser, answer, path, lines_reason="no_time")
    assert (answer.status_code, 'name="end_reason"' in answer.text) == (422, True)
    answer = await send(browser, answer, path, end_reason="other")
    assert answer.status_code == 200
    rows = await city.sql("SELECT lines_reason, end_reason FROM visit_records WHERE kind = 'check_out'")
    assert [(row["lines_reason"], row["end_reason"]) for row in rows] == [("no_time", "other")]
