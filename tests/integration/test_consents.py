"""Consent by telephone number: it tells nobody whose the number is, and becomes its owner's when they sign in."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.city import Caller, City, at

REHAB = "rehab-home"
_UNKNOWN = "13700007001"


def _wish(phone: str, purpose: str = "status", name: str = "某女儿") -> dict[str, Any]:
    return {"phone": phone, "name": name, "purpose": purpose, "evidence": "in the app"}


async def _sign_in(city: City, phone: str, who: str | None = None) -> httpx.Response:
    sent = (await city.http.post("/v1/sign-in/codes", json={"phone": phone})).json()
    proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"], "who": who}
    return await city.http.post("/v1/sign-in/phone", json=proof)


async def _resident(city: City, number: int = 0) -> tuple[dict[str, Any], Caller, str]:
    me = await city.resident(number=number)
    return me, await city.signed_in(me["account_id"]), f"/v1/residents/{me['id']}/consents"


def _shape(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    body = answer.json()
    return {key: type(value) if key in {"id", "valid_from", "phone"} else value for key, value in body.items()}


async def test_a_consent_repeats_what_was_given_and_nothing_of_whoever_has_the_number(city: City):
    """Known as family, as a resident, as a worker, or not at all: the same answer, list and events."""
    _, mine, path = await _resident(city)
    family = await city.one(
        "SELECT phone FROM accounts a JOIN account_numbers n ON n.account_id = a.id WHERE role = 'family' ORDER BY phone DESC LIMIT 1"
    )
    resident = (await city.resident(number=5))["phone"]
    worker = await city.one(
        "SELECT phone FROM accounts a JOIN account_numbers n ON n.account_id = a.id WHERE role = 'worker' LIMIT 1"
    )
    numbers = [family, resident, worker, "+8613700007002"]
    answers = [await mine.post(path, _wish(number)) for number in numbers]
    assert len({str(_shape(answer)) for answer in answers}) == 1
    for number, answer in zip(numbers, answers, strict=True):
        assert answer.json()["person"] == "某女儿"
        assert answer.json()["phone"] == number
        assert "account_id" not in answer.json()
    listed = [one for one in (await mine.get(path)).json() if one["person"] == "某女儿"]
    assert {one["phone"] for one in listed} == set(numbers)
    heard = await city.sql("SELECT data FROM events WHERE type = 'consent.changed' AND keys[1] LIKE 'resident:%'")
    assert len(heard) == len(numbers)
    assert len({str(row["data"]) for row in heard}) == 1, "no event tells the resident either"


async def test_an_account_is_made_when_the_owner_of_the_number_signs_in(city: City):
    """Until then there is nobody: a typing error makes no account and holds no number."""
    me, mine, path = await _resident(city)
    before = await city.one("SELECT count(*) FROM accounts")
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    given = await mine.post(path, _wish(_UNKNOWN))
    await mine.post(path, _wish(_UNKNOWN, "book"))
    assert await city.one("SELECT count(*) FROM accounts") == before

    session = await _sign_in(city, _UNKNOWN)
    assert session.status_code == 201, session.text
    assert session.json()["role"] == "family"
    daughter = Caller(city.http, session.json()["token"])
    assert (await daughter.get(f"/v1/orders/{order['id']}")).status_code == 200
    assert (await daughter.post("/v1/quotes", {"resident_id": str(me["id"]), "item_code": REHAB})).status_code == 200
    assert await city.one("SELECT count(*) FROM accounts") == before + 1

    await mine.post(f"{path}/{given.json()['id']}/end")
    booking = [
        one["purpose"] for one in (await mine.get(path)).json() if not one["valid_to"] and one["phone"][-4:] == "7001"
    ]
    assert booking == ["book"]
    again = await _sign_in(city, _UNKNOWN)
    assert again.json()["account_id"] == session.json()["account_id"]


async def test_nobody_comes_in_without_a_consent_that_stands(city: City):
    """A number nobody has named has no account; one whose consent was withdrawn before has none either."""
    _, mine, path = await _resident(city)
    assert (await _sign_in(city, "13700007003")).status_code == 401
    given = await mine.post(path, _wish("13700007003"))
    await mine.post(f"{path}/{given.json()['id']}/end")
    assert (await _sign_in(city, "13700007003")).status_code == 401


async def test_a_consent_keeps_nobody_from_being_registered(city: City):
    """The desk registers whoever rings, though somebody has named their number before."""
    _, mine, path = await _resident(city)
    assert (await mine.post(path, _wish("13700007004", "book"))).status_code == 201
    operator = await city.staff("operator")
    zone_id = await city.one("SELECT id FROM zones LIMIT 1")
    home = {"zone_id": str(zone_id), "longitude": 120.62, "latitude": 31.32, "address": "东湖片区99号",
            "district_code": "320599", "street_code": "320599001", "community_code": "320599001001"}  # fmt: skip
    form = {"name": "某奶奶", "phone": "13700007004", "gender": "female", "home": home}
    made = await operator.post("/v1/residents", form)
    assert made.status_code == 201, made.text
    asked = (await _sign_in(city, "13700007004")).json()["who"]
    assert [(one["name"], one["role"]) for one in asked] == [("某奶奶", "resident"), ("某女儿", "family")]
    sessions = [await _sign_in(city, "13700007004", one["id"]) for one in asked]
    assert [one.json()["resident_id"] for one in sessions] == [made.json()["id"], None]


async def test_a_consent_given_to_family_counts_at_once(city: City):
    """Somebody who is named and has an account need not sign in anew, and hears of it on the open socket."""
    me, mine, path = await _resident(city)
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    other = await city.resident(number=7)
    account_id = await city.daughter(other["id"])
    phone = await city.one("SELECT phone FROM account_numbers WHERE account_id = $1", account_id)
    daughter = await city.signed_in(account_id)
    assert (await daughter.get(f"/v1/orders/{order['id']}")).status_code == 404
    assert (await mine.post(path, _wish(phone, name="某姐妹"))).status_code == 201
    assert (await daughter.get(f"/v1/orders/{order['id']}")).status_code == 404, "somebody else on her telephone"
    name = await city.one("SELECT name FROM accounts WHERE id = $1", account_id)
    assert (await mine.post(path, _wish(phone, name=name))).status_code == 201
    assert (await daughter.get(f"/v1/orders/{order['id']}")).status_code == 200
    told = await city.sql("SELECT keys FROM events WHERE type = 'consent.changed' AND data->>'account_id' = $1::text",
                          str(account_id))  # fmt: skip
    assert [row["keys"] for row in told] == [[f"account:{account_id}"]]


async def test_the_same_consent_twice_is_one(city: City):
    """Whoever presses twice, or names somebody again, changes nothing."""
    _, mine, path = await _resident(city)
    first, second = [await mine.post(path, _wish("13700007005")) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]


@pytest.mark.parametrize("racing", [False, True])
async def test_a_resident_gives_so_many_consents_a_day(city: City, racing: bool):
    """Numbers cannot be tried in a row: the cap is a rule of the city, per resident, whoever types them in."""
    me, mine, path = await _resident(city, number=3)
    operator = await city.staff("operator")
    seeded = await city.one("SELECT count(*) FROM consents WHERE resident_id = $1", me["id"])
    given = [(mine, operator)[n % 2].post(path, _wish(f"1370000{8000 + n}")) for n in range(14 - seeded)]
    answers = await asyncio.gather(*given) if racing else [await one for one in given]
    assert sorted(answer.status_code for answer in answers) == [201] * (10 - seeded) + [429] * 4
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "3600")
    _, theirs, their_path = await _resident(city, number=4)
    assert (await theirs.post(their_path, _wish("13700008099"))).status_code == 201
