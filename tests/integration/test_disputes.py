"""What counts as having been heard: words, said about the objection, by whoever was there; and what a decision may be."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from backend.core.principal import SYSTEM
from backend.orders import actions, queries, seat_queries
from tests.integration.test_evidence import RESOLVED, accepted, in_exception, report, the_resident, visited
from tests.integration.test_sheets import path, sheet
from tests.support.city import Caller, City, at

LASTS = timedelta(minutes=45)
BLANK = [
    "",
    " ",
    "　",
    "\t\r\n",
    "\u200b",
    "\ufeff\u2060",
    "\u200d \u00ad",
    "\u202e\u0007",
    "\u3164",
    "。",
    "...",
    "-",
    "？！",
]


async def done(city: City) -> tuple[dict[str, Any], Caller, Caller, Caller]:
    """A visit that waits for its resident's word: the order, its worker, the resident, an operator."""
    order, (worker,) = await accepted(city)
    await visited(city, order, [worker], from_at=at(10), lasts=LASTS)
    return order, worker, await the_resident(city, order), await city.staff("operator")


async def test_what_was_said_before_anybody_objected_answers_no_objection(city: City):
    order, worker, resident, operator = await done(city)
    assert (await worker.post(path(order, "statements"), {"words": "都做完了"})).status_code == 201
    await resident.post(path(order, "dispute"), {"reason": "只来了五分钟"})
    unheard = await operator.post(path(order, "resolve"), RESOLVED)
    assert (unheard.status_code, unheard.json()["code"]) == (409, "other_side_unheard")
    assert (await worker.post(path(order, "statements"), {"words": "做了四十五分钟"})).status_code == 201
    assert (await operator.post(path(order, "resolve"), RESOLVED)).json()["status"] == "completed"


async def test_whoever_says_nothing_is_refused_and_not_heard(city: City):
    """An objection, a statement, what was heard, and the reason of a decision: all of them are read by somebody."""
    order, worker, resident, operator = await done(city)

    async def refused(who: Caller, command: str, /, **body: Any) -> None:
        answer = await who.post(path(order, command), body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), (command, body)
        field = answer.json()["errors"][0]["field"].split(".")[-1]
        assert field in {"reason", "words"}, "the field is named"

    for words in BLANK:
        await refused(resident, "dispute", reason=words)
    assert (await resident.post(path(order, "dispute"), {"reason": "只来了五分钟"})).status_code == 200
    for words in BLANK:
        await refused(worker, "statements", words=words)
        await refused(operator, "resolve", **RESOLVED, heard=[{"side": "worker", "words": words}])
        await refused(operator, "resolve", **{**RESOLVED, "reason": words})
    assert await city.one("SELECT count(*) FROM visit_statements") == 1, "the objection"
    assert (await city.order(order["id"]))["status"] == "disputed"


async def test_words_are_kept_without_what_nobody_sees_around_them(city: City):
    order, _, resident, _ = await done(city)
    await resident.post(path(order, "dispute"), {"reason": "\u200b　只来了 五分钟\u200d\n"})
    assert await city.one("SELECT words FROM visit_statements") == "只来了 五分钟"


async def test_a_code_that_says_another_outcome_is_refused(city: City):
    order, worker, resident, operator = await done(city)
    await resident.post(path(order, "dispute"), {"reason": "只来了五分钟"})
    await worker.post(path(order, "statements"), {"words": "做了四十五分钟"})
    for outcome, code in (
        ("completed", "made_up"), ("completed", "not_carried_out"), ("completed", "looked_at_further"),
        ("rejected", "resident_confirmed"), ("rejected", "phone_or_position_wrong"), ("rejected", "looked_at_further"),
        ("exception", "made_up"), ("exception", "document_seen"),
    ):  # fmt: skip
        refused = await operator.post(path(order, "resolve"), {**RESOLVED, "outcome": outcome, "code": code})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request"), (outcome, code)
        assert code in refused.json()["detail"]
    assert (await city.order(order["id"]))["status"] == "disputed"


async def test_who_was_replaced_does_not_speak_for_the_crew_that_came(city: City):
    """They were not there; a report of theirs is kept, their word about the visit is nobody's."""
    order, (first,) = await accepted(city)
    await report(first, order, "en-route")
    async with city.database.unit_of_work(SYSTEM) as connection:
        (seat,) = await seat_queries.assignments_of(connection, UUID(order["id"]))
        spare = await connection.fetchval(
            """SELECT w.id FROM workers w JOIN worker_skills k ON k.worker_id = w.id JOIN workers m ON m.id = $1
               WHERE w.id <> m.id AND k.skill = 'rehab' AND w.provider_id = m.provider_id LIMIT 1""",
            seat.worker_id,
        )
        locked = await queries.order_for_update(connection, UUID(order["id"]))
        await actions.change_crew(connection, locked, {seat.seat: spare})
    second = await city.worker(spare)
    await city.sql("UPDATE stops SET worker_id = $1 WHERE order_id = $2", spare, UUID(order["id"]))
    await visited(city, order, [second], from_at=at(10), lasts=LASTS)
    resident, operator = await the_resident(city, order), await city.staff("operator")
    await resident.post(path(order, "dispute"), {"reason": "只来了五分钟"})
    refused = await first.post(path(order, "statements"), {"words": "做了四十五分钟"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert (await operator.post(path(order, "resolve"), RESOLVED)).json()["code"] == "other_side_unheard"
    assert (await second.post(path(order, "statements"), {"words": "做了四十五分钟"})).status_code == 201
    assert (await operator.post(path(order, "resolve"), RESOLVED)).json()["status"] == "completed"


async def test_whom_a_sheet_names_after_the_visit_was_given_up_speaks_for_it(city: City):
    """Their seats stay no-shows; on paper they came."""
    order, (worker,) = await accepted(city)
    await city.clock(at(18))
    await city.timers()
    operator = await city.staff("operator")
    assert (await worker.post(path(order, "statements"), {"words": "我来过"})).status_code == 403
    assert (await operator.post(path(order, "sheet"), await sheet(city, order))).json()["status"] == "exception"
    assert (await worker.post(path(order, "statements"), {"words": "手机没电"})).status_code == 201


async def test_a_search_ended_by_an_operator_has_a_reason(city: City):
    """Somebody rings the resident and has to say why nobody comes."""
    operator, someone = await city.staff("operator"), await city.resident()
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    for body in ({}, {"reason": " "}):
        assert (await operator.post(path(order, "unserved"), body)).status_code == 400
    assert (await operator.post(path(order, "unserved"), {"reason": "没有人手"})).json()["status"] == "unserved"


async def test_what_may_be_left_out_is_empty_when_it_is_blank(city: City):
    """A resident calls off without a word; what nobody sees is not kept as one."""
    operator, someone = await city.staff("operator"), await city.resident()
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    assert (await operator.post(path(order, "cancel"), {"reason": "\u200b "})).status_code == 200
    assert await city.one("SELECT reason FROM audit WHERE action = 'cancel'") == ""


async def test_a_doubted_visit_needs_no_other_side(city: City):
    """Nobody objected: there is nothing to answer."""
    order, _ = await in_exception(city)
    assert (await (await city.staff("operator")).post(path(order, "resolve"), RESOLVED)).json()["status"] == "completed"
