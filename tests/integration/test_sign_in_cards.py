"""A printed card signs in once within a day, whoever looks at its address first; what is stored of it opens nothing."""

import asyncio
import re

import httpx
import pytest

from backend.accounts import cards, proofs
from backend.core.codes import grouped
from tests.support.city import Caller, City
from tests.support.pages import Browsers, send

_OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'desk-of-cards', 'none') RETURNING id"


def _path(resident_id: object) -> str:
    return f"/v1/residents/{resident_id}/sign-in-cards"


async def _printed(city: City, operator: Caller, resident_id: object, consent_id: object = None) -> dict[str, str]:
    answer = await operator.post(_path(resident_id), {"consent_id": str(consent_id) if consent_id else None})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _used(city: City, card: str) -> httpx.Response:
    return await city.http.post("/v1/sign-in/card", json={"card": card})


async def test_a_card_signs_in_once_by_its_picture_or_its_digits_and_the_one_before_is_worth_nothing(city: City):
    """It may lie on a table for others to see once it was used; and who lost one asks for another."""
    someone, operator = await city.resident(), await city.staff("operator")
    first = await _printed(city, operator, someone["id"])
    second = await _printed(city, operator, someone["id"])
    assert [(await _used(city, first[proof])).status_code for proof in ("card", "digits")] == [401, 401]
    inside = await _used(city, f" {grouped(second['digits'])} ")
    assert inside.status_code == 201
    assert inside.json()["resident_id"] == str(someone["id"])
    assert [(await _used(city, second[proof])).status_code for proof in ("card", "digits")] == [401, 401]
    third = await _printed(city, operator, someone["id"])
    answers = await asyncio.gather(_used(city, third["card"]), _used(city, third["digits"]), _used(city, third["card"]))
    assert sorted(one.status_code for one in answers) == [201, 401, 401]
    row = await city.sql("SELECT * FROM sign_in_cards WHERE used_at IS NULL AND revoked_at IS NULL")
    assert row == []
    noted = await city.sql("SELECT action, subject_id, reason FROM audit ORDER BY id")
    assert [(one["action"], one["subject_id"], one["reason"]) for one in noted] == [
        ("print_card", someone["id"], "")
    ] * 3


async def test_what_is_stored_of_a_card_lets_nobody_in(city: City):
    """Whoever reads a copy of the database finds neither the picture nor the digits in it."""
    someone, operator = await city.resident(), await city.staff("operator")
    card = await _printed(city, operator, someone["id"])
    rows = await city.sql(
        "SELECT c::text AS one FROM sign_in_cards c UNION ALL SELECT encode(body, 'escape') FROM idempotency_keys"
    )
    assert not [row for row in rows if card["card"] in row["one"] or card["digits"] in row["one"]]
    assert await city.one("SELECT token_hash FROM sign_in_cards") == proofs.token_hash(card["card"])


async def test_family_has_a_card_by_an_open_consent_and_nobody_a_code_would_not_let_in(city: City):
    """The daughter comes in as herself; who was let go, and who never signed in, has no card."""
    someone, operator = await city.resident(), await city.staff("operator")
    consent = (
        await city.sql("SELECT id, account_id FROM consents WHERE resident_id = $1 AND purpose = 'book'", someone["id"])
    )[0]
    holders = await operator.get(_path(someone["id"]))
    assert next(one["consent_id"] is None for one in holders.json())
    assert len(holders.json()) == len({one["name"] for one in holders.json()}) >= 2
    card = await _printed(city, operator, someone["id"], consent["id"])
    inside = (await _used(city, card["card"])).json()
    assert (inside["role"], inside["account_id"]) == ("family", str(consent["account_id"]))
    await city.sql("UPDATE accounts SET password_hash = 'x', login = 'x' WHERE id = $1", consent["account_id"])
    refused = await operator.post(_path(someone["id"]), {"consent_id": str(consent["id"])})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_account")
    await city.sql("UPDATE accounts SET password_hash = NULL, login = NULL WHERE id = $1", consent["account_id"])
    await city.sql("UPDATE consents SET valid_to = now() WHERE id = $1", consent["id"])
    ended = await operator.post(_path(someone["id"]), {"consent_id": str(consent["id"])})
    assert (ended.status_code, ended.json()["code"]) == (404, "unknown_consent")
    other = await city.resident(number=1)
    elsewhere = await operator.post(_path(other["id"]), {"consent_id": str(consent["id"])})
    assert elsewhere.json()["code"] == "unknown_consent"


async def test_a_card_is_worth_nothing_after_everybody_was_signed_out_or_the_account_was_closed(city: City):
    """A number that is taken away takes with it whatever lay ready for whoever has it now."""
    someone, operator = await city.resident(), await city.staff("operator")
    card = await _printed(city, operator, someone["id"])
    changed = await operator.post(f"/v1/residents/{someone['id']}/numbers", {"phone": "13912345678"})
    assert changed.status_code == 200, changed.text
    assert (await _used(city, card["card"])).status_code == 401
    card = await _printed(city, operator, someone["id"])
    await city.sql("UPDATE accounts SET active = false WHERE id = $1", someone["account_id"])
    assert (await _used(city, card["card"])).status_code == 401
    assert (
        await city.one(
            "SELECT count(*) FROM sessions WHERE account_id = $1 AND revoked_at IS NULL", someone["account_id"]
        )
        == 0
    )


async def test_a_right_card_comes_in_by_its_picture_however_many_digits_were_guessed(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    """Digits are few: an address has thirty tries, and all together few enough to hit none; a slip is not counted."""
    someone, operator = await city.resident(), await city.staff("operator")
    card = await _printed(city, operator, someone["id"])
    slip = f"{card['digits'][:-1]}{(int(card['digits'][-1]) + 1) % 10}"
    assert {(await _used(city, slip)).status_code for _ in range(40)} == {401}
    wrong = [proofs.new_card_digits() for _ in range(40)]
    tried = [(await _used(city, one)).status_code for one in wrong]
    assert (tried[0], tried[-1], tried.count(401)) == (401, 429, 30)
    assert (await _used(city, card["digits"])).status_code == 429
    assert (await _used(city, card["card"])).status_code == 201
    monkeypatch.setattr(cards, "_GUESSED", cards.Rule("few", room=2, every_s=1000, longest_s=0))
    elsewhere = [
        (
            await city.http.post("/v1/sign-in/card", json={"card": one}, headers={"X-Forwarded-For": "203.0.113.9"})
        ).status_code
        for one in wrong[:3]
    ]
    assert elsewhere[-1] == 429


async def test_the_desk_prints_it_and_a_phone_comes_in_by_its_digits_without_script(city: City):
    """A preview in a chat fetches the address too, and must not use it up; neither page says whose card it is."""
    someone = await city.resident()
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR))
        asked = await desk.get(f"/desk/residents/{someone['id']}/card")
        shown = await send(desk, asked, f"/desk/residents/{someone['id']}/card", consent="")
        assert (shown.status_code, '<svg class="qr"' in shown.text) == (200, True), shown.text
        assert f"{desk.headers['Origin']}/card<" in shown.text
        digits = re.search(r"digits nowrap\">(\d{3} \d{4} \d{4})<", shown.text)
        assert digits is not None
        phone = await browsers.stranger()
        typed = await phone.get("/card")
        token = proofs.new_token()
        page = await phone.get(f"/card/{token}")
        assert (page.status_code, page.text.count(token)) == (200, 1), "nothing but the button passes it on"
        assert (await send(phone, page, "/card")).status_code == 422
        inside = await send(phone, typed, "/card", card=digits[1])
        assert (inside.status_code, inside.url.path) == (200, "/")
        again = await browsers.stranger()
        used = await send(again, await again.get("/card"), "/card", card=digits[1])
        assert (used.status_code, digits[1] in used.text) == (422, True), "what was typed stays"


async def test_looking_at_the_address_of_a_card_uses_nothing_up(city: City):
    """A chat that shows a preview fetches it before a person has seen it, and so may whoever scans it twice."""
    someone, operator = await city.resident(), await city.staff("operator")
    card = await _printed(city, operator, someone["id"])
    async with Browsers(city) as browsers:
        for _ in range(3):
            phone = await browsers.stranger()
            page = await phone.get(f"/card/{card['card']}")
            await phone.head(f"/card/{card['card']}")
        inside = await send(phone, page, "/card")
        assert (inside.status_code, inside.url.path) == (200, "/")
