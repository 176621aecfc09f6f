"""Asking for a consent: it reaches whom the asker is known to, tells a stranger nothing, and is answered once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.support.city import Caller, City, at
from tests.support.people import person

_ASK = "/v1/consent-requests"


class Family:
    """A resident, and a daughter who may book and wants to know more."""

    def __init__(self, city: City, me: dict[str, Any], mine: Caller, account_id: UUID, daughter: Caller) -> None:
        self.city, self.me, self.mine, self.account_id, self.daughter = city, me, mine, account_id, daughter
        self.path = f"/v1/residents/{me['id']}/consent-requests"

    @classmethod
    async def of(cls, city: City, number: int = 0) -> "Family":
        """The nth household; its daughter may book and read how visits go."""
        me = await city.resident(number=number)
        account_id = await city.daughter(me["id"])
        return cls(city, me, await city.signed_in(me["account_id"]), account_id, await city.signed_in(account_id))

    async def asks(self, *purposes: str, by_desk: bool = False) -> httpx.Response:
        body = {"resident_id": str(self.me["id"]), "purposes": purposes or ["location"], "by_desk": by_desk}
        return await self.daughter.post(_ASK, body)

    async def asked(self, *purposes: str, by_desk: bool = False) -> str:
        answer = await self.asks(*purposes, by_desk=by_desk)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def says(self, who: Caller, request_id: str, **said: bool) -> httpx.Response:
        answers = [{"purpose": purpose, "agreed": agreed} for purpose, agreed in said.items()]
        return await who.post(f"{self.path}/{request_id}/answer", {"answers": answers, "evidence": "recording 7"})

    async def held(self) -> set[str]:
        rows = await self.city.sql(
            "SELECT purpose FROM consents WHERE resident_id = $1 AND account_id = $2 AND valid_to IS NULL",
            self.me["id"], self.account_id,
        )  # fmt: skip
        return {row["purpose"] for row in rows}

    async def task(self) -> dict[str, Any] | None:
        rows = await self.city.sql(
            "SELECT * FROM desk_tasks WHERE kind = 'consent_asked' AND resident_id = $1 ORDER BY id DESC LIMIT 1",
            self.me["id"],
        )
        return rows[0] if rows else None

    async def told(self, account_id: UUID) -> list[str]:
        """The types of events of requests that one account heard, the first first."""
        rows = await self.city.sql(
            "SELECT type FROM events WHERE keys = ARRAY['account:' || $1::text] AND type LIKE 'consent_request.%' ORDER BY id",
            str(account_id),
        )
        return [row["type"].removeprefix("consent_request.") for row in rows]


@pytest.fixture
async def family(city: City) -> Family:
    return await Family.of(city)


async def test_what_is_asked_is_read_by_both_and_a_yes_is_a_consent(family: Family):
    """The resident is told who asks and for what; the daughter hears of each answer, and may do what was given."""
    request_id = await family.asked("location", "reports")
    asked = (await family.mine.get(family.path)).json()
    assert [(one["id"], one["purposes"], one["status"]) for one in asked] == [
        (request_id, ["location", "reports"], "asked")
    ]
    assert asked[0]["person"]
    assert asked[0]["phone"].startswith("+86")
    answer = await family.says(family.mine, request_id, location=True)
    assert (answer.json()["status"], answer.json()["given"]) == ("asked", ["location"])
    answer = await family.says(family.mine, request_id, reports=False)
    assert (answer.json()["status"], answer.json()["refused"]) == ("given", ["reports"])
    assert await family.held() >= {"location"}
    assert "reports" not in await family.held()
    mine = (await family.daughter.get("/v1/me/consent-requests")).json()
    assert [(one["status"], one["given"], one["refused"]) for one in mine] == [("given", ["location"], ["reports"])]
    assert (await family.mine.get(family.path)).json() == []
    assert await family.told(family.account_id) == ["asked", "asked", "given"]
    assert await family.told(family.me["account_id"]) == ["asked", "asked", "given"]
    kept = (await family.city.sql("SELECT evidence, channel FROM consents WHERE purpose = 'location'"))[0]
    assert (kept["evidence"], kept["channel"]) == ("recording 7", "app")


async def test_nobody_else_in_the_family_hears_that_somebody_asks(family: Family):
    """Events of a resident reach whoever follows them: who asks for what is between two."""
    await family.asked()
    heard = await family.city.sql("SELECT keys, data FROM events WHERE type LIKE 'consent_request.%'")
    assert {tuple(row["keys"]) for row in heard} == {
        (f"account:{family.account_id}",), (f"account:{family.me['account_id']}",)
    }  # fmt: skip
    for row in heard:
        assert set(row["data"]) == {"request_id", "status", "account_id"}


async def test_a_stranger_who_types_a_number_is_answered_the_same_whoever_has_it(city: City):
    """A resident of that name, one of another name, a worker, nobody: the same answer, list and events; nobody is asked."""
    stranger = await person(city.database, "family")
    caller = await city.signed_in(stranger.account_id)
    me, other = await city.resident(number=1), await city.resident(number=2)
    name = await city.one("SELECT name FROM residents WHERE id = $1", me["id"])
    worker = await city.one(
        "SELECT phone FROM account_numbers n JOIN accounts a ON a.id = n.account_id WHERE role = 'worker' LIMIT 1"
    )
    await city.sql("UPDATE rule_parameters SET value = 9 WHERE code LIKE 'consent_requests_%'")
    shapes = set()
    for phone in (me["phone"], other["phone"], worker, "+8613700009001"):
        answer = await caller.post(_ASK, {"phone": phone, "name": name, "purposes": ["status"]})
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert (body.pop("phone"), body.pop("name"), body["resident_id"]) == (phone, name, None)
        assert {type(body.pop(key)) for key in ("id", "asked_at", "expires_at")} == {str}
        shapes.add(str(body))
        again = await caller.post(_ASK, {"phone": phone, "name": name, "purposes": ["book"]})
        assert again.json()["code"] == "already_asked"
    assert len(shapes) == 1
    assert await city.one("SELECT count(*) FROM consent_requests WHERE resident_id IS NOT NULL") == 0
    assert await city.one("SELECT count(*) FROM desk_tasks") == 0
    heard = await city.sql("SELECT keys FROM events WHERE type LIKE 'consent_request.%'")
    assert [row["keys"] for row in heard] == [[f"account:{stranger.account_id}"]] * 4
    await city.clock(at(8, days=8))
    await city.timers()
    assert {one["status"] for one in (await caller.get("/v1/me/consent-requests")).json()} == {"expired"}


async def test_somebody_to_be_rung_reaches_the_resident_by_name_and_number(city: City):
    """The desk has written her down as whom to ring, and nobody has let her in yet: she is no stranger."""
    me = await city.resident(number=1)
    sister = await person(city.database, "family")
    name = await city.one("SELECT name FROM residents WHERE id = $1", me["id"])
    await city.sql(
        "INSERT INTO resident_contacts (resident_id, name, phone, relation) VALUES ($1, '姐姐', $2, '姐姐')",
        me["id"],
        sister.phone,
    )
    caller, mine = await city.signed_in(sister.account_id), await city.signed_in(me["account_id"])
    answer = await caller.post(_ASK, {"phone": me["phone"], "name": name, "purposes": ["status"]})
    assert answer.json()["resident_id"] is None, "not told that it has reached anybody"
    path = f"/v1/residents/{me['id']}/consent-requests"
    asked = (await mine.get(path)).json()
    assert [(one["person"], one["phone"]) for one in asked] == [("某人", sister.phone)]
    body = {"answers": [{"purpose": "status", "agreed": True}], "evidence": "in the app"}
    assert (await mine.post(f"{path}/{asked[0]['id']}/answer", body)).status_code == 200
    assert [one["name"] for one in (await caller.get("/v1/me/residents")).json()] == [name]


async def test_of_two_answers_at_the_same_moment_one_counts_and_the_other_is_told(family: Family):
    """The resident presses no while the operator who rang them keys in yes."""
    request_id = await family.asked("location")
    operator = await family.city.staff("operator")
    answers = await asyncio.gather(
        family.says(family.mine, request_id, location=False), family.says(operator, request_id, location=True)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    first, second = sorted(answers, key=lambda answer: answer.status_code)
    assert second.json()["code"] == "already_answered"
    assert ("location" in await family.held()) is (first.json()["status"] == "given")


async def test_an_operator_records_the_answers_with_the_recording(family: Family):
    """Asked through the desk: a task until the last is answered, and each answer with its evidence, a no as well."""
    request_id = await family.asked("location", "reports", by_desk=True)
    task = await family.task()
    assert task is not None
    assert task["closed_at"] is None
    operator = await family.city.staff("operator")
    assert task["id"] in [UUID(one["id"]) for one in (await operator.get("/v1/tasks")).json()]
    refused = await operator.post(f"/v1/tasks/{task['id']}/take")
    assert refused.status_code == 200
    assert (await operator.post(f"/v1/tasks/{task['id']}/close", {"outcome": "x"})).json()["code"] == "closes_by_itself"
    answer = await family.says(operator, request_id, location=True, reports=False)
    assert answer.json()["status"] == "given"
    closed = await family.task()
    assert closed is not None
    assert closed["closed_at"] is not None
    kept = (await family.city.sql("SELECT evidence, channel, answered_by IS NOT NULL AS who FROM consent_requests"))[0]
    assert kept == {"evidence": "recording 7", "channel": "phone", "who": True}


@pytest.mark.parametrize("signed_in", [True, False])
async def test_who_is_signed_in_nowhere_is_rung(city: City, signed_in: bool):
    """A resident without the app sees no question on a page."""
    family = await Family.of(city, number=2)
    if not signed_in:
        await city.sql("UPDATE sessions SET revoked_at = now() WHERE account_id = $1", family.me["account_id"])
    await family.asked()
    assert (await family.task() is None) is signed_in


async def test_after_a_no_one_asks_again_only_after_a_rules_days(family: Family):
    """Nobody is badgered; what was not refused may be asked for meanwhile."""
    request_id = await family.asked("location")
    await family.says(family.mine, request_id, location=False)
    assert (await family.asks("location", "reports")).json()["code"] == "refused_lately"
    await family.city.clock(at(8, days=29))
    assert (await family.asks("location")).json()["code"] == "refused_lately"
    other = await family.asked("reports")
    await family.daughter.post(f"{_ASK}/{other}/withdraw")
    await family.city.clock(at(8, 1, days=30))
    assert (await family.asks("location")).status_code == 201


async def test_a_refusal_is_not_gone_round_by_another_number(family: Family):
    """Typed in instead of chosen: it is taken as anything is that a stranger types, and reaches nobody."""
    request_id = await family.asked("location")
    await family.says(family.mine, request_id, location=False)
    name = await family.city.one("SELECT name FROM residents WHERE id = $1", family.me["id"])
    typed = {"phone": family.me["phone"], "name": name, "purposes": ["location"]}
    assert (await family.daughter.post(_ASK, typed)).json()["status"] == "asked"
    assert (await family.mine.get(family.path)).json() == []


async def test_so_many_are_open_and_asked_in_a_day(city: City):
    """Whomever they reach: numbers cannot be tried in a row."""
    caller = await city.signed_in((await person(city.database, "family")).account_id)

    async def ask(number: int) -> httpx.Response:
        return await caller.post(_ASK, {"phone": f"1370000{9100 + number}", "name": "某奶奶", "purposes": ["status"]})

    answers = await asyncio.gather(*(ask(number) for number in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 3
    for answer in answers[:2] if answers[0].status_code == 201 else []:
        if answer.status_code == 201:
            assert (await caller.post(f"{_ASK}/{answer.json()['id']}/withdraw")).json()["status"] == "withdrawn"
    mine = (await caller.get("/v1/me/consent-requests")).json()
    for one in mine:
        await caller.post(f"{_ASK}/{one['id']}/withdraw")
    assert [(await ask(number)).status_code for number in range(10, 13)] == [201, 201, 429], "five a day"
    await city.clock(at(8, 1, days=1))
    assert (await ask(20)).status_code == 201


async def test_nobody_answers_in_time(family: Family):
    """It ends by itself, the desk's task with it; an answer that comes later is told so."""
    request_id = await family.asked(by_desk=True)
    await family.city.clock(at(8, days=7) + timedelta(seconds=1))
    assert (await family.mine.get(family.path)).json() == []
    assert (await family.says(family.mine, request_id, location=True)).json()["code"] == "already_closed"
    await family.city.timers()
    assert await family.told(family.account_id) == ["asked", "expired"]
    task = await family.task()
    assert task is not None
    assert task["closed_at"] is not None
    assert (await family.asks()).status_code == 201


async def test_who_asks_may_take_it_back_until_it_is_answered(family: Family):
    request_id = await family.asked(by_desk=True)
    assert (await family.daughter.post(f"{_ASK}/{request_id}/withdraw")).json()["status"] == "withdrawn"
    assert (await family.says(family.mine, request_id, location=True)).json()["code"] == "already_closed"
    assert (await family.daughter.post(f"{_ASK}/{request_id}/withdraw")).json()["code"] == "already_closed"
    task = await family.task()
    assert task is not None
    assert task["closed_at"] is not None


async def test_a_consent_given_without_being_asked_about_answers_the_question(family: Family):
    """The resident finds the switch on the page by themselves: nobody rings them about it any more."""
    await family.asked("location", by_desk=True)
    person_of = (await family.mine.get(family.path)).json()[0]
    given = {"phone": person_of["phone"], "name": person_of["person"], "purpose": "location", "evidence": "in the app"}
    assert (await family.mine.post(f"/v1/residents/{family.me['id']}/consents", given)).status_code == 201
    assert (await family.mine.get(family.path)).json() == []
    task = await family.task()
    assert task is not None
    assert task["closed_at"] is not None
    assert await family.told(family.account_id) == ["asked", "given"]


@pytest.mark.parametrize("body", [
    {"purposes": ["status"]}, {"purposes": ["status"], "phone": "13700009001"}, {"purposes": ["status"], "name": "某奶奶"},
    {"purposes": [], "phone": "13700009001", "name": "某奶奶"}, {"purposes": ["pay"], "phone": "13700009001", "name": "某奶奶"},
])  # fmt: skip
async def test_what_says_nobody_or_nothing_is_refused(family: Family, body: dict[str, Any]):
    assert (await family.daughter.post(_ASK, body)).status_code == 400


async def test_what_was_given_already_is_not_asked_for(family: Family):
    """Of several the rest is asked for."""
    assert (await family.asks("book")).json()["code"] == "invalid_request"
    request_id = await family.asked("book", "location")
    asked = (await family.mine.get(family.path)).json()
    assert [(one["id"], one["purposes"]) for one in asked] == [(request_id, ["location"])]
    mine = (await family.daughter.get("/v1/me/consents")).json()
    assert "book" in mine[0]["purposes"]


@pytest.mark.parametrize("said", [[("location", True), ("location", False)], [("book", True)]])
async def test_an_answer_is_to_what_was_asked_and_one_to_each(family: Family, said: Sequence[tuple[str, bool]]):
    request_id = await family.asked("location")
    answers = [{"purpose": purpose, "agreed": agreed} for purpose, agreed in said]
    answer = await family.mine.post(f"{family.path}/{request_id}/answer", {"answers": answers, "evidence": "x"})
    assert answer.json()["code"] == "invalid_request"
    assert "location" not in await family.held()


async def test_a_yes_past_the_days_consents_changes_nothing(family: Family):
    """The cap on consents holds here too; the question stays open."""
    request_id = await family.asked("location")
    await family.city.sql("UPDATE rule_parameters SET value = 0 WHERE code = 'consents_a_day'")
    assert (await family.says(family.mine, request_id, location=True)).json()["code"] == "too_many_requests"
    assert [one["status"] for one in (await family.mine.get(family.path)).json()] == ["asked"]
