"""What is over leaves by its rule, some rows at a time; a chore that cannot be done keeps no other from being done."""

import asyncio
from typing import Any, Final

import httpx
import pytest

from backend.core.principal import SYSTEM
from backend.database import upkeep
from backend.database.pool import Database
from backend.processes import housekeeping
from backend.processes.embedded import Urls
from backend.processes.housekeeping import CHORES, DONE, FAILED, FORGET, FORGOTTEN, House
from backend.processes.metrics import Metric, Metrics
from tests.support.city import City, at
from tests.support.people import person, prepared_by_the_owner
from tests.support.processes import started, until

_ACCOUNT: Final = "(SELECT id FROM accounts ORDER BY id LIMIT 1)"
FILL: Final = {
    "live_tickets": "INSERT INTO live_tickets (token_hash, expires_at) VALUES ({name}, {then})",
    "sign_in_codes": """INSERT INTO sign_in_codes (phone, code_hash, created_at, expires_at)
                        VALUES ('+8613800000000', {name}, {then}, {then})""",
    "sign_in_cards": f"""INSERT INTO sign_in_cards (account_id, token_hash, digits_hash, printed_by, printed_at, expires_at, used_at)
                         VALUES ({_ACCOUNT}, sha256(convert_to({{name}}, 'UTF8')), sha256(convert_to({{name}} || 'd', 'UTF8')), {_ACCOUNT},
                                 {{then}}, {{then}}, {{then}})""",
    "sign_in_places": "INSERT INTO sign_in_places (key, seen_at) VALUES (decode(md5({name}), 'hex'), {then})",
    "limits": "INSERT INTO limits (key, full_until) VALUES (decode(md5({name}), 'hex'), {then})",
    "sessions": f"""INSERT INTO sessions (token_hash, account_id, expires_at, revoked_at)
                    VALUES (convert_to({{name}}, 'UTF8'), {_ACCOUNT}, now(), {{then}})""",
    "answers": f"""INSERT INTO idempotency_keys (account_id, route, key, request_hash, status, body, created_at)
                   VALUES ({_ACCOUNT}, 'x', {{name}}, 'h', 200, '', {{then}})""",
    "desk_tasks": "INSERT INTO desk_tasks (kind, opened_at, closed_at) VALUES ('feed_stalled', {then}, {then})",
    "consent_requests": f"""INSERT INTO consent_requests (account_id, person, phone, sought, sought_phone, purposes, by_desk,
                                                          expires_at, status, ended_at)
                            VALUES ({_ACCOUNT}, 'x', 'x', {{name}}, 'x', '{{{{book}}}}', false, {{then}}, 'expired', {{then}})""",
    "consent_looks": """INSERT INTO consent_looks (resident_id, account_id, purpose, hour, looked_at)
                        SELECT r.id, a.id, 'status', {then}, {then} FROM (SELECT id FROM residents LIMIT 1) r,
                            (SELECT id FROM accounts ORDER BY id OFFSET {number} LIMIT 1) a""",
    "timers": "INSERT INTO timers (due_at, kind, subject_id, fired_at) VALUES (now(), 'hold_expiry', uuidv7(), {then})",
    "offers": """WITH made AS (
                     INSERT INTO offers (order_id, provider_id, status, expires_at, closed_at)
                     SELECT o.id, p.id, 'declined', {then}, {then} FROM (SELECT id FROM orders LIMIT 1) o,
                         (SELECT id FROM providers LIMIT 1) p RETURNING id)
                 INSERT INTO offer_seats (offer_id, seat, worker_id) SELECT made.id, 1, w.id
                 FROM made, (SELECT id FROM workers LIMIT 1) w""",
    "quote_counts": """INSERT INTO quotes_asked (resident_id, asked_on, by_desk)
                       SELECT id, ({then})::date - {number}, false FROM residents LIMIT 1""",
}
"""Rows whose time is `then`."""

OPEN: Final = {
    "sessions": f"""INSERT INTO sessions (token_hash, account_id, created_at, last_seen_at, expires_at)
                    VALUES ('open', {_ACCOUNT}, now() - interval '9 years', now() - interval '9 years', now() + interval '1 day')""",
    "desk_tasks": "INSERT INTO desk_tasks (kind, opened_at) VALUES ('feed_stalled', now() - interval '9 years')",
    "consent_requests": f"""INSERT INTO consent_requests (account_id, person, phone, sought, sought_phone, purposes, by_desk, expires_at)
                            VALUES ({_ACCOUNT}, 'x', 'x', 'x', 'x', '{{book}}', false, now() - interval '9 years')""",
    "timers": "INSERT INTO timers (due_at, kind, subject_id) VALUES (now() - interval '9 years', 'y', uuidv7())",
    "offers": """INSERT INTO offers (order_id, provider_id, made_at, expires_at)
                 SELECT o.id, p.id, yinling_now() - interval '9 years', yinling_now() - interval '9 years'
                 FROM (SELECT id FROM orders LIMIT 1) o, (SELECT id FROM providers LIMIT 1) p""",
}
"""What is not over stays, however old it is."""

KEPT_DAYS: Final = {
    "live_tickets": 0, "sign_in_codes": 2, "sign_in_cards": 2, "sign_in_places": 180, "limits": 0, "sessions": 183, "answers": 2, "timers": 30,
    "offers": 1200, "quote_counts": 1, "desk_tasks": 183, "consent_requests": 366, "consent_looks": 90,
}  # fmt: skip
"""How long each is kept, by hand: an answer, say, for the 48 hours in which a phone without signal may send again."""

TABLES: Final = {"answers": "idempotency_keys", "quote_counts": "quotes_asked"}
YOUNG: Final = {"limits": "now() + interval '1 hour'", "live_tickets": "now() + interval '1 hour'"}


async def _round(database: Database, **only: Any) -> Metrics:
    metrics = Metrics()
    await House(database, asyncio.Event(), metrics, only or None).round()
    return metrics


def _number(metrics: Metrics, metric: Metric, chore: str) -> float:
    return metrics._values.get(metric, {}).get((("chore", chore),), 0)


async def _count(city: City, name: str) -> int:
    return await city.one(f"SELECT count(*) FROM {TABLES.get(name, name)}")


@pytest.mark.parametrize("name", FORGET)
async def test_what_is_older_than_its_rule_leaves_and_what_is_younger_stays(
    city: City, name: str, monkeypatch: pytest.MonkeyPatch
):
    """In transactions of few rows: nobody waits behind the forgetting of a year."""
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    operator, someone = await city.staff("operator"), await city.resident()
    await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    days = KEPT_DAYS[name]
    now = "yinling_now()" if name in {"offers", "quote_counts", "consent_requests", "consent_looks"} else "now()"
    young = YOUNG.get(name, f"{now} - interval '1 minute' * ({days} * 1440 - 1)")
    await city.sql(f"DELETE FROM {TABLES.get(name, name)}" if name not in {"sessions", "offers"} else "SELECT 1")
    await city.sql(FILL[name].format(name="'young'", then=young, number=0))
    if name in OPEN:
        await city.sql(OPEN[name])
    kept = await _count(city, name)
    for number in range(5):
        old = f"{now} - interval '1 minute' * ({days} * 1440 + 1)"
        await city.sql(FILL[name].format(name=f"'old {number}'", then=old, number=number + 1))
    metrics = await _round(city.database, **{name: CHORES[name]})
    assert (_number(metrics, FAILED, name), _number(metrics, FORGOTTEN, name)) == (0, 5)
    assert await _count(city, name) == kept


async def test_a_timer_that_has_not_fired_is_never_forgotten(city: City):
    """It may wait for a person since months."""
    await city.sql("DELETE FROM timers")
    await city.sql(
        "INSERT INTO timers (due_at, kind, subject_id, tries) VALUES (now() - interval '1 year', 'x', uuidv7(), 5)"
    )
    await _round(city.database)
    assert await _count(city, "timers") == 1


async def test_every_rule_names_its_source_and_says_whether_it_was_verified(city: City):
    """How long something about people is kept is nobody's private idea."""
    rules = {row["code"]: row for row in await city.sql("SELECT * FROM rule_parameters WHERE code LIKE 'keep_%'")}
    assert {rule for rule, _ in FORGET.values() if rule} <= set(rules)
    assert all(row["source"] and row["unit"] == "d" and not row["verified"] for row in rules.values())


async def test_a_chore_that_cannot_be_done_keeps_no_other_from_being_done(database: Database):
    """Months that could not be prepared kept expired tickets and codes for ever; and nobody was told which of them failed."""
    async with prepared_by_the_owner(database) as owner:
        await owner.execute("DELETE FROM rule_parameters WHERE code = 'partitions_ahead_months'")
        await owner.execute("INSERT INTO live_tickets (token_hash, expires_at) VALUES ('t', now() - interval '1 day')")
    metrics = await _round(database)
    failed = {name for name in CHORES if _number(metrics, FAILED, name)}
    assert failed == {"partitions"}
    assert {name for name in CHORES if _number(metrics, DONE, name)} == set(CHORES) - failed
    async with database.unit_of_work(SYSTEM) as connection:
        assert await connection.fetchval("SELECT count(*) FROM live_tickets") == 0
    assert 'yinling_chore_failures_total{chore="partitions"} 1' in metrics.text().splitlines()


async def test_a_chore_another_process_is_at_is_left_to_it(database: Database):
    """Two at the same rows would wait for each other and count them twice."""
    async with database.unit_of_work(SYSTEM) as other, database.unit_of_work(SYSTEM) as connection:
        await connection.execute(
            "INSERT INTO live_tickets (token_hash, expires_at) VALUES ('t', now() - interval '1 day')"
        )
        assert await upkeep.take_turn(other, "live_tickets")
        metrics = await _round(database, live_tickets=CHORES["live_tickets"])
        assert (_number(metrics, FAILED, "live_tickets"), _number(metrics, FORGOTTEN, "live_tickets")) == (0, 0)
    metrics = await _round(database, live_tickets=CHORES["live_tickets"])
    assert _number(metrics, FORGOTTEN, "live_tickets") == 1


async def test_the_process_tells_what_it_did_to_whoever_watches_it(database: Database, database_urls: Urls):
    """A number that stops growing is seen by a monitor; a line in a log is read when it is too late."""
    await person(database, "resident")
    async with started("jobs", database_urls.app) as jobs:
        await jobs.answers("/health/ready")
        async with httpx.AsyncClient(base_url=f"http://{jobs.address}", trust_env=False) as http:

            async def told() -> bool:
                text = (await http.get("/metrics")).text
                return all(f'yinling_chore_done_timestamp_seconds{{chore="{name}"}}' in text for name in CHORES)

            await until(told)
