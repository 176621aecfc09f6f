"""A house full of people and few telephones: who signs in, who rings, who sees what, and where the crew goes.

Everything goes through HTTP, as the people and the desk meet it; what each of them does not see is said as well.
"""

from typing import Any
from uuid import UUID

import pytest

from tests.support.city import Caller, City, at

REHAB = "rehab-home"
FLAT, FLAT_IN_FULL, LODGER = "65550077", "0512-65550077", "0512 6555 0077 转 801"
LEFT, RIGHT, FRESH = "13700007081", "137 0000 7082", "13700007083"  # the two mobiles of six, and one bought later


class Story:
    """The desk, and everybody who comes in by a telephone number."""

    def __init__(self, city: City, desk: Caller, zone_id: UUID) -> None:
        self.city, self.desk, self.zone_id = city, desk, zone_id

    def home(self, longitude: float, address: str = "") -> dict[str, Any]:
        return {"zone_id": str(self.zone_id), "longitude": longitude, "latitude": 31.32,
                "address": address or f"东湖片区{longitude}号", "district_code": "320599", "street_code": "320599001",
                "community_code": "320599001001"}  # fmt: skip

    async def register(self, name: str, phone: str, longitude: float = 120.62, **other: Any) -> str:
        form = {"name": name, "phone": phone, "gender": "female", "home": self.home(longitude), **other}
        made = await self.desk.post("/v1/residents", form)
        assert made.status_code == 201, made.text
        return made.json()["id"]

    async def let(self, giver: Caller, resident_id: str, name: str, phone: str, *purposes: str) -> None:
        for purpose in purposes:
            wish = {"phone": phone, "name": name, "purpose": purpose, "evidence": "said so"}
            answer = await giver.post(f"/v1/residents/{resident_id}/consents", wish)
            assert answer.status_code == 201, answer.text

    async def withdraw(self, giver: Caller, resident_id: str, name: str) -> None:
        path = f"/v1/residents/{resident_id}/consents"
        for one in (await giver.get(path)).json():
            if one["person"] == name and one["valid_to"] is None:
                assert (await giver.post(f"{path}/{one['id']}/end")).status_code == 200

    async def proof(self, phone: str) -> dict[str, Any]:
        sent = (await self.city.http.post("/v1/sign-in/codes", json={"phone": phone})).json()
        return {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}

    async def behind(self, phone: str) -> set[tuple[str, str]]:
        """Whom the sign-in asks about; a single person is let in unasked."""
        answer = await self.city.http.post("/v1/sign-in/phone", json=await self.proof(phone))
        if answer.status_code == 200:
            return {(one["name"], one["role"]) for one in answer.json()["who"]}
        return {("alone", answer.json()["role"])} if answer.status_code == 201 else set()

    async def come_in(self, phone: str, name: str, role: str | None = None) -> Caller:
        proof = await self.proof(phone)
        answer = await self.city.http.post("/v1/sign-in/phone", json=proof)
        if answer.status_code == 200:
            [who] = [o["id"] for o in answer.json()["who"] if o["name"] == name and role in {None, o["role"]}]
            answer = await self.city.http.post("/v1/sign-in/phone", json=proof | {"who": who})
        assert answer.status_code == 201, answer.text
        return Caller(self.city.http, answer.json()["token"])

    async def rings(self, phone: str) -> dict[str, dict[str, tuple[str, ...]]]:
        """Whom the desk sees when this number rings: for each resident who may be speaking, by which right."""
        found = await self.desk.post("/v1/residents/search", {"phone": phone})
        assert found.status_code == 200, found.text
        return {
            one["name"]: {c["name"]: (c["by_right"], *c["purposes"]) for c in one["callers"]} for one in found.json()
        }

    async def typed(self, text: str) -> set[str]:
        found = await self.desk.post("/v1/residents/search", {"text": text})
        assert found.status_code == 200, found.text
        return {one["name"] for one in found.json()}

    async def booked(self, resident_id: str, hour: int) -> dict[str, Any]:
        return await self.city.booked(self.desk, UUID(resident_id), REHAB, at(hour), at(hour + 2), channel="phone")

    async def numbers(self, resident_id: str, phone: str, *others: str) -> None:
        changed = await self.desk.post(f"/v1/residents/{resident_id}/numbers", {"phone": phone, "others": others})
        assert changed.status_code == 200, changed.text


@pytest.fixture
async def story(city: City) -> Story:
    zone_id = await city.one("SELECT id FROM zones WHERE code = 'Z1'")
    return Story(city, await city.staff("operator"), zone_id)


async def _sees(who: Caller) -> set[str]:
    return {one["id"] for one in (await who.get("/v1/orders")).json()["orders"]}


async def _books(who: Caller, resident_id: str) -> bool:
    asked = await who.post("/v1/quotes", {"resident_id": resident_id, "item_code": REHAB})
    assert asked.status_code in {200, 404}, asked.text
    return asked.status_code == 200


async def test_a_couple_and_their_lodger_on_one_landline(story: Story):
    """With and without the area code it is one number; the lodger's extension is his own, and shows as the flat's."""
    his, hers = await story.register("张建国", FLAT_IN_FULL), await story.register("王秀兰", FLAT)
    lodgers = await story.register("单大勇", LODGER)
    orders = {person: (await story.booked(person, 13))["id"] for person in (his, hers, lodgers)}
    assert (
        await story.behind(FLAT) == await story.behind(FLAT_IN_FULL) == {("张建国", "resident"), ("王秀兰", "resident")}
    )
    for person, name, phone in ((his, "张建国", FLAT), (hers, "王秀兰", FLAT_IN_FULL), (lodgers, "单大勇", LODGER)):
        who = await story.come_in(phone, name)
        assert (await who.get("/v1/me")).json()["resident_id"] == person
        assert await _sees(who) == {orders[person]}
        assert [await _books(who, other) for other in (his, hers, lodgers)] == [
            o == person for o in (his, hers, lodgers)
        ]
    assert set(await story.rings("+86 512 6555 0077")) == {"张建国", "王秀兰", "单大勇"}
    assert await story.rings(LODGER) == {"单大勇": {"单大勇": ("resident",)}}
    everybody = {"张建国", "王秀兰", "单大勇"}
    for text, meant in {"张建": {"张建国"}, "wangxiulan": {"王秀兰"}, "wxl": {"王秀兰"}, "sdy": {"单大勇"}, "0077": everybody,
                        "65550077": everybody, LODGER: {"单大勇"}, "0078": set[str]()}.items():  # fmt: skip
        assert everybody & await story.typed(text) == meant, text
    code = (await story.desk.get(f"/v1/orders/{orders[hers]}")).json()["code"]
    assert (await story.desk.post("/v1/orders/search", {"code": code})).json()["resident_id"] == hers


async def test_a_family_of_six_with_two_mobiles(story: Story):
    """Named one after the other, signing in between: nobody gets what was given to somebody else on the same telephone."""
    his, hers = await story.register("周国强", LEFT), await story.register("李秀英", LEFT)
    his_order, her_order = [(await story.booked(person, 13))["id"] for person in (his, hers)]
    him, her = await story.come_in(LEFT, "周国强"), await story.come_in(LEFT, "李秀英")
    given = [("周大海", him, his, ["status"]), ("周海霞", her, hers, ["status", "book"]),
             ("周小明", him, his, ["book"]), ("周小红", her, hers, ["status"])]  # fmt: skip
    family = [him, her]
    for name, giver, resident_id, purposes in given:
        await story.let(giver, resident_id, name, RIGHT, *purposes)
        family.append(await story.come_in(RIGHT, name))
    sees = [{his_order}, {her_order}] * 3  # the boy sees what he may change
    assert [await _sees(who) for who in family] == sees
    may_book = [(True, False), (False, True), (False, False), (False, True), (True, False), (False, False)]
    assert [(await _books(who, his), await _books(who, hers)) for who in family] == may_book
    assert await story.behind(LEFT) == {("周国强", "resident"), ("李秀英", "resident")}
    assert await story.behind(RIGHT) == {(name, "family") for name, *_ in given}
    son, daughter, boy, girl = (name for name, *_ in given)
    his_callers = {son: ("consent", "status"), boy: ("consent", "book")}
    assert await story.rings(LEFT) == {"周国强": {"周国强": ("resident",)}, "李秀英": {"李秀英": ("resident",)}}
    assert await story.rings(RIGHT) == {
        "周国强": his_callers,
        "李秀英": {daughter: ("consent", "book", "status"), girl: ("consent", "status")},
    }
    await story.let(him, his, "李秀英", LEFT, "status")
    assert await _sees(her) == {his_order, her_order}, "husband and wife, too"
    assert await _sees(him) == {his_order}
    await story.withdraw(her, hers, daughter)
    assert (await _sees(family[3]), await _books(family[3], hers)) == (set(), False), "over at once, signed in or not"
    assert await story.rings(RIGHT) == {"周国强": his_callers, "李秀英": {girl: ("consent", "status")}}
    assert await story.behind(RIGHT) == {(name, "family") for name in (son, boy, girl)}


async def test_a_mobile_that_two_families_had(story: Story):
    """Mother under her daughter's mobile; they give it up, and somebody else gets it with all that was tied to it gone."""
    mother = await story.register("吴桂芳", LEFT)
    order = await story.booked(mother, 13)
    hers = await story.come_in(LEFT, "吴桂芳")
    await story.let(hers, mother, "郑晓梅", LEFT, "status", "book")
    daughter = await story.come_in(LEFT, "郑晓梅")
    assert await _sees(daughter) == {order["id"]}
    await story.numbers(mother, FRESH)
    assert (await hers.get("/v1/me")).status_code == 401, "signed out where the old number let her in"
    assert await story.rings(LEFT) == {"吴桂芳": {"郑晓梅": ("consent", "book", "status")}}
    again = await story.come_in(FRESH, "吴桂芳")
    await story.withdraw(again, mother, "郑晓梅")
    await story.let(again, mother, "郑晓梅", FRESH, "status")

    stranger = await story.register("某先生", LEFT)
    assert await story.behind(LEFT) == {("alone", "resident")}, "nothing tells him who had his number"
    newcomer = await story.come_in(LEFT, "某先生")
    assert (await newcomer.get("/v1/me")).json()["resident_id"] == stranger
    assert (await _sees(newcomer), await _books(newcomer, mother)) == (set(), False)
    assert await story.rings(LEFT) == {"某先生": {"某先生": ("resident",)}}
    assert await _sees(daughter) == set(), "what was tied to the old number is over"
    anew = await story.come_in(FRESH, "郑晓梅")
    assert (await _sees(anew), await _books(anew, mother)) == ({order["id"]}, False)
    assert await story.behind(FRESH) == {("吴桂芳", "resident"), ("郑晓梅", "family")}
    await story.let(newcomer, stranger, "郑晓梅", LEFT, "status")  # of one name with who had it before
    assert await story.behind(LEFT) == {("某先生", "resident"), ("郑晓梅", "family")}


async def test_a_care_workers_mother_moves_twice(story: Story):
    """At work she is a worker and sees her work, at home a daughter; the crew goes to the door that was promised."""
    city = story.city
    carer = (
        await city.sql("SELECT w.id, w.name, n.phone FROM workers w JOIN account_numbers n USING (account_id) LIMIT 1")
    )[0]
    contact = {"name": carer["name"], "phone": carer["phone"], "relation": "女儿", "emergency": True}
    mother = await story.register("陈玉珍", "65550078", contacts=[contact])
    hers = await story.come_in("65550078", "陈玉珍")
    assert await story.rings(carer["phone"]) == {"陈玉珍": {carer["name"]: ("contact",)}}
    await story.let(hers, mother, carer["name"], carer["phone"], "status", "book")
    assert await story.rings(carer["phone"]) == {"陈玉珍": {carer["name"]: ("consent", "book", "status")}}
    assert await story.behind(carer["phone"]) == {(carer["name"], "worker"), (carer["name"], "family")}
    at_home = await story.come_in(carer["phone"], carer["name"], "family")
    at_work = await story.come_in(carer["phone"], carer["name"], "worker")

    async def move(longitude: float, address: str = "") -> list[str]:
        moved = await story.desk.post(f"/v1/residents/{mother}/home", story.home(longitude, address))
        assert moved.status_code == 200, moved.text
        return [one["id"] for one in moved.json()["elsewhere"]]

    async def leads_to(order: dict[str, Any]) -> float:
        return (await city.door(order["id"]))["x"]

    first = await story.booked(mother, 9)
    assert await move(120.63) == [first["id"]]
    second = await city.booked(at_home, UUID(mother), REHAB, at(12), at(13))
    assert await move(120.64) == [first["id"], second["id"]]
    third = await story.booked(mother, 15)
    assert [await leads_to(order) for order in (first, second, third)] == [120.62, 120.63, 120.64]
    assert await _sees(at_home) == {first["id"], second["id"], third["id"]}
    seen = [(await at_work.get(f"/v1/orders/{order['id']}")).status_code for order in (first, second, third)]
    assert set(seen) <= {403, 404}, "her mother's days are not her work"
    assert await move(120.62) == [second["id"], third["id"]], "back behind the first door, where the first visit goes"
    cancelled = await at_home.post(f"/v1/orders/{third['id']}/cancel", {"reason": "moved"})
    assert cancelled.status_code == 200, cancelled.text
    assert await move(120.64) == [first["id"], second["id"]]

    await city.sql("UPDATE providers SET auto_accept = true")
    await city.dispatch()
    [seat] = await city.crew(second["id"])
    crew = await city.worker(seat["worker_id"])
    await city.clock(at(12))
    report = {"device_at": None, "accuracy_m": 8.0, "x": 120.63, "y": 31.32}
    there = await crew.post(f"/v1/orders/{second['id']}/check-in", report)
    assert there.status_code == 200, there.text
    assert there.json()["report"]["flags"] == [], "the door that was promised, not the newest"
    await story.withdraw(hers, mother, carer["name"])
    assert (await _sees(at_home), await _books(at_home, mother)) == (set(), False)
    assert await story.rings(carer["phone"]) == {"陈玉珍": {carer["name"]: ("contact",)}}
    assert (await at_work.get("/v1/me")).json()["worker_id"] == str(carer["id"]), "her work is hers still"
