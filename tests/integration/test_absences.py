"""A worker who cannot come: shown first where each visit goes, then recorded with all of it at once; nobody is left waiting."""

import asyncio
import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.orders import absences, relieving
from tests.support.away import outcomes, preview, record, worker_of
from tests.support.city import DAY, Caller, City, at
from tests.support.households import MEAL, NOON, two_houses
from tests.support.orphans import orphans
from tests.support.other_times import refusal, rows_of, stops_of
from tests.support.swaps import BATH, REHAB, offered, others_of, team


async def _alone(city: City, order: dict[str, Any]) -> None:
    """Nobody else of the order's provider has its skill."""
    await city.sql("DELETE FROM worker_skills WHERE worker_id = ANY ($1)", await others_of(city, order))


async def _elsewhere(city: City, order: dict[str, Any]) -> UUID:
    """Somebody of another provider who can do it."""
    row = await city.order(order["id"])
    other = await city.one(
        "SELECT id FROM workers WHERE provider_id <> $1 AND active ORDER BY id LIMIT 1", row["provider_id"]
    )
    await city.sql(
        "UPDATE providers SET active = true WHERE id = (SELECT provider_id FROM workers WHERE id = $1)", other
    )
    await city.sql("UPDATE workers SET gender = (SELECT gender FROM residents WHERE id = $2) WHERE id = $1", other,
                   row["resident_id"])  # fmt: skip
    await city.sql("INSERT INTO worker_skills (worker_id, skill) VALUES ($1, 'rehab') ON CONFLICT DO NOTHING", other)
    await city.sql("DELETE FROM shifts WHERE worker_id = $1", other)
    await city.sql(
        "INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
        other, row["zone_id"], DAY, at(8), at(18),
    )  # fmt: skip
    return other


async def _recorded(who: Caller, worker: Any, *span: datetime, **more: Any) -> dict[str, Any]:
    answer = await record(who, worker, *span, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("state", ["offered", "accepted"])
@pytest.mark.parametrize("by", ["provider", "operator"])
async def test_a_colleague_comes_at_the_minute_that_was_told(city: City, state: str, by: str):
    """What was shown is what is written: route, seat, offer and event; the order keeps its state and its promise."""
    order, provider = await offered(city, state)
    who = provider if by == "provider" else await city.staff("operator")
    gone, before, ((stop),) = await worker_of(city, order), await city.order(order["id"]), await stops_of(city, order)
    shown = await preview(who, gone)
    assert (outcomes(shown), shown["complete"]) == ({order["id"]: "colleague"}, True)
    (visit,) = shown["visits"]
    assert datetime.fromisoformat(visit["was_at"]) == datetime.fromisoformat(visit["at"]) == stop["from_at"]
    done = await _recorded(who, gone)
    assert done["visits"] == shown["visits"]
    (new,) = [UUID(one["worker_id"]) for one in visit["crew"]]
    after, ((now),) = await city.order(order["id"]), await stops_of(city, order)
    assert new in await others_of(city, order) + [new]
    assert new != gone
    assert (now["worker_id"], now["from_at"], now["to_at"]) == (new, stop["from_at"], stop["to_at"])
    assert (after["status"], after["version"]) == (state, before["version"] + 1)
    seat = {"offered": "proposed", "accepted": "accepted"}[state]
    assert [(one["worker_id"], one["status"]) for one in await city.crew(order["id"])] == [(new, seat)]
    asked = await city.one("SELECT worker_id FROM offer_seats ORDER BY offer_id DESC LIMIT 1")
    assert asked == (new if state == "offered" else gone)
    keys = await city.one("SELECT keys FROM events WHERE type = $1 ORDER BY id DESC LIMIT 1", f"order.{state}")
    assert {f"worker:{new}", f"resident:{order['resident_id']}"} <= set(keys)
    assert f"worker:{gone}" not in keys
    await city.dispatch()
    assert [one["worker_id"] for one in await city.crew(order["id"])] == [new]
    assert not await orphans(city)


async def test_what_is_shown_changes_nothing_and_reserves_nobody(city: City):
    order, provider = await offered(city, "accepted")
    before = await rows_of(city)
    await preview(provider, await worker_of(city, order))
    assert await rows_of(city) == before
    assert await city.one("SELECT count(*) FROM leaves WHERE worker_id = $1", await worker_of(city, order)) == 0


@pytest.mark.parametrize("state", ["offered", "accepted"])
async def test_where_nobody_of_theirs_can_another_provider_is_asked_for_the_same_window(city: City, state: str):
    """The crew is freed and told, the promised window stays, and the provider has not declined."""
    order, provider = await offered(city, state)
    gone, before = await worker_of(city, order), await city.order(order["id"])
    await _alone(city, order)
    other = await _elsewhere(city, order)
    shown = await preview(provider, gone)
    assert outcomes(shown) == {order["id"]: "offered"}
    assert shown["visits"][0]["crew"] == [], "whom another provider has is not told"
    assert str(other) not in str(shown)
    await _recorded(provider, gone)
    placed = await city.order(order["id"])
    assert (placed["status"], placed["provider_id"], placed["declined_by"]) == ("placed", None, [])
    assert (placed["window_from"], placed["window_to"]) == (before["window_from"], before["window_to"])
    assert await stops_of(city, order) == []
    last = await city.one("SELECT status FROM assignments WHERE order_id = $1 ORDER BY id DESC LIMIT 1", placed["id"])
    assert last == "withdrawn"
    assert await city.one("SELECT count(*) FROM offers WHERE order_id = $1 AND status = 'open'", placed["id"]) == 0
    timers = await city.sql("SELECT kind FROM timers WHERE subject_id = $1 AND fired_at IS NULL", placed["id"])
    assert {row["kind"] for row in timers} == {"unserved_due", "manual_due"}
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "offered"
    assert await worker_of(city, order) == other
    assert not await orphans(city)


async def test_what_nobody_can_do_comes_to_the_desk(city: City):
    order, provider = await offered(city, "accepted")
    gone = await worker_of(city, order)
    await city.sql("DELETE FROM worker_skills WHERE skill = 'rehab' AND worker_id <> $1", gone)
    assert outcomes(await preview(provider, gone)) == {order["id"]: "desk"}
    await _recorded(provider, gone)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "manual"
    assert not await orphans(city)


async def test_of_two_visits_at_once_one_colleague_takes_one(city: City):
    """Who has taken over the first one is busy when somebody is sought for the second."""
    await city.manual_acceptance()
    operator = await city.staff("operator")
    first, second = await city.resident(), await city.resident(number=1)
    crew = await team(city, first["zone_id"], REHAB, 3)
    await city.sql("UPDATE workers SET gender = 'female' WHERE id = ANY ($1)", crew)
    await city.sql("UPDATE residents SET gender = 'female'")
    gone, other, third = crew[:3]
    await city.sql("DELETE FROM worker_skills WHERE worker_id = ANY ($1) AND skill = 'rehab'", [other, third])
    orders = [await city.booked(operator, one["id"], REHAB, at(hour), at(hour), channel="phone")
              for one, hour in ((first, 10), (second, 13))]  # fmt: skip
    await city.dispatch()
    provider = await city.staff("provider", (await city.order(orders[0]["id"]))["provider_id"])
    assert {await worker_of(city, order) for order in orders} == {gone}
    await city.sql("INSERT INTO worker_skills (worker_id, skill) VALUES ($1, 'rehab')", other)
    await city.sql("UPDATE shifts SET during = tstzrange($2, $3) WHERE worker_id = $1", other, at(9), at(13, 20))
    shown = await preview(provider, gone)
    assert list(outcomes(shown).values()) == ["colleague", "desk"], "the second one would end after their shift"
    await _recorded(provider, gone)
    assert await worker_of(city, orders[0]) == other


async def test_of_two_who_come_together_whoever_can_still_come_stays(city: City):
    """The mate keeps their seat and their minute; the other seat is somebody else's."""
    order, provider = await offered(city, "accepted", BATH)
    leaves, stays = await city.crew(order["id"])
    before = {stop["from_at"] for stop in await stops_of(city, order)}
    await _recorded(provider, leaves["worker_id"])
    crew = {seat["seat"]: seat["worker_id"] for seat in await city.crew(order["id"])}
    assert crew[stays["seat"]] == stays["worker_id"]
    assert leaves["worker_id"] not in crew.values()
    assert len(crew) == 2
    assert {stop["from_at"] for stop in await stops_of(city, order)} == before
    assert not await orphans(city)


async def test_whoever_has_set_out_finishes(city: City):
    order, provider = await offered(city, "accepted")
    gone, ((stop),) = await worker_of(city, order), await stops_of(city, order)
    await city.clock(stop["from_at"] - timedelta(minutes=10))
    worker = await city.worker(gone)
    assert (await worker.post(f"/v1/orders/{order['id']}/en-route")).status_code == 200
    before = await city.order(order["id"])
    span = (stop["from_at"] - timedelta(minutes=5), at(20))
    assert outcomes(await preview(provider, gone, *span)) == {order["id"]: "stays"}
    await _recorded(provider, gone, *span)
    assert await city.order(order["id"]) == before
    assert await worker_of(city, order) == gone
    assert await city.one("SELECT count(*) FROM desk_tasks") == 0


@pytest.mark.spoils("a worker comes outside")
async def test_where_the_others_of_a_crew_have_set_out_the_desk_has_a_task_at_once(city: City):
    """Nobody may be sent after them by the machine alone, and they must not stand at the door one too few."""
    order, provider = await offered(city, "accepted", BATH)
    leaves, stays = await city.crew(order["id"])
    ((start),) = {stop["from_at"] for stop in await stops_of(city, order)}
    await city.clock(start - timedelta(minutes=10))
    mate = await city.worker(stays["worker_id"])
    assert (await mate.post(f"/v1/orders/{order['id']}/en-route")).status_code == 200
    span = (start - timedelta(minutes=5), at(20))
    assert outcomes(await preview(provider, leaves["worker_id"], *span)) == {order["id"]: "desk"}
    await _recorded(provider, leaves["worker_id"], *span)
    (task,) = (await (await city.staff("operator")).get("/v1/tasks")).json()
    assert (task["kind"], task["order_id"]) == ("crew_short", order["id"])
    assert (await city.order(order["id"]))["status"] == "en_route"


@pytest.mark.spoils("a worker comes outside")
async def test_when_the_time_for_looking_is_up_the_desk_is_told(city: City, monkeypatch: pytest.MonkeyPatch):
    """Nothing is given away that nobody has looked at, and nothing is forgotten."""
    order, provider = await offered(city, "accepted")
    gone = await worker_of(city, order)
    monkeypatch.setattr(relieving, "_SHOWING_S", 0.0)
    monkeypatch.setattr(relieving, "_RECORDING_S", 0.0)
    shown = await preview(provider, gone)
    assert (outcomes(shown), shown["complete"]) == ({order["id"]: "not_looked"}, False)
    await _recorded(provider, gone)
    assert (await city.order(order["id"]))["status"] == "accepted"
    (task,) = (await (await city.staff("operator")).get("/v1/tasks")).json()
    assert (task["kind"], task["order_id"]) == ("crew_short", order["id"])


async def test_thinking_is_done_on_a_thread_and_with_no_connection(city: City, monkeypatch: pytest.MonkeyPatch):
    order, provider = await offered(city, "accepted")
    gone, think, seen = await worker_of(city, order), absences.think, list[bool]()

    def watched(*args: Any) -> Any:
        seen.append(threading.current_thread() is not threading.main_thread())
        return think(*args)

    monkeypatch.setattr(absences, "think", watched)
    await preview(provider, gone)
    await _recorded(provider, gone)
    assert seen == [True, True]


async def test_a_visit_that_came_in_while_others_were_sought_is_not_forgotten(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    """Planned for the same worker on another day between reading and writing: the whole is thought again."""
    order, provider = await offered(city, "accepted")
    gone, relieve, tries = await worker_of(city, order), absences.relieve, list[int]()
    later = await city.resident(number=2)
    await city.sql(
        "INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
        gone, later["zone_id"], DAY + timedelta(days=1), at(8, days=1), at(18, days=1),
    )  # fmt: skip
    record_ = absences.record

    async def meanwhile(*args: Any) -> Any:
        if 1 not in tries:
            tries.append(1)
            await city.sql(
                """WITH plan AS (INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id)
                   INSERT INTO stops (plan_id, worker_id, seq, kind, place_id, order_id, seat, during, started)
                   SELECT plan.id, $3, 0, 'break', w.start_place_id, NULL, 1, tstzrange($4, $5), false FROM plan, workers w WHERE w.id = $3""",
                later["zone_id"], DAY + timedelta(days=1), gone, at(9, days=1), at(10, days=1),
            )  # fmt: skip
        return await record_(*args)

    def counted(*args: Any) -> Any:
        tries.append(2)
        return relieve(*args)

    monkeypatch.setattr(absences, "record", meanwhile)
    monkeypatch.setattr(absences, "relieve", counted)
    await _recorded(provider, gone, at(7), at(20, days=1))
    assert tries == [2, 1, 2, 2], "one day, then both"
    await city.sql("DELETE FROM stops WHERE kind = 'break'")


async def test_a_day_that_has_moved_on_is_thought_again(city: City, monkeypatch: pytest.MonkeyPatch):
    order, provider = await offered(city, "accepted")
    gone, record_, tries = await worker_of(city, order), absences.record, list[int]()

    async def meanwhile(*args: Any) -> Any:
        if not tries:
            await city.sql("UPDATE plans SET version = version + 1")
        tries.append(1)
        return await record_(*args)

    monkeypatch.setattr(absences, "record", meanwhile)
    await _recorded(provider, gone)
    assert len(tries) == 2
    assert await worker_of(city, order) != gone


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ((at(12), at(12)), "invalid_window"),
        ((at(12), at(11)), "invalid_window"),
        ((at(5), at(7)), "in_the_past"),
        ((at(7, days=-1), at(20)), "in_the_past"),  # a day and an hour ago
        ((at(9), at(9, 1, days=366)), "absence_too_long"),
    ],
)
async def test_a_time_that_makes_no_sense_is_refused(city: City, span: tuple[datetime, datetime], code: str):
    """It is eight o'clock; shown and recorded alike, and nothing is written."""
    order, provider = await offered(city, "accepted")
    gone, before = await worker_of(city, order), await rows_of(city)
    assert refusal(await record(provider, gone, *span)) == code
    body = {"from_at": span[0].isoformat(), "to_at": span[1].isoformat()}
    assert refusal(await provider.post(f"/v1/workers/{gone}/absences/preview", body)) == code
    assert await rows_of(city) == before
    assert (await provider.get(f"/v1/workers/{gone}/absences")).json() == []


async def test_a_time_is_not_recorded_twice(city: City):
    order, provider = await offered(city, "accepted")
    gone = await worker_of(city, order)
    await _recorded(provider, gone, at(9), at(12))
    assert refusal(await record(provider, gone, at(11), at(13))) == "already_absent"
    await _recorded(provider, gone, at(12), at(13))
    listed = (await provider.get(f"/v1/workers/{gone}/absences")).json()
    assert [datetime.fromisoformat(one["from_at"]) for one in listed] == [at(9), at(12)]


async def test_sent_again_it_is_recorded_once_and_answered_the_same(city: City):
    order, provider = await offered(city, "accepted")
    gone, key = await worker_of(city, order), str(uuid4())
    first, again = await record(provider, gone, key=key), await record(provider, gone, key=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_whoever_is_back_earlier_is_planned_with_again(city: City):
    """The rest of the day is theirs, what others have taken over stays theirs; who ended it stands in the audit."""
    order, provider = await offered(city, "accepted")
    gone = await worker_of(city, order)
    absence = (await _recorded(provider, gone, at(7), at(18)))["absence"]
    taken = await worker_of(city, order)
    await city.clock(at(12))
    ended = await provider.post(f"/v1/absences/{absence['id']}/end")
    assert (ended.status_code, datetime.fromisoformat(ended.json()["to_at"])) == (200, at(12))
    assert (await provider.get(f"/v1/workers/{gone}/absences")).json() == []
    assert await worker_of(city, order) == taken
    assert refusal(await provider.post(f"/v1/absences/{absence['id']}/end")) == "already_closed"
    await city.sql("DELETE FROM worker_skills WHERE skill = 'rehab' AND worker_id <> $1", gone)
    someone = await city.resident(number=3)
    slots = await city.quote(await city.staff("operator"), someone["id"], REHAB, at(12), at(16))
    assert slots, "they are the only one who could"
    noted = await city.sql("SELECT action, subject, subject_id, reason FROM audit WHERE subject = 'worker' ORDER BY id")
    assert [(row["action"], row["subject_id"], row["reason"]) for row in noted] == [
        ("absence", gone, ""), ("absence_ended", gone, "")
    ]  # fmt: skip


async def test_an_absence_that_is_ended_before_it_begins_never_is(city: City):
    order, provider = await offered(city, "accepted")
    gone = await worker_of(city, order)
    absence = (await _recorded(provider, gone, at(15), at(18)))["absence"]
    ended = await provider.post(f"/v1/absences/{absence['id']}/end")
    assert ended.json()["from_at"] == ended.json()["to_at"] == absence["from_at"]
    assert (await provider.get(f"/v1/workers/{gone}/absences")).json() == []
    await _recorded(provider, gone, at(14), at(19))


async def test_only_a_few_reasons_are_written_down_and_nothing_of_what_somebody_has(city: City):
    order, provider = await offered(city, "accepted")
    gone = await worker_of(city, order)
    for reason in ("flu", "", "Sick"):
        assert refusal(await record(provider, gone, reason=reason)) == "invalid_request"
    columns = await city.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'leaves'")
    assert {row["column_name"] for row in columns} == {"id", "worker_id", "during", "reason"}
    await _recorded(provider, gone, reason="sick")
    told = await city.sql("SELECT data::text AS said, keys::text AS keys FROM events")
    assert not [row for row in told if "sick" in row["said"] + row["keys"]]


async def test_whose_worker_it_is_not_does_not_learn_that_there_is_one(city: City):
    order, provider = await offered(city, "accepted")
    gone = await worker_of(city, order)
    absence = (await _recorded(provider, gone))["absence"]
    others = await city.staff(
        "provider",
        await city.one(
            "SELECT id FROM providers WHERE id <> $1 LIMIT 1", (await city.order(order["id"]))["provider_id"]
        ),
    )
    for answer in (await record(others, gone), await others.get(f"/v1/workers/{gone}/absences")):
        assert refusal(answer) == "unknown_worker"
    assert refusal(await others.post(f"/v1/absences/{absence['id']}/end")) == "unknown_absence"
    await city.sql("UPDATE workers SET active = false WHERE id = $1", gone)
    assert refusal(await record(provider, gone, at(8, days=2), at(9, days=2))) == "unknown_worker"
    await city.sql("UPDATE workers SET active = true WHERE id = $1", gone)


async def test_a_provider_sees_its_people_as_they_are_today(city: City):
    """Shifts, absences, and how many visits are still before them; of its own workers alone."""
    order, provider = await offered(city, "accepted")
    gone, row = await worker_of(city, order), await city.order(order["id"])
    listed = {one["worker_id"]: one for one in (await provider.get("/v1/providers/me/workers")).json()}
    own = await city.sql("SELECT id FROM workers WHERE provider_id = $1 AND active", row["provider_id"])
    assert set(listed) == {str(worker["id"]) for worker in own}
    seen = listed[str(gone)]
    assert (seen["visits"], seen["absences"]) == (1, [])
    assert [datetime.fromisoformat(seen["shifts"][0][end]) for end in ("from_at", "to_at")] == [at(8), at(18)]
    absence = (await _recorded(provider, gone, reason="training"))["absence"]
    seen = next(one for one in (await provider.get("/v1/providers/me/workers")).json() if one["worker_id"] == str(gone))
    assert (seen["visits"], [one["id"] for one in seen["absences"]]) == (0, [absence["id"]])
    assert seen["absences"][0]["reason"] == "training"


@pytest.mark.parametrize(
    ("left", "within"), [(61, None), (60, 60), (31, 60), (30, 30), (8, 30), (7, 7), (1, 7), (0, 0), (-3, 0)]
)
async def test_a_credential_that_ends_is_told_at_sixty_thirty_and_seven_days(city: City, left: int, within: int | None):
    order, provider = await offered(city, "accepted")
    worker = await worker_of(city, order)
    await city.sql("UPDATE worker_skills SET expires_on = '2040-01-01'")
    await city.sql(
        "UPDATE worker_skills SET expires_on = $2 WHERE worker_id = $1 AND skill = 'rehab'",
        worker, DAY + timedelta(days=left),
    )  # fmt: skip
    found = (await provider.get("/v1/providers/me/credentials")).json()
    assert [(one["worker_id"], one["skill"], one["days_left"], one["within_days"]) for one in found] == (
        [] if within is None else [(str(worker), "rehab", left, within)]
    )
    assert [one["visits"] for one in found] == ([] if within is None else [1 if left <= 0 else 0]), "it is of today"
    await city.sql("UPDATE worker_skills SET expires_on = '2040-01-01'")


async def test_a_couriers_meals_are_fetched_and_brought_by_one_colleague(city: City):
    house, _ = await two_houses(city)
    meal = await house.book(await city.staff("operator"), MEAL, *NOON)
    await city.dispatch()
    await house.accept(meal)
    order = {"id": meal}
    gone, provider = await worker_of(city, order), await city.signed_in(house.accounts["provider"])
    assert outcomes(await preview(provider, gone)) == {meal: "colleague"}
    await _recorded(provider, gone)
    stops = await city.sql("SELECT kind, worker_id FROM stops WHERE order_id = $1 AND active", UUID(meal))
    assert sorted(stop["kind"] for stop in stops) == ["drop", "pickup"]
    assert {stop["worker_id"] for stop in stops} == {await worker_of(city, order)} != {gone}
    assert not await orphans(city)


async def test_an_absence_of_some_days_takes_the_visits_of_all_of_them_at_once(city: City):
    """Each day has a plan of its own; what follows on all of them is one answer and one transaction."""
    order, provider = await offered(city, "accepted")
    gone, other = await worker_of(city, order), (await others_of(city, order))[0]
    zone_id = (await city.order(order["id"]))["zone_id"]
    await city.sql("DELETE FROM shifts WHERE plan_on > $1", DAY)
    await city.sql(
        "INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
        gone, zone_id, DAY + timedelta(days=1), at(8, days=1), at(18, days=1),
    )  # fmt: skip
    someone, operator = await city.resident(number=1), await city.staff("operator")
    await city.sql("UPDATE residents SET gender = (SELECT gender FROM workers WHERE id = $1)", gone)
    await city.sql("UPDATE providers SET auto_accept = true")
    later = await city.booked(operator, someone["id"], REHAB, at(10, days=1), at(11, days=1), channel="phone")
    await city.dispatch()
    assert await worker_of(city, later) == gone
    await city.sql(
        "INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
        other, zone_id, DAY + timedelta(days=1), at(8, days=1), at(18, days=1),
    )  # fmt: skip
    done = await _recorded(provider, gone, at(7), at(20, days=6))
    assert outcomes(done) == {order["id"]: "colleague", later["id"]: "colleague"}
    assert gone not in {await worker_of(city, order), await worker_of(city, later)}
    assert (await city.order(later["id"]))["status"] == "accepted"
    assert not await orphans(city)


async def test_an_absence_and_a_press_of_the_worker_at_once_leave_one_truth(city: City):
    """Either they have set out and finish it, or a colleague has it and they are told that it is theirs no more."""
    order, provider = await offered(city, "accepted")
    gone, ((stop),) = await worker_of(city, order), await stops_of(city, order)
    await city.clock(stop["from_at"] - timedelta(minutes=10))
    worker = await city.worker(gone)
    recorded, pressed = await asyncio.gather(
        record(provider, gone, stop["from_at"] - timedelta(minutes=5), at(20)),
        worker.post(f"/v1/orders/{order['id']}/en-route"),
    )
    assert (recorded.status_code, pressed.status_code) == (201, 200)
    now = await city.order(order["id"])
    if outcomes(recorded.json())[order["id"]] == "stays":
        assert (now["status"], await worker_of(city, order)) == ("en_route", gone)
    else:
        assert now["status"] == "accepted"
        assert await worker_of(city, order) != gone
    assert not await orphans(city)
