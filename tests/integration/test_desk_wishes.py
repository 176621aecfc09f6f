"""What a caller wishes narrows the times that are quoted: hours, days and people, and never further than is true."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.support.city import Caller, City, at
from tests.support.pages import Browsers, Forms, send

REHAB = "rehab-home"
ZONE = ZoneInfo("Asia/Shanghai")
_OPERATOR = "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'of-wishes', 'none') RETURNING id"


async def _best(city: City, who: Caller, resident_id: UUID, **narrow: Any) -> list[dict[str, Any]]:
    answer = await who.post(
        "/v1/quotes/best", {"resident_id": str(resident_id), "item_code": REHAB, "days": 7, "narrow": narrow}
    )
    assert answer.status_code == 200, answer.text
    return [
        {**one, "at": datetime.fromisoformat(one["starts_from"]).astimezone(ZONE)} for one in answer.json()["choices"]
    ]


async def test_hours_weekdays_and_a_last_day_narrow_the_windows_to_the_minute(city: City):
    """From a minute on, and before another: somebody who comes home at three is at home at three."""
    someone, operator = await city.resident(), await city.staff("operator")
    anyhow = await _best(city, operator, someone["id"])
    assert len(anyhow) == 3
    first = anyhow[0]["at"]
    minute = first.hour * 60 + first.minute
    same = await _best(city, operator, someone["id"], from_minute=minute, to_minute=minute + 1)
    assert {(one["at"].hour, one["at"].minute) for one in same} == {(first.hour, first.minute)}
    later = await _best(city, operator, someone["id"], from_minute=minute + 1)
    assert all(one["at"].hour * 60 + one["at"].minute > minute for one in later)
    before = await _best(city, operator, someone["id"], from_minute=minute - 1, to_minute=minute)
    assert before == [] or before[0]["at"].hour * 60 + before[0]["at"].minute == minute - 1
    weekday = await _best(city, operator, someone["id"], weekdays=[(first.weekday() + 1) % 7])
    assert weekday
    assert {one["at"].weekday() for one in weekday} == {(first.weekday() + 1) % 7}
    until = await _best(city, operator, someone["id"], to_on=first.date().isoformat())
    assert {one["at"].date() for one in until} == {first.date()}
    assert await _best(city, operator, someone["id"], to_on=(first.date() - timedelta(days=1)).isoformat()) == []


async def test_a_woman_and_somebody_by_name_come_where_they_are_asked_for(city: City):
    """What is on record goes before what is said once; only the desk asks for somebody."""
    someone, operator = await city.resident(), await city.staff("operator")
    await city.sql("UPDATE residents SET gender_wish = 'any' WHERE id = $1", someone["id"])
    for gender in ("female", "male"):
        found = await _best(city, operator, someone["id"], gender=gender)
        assert {person["gender"] for one in found for person in one["crew"]} <= {gender}
    name = (await _best(city, operator, someone["id"]))[0]["crew"][0]["name"]
    worker = await city.one("SELECT id FROM workers WHERE name = $1 LIMIT 1", name)
    mine = await _best(city, operator, someone["id"], worker_ids=[str(worker)])
    assert mine
    assert all(name in {person["name"] for person in one["crew"]} for one in mine)
    resident = await city.signed_in(someone["account_id"])
    refused = await resident.post(
        "/v1/quotes/best",
        {"resident_id": str(someone["id"]), "item_code": REHAB, "narrow": {"worker_ids": [str(worker)]}},
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    await city.sql("UPDATE residents SET gender_wish = 'female' WHERE id = $1", someone["id"])
    found = await _best(city, operator, someone["id"], gender="male")
    assert {person["gender"] for one in found for person in one["crew"]} <= {"female"}


async def test_the_desk_says_what_it_understood_and_what_it_did_not(city: City):
    """Without script: the line stays, its tags stand below it, and a time that is chosen is held as any other."""
    someone = await city.resident()
    path = f"/desk/residents/{someone['id']}"
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR))
        times = await desk.get(f"{path}/book/rehab", params={"item": REHAB})
        heard = await send(desk, times, f"{path}/wish", wish="下午，带轮椅，明天以后")
        assert heard.status_code == 200
        assert "wish=" not in str(heard.url)
        tomorrow = (at(8) + timedelta(days=1)).astimezone(ZONE)
        for said in (
            'value="下午，带轮椅，明天以后"',
            ">下午<",
            f">{tomorrow:%m-%d}起<",
            "没听懂：",
            "带轮椅",
            "别说定了",
        ):
            assert said in heard.text, said
        slot = next(value for _, name, value in Forms(heard.text).buttons if name == "slot")
        read = await send(desk, heard, f"{path}/hold", slot=slot)
        assert read.url.path.endswith("/read")
        starts = (await city.one("SELECT window_from FROM orders WHERE status = 'held'")).astimezone(ZONE)
        assert (starts.date() >= tomorrow.date(), 12 <= starts.hour < 18) == (True, True)
        nobody = await send(desk, times, f"{path}/wish", wish="")
        assert "slot" in {name for _, name, _ in Forms(nobody.text).buttons}


async def test_whoever_has_no_time_is_named_and_others_times_are_shown(city: City):
    """A caller asks for somebody who is on shift on no day they could come: the desk says so, and goes on."""
    someone = await city.resident()
    path = f"/desk/residents/{someone['id']}"
    name = await city.one(
        """SELECT w.name FROM workers w JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 AND w.active AND NOT EXISTS (
               SELECT FROM worker_skills k WHERE k.worker_id = w.id AND k.skill LIKE 'rehab%')
           AND NOT EXISTS (SELECT FROM workers o WHERE o.name = w.name AND o.id <> w.id) LIMIT 1""",
        someone["zone_id"],
    )
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR))
        times = await desk.get(f"{path}/book/rehab", params={"item": REHAB})
        heard = await send(desk, times, f"{path}/wish", wish=name)
        assert "没有这些人的时间" in heard.text
        assert "slot" in {button for _, button, _ in Forms(heard.text).buttons}
