"""An hour of leave takes an hour: what is planned in it goes to others, and the rest of the day stays as it was."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from backend.core.clock import day_origin
from backend.core.principal import SYSTEM
from backend.processes.dispatcher import Dispatcher
from backend.scheduling.snapshots import workers_of
from backend.workers.queries import shifts_of
from tests.support.city import DAY, TIME_ZONE, City, Solver, at

REHAB, BATH, BERLIN = "rehab-home", "bath-home", ZoneInfo("Europe/Berlin")
Span = tuple[datetime, datetime]


async def _carers(city: City, count: int, *hours: Span, skill: str = "rehab") -> tuple[dict[str, Any], list[UUID]]:
    """A resident, and the only workers of the zone with a skill: of one provider, that day and in those hours alone."""
    city.dispatcher = Dispatcher(city.settings, city.database, Solver())
    someone = await city.resident()
    await city.sql("UPDATE providers SET auto_accept = true")
    workers = [row["id"] for row in await city.sql(
        """SELECT DISTINCT w.id FROM workers w JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 AND w.provider_id =
               (SELECT w.provider_id FROM workers w JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1
                GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) ORDER BY w.id LIMIT $2""",
        someone["zone_id"], count,
    )]  # fmt: skip
    assert len(workers) == count
    await city.sql("DELETE FROM worker_skills")
    await city.sql("INSERT INTO worker_skills (worker_id, skill) SELECT unnest($1::uuid[]), $2", workers, skill)
    await city.sql("DELETE FROM shifts")
    for worker in workers:
        for begins, ends in hours or ((at(8), at(18)),):
            await city.sql(
                """INSERT INTO shifts (worker_id, zone_id, plan_on, during, break_from, break_to)
                   VALUES ($1, $2, $3, tstzrange($4, $5), $4 + interval '3 hours', $4 + interval '4 hours')""",
                worker, someone["zone_id"], DAY, begins, ends,
            )  # fmt: skip
    return someone, workers


async def _leave(city: City, worker: UUID, begins: datetime, ends: datetime) -> None:
    await city.sql("INSERT INTO leaves (worker_id, during, reason) VALUES ($1, tstzrange($2, $3), 'other')",
                   worker, begins, ends)  # fmt: skip


async def _starts(city: City, someone: dict[str, Any], begins: datetime, ends: datetime) -> list[datetime]:
    slots = await city.quote(await city.staff("operator"), someone["id"], REHAB, begins, ends)
    return [datetime.fromisoformat(slot["starts_from"]) for slot in slots]


async def _booked(
    city: City, number: int, begins: datetime, ends: datetime, item: str = REHAB, ability: int = 0
) -> dict[str, Any]:
    """A visit accepted by its provider."""
    someone = await city.resident(number=number, ability=ability)
    order = await city.booked(await city.staff("operator"), someone["id"], item, begins, ends, channel="phone")
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    return order


async def _times(city: City, order: dict[str, Any]) -> dict[UUID, Span]:
    rows = await city.sql(
        "SELECT worker_id, lower(during) AS a, upper(during) AS b FROM stops WHERE order_id = $1", UUID(order["id"])
    )
    return {row["worker_id"]: (row["a"], row["b"]) for row in rows}


async def _improved(city: City) -> None:
    """The dispatcher looks twice: the first time it learns of the leave, the second time it finds somebody else."""
    await city.dispatch()
    await city.dispatch()


@pytest.mark.parametrize(
    ("leaves", "free"),
    [
        ([(12, 13)], [(9, 12), (13, 18)]),
        ([(10, 11), (14, 15)], [(9, 10), (11, 14), (15, 18)]),  # the second takes the hour of the break
        ([(7, 11)], [(11, 18)]),
        ([(16, 20)], [(9, 16)]),
        ([(10, 12), (11, 14)], [(9, 10), (14, 18)]),
        ([(7, 20)], []),
    ],
    ids=str,
)
async def test_a_leave_takes_its_own_time_and_no_more(
    city: City, leaves: list[tuple[int, int]], free: list[tuple[int, int]]
):
    """What is offered begins and ends outside the leave, and on each side of it something is."""
    someone, (worker,) = await _carers(city, 1)
    for begins, ends in leaves:
        await _leave(city, worker, at(begins), at(ends))
    starts = await _starts(city, someone, at(9), at(17))
    lasts = timedelta(seconds=2700)
    for start in starts:
        assert any(at(a) <= start and start + lasts <= at(b) for a, b in free), start
    for a, b in free:
        assert any(at(a) <= start < at(b) for start in starts) or b - a < 2, (a, b)


async def test_a_leave_in_the_morning_of_a_split_shift_keeps_the_afternoon(city: City):
    someone, (worker,) = await _carers(city, 1, (at(8), at(12)), (at(14), at(18)))
    await _leave(city, worker, at(7), at(12))
    starts = await _starts(city, someone, at(9), at(17))
    assert starts
    assert min(starts) >= at(14)


async def test_a_leave_gives_the_visit_in_its_hour_to_another_and_leaves_the_others_where_they_are(city: City):
    """Booked with one worker, beside whom a second one comes at noon; the leave begins in the second of three visits."""
    _, (one, other) = await _carers(city, 2)
    await city.sql("UPDATE shifts SET during = tstzrange($2, $3) WHERE worker_id = $1", other, at(17, 30), at(18))
    early, late, last = [await _booked(city, n, at(h), at(h, 30)) for n, h in enumerate((9, 12, 15))]
    before = [await _times(city, order) for order in (early, late, last)]
    assert [set(times) for times in before] == [{one}] * 3
    await city.sql("UPDATE shifts SET during = tstzrange($2, $3) WHERE worker_id = $1", other, at(11), at(14))
    begins = before[1][one][0] + timedelta(minutes=10)
    await _leave(city, one, begins, begins + timedelta(hours=1))
    await _improved(city)
    assert [await _times(city, order) for order in (early, last)] == [before[0], before[2]]
    assert set(await _times(city, late)) == {other}
    assert [seat["worker_id"] for seat in await city.crew(late["id"])] == [other]
    assert (await city.order(late["id"]))["status"] == "accepted"


async def test_of_two_who_were_to_come_one_who_takes_leave_is_replaced(city: City):
    """The two still arrive together, at the time that was promised, and nobody else is told anything else."""
    _, crew = await _carers(city, 3, skill="bath")
    await city.sql("UPDATE workers SET gender = 'female'")
    await city.sql("UPDATE residents SET gender = 'female', gender_wish = 'any'")
    order = await _booked(city, 0, at(12), at(12, 30), BATH, ability=3)
    before = await _times(city, order)
    assert len(before) == 2
    away = min(before)
    await _leave(city, away, *before[away])
    await _improved(city)
    after = await _times(city, order)
    assert set(after) == set(crew) - {away}
    assert set(after.values()) == set(before.values())
    assert {seat["worker_id"] for seat in await city.crew(order["id"])} == set(after)


@pytest.mark.spoils("a worker comes outside")
async def test_until_another_crew_is_found_nobody_is_promised_the_time_of_the_visit_missed(city: City):
    """The leave begins in the middle of a visit: the minutes before it are still that visit's, and nothing is written over it."""
    _, (worker,) = await _carers(city, 1)
    missed = await _booked(city, 0, at(12), at(12, 30))
    begins, ends = (await _times(city, missed))[worker]
    await _leave(city, worker, begins + timedelta(minutes=30), begins + timedelta(minutes=90))
    for number, hour in enumerate(range(9, 17), 1):
        someone = await city.resident(number=number)
        slots = await city.quote(await city.staff("operator"), someone["id"], REHAB, at(hour), at(hour, 45))
        for slot in slots[:1]:
            answer = await (await city.staff("operator")).post(
                "/v1/bookings", {"slot": slot["token"], "channel": "phone"}
            )
            assert answer.status_code == 201, answer.text
            await city.dispatch()
    stops = await city.sql("SELECT lower(during) AS a, upper(during) AS b, order_id FROM stops WHERE active ORDER BY 1")
    assert len(stops) > 4
    assert [stop["order_id"] for stop in stops if stop["a"] < ends and begins < stop["b"]] == [UUID(missed["id"])]
    assert not [s for s in stops if s["order_id"] != UUID(missed["id"]) and s["a"] < begins + timedelta(minutes=90)
                and s["b"] > begins]  # fmt: skip


async def test_a_visit_right_behind_a_leave_begins_when_its_worker_can_be_there_and_one_right_before_it_stays(
    city: City,
):
    """The ways to the first and from the last visit are not in the leave: times follow, and no search stumbles over it."""
    _, (worker,) = await _carers(city, 1)
    early, late = await _booked(city, 0, at(9), at(9)), await _booked(city, 1, at(12), at(12))
    await city.dispatch()  # the day was looked at as it is now, and nothing was to be done
    before = [(await _times(city, order))[worker] for order in (early, late)]
    await _leave(city, worker, before[0][1], before[1][0])
    with capture_logs() as logs:
        await _improved(city)
    assert not [line for line in logs if line["log_level"] in {"warning", "error"}]
    after = [(await _times(city, order))[worker] for order in (early, late)]
    assert after[0] == before[0]
    assert before[1][0] < after[1][0] < before[1][0] + timedelta(hours=1)


async def test_a_visit_that_has_begun_is_finished_by_whoever_takes_leave(city: City):
    await _carers(city, 2)
    order = await _booked(city, 0, at(9), at(9))
    ((worker, (begins, ends)),) = (await _times(city, order)).items()
    crew = await city.worker(worker)
    await city.clock(begins - timedelta(minutes=10))
    assert (await crew.post(f"/v1/orders/{order['id']}/en-route")).status_code == 200
    await _leave(city, worker, begins, ends + timedelta(hours=1))
    await _improved(city)
    assert set(await _times(city, order)) == {worker}
    assert (await city.order(order["id"]))["status"] == "en_route"


@pytest.mark.parametrize(
    ("begins", "zone"),
    [
        (at(8), TIME_ZONE),
        (datetime(2030, 3, 30, 22, tzinfo=BERLIN), BERLIN),  # a night without the hour from two to three
        (datetime(2030, 10, 26, 22, tzinfo=BERLIN), BERLIN),  # a night with that hour twice
    ],
)
async def test_shifts_less_leave_are_what_is_left_of_each_minute(city: City, begins: datetime, zone: ZoneInfo):
    """Random shifts and leaves that touch, overlap and lie outside, against a count of minutes; each break once.

    On the table and in the planner's seconds, where an hour is an hour whatever the clocks of the city do.
    """
    drawn, on, first = random.Random(7), begins.date(), begins.astimezone(UTC)
    _, workers = await _carers(city, 2)
    zone_id = await city.one("SELECT DISTINCT zone_id FROM shifts")
    for _ in range(40 if zone is TIME_ZONE else 12):
        await city.sql("DELETE FROM leaves")
        await city.sql("DELETE FROM shifts")
        expected: set[tuple[UUID, int]] = set()
        for worker in workers:
            cuts = sorted(drawn.sample(range(0, 600, 5), 4))
            hours = [(cuts[0], cuts[1]), (cuts[2], cuts[3])][: drawn.randint(1, 2)]
            away = [
                (a, a + drawn.choice([1, 5, 60, 300])) for a in drawn.choices(range(0, 600, 5), k=drawn.randint(0, 3))
            ]
            for a, b in hours:
                await city.sql(
                    """INSERT INTO shifts (worker_id, zone_id, plan_on, during, break_from, break_to, break_s)
                       VALUES ($1, $2, $3, tstzrange($4, $5), $4, $5, 60)""",
                    worker, zone_id, on, first + timedelta(minutes=a), first + timedelta(minutes=b),
                )  # fmt: skip
            for a, b in away:
                await _leave(city, worker, first + timedelta(minutes=a), first + timedelta(minutes=b))
            minutes = {m for a, b in hours for m in range(a, b)} - {m for a, b in away for m in range(a, b)}
            expected |= {(worker, minute) for minute in minutes}
        async with city.database.unit_of_work(SYSTEM) as connection:
            rows = (await shifts_of(connection, zone_id, on, on)).rows
        parts = [
            (row.worker_id, *(int((t - first).total_seconds()) // 60 for t in (row.from_at, row.to_at))) for row in rows
        ]
        covered = [(worker, minute) for worker, a, b in parts for minute in range(a, b)]
        assert len(covered) == len(set(covered))
        assert set(covered) == expected
        origin = day_origin(on, zone)
        places = {place: 0 for row in rows for place in (row.start_place_id, row.end_place_id) if place}
        planned = [(UUID(one.id), shift) for one in workers_of(rows, places, origin) for shift in one.shifts]
        assert {
            (worker, round((origin + timedelta(seconds=s) - first).total_seconds()) // 60)
            for worker, shift in planned for s in range(shift.start_s, shift.end_s, 60)
        } == expected  # fmt: skip
        breaks = [(row.worker_id, row.break_from) for row in rows if row.break_from]
        assert len(breaks) == len(set(breaks))
