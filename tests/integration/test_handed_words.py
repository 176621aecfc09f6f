"""The resident's word on the worker's phone: theirs with their digits alone, kept as said there, and never the worker's to make up."""

from typing import Any
from uuid import UUID

import pytest

from tests.support.at_the_door import accepted, report
from tests.support.city import Caller, City, at
from tests.support.people import consent

SAY: dict[str, Any] = {"word": "well"}


async def _over(city: City, **said: Any) -> tuple[dict[str, Any], Caller, Caller]:
    """A visit that is over and not confirmed: the order, its worker, its resident."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await city.clock(at(10, 50))
    await report(city, worker, order, "check-out", **said)
    account = await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    return order, worker, await city.signed_in(account)


async def _digits(reader: Caller, order: dict[str, Any]) -> str | None:
    return (await reader.get(f"/v1/orders/{order['id']}/visit")).json().get("word_code")


async def _say(worker: Caller, order: dict[str, Any], **said: Any) -> dict[str, Any]:
    answer = await worker.post(f"/v1/orders/{order['id']}/handed-word", said)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _other(digits: str | None) -> str:
    return f"{(int(digits or 0) + 1) % 10_000:04d}"


async def _tasks(city: City) -> int:
    return await city.one("SELECT count(*) FROM desk_tasks WHERE kind = 'word_asked' AND closed_at IS NULL")


@pytest.mark.parametrize(("word", "status", "kind"), [
    ("well", "completed", "accepted"), ("fair", "completed", "accepted"), ("objects", "disputed", "disputed"),
])  # fmt: skip
async def test_with_their_digits_it_is_the_residents_word_and_says_on_whose_phone(
    city: City, word: str, status: str, kind: str
):
    order, worker, resident = await _over(city)
    heard = await _say(worker, order, word=word, digits=await _digits(resident, order))
    assert heard == {"taken": True, "digits_fit": True, "rung": False}
    assert (await city.order(order["id"]))["status"] == status
    rows = await city.sql("SELECT side, kind, channel FROM visit_statements WHERE order_id = $1", UUID(order["id"]))
    assert [(row["side"], row["kind"], row["channel"]) for row in rows] == [("resident", kind, "workers_phone")]
    assert await _tasks(city) == 0


async def test_whoever_guesses_changes_nothing_and_soon_guesses_no_more(city: City):
    """Five slips; then the desk is asked, and not even the right ones are judged."""
    order, worker, resident = await _over(city)
    digits = await _digits(resident, order)
    for _ in range(5):
        assert await _say(worker, order, **SAY, digits=_other(digits)) == {
            "taken": False,
            "digits_fit": False,
            "rung": False,
        }
    assert await _say(worker, order, **SAY, digits=digits) == {"taken": False, "digits_fit": None, "rung": True}
    assert ((await city.order(order["id"]))["status"], await _tasks(city)) == ("awaiting_acceptance", 1)
    assert await city.one("SELECT count(*) FROM handed_words WHERE NOT taken") == 6
    assert await city.one("SELECT count(*) FROM visit_statements") == 0


async def test_the_digits_of_the_door_are_not_those_of_the_word(city: City):
    """The worker has typed those themselves."""
    order, worker, _ = await _over(city)
    await city.sql("UPDATE word_digits SET digits = '0001'")
    await city.sql("UPDATE door_digits SET digits = '0002'")
    assert (await _say(worker, order, **SAY, digits="0002"))["digits_fit"] is False


async def test_without_digits_the_desk_rings_them_once(city: City):
    order, worker, _ = await _over(city)
    assert await _say(worker, order, **SAY) == {"taken": False, "digits_fit": None, "rung": True}
    assert (await _say(worker, order))["rung"]
    assert ((await city.order(order["id"]))["status"], await _tasks(city)) == ("awaiting_acceptance", 1)
    desk = await city.staff("operator")
    task = next(one for one in (await desk.get("/v1/tasks")).json() if one["kind"] == "word_asked")
    assert task["order_id"] == order["id"]
    assert (await desk.post(f"/v1/tasks/{task['id']}/close", {"outcome": "问过了，很好"})).status_code == 200


async def test_the_digits_are_read_by_who_could_confirm_it_themselves_and_by_nobody_else(city: City):
    """Whoever merely follows, the desk, the crew and the provider are told none."""
    order, worker, resident = await _over(city)
    resident_id = UUID(order["resident_id"])
    follower = await city.daughter(resident_id)
    daughter, desk = await city.signed_in(follower), await city.staff("operator")
    provider = await city.staff("provider", await city.one("SELECT provider_id FROM orders"))
    await city.sql("DELETE FROM consents WHERE account_id = $1", follower)
    await consent(city.database, str(resident_id), follower, "status")
    told = [await _digits(who, order) for who in (resident, daughter, desk, worker, provider)]
    assert told[0] is not None
    assert told[1:] == [None] * 4
    await consent(city.database, str(resident_id), follower, "book")
    assert await _digits(await city.signed_in(follower), order) == told[0]
    assert await city.one("SELECT count(*) FROM word_digits") == 1


async def test_it_does_not_make_up_for_evidence_that_is_missing(city: City):
    """The resident's own phone would: whoever hands theirs over may have said the digits without knowing for what."""
    order, worker, resident = await _over(city, x=None, y=None)
    assert (await city.order(order["id"]))["flags"] == ["NO_POSITION"]
    await _say(worker, order, **SAY, digits=await _digits(resident, order))
    assert (await city.order(order["id"]))["status"] == "exception"


async def test_before_the_end_there_are_no_digits_and_after_the_word_it_changes_nothing(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    assert await _say(worker, order, **SAY, digits="0000") == {"taken": False, "digits_fit": None, "rung": False}
    await city.clock(at(10, 50))
    await report(city, worker, order, "check-out")
    account = await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    resident = await city.signed_in(account)
    digits = await _digits(resident, order)
    assert (await resident.post(f"/v1/orders/{order['id']}/accept-service")).json()["status"] == "completed"
    assert await _digits(resident, order) is None
    assert not (await _say(worker, order, word="objects", digits=digits))["taken"]
    assert (await city.order(order["id"]))["status"] == "completed"


async def test_only_who_carried_it_out_hands_their_phone_over(city: City):
    order, _, resident = await _over(city)
    stranger = await city.worker(await city.one(
        "SELECT id FROM workers w WHERE NOT EXISTS (SELECT FROM assignments a WHERE a.worker_id = w.id) LIMIT 1"))  # fmt: skip
    answer = await stranger.post(
        f"/v1/orders/{order['id']}/handed-word", {**SAY, "digits": await _digits(resident, order)}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order")
