"""People, accounts and numbers are three things: who shares one says who they are, and the desk finds everybody by any."""

import asyncio
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from alembic import command

from backend.core.principal import SYSTEM
from backend.database.migrate import _config, upgrade
from backend.processes.embedded import Embedded
from backend.simulation.demo.city import LANDLINE as DEMO_LANDLINE
from tests.support.city import Caller, City, at

LANDLINE, MOBILE = "+8651265550077", "+8613700007077"
REHAB = "rehab-home"


async def _registered(city: City, name: str, phone: str, **other: Any) -> httpx.Response:
    operator = await city.staff("operator")
    zone_id = await city.one("SELECT id FROM zones WHERE code = 'Z1'")
    form = {"name": name, "phone": phone, "gender": "female", "home": _home(zone_id), **other}
    return await operator.post("/v1/residents", form)


def _home(zone_id: UUID, longitude: float = 120.62) -> dict[str, Any]:
    return {"zone_id": str(zone_id), "longitude": longitude, "latitude": 31.32, "address": f"东湖片区{longitude}号",
            "district_code": "320599", "street_code": "320599001", "community_code": "320599001001"}  # fmt: skip


async def _code(city: City, phone: str) -> dict[str, Any]:
    sent = (await city.http.post("/v1/sign-in/codes", json={"phone": phone})).json()
    return {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}


async def _come_in(city: City, phone: str, name: str | None = None) -> Caller:
    """Sign in, and say who one is where that is asked."""
    proof = await _code(city, phone)
    answer = await city.http.post("/v1/sign-in/phone", json=proof)
    if name is not None:
        assert answer.status_code == 200, answer.text
        [who] = [one["id"] for one in answer.json()["who"] if one["name"] == name]
        answer = await city.http.post("/v1/sign-in/phone", json=proof | {"who": who})
    assert answer.status_code == 201, answer.text
    return Caller(city.http, answer.json()["token"])


async def _asked(city: City, phone: str) -> list[tuple[str, str]]:
    answer = await city.http.post("/v1/sign-in/phone", json=await _code(city, phone))
    return [(one["name"], one["role"]) for one in answer.json()["who"]]


async def _consent(giver: Caller, resident_id: str, phone: str, name: str, purpose: str = "status") -> None:
    wish = {"phone": phone, "name": name, "purpose": purpose, "evidence": "said so"}
    answer = await giver.post(f"/v1/residents/{resident_id}/consents", wish)
    assert answer.status_code == 201, answer.text


async def _found(city: City, **asked: str) -> list[dict[str, Any]]:
    operator = await city.staff("operator")
    answer = await operator.post("/v1/residents/search", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_couple_on_one_landline_are_two_residents_and_the_sign_in_asks_which(city: City):
    """The wife was refused with 409: her husband had the number of the flat."""
    made = [await _registered(city, name, LANDLINE) for name in ("张建国", "王秀兰")]
    assert [answer.status_code for answer in made] == [201, 201]
    assert {one["id"] for one in await _found(city, phone=LANDLINE)} == {answer.json()["id"] for answer in made}
    assert sorted(await _asked(city, LANDLINE)) == [("张建国", "resident"), ("王秀兰", "resident")]
    wife = await _come_in(city, LANDLINE, "王秀兰")
    assert (await wife.get("/v1/me")).json()["resident_id"] == made[1].json()["id"]
    assert (await wife.get(f"/v1/residents/{made[0].json()['id']}")).status_code == 404, "one number is no consent"


async def test_the_city_anybody_may_try_has_a_couple_on_one_landline_and_a_care_workers_mother(city: City):
    couple = await _asked(city, DEMO_LANDLINE)
    assert [role for _, role in couple] == ["resident"] * 2
    at_home = await _found(city, phone=DEMO_LANDLINE)
    assert {one["name"] for one in at_home} == {name for name, _ in couple}
    assert len({one["address"] for one in at_home}) == 1
    mothers = await city.sql(
        "SELECT n.phone FROM resident_contacts c JOIN account_numbers n USING (phone) JOIN workers w USING (account_id)"
    )
    [mother] = await _found(city, phone=mothers[0]["phone"])
    assert [one["by_right"] for one in mother["callers"]] == ["contact"]


async def test_the_code_is_good_for_the_question_and_one_answer(city: City):
    for name in ("张建国", "王秀兰"):
        await _registered(city, name, LANDLINE)
    proof = await _code(city, LANDLINE)
    asked = await city.http.post("/v1/sign-in/phone", json=proof)
    assert asked.status_code == 200
    assert set(asked.json()) == {"who"}, "no session before it is known whose"
    chosen = proof | {"who": asked.json()["who"][0]["id"]}
    answers = await asyncio.gather(*(city.http.post("/v1/sign-in/phone", json=chosen) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401]


@pytest.mark.parametrize("stranger", ["nobody", "somebody else"])
async def test_whoever_is_not_behind_the_number_cannot_be_chosen(city: City, stranger: str):
    for name in ("张建国", "王秀兰"):
        await _registered(city, name, LANDLINE)
    other = (await city.resident())["account_id"]
    proof = await _code(city, LANDLINE) | {"who": str(other if stranger == "somebody else" else uuid4())}
    assert (await city.http.post("/v1/sign-in/phone", json=proof)).json()["code"] == "sign_in_failed"
    assert (await city.http.post("/v1/sign-in/phone", json=proof)).status_code == 401, "the code is spent"


async def test_the_same_resident_is_registered_once(city: City):
    """Pressed twice or by two desks; a father and a son of one name are told apart by their birthdays."""
    answers = await asyncio.gather(*(_registered(city, "张建国", LANDLINE) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already_registered"}
    assert await city.one("SELECT count(*) FROM account_numbers WHERE phone = $1", LANDLINE) == 1, (
        "no account is left over"
    )
    assert (await _registered(city, "张建国", LANDLINE, born_on="1938-02-03")).status_code == 201


async def test_a_mother_is_reached_by_the_mobile_of_her_daughter_who_is_a_care_worker(city: City):
    """Registering her was 409, and so was her consent to the daughter. One telephone, three ways in."""
    worker = (
        await city.sql("SELECT w.id, w.name, n.phone FROM workers w JOIN account_numbers n USING (account_id) LIMIT 1")
    )[0]
    made = await _registered(city, "某妈妈", worker["phone"])
    assert made.status_code == 201, made.text
    mother = await _come_in(city, worker["phone"], "某妈妈")
    await _consent(mother, made.json()["id"], worker["phone"], "小燕")
    assert sorted(await _asked(city, worker["phone"])) == sorted(
        [(worker["name"], "worker"), ("某妈妈", "resident"), ("小燕", "family")]
    )
    daughter = await _come_in(city, worker["phone"], "小燕")
    assert (await daughter.get("/v1/me")).json()["role"] == "family"
    order = await city.booked(mother, UUID(made.json()["id"]), REHAB, at(13), at(15))
    assert (await daughter.get(f"/v1/orders/{order['id']}")).status_code == 200
    at_work = await _come_in(city, worker["phone"], worker["name"])
    assert (await at_work.get("/v1/me")).json()["worker_id"] == str(worker["id"])
    assert (await at_work.get(f"/v1/orders/{order['id']}")).status_code in {403, 404}, "at work she is no daughter"


async def test_a_husband_who_is_a_resident_himself_follows_his_wife_and_books_for_her(city: City):
    """His consent had no effect: residents could be nobody's family. What he does for her is done by family."""
    him = (await _registered(city, "张建国", MOBILE)).json()
    her = (await _registered(city, "王秀兰", LANDLINE)).json()
    wife, husband = await _come_in(city, LANDLINE), await _come_in(city, MOBILE)
    assert (await husband.get(f"/v1/residents/{her['id']}")).status_code == 404
    for purpose in ("status", "book"):
        await _consent(wife, her["id"], MOBILE, "张建国", purpose)
    assert (await husband.get(f"/v1/residents/{her['id']}")).json()["name"] == "王秀兰"
    order = await city.booked(husband, UUID(her["id"]), REHAB, at(13), at(15))
    own = await city.booked(husband, UUID(him["id"]), REHAB, at(13), at(15))
    assert {one["id"] for one in (await husband.get("/v1/orders")).json()["orders"]} == {order["id"], own["id"]}
    await city.sql("UPDATE orders SET status = 'awaiting_acceptance'")
    for one in (order, own):
        assert (await husband.post(f"/v1/orders/{one['id']}/dispute", {"reason": "没有洗"})).status_code == 200
    said = await city.sql("SELECT order_id::text AS id, side FROM visit_statements")
    assert {row["id"]: row["side"] for row in said} == {order["id"]: "family", own["id"]: "resident"}
    assert (await husband.get(f"/v1/residents/{her['id']}/consents")).status_code == 404, "whom she lets in is hers"
    wish = {"phone": "13700007009", "name": "某人", "purpose": "status", "evidence": "x"}
    assert (await husband.post(f"/v1/residents/{her['id']}/consents", wish)).status_code == 404


async def test_whoever_followed_somebody_before_keeps_that_when_registered(city: City):
    me = await city.resident()
    mine = await city.signed_in(me["account_id"])
    await _consent(mine, str(me["id"]), MOBILE, "张建国")
    before = await _come_in(city, MOBILE)
    assert (await before.get("/v1/me")).json()["role"] == "family"
    made = await _registered(city, "张建国", MOBILE)
    assert made.status_code == 201, made.text
    now = await _come_in(city, MOBILE)
    assert (await now.get("/v1/me")).json()["resident_id"] == made.json()["id"]
    assert (await now.get(f"/v1/residents/{me['id']}")).status_code == 404, "the consent is for following"
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    assert (await now.get(f"/v1/orders/{order['id']}")).status_code == 200


async def test_brother_and_sister_share_a_number_and_each_sees_what_was_given_to_them(city: City):
    one, other = await city.resident(), await city.resident(number=1)
    await _consent(await city.signed_in(one["account_id"]), str(one["id"]), LANDLINE, "某哥哥")
    await _consent(await city.signed_in(other["account_id"]), str(other["id"]), LANDLINE, "某妹妹")
    assert sorted(await _asked(city, LANDLINE)) == [("某哥哥", "family"), ("某妹妹", "family")]
    brother, sister = await _come_in(city, LANDLINE, "某哥哥"), await _come_in(city, LANDLINE, "某妹妹")
    orders = [
        (await city.booked(await city.staff("operator"), r["id"], REHAB, at(13), at(15), channel="phone"))["id"]
        for r in (one, other)
    ]
    seen = [{o["id"] for o in (await who.get("/v1/orders")).json()["orders"]} for who in (brother, sister)]
    assert seen == [{orders[0]}, {orders[1]}]
    assert await city.one("SELECT count(*) FROM account_numbers WHERE phone = $1", LANDLINE) == 2
    await _come_in(city, LANDLINE, "某哥哥")
    assert await city.one("SELECT count(*) FROM account_numbers WHERE phone = $1", LANDLINE) == 2, "each is made once"


async def test_a_dismissed_worker_does_not_come_in(city: City):
    worker = (await city.sql("SELECT w.id, n.phone FROM workers w JOIN account_numbers n USING (account_id) LIMIT 1"))[
        0
    ]
    await city.sql("UPDATE workers SET active = false WHERE id = $1", worker["id"])
    answer = await city.http.post("/v1/sign-in/phone", json=await _code(city, worker["phone"]))
    assert answer.json()["code"] == "sign_in_failed"


async def test_contacts_and_bookers_ring_in_from_their_own_numbers(city: City):
    """The daughter is somebody to ring and has been let book; the desk found nobody under her number."""
    contacts = [
        {"name": "周海霞", "phone": "13700007078", "relation": "女儿", "emergency": True},
        {"name": "某邻居", "phone": "0512-65550079", "relation": "邻居", "emergency": False},
    ]
    mother = (await _registered(city, "李秀英", LANDLINE, contacts=contacts)).json()
    father = (await _registered(city, "周国强", LANDLINE)).json()
    giver = await _come_in(city, LANDLINE, "李秀英")
    for purpose in ("book", "status"):
        await _consent(giver, mother["id"], "13700007078", "周海霞", purpose)
    await _consent(await _come_in(city, LANDLINE, "周国强"), father["id"], "13700007078", "周海霞")
    for signed_in in (False, True):
        if signed_in:
            await _come_in(city, "13700007078")
        found = {one["name"]: one["callers"] for one in await _found(city, phone="13700007078")}
        assert found == {
            "李秀英": [{"name": "周海霞", "by_right": "consent", "relation": "女儿", "purposes": ["book", "status"]}],
            "周国强": [{"name": "周海霞", "by_right": "consent", "relation": None, "purposes": ["status"]}],
        }
    [neighbour] = await _found(city, phone="65550079")
    assert neighbour["callers"] == [{"name": "某邻居", "by_right": "contact", "relation": "邻居", "purposes": []}]
    assert await _found(city, phone="13700007000") == []


async def test_a_consent_that_has_ended_lets_nobody_ring_in(city: City):
    mother = (await _registered(city, "李秀英", LANDLINE)).json()
    giver = await _come_in(city, LANDLINE)
    await _consent(giver, mother["id"], MOBILE, "周海霞", "book")
    path = f"/v1/residents/{mother['id']}/consents"
    await giver.post(f"{path}/{(await giver.get(path)).json()[0]['id']}/end")
    assert await _found(city, phone=MOBILE) == []


async def test_behind_an_exchange_everybody_is_found_by_the_number_it_shows(city: City):
    for name, phone in (("某甲", f"{LANDLINE}-801"), ("某乙", f"{LANDLINE} 转 802")):
        assert (await _registered(city, name, phone)).status_code == 201
    assert {one["name"] for one in await _found(city, phone=LANDLINE)} == {"某甲", "某乙"}
    assert [one["name"] for one in await _found(city, phone=f"{LANDLINE};ext=802")] == ["某乙"]


async def test_residents_are_found_by_whatever_an_operator_types(city: City):
    """The name, from its beginning or without the surname, pinyin in each reading, initials, the last digits of a number."""
    made = await _registered(city, "单秀英", LANDLINE)
    typed = (
        "单秀英",
        "单秀",
        "秀英",
        "shanxiuying",
        "Shan Xiu Ying",
        "shanx",
        "sxy",
        "danxiuying",
        "ｓｘｙ",
        "0077",
        "65550077",
    )
    missed = [text for text in typed if made.json()["id"] not in {one["id"] for one in await _found(city, text=text)}]
    assert missed == []


async def test_nobody_is_found_by_what_is_not_theirs(city: City):
    made = await _registered(city, "单秀英", LANDLINE)
    typed = ("秀兰", "wangxiuying", "xyz", "%", "_", "\\", "0078", "英")
    wrong = [text for text in typed if made.json()["id"] in {one["id"] for one in await _found(city, text=text)}]
    assert wrong == []


async def test_a_search_without_sense_is_refused(city: City):
    operator = await city.staff("operator")
    for asked in ({}, {"phone": "13700007078", "text": "x"}, {"text": "12"}, {"phone": "12"}):
        assert (await operator.post("/v1/residents/search", asked)).status_code == 400, asked


async def test_the_desk_changes_numbers_and_who_has_the_old_one_is_signed_out(city: City):
    me = (await _registered(city, "李秀英", LANDLINE)).json()
    operator, path = await city.staff("operator"), f"/v1/residents/{me['id']}/numbers"
    added = await operator.post(path, {"phone": LANDLINE, "others": [MOBILE, "13700007078", MOBILE]})
    assert added.json() == {"phone": LANDLINE, "others": sorted([MOBILE, "+8613700007078"])}
    here, there = await _come_in(city, LANDLINE), await _come_in(city, MOBILE)
    changed = await operator.post(path, {"phone": "13700007078", "others": [LANDLINE]})
    assert changed.json() == {"phone": "+8613700007078", "others": [LANDLINE]}
    assert [(await who.get("/v1/me")).status_code for who in (here, there)] == [401, 401]
    assert (await city.http.post("/v1/sign-in/phone", json=await _code(city, MOBILE))).status_code == 401
    assert (await (await _come_in(city, LANDLINE)).get("/v1/me")).json()["resident_id"] == me["id"]
    assert await _found(city, phone=MOBILE) == []
    assert [one["phone"] for one in await _found(city, text="7078")] == ["+8613700007078"]
    assert (
        await city.one("SELECT count(*) FROM audit WHERE action = 'change_numbers' AND subject_id = $1", UUID(me["id"]))
        == 2
    )
    assert (await operator.post(f"/v1/residents/{uuid4()}/numbers", {"phone": MOBILE})).json()[
        "code"
    ] == "unknown_resident"
    assert (await operator.post(path, {"phone": "12"})).json()["code"] == "invalid_phone"


async def test_a_daughter_with_a_new_mobile_is_moved_with_all_she_was_given_and_nobody_else_is(city: City):
    """The desk hears it from the mother; her son's number, and what the daughter follows elsewhere, stay as they are."""
    mother, father = [(await _registered(city, name, LANDLINE)).json()["id"] for name in ("李秀英", "王建国")]
    operator, old, new = await city.staff("operator"), MOBILE, "+8613700007079"
    for purpose in ("status", "book"):
        await _consent(operator, mother, old, "王小丽", purpose)
    await _consent(operator, mother, old, "王小明")
    await _consent(operator, father, old, "王小丽", "book")
    daughter = await _come_in(city, old, "王小丽")
    assert (await daughter.get(f"/v1/residents/{mother}")).status_code == 200
    own = f"/v1/residents/{mother}/consents"
    hers = next(one for one in (await operator.get(own)).json() if one["person"] == "王小丽" and not one["valid_to"])

    moved = await operator.post(f"{own}/{hers['id']}/number", {"phone": "137 0000 7079", "evidence": "母亲来电"})
    assert sorted((one["person"], one["phone"], one["purpose"]) for one in moved.json()) == [
        ("王小丽", new, "book"), ("王小丽", new, "status"),
    ]  # fmt: skip
    assert (await daughter.get(f"/v1/residents/{mother}")).status_code == 404
    assert (await daughter.get(f"/v1/residents/{father}")).status_code == 200, "the father's is his own to move"
    assert (await (await _come_in(city, new)).get(f"/v1/residents/{mother}")).status_code == 200
    standing = {(one["person"], one["phone"]) for one in (await operator.get(own)).json() if not one["valid_to"]}
    assert standing == {("王小丽", new), ("王小明", old)}
    assert [one["id"] for one in await _found(city, phone=new)] == [mother]
    told = await city.sql("SELECT data FROM events WHERE type = 'consent.changed' ORDER BY id DESC LIMIT 20")
    assert [row["data"]["given"] for row in told if row["data"]["resident_id"] == mother].count(False) >= 2

    again = await operator.post(f"{own}/{moved.json()[0]['id']}/number", {"phone": new, "evidence": "母亲又来电"})
    assert [one["id"] for one in again.json()] == [one["id"] for one in moved.json()], "nothing to move"
    over = await operator.post(f"{own}/{hers['id']}/number", {"phone": old, "evidence": "x"})
    assert (over.status_code, over.json()["code"]) == (404, "unknown_consent"), "what is over is not moved"
    other = f"/v1/residents/{father}/consents/{moved.json()[0]['id']}/number"
    assert (await operator.post(other, {"phone": old, "evidence": "x"})).json()["code"] == "unknown_consent"


async def test_moving_a_number_to_and_fro_is_capped_as_giving_is(city: City):
    """Half of what was given is never moved: all of it, or nothing."""
    mother = (await _registered(city, "李秀英", LANDLINE)).json()["id"]
    operator, own = await city.staff("operator"), f"/v1/residents/{mother}/consents"
    await city.sql("UPDATE rule_parameters SET value = 5 WHERE code = 'consents_a_day'")
    for purpose in ("status", "book"):
        await _consent(operator, mother, MOBILE, "王小丽", purpose)
    codes = []
    for phone in ("+8613700007079", "+8613700007080"):
        one = next(one for one in (await operator.get(own)).json() if not one["valid_to"])
        codes.append(
            (await operator.post(f"{own}/{one['id']}/number", {"phone": phone, "evidence": "来电"})).status_code
        )
    assert codes == [200, 429]
    standing = [one["phone"] for one in (await operator.get(own)).json() if not one["valid_to"]]
    assert standing == ["+8613700007079"] * 2


async def test_the_desk_sets_anew_whom_to_ring(city: City):
    """A neighbour who has moved away is no longer found by her number, nor said to speak for anybody."""
    neighbour = {"name": "周阿姨", "phone": MOBILE, "relation": "邻居"}
    me = (await _registered(city, "李秀英", LANDLINE, contacts=[neighbour])).json()["id"]
    operator, path = await city.staff("operator"), f"/v1/residents/{me}/contacts"
    assert (await operator.get(path)).json() == [neighbour | {"emergency": False}]
    son = {"name": "王小明", "phone": "65550078", "relation": "儿子", "emergency": True}
    kept = await operator.post(path, {"contacts": [neighbour | {"phone": "13700007081"}, son]})
    assert [(one["name"], one["phone"]) for one in kept.json()] == [
        ("王小明", "+8651265550078"), ("周阿姨", "+8613700007081"),
    ]  # fmt: skip
    assert (await operator.get(path)).json() == kept.json()
    assert [await _found(city, phone=phone) for phone in (MOBILE,)] == [[]]
    assert [one["id"] for one in await _found(city, phone="13700007081")] == [me]
    assert (await operator.post(path, {"contacts": [son | {"phone": "12"}]})).json()["code"] == "invalid_phone"
    assert (await operator.get(path)).json() == kept.json(), "nothing is half written"
    assert (await operator.post(f"/v1/residents/{uuid4()}/contacts", {"contacts": []})).status_code == 404
    assert (await operator.post(path, {"contacts": []})).json() == []
    assert (
        await city.one("SELECT count(*) FROM audit WHERE action = 'change_contacts' AND subject_id = $1", UUID(me)) == 2
    )


async def test_a_resident_moves_twice_and_the_desk_is_told_what_leads_to_an_old_home(city: City):
    """A promised bath must happen, but nobody sends a crew to an empty flat unasked; what is booked anew goes to the new one."""
    me = (await _registered(city, "李秀英", LANDLINE)).json()
    operator, path = await city.staff("operator"), f"/v1/residents/{me['id']}/home"
    zone_id = UUID(me["zone_id"])
    first = await city.booked(operator, UUID(me["id"]), REHAB, at(9), at(11), channel="phone")
    quoted = (await city.quote(operator, UUID(me["id"]), REHAB, at(13), at(15)))[0]
    moved = await operator.post(path, _home(zone_id, 120.63))
    assert moved.status_code == 200, moved.text
    assert (moved.json()["resident"]["address"], [o["id"] for o in moved.json()["elsewhere"]]) == (
        "东湖片区120.63号", [first["id"]],
    )  # fmt: skip
    late = await operator.post("/v1/bookings", {"slot": quoted["token"], "channel": "phone"})
    assert late.status_code == 201, "asked for before, found again for the new door"
    second = late.json()
    assert await city.one("SELECT h.address FROM orders o JOIN homes h ON h.id = o.home_id WHERE o.id = $1",
                          UUID(second["id"])) == "东湖片区120.63号"  # fmt: skip
    moved = await operator.post(path, _home(zone_id, 120.64))
    assert [o["id"] for o in moved.json()["elsewhere"]] == [first["id"], second["id"]]
    await operator.post(f"/v1/orders/{first['id']}/cancel", {"reason": "moved"})
    moved = await operator.post(path, _home(zone_id, 120.65))
    assert [o["id"] for o in moved.json()["elsewhere"]] == [second["id"]]
    assert await city.one("SELECT count(*) FROM homes WHERE resident_id = $1 AND current", UUID(me["id"])) == 1
    far = await operator.post(path, _home(zone_id, 12.6))
    assert far.json()["code"] == "outside_zone"
    assert (await operator.get(f"/v1/residents/{me['id']}")).json()["address"] == "东湖片区120.65号"


async def test_two_moves_at_once_leave_one_home(city: City):
    me = (await _registered(city, "李秀英", LANDLINE)).json()
    operator = await city.staff("operator")
    moves = (
        operator.post(f"/v1/residents/{me['id']}/home", _home(UUID(me["zone_id"]), 120.6 + n / 100)) for n in range(4)
    )
    assert {answer.status_code for answer in await asyncio.gather(*moves)} == {200}
    assert await city.one("SELECT count(*) FROM homes WHERE resident_id = $1 AND current", UUID(me["id"])) == 1


async def test_only_an_operator_makes_an_account_of_family_a_residents(city: City):
    """The one function that may change a role asks who calls it."""
    account_id = await city.one("SELECT id FROM accounts WHERE role = 'family' LIMIT 1")
    phone = await city.one("SELECT phone FROM account_numbers WHERE account_id = $1", account_id)
    name = await city.one("SELECT name FROM accounts WHERE id = $1", account_id)
    async with city.database.unit_of_work(SYSTEM) as connection:
        assert await connection.fetchval("SELECT account_for_resident($1, $2)", name, phone) == account_id
        assert await connection.fetchval("SELECT current_setting('app.role')") == "system"


async def test_a_filled_database_keeps_every_number_and_what_had_no_effect_waits(server: Embedded):
    """Also of residents without an account, and a consent that was bound to somebody's account as a worker."""
    urls = await server.bootstrap(f"numbers_{uuid4().hex[:12]}")
    name = urlsplit(urls.app).path.lstrip("/")
    config = _config()
    config.attributes["url"] = urls.owner
    await asyncio.to_thread(command.upgrade, config, "0025")
    superuser = await asyncpg.connect(server.url(name))
    try:
        worker, family = [
            await superuser.fetchval(
                "INSERT INTO accounts (role, name, phone) VALUES ($1, '小燕', $2) RETURNING id", role, phone
            )
            for role, phone in (("worker", MOBILE), ("family", "+8613700007078"))
        ]
        mother = await superuser.fetchval(
            "INSERT INTO residents (name, phone, gender) VALUES ('某妈妈', $1, 'female') RETURNING id", LANDLINE
        )
        for account_id in (worker, family):
            await superuser.execute(
                """INSERT INTO consents (resident_id, account_id, purpose, given_by, channel, evidence, text_version, person)
                   VALUES ($1, $2, 'status', 'resident', 'app', 'x', '1', '小燕')""",
                mother, account_id,
            )  # fmt: skip
        await asyncio.to_thread(upgrade, urls.owner)
        numbers = await superuser.fetch("SELECT account_id, phone FROM account_numbers")
        own = await superuser.fetchval("SELECT account_id FROM residents")
        assert {tuple(row) for row in numbers} == {(worker, MOBILE), (family, "+8613700007078"), (own, LANDLINE)}
        consents = await superuser.fetch("SELECT account_id, phone FROM consents")
        assert {tuple(row) for row in consents} == {(None, MOBILE), (family, "+8613700007078")}
        assert await superuser.fetchval("SELECT count(*) FROM resident_search_keys WHERE key = 'moumama'") == 1
    finally:
        await superuser.close()
        await server.drop_database(name)
