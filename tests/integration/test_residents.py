"""Registering residents, and who may know: consent is given, ends at once, and rows keep to their own."""

import importlib
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.core.geo import sphere_m, to_wgs84
from backend.core.principal import SYSTEM
from tests.support.city import Caller, City, at

MIGRATION = importlib.import_module("migrations.versions.0020_on_the_map")
REHAB = "rehab-home"


def _form(zone_id: object, **other: Any) -> dict[str, Any]:
    home = {"zone_id": str(zone_id), "longitude": 120.62, "latitude": 31.32, "address": "东湖片区99号",
            "district_code": "320599", "street_code": "320599001", "community_code": "320599001001"}  # fmt: skip
    contact = {"name": "某女儿", "phone": "13700009999", "relation": "child", "emergency": True}
    return {"name": "某奶奶", "phone": "138 0000 9999", "gender": "female", "ability_level": 3, "home": home,
            "contacts": [contact], **other}  # fmt: skip


async def test_a_resident_registered_by_phone_can_be_found_and_booked_for(city: City):
    operator = await city.staff("operator")
    zone_id = await city.one("SELECT id FROM zones WHERE code = 'Z1'")
    made = await operator.post("/v1/residents", _form(zone_id))
    assert made.status_code == 201, made.text
    card = made.json()
    assert card["phone"] == "+8613800009999"
    [found] = (await operator.post("/v1/residents/search", {"phone": "+86 138-0000-9999"})).json()
    assert found.pop("callers") == [{"name": "某奶奶", "by_right": "resident", "relation": None, "purposes": []}]
    assert found == card == (await operator.get(f"/v1/residents/{card['id']}")).json()
    assert (await operator.post("/v1/residents", _form(zone_id))).json()["code"] == "already_registered"
    slots = await city.quote(operator, UUID(card["id"]), "bath-home", at(10), at(16))
    assert slots[0]["crew_size"] == 2


async def test_numbers_are_kept_as_the_family_gives_them(city: City):
    """One contact's extension refused the whole registration, and another one was dropped without a word."""
    operator = await city.staff("operator")
    given = {"0512-65550001-801": "+8651265550001;ext=801", "65550002 转 12": "+8651265550002;ext=12", "120": "120",
             "14912345678": "+8614912345678"}  # fmt: skip
    contacts = [{"name": "某人", "phone": phone, "relation": "other", "emergency": False} for phone in given]
    form = _form(await city.one("SELECT id FROM zones WHERE code = 'Z1'"), phone="6555 0003", contacts=contacts)
    made = await operator.post("/v1/residents", form)
    assert made.json()["phone"] == "+8651265550003", made.text
    kept = await city.sql("SELECT phone FROM resident_contacts WHERE resident_id = $1", UUID(made.json()["id"]))
    assert {row["phone"] for row in kept} == set(given.values())
    for typed in ("０５１２-６５５５０００３", "65550003", "+86 512 6555 0003"):
        [found] = (await operator.post("/v1/residents/search", {"phone": typed})).json()
        assert found["id"] == made.json()["id"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [({"phone": "123"}, "invalid_phone"), ({"ability_level": 9}, "invalid_request"), ({"gender": "?"}, "invalid_request"),
     ({"name": ""}, "invalid_request"), ({"secret": 1}, "invalid_request")],
)  # fmt: skip
async def test_a_wrong_form_registers_nobody(city: City, spoil: dict[str, Any], code: str):
    operator = await city.staff("operator")
    before = await city.one("SELECT count(*) FROM accounts")
    zone_id = await city.one("SELECT id FROM zones LIMIT 1")
    assert (await operator.post("/v1/residents", _form(zone_id, **spoil))).json()["code"] == code
    assert (await operator.post("/v1/residents", _form(uuid4()))).json()["code"] == "unknown_zone"
    assert await city.one("SELECT count(*) FROM accounts") == before


@pytest.mark.parametrize(
    ("longitude", "latitude", "code"),
    [(-120.62, 31.32, "outside_zone"), (120.62, -31.32, "outside_zone"), (12.62, 31.32, "outside_zone"),
     (0.0, 0.0, "outside_zone"), (121.25, 31.32, "outside_zone"), (31.32, 120.62, "outside_zone"),
     (121.0, 31.32, None)],
)  # fmt: skip
async def test_a_home_far_from_its_zone_is_a_slip_and_registers_nobody(
    city: City, longitude: float, latitude: float, code: str | None
):
    """A sign, a digit or an order of two numbers wrong: planning would count ways of weeks. The next town is no slip."""
    operator = await city.staff("operator")
    before = await city.one("SELECT count(*) FROM places")
    form = _form(await city.one("SELECT id FROM zones WHERE code = 'Z1'"))
    form["home"] |= {"longitude": longitude, "latitude": latitude}
    answer = await operator.post("/v1/residents", form)
    assert (answer.status_code, answer.json().get("code")) == ((201, None) if code is None else (422, code))
    assert "120.6" not in answer.text
    assert "东湖" not in answer.text or code is None
    assert await city.one("SELECT count(*) FROM places") == before + (code is None)


@pytest.mark.parametrize(
    ("longitude", "latitude", "guess"),
    [(31.32, 80.0, None), (31.32, 120.62, "changed places"), (80.0, 120.62, "beyond 90"), (-120.62, 31.32, "sign of the longitude"), (120.62, -31.32, "sign of the latitude"),
     (-120.62, -31.32, "Both signs"), (12.062, 31.32, "decimal point"), (120.62, 3.132, "decimal point"), (0, 0, None)],
)  # fmt: skip
async def test_a_position_that_cannot_be_right_is_refused_with_the_likeliest_slip(
    city: City, longitude: float, latitude: float, guess: str | None
):
    operator = await city.staff("operator")
    form = _form(await city.one("SELECT id FROM zones WHERE code = 'Z1'"))
    form["home"] |= {"longitude": longitude, "latitude": latitude}
    answer = (await operator.post("/v1/residents", form)).json()
    assert answer["code"] == "outside_zone"
    assert guess is None or guess in answer["detail"]
    assert "may" not in answer["detail"] or guess


async def test_where_nobody_works_yet_a_latitude_beyond_the_pole_is_refused_all_the_same(city: City):
    """A zone without a base measures nothing; the scale of the earth holds there too."""
    operator = await city.staff("operator")
    zone_id = await city.one(
        "INSERT INTO zones (code, name, travel_kind) VALUES ('X', '某片区', 'road_factor') RETURNING id"
    )
    form = _form(zone_id)
    form["home"] |= {"longitude": 31.32, "latitude": 120.62}
    answer = await operator.post("/v1/residents", form)
    assert (answer.status_code, answer.json()["code"]) == (422, "outside_zone")


async def test_a_home_copied_from_a_map_of_mainland_china_is_kept_where_it_is(city: City):
    """Map services there show GCJ-02, some hundred metres off: whoever says so is understood."""
    operator = await city.staff("operator")
    form = _form(await city.one("SELECT id FROM zones WHERE code = 'Z1'"))
    form["home"] |= {"datum": "gcj02"}
    made = await operator.post("/v1/residents", form)
    kept = (await city.sql("SELECT p.x, p.y FROM homes h JOIN places p ON p.id = h.place_id WHERE h.resident_id = $1",
                           UUID(made.json()["id"])))[0]  # fmt: skip
    assert 300 < sphere_m(kept["x"], kept["y"], 120.62, 31.32) < 700
    assert (kept["x"], kept["y"]) == pytest.approx(to_wgs84(120.62, 31.32, "gcj02"), abs=1e-9)


async def test_how_far_a_home_may_lie_is_the_citys_own_figure(city: City):
    operator = await city.staff("operator")
    form = _form(await city.one("SELECT id FROM zones WHERE code = 'Z1'"))
    form["home"] |= {"longitude": 120.75}
    await city.sql("UPDATE rule_parameters SET value = 1000 WHERE code = 'home_from_zone_m'")
    assert (await operator.post("/v1/residents", form)).json()["code"] == "outside_zone"
    await city.sql("UPDATE rule_parameters SET value = 20000 WHERE code = 'home_from_zone_m'")
    assert (await operator.post("/v1/residents", form)).status_code == 201


async def test_a_zone_that_knows_no_way_by_degrees_takes_no_home_in_degrees(city: City):
    """Where only a table or a plane tells the ways, nobody could ever be planned to it; a zone nobody works in yet is free."""
    operator = await city.staff("operator")
    kinds = {"matrix": "unreachable_place", "plane": "unreachable_place", "road_factor": None}
    for number, (kind, code) in enumerate(kinds.items()):
        zone_id = await city.one(
            "INSERT INTO zones (code, name, travel_kind) VALUES ($1, '某片区', $2) RETURNING id", f"X{number}", kind
        )
        answer = await operator.post("/v1/residents", _form(zone_id))
        assert answer.json().get("code") == code, answer.text


async def test_the_database_holds_no_place_off_the_map(city: City):
    """Whoever writes it: an importer, a script, a person with psql."""
    for where in (
        "'wgs84', 180.1, 0",
        "'wgs84', 0, 90.1",
        "'wgs84', 0, -91",
        "'plane', 1000001, 0",
        "'plane', 0, -2e6",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="places_on_the_map"):
            await city.sql(f"INSERT INTO places (geometry, x, y) VALUES ({where})")
    await city.sql(
        "INSERT INTO places (geometry, x, y) VALUES ('wgs84', -180, 90), ('plane', 1e6, -1e6), ('none', 4e6, 2e6)"
    )


async def test_what_lay_off_the_map_before_is_mended(city: City):
    await city.sql("ALTER TABLE places DROP CONSTRAINT places_on_the_map")
    await city.sql("INSERT INTO places (geometry, x, y) VALUES ('wgs84', 500, 0), ('plane', 0, 5e6), ('plane', 7, 7)")
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await connection.execute(MIGRATION.MEND)
        await connection.execute(MIGRATION.SQL)
    left = await city.sql("SELECT geometry, x, y FROM places WHERE geometry <> 'wgs84' ORDER BY geometry, x")
    assert [tuple(row.values()) for row in left] == [("none", 0, 0), ("none", 0, 0), ("plane", 7, 7)]


async def _by_phone(city: City, phone: str) -> Caller:
    sent = (await city.http.post("/v1/sign-in/codes", json={"phone": phone})).json()
    proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
    answer = await city.http.post("/v1/sign-in/phone", json=proof)
    assert answer.status_code == 201, answer.text
    return Caller(city.http, answer.json()["token"])


async def test_consent_opens_exactly_what_it_is_for_and_ends_at_once(city: City):
    me = await city.resident()
    mine = await city.signed_in(me["account_id"])
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    given = await mine.post(f"/v1/residents/{me['id']}/consents", {
        "phone": "13700008888", "name": "某侄女", "purpose": "status", "evidence": "in the app"})  # fmt: skip
    assert given.status_code == 201, given.text
    niece = await _by_phone(city, "13700008888")
    assert (await niece.get(f"/v1/orders/{order['id']}")).status_code == 200
    assert (await niece.post("/v1/quotes", {"resident_id": str(me["id"]), "item_code": REHAB})).status_code == 404
    changed = await city.sql("SELECT data FROM events WHERE type = 'consent.changed'")
    assert changed[0]["data"]["given"] is True
    ended = await mine.post(f"/v1/residents/{me['id']}/consents/{given.json()['id']}/end")
    assert ended.json()["valid_to"]
    assert (await niece.get(f"/v1/orders/{order['id']}")).json()["code"] == "unknown_order"
    again = await mine.post(f"/v1/residents/{me['id']}/consents/{given.json()['id']}/end")
    assert again.json()["code"] == "unknown_consent"


async def test_family_cannot_give_consent_away_and_strangers_see_none(city: City):
    me, other = await city.resident(), await city.resident(number=1)
    daughter = await city.signed_in(await city.daughter(me["id"]))
    stranger = await city.signed_in(other["account_id"])
    wish = {"phone": "13700008888", "name": "某人", "purpose": "book", "evidence": "said so"}
    path = f"/v1/residents/{me['id']}/consents"
    assert (await daughter.post(path, wish)).json()["code"] == "not_allowed"
    assert (await stranger.post(path, wish)).json()["code"] == "unknown_resident"
    assert (await stranger.get(path)).json()["code"] == "unknown_resident"
    assert (await stranger.get(f"/v1/residents/{me['id']}")).json()["code"] == "unknown_resident"
    assert (await daughter.get(f"/v1/residents/{me['id']}")).json()["id"] == str(me["id"])


async def test_meal_points_and_zones_are_open_to_everybody(city: City):
    zones = (await city.http.get("/v1/zones")).json()
    assert [zone["code"] for zone in zones] == ["Z1", "Z2", "Z3", "Z4"]
    points = (await city.http.get("/v1/facilities", params={"zone_id": zones[0]["id"]})).json()
    assert {point["kind"] for point in points} == {"meal_point"}
