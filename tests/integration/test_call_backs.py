"""Whoever hung up while a time was held, or was promised a call, waits as a task that ends with what came of it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.support.city import Caller, City, at
from tests.support.pages import Browsers, Forms, send

REHAB = "rehab-home"
_OPERATOR = (
    "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', $1, 'none') RETURNING id"
)


async def _held(city: City, operator: Caller, number: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """A resident, and a time an operator holds for them."""
    someone = await city.resident(number=number)
    slot = (await city.quote(operator, someone["id"], REHAB, at(10), at(11)))[0]["token"]
    answer = await operator.post("/v1/bookings", {"slot": slot, "channel": "phone", "hold_only": True})
    assert answer.status_code == 201, answer.text
    return someone, answer.json()


async def test_whoever_hung_up_is_rung_before_the_time_is_let_go_and_one_call_is_enough(city: City):
    """The order stays held as long as it would; placed by anybody, nobody needs to be rung any more."""
    operator = await city.staff("operator")
    someone, order = await _held(city, operator)
    first = await operator.post(f"/v1/orders/{order['id']}/call-back")
    again = await operator.post(f"/v1/orders/{order['id']}/call-back")
    assert (first.status_code, again.json()["id"]) == (201, first.json()["id"])
    task = (await operator.get("/v1/tasks")).json()[0]
    assert (task["kind"], task["order_id"], task["resident_id"]) == ("call_back", order["id"], str(someone["id"]))
    assert at(8) < datetime.fromisoformat(task["due_at"]) <= datetime.fromisoformat(order["hold_expires_at"])
    assert await city.one("SELECT status FROM orders WHERE id = $1", UUID(order["id"])) == "held"
    placed = await operator.post(f"/v1/orders/{order['id']}/confirm")
    assert placed.status_code == 200, placed.text
    assert (await operator.get("/v1/tasks")).json() == []
    row = (await city.sql("SELECT outcome, closed_at FROM desk_tasks"))[0]
    assert (row["outcome"], row["closed_at"] is not None) == ("placed", True)
    refused = await operator.post(f"/v1/orders/{order['id']}/call-back")
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")


async def test_they_are_rung_about_a_time_that_was_let_go_meanwhile_too(city: City):
    """The call matters more than the hold: the same window is tried once more when they answer."""
    operator = await city.staff("operator")
    _, order = await _held(city, operator)
    await operator.post(f"/v1/orders/{order['id']}/release")
    late = await operator.post(f"/v1/orders/{order['id']}/call-back")
    assert (late.status_code, datetime.fromisoformat(late.json()["due_at"])) == (201, at(8, 15))


async def test_a_promised_call_is_due_when_it_was_said_and_promised_once(city: City):
    """Neither in the past nor in half a year; a second promise would hide what the first was about."""
    operator, someone = await city.staff("operator"), await city.resident()
    path = f"/v1/residents/{someone['id']}/call-back"

    async def asked(due_at: datetime) -> tuple[int, str]:
        answer = await operator.post(path, {"words": "女儿想问洗澡", "due_at": due_at.isoformat()})
        return answer.status_code, answer.json().get("code") or answer.json()["details"]["words"]

    assert await asked(at(8) - timedelta(seconds=1)) == (422, "in_the_past")
    assert await asked(at(8) + timedelta(days=31, seconds=1)) == (422, "too_far_ahead")
    assert await asked(at(15)) == (201, "女儿想问洗澡")
    assert await asked(at(16)) == (409, "already_open")
    task = (await operator.get("/v1/tasks")).json()[0]
    assert (task["resident_id"], datetime.fromisoformat(task["due_at"])) == (str(someone["id"]), at(15))
    closed = await operator.post(f"/v1/tasks/{task['id']}/close", {"outcome": "说好了"})
    assert (closed.status_code, closed.json()["outcome"]) == (200, "说好了")
    assert await asked(at(16)) == (201, "女儿想问洗澡")


async def test_calls_wait_behind_what_keeps_others_from_being_served_and_before_what_can_wait(city: City):
    """A door that stays shut, a crew that is short, then whoever waits by the telephone, then a consent."""
    operator = await city.staff("operator")
    someone, order = await _held(city, operator)
    await operator.post(f"/v1/orders/{order['id']}/call-back")
    for kind, column, about in (
        ("suspended", "resident_id", someone["id"]), ("consent_asked", "resident_id", someone["id"]),
        ("crew_short", "order_id", UUID(order["id"])), ("no_access", "order_id", UUID(order["id"])),
    ):  # fmt: skip
        await city.sql(f"INSERT INTO desk_tasks (kind, {column}) VALUES ($1, $2)", kind, about)
    kinds = [task["kind"] for task in (await operator.get("/v1/tasks")).json()]
    assert kinds == ["no_access", "crew_short", "call_back", "suspended", "consent_asked"]


async def test_at_the_desk_hanging_up_asks_and_opening_the_call_leads_to_what_was_read(city: City):
    """Without script: ask, wait, take, read again, place; nobody hangs up on a held time unasked."""
    operator = await city.staff("operator")
    someone, order = await _held(city, operator)
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR, "first"))
        other = await browsers.of(await city.one(_OPERATOR, "second"))
        asked = await desk.get(f"/desk/residents/{someone['id']}/hang-up")
        assert asked.url.path.endswith("/hang-up")
        waiting = await send(desk, asked, f"/desk/orders/{order['id']}/call-back")
        assert (waiting.url.path, "要回拨" in waiting.text) == ("/desk", True)
        gone = await desk.get(f"/desk/residents/{someone['id']}/hang-up")
        assert gone.url.path == "/desk", "it was asked once"
        task = (await operator.get("/v1/tasks")).json()[0]["id"]
        opened = await send(other, await other.get("/desk"), f"/desk/tasks/{task}/take")
        assert opened.url.path == f"/desk/orders/{order['id']}/read"
        assert "别人在办" in (await desk.get("/desk")).text
        placed = await send(other, opened, f"/desk/orders/{order['id']}/place")
        assert "要回拨：" not in placed.text
    assert await city.one("SELECT outcome FROM desk_tasks") == "placed"


async def test_at_the_desk_a_call_is_promised_in_one_line_and_ends_with_one_press(city: City):
    """With its words beside whom it is about, for whoever took it; a time of day that is over is tomorrow's."""
    someone = await city.resident()
    path = f"/desk/residents/{someone['id']}"
    async with Browsers(city) as browsers:
        desk = await browsers.of(await city.one(_OPERATOR, "first"))
        form = await desk.get(f"{path}/call-back")
        wrong = await send(desk, form, f"{path}/call-back", words="问问洗澡", at="25:00")
        assert (wrong.status_code, 'value="问问洗澡"' in wrong.text) == (422, True), "what was typed stays"
        noted = await send(desk, form, f"{path}/call-back", words="问问洗澡", at="07:30")
        assert "记在要回拨里了" in noted.text
        task = (await city.sql("SELECT id, due_at FROM desk_tasks"))[0]
        assert task["due_at"] == at(7, 30, days=1)
        assert "问问洗澡" in (await desk.get("/desk/live")).text
        taken = await send(desk, noted, f"/desk/tasks/{task['id']}/take")
        assert (taken.url.path, "问问洗澡" in taken.text) == (path, True)
        buttons = [value for action, name, value in Forms(taken.text).buttons if name == "words"]
        done = await send(desk, taken, f"{path}/called/{task['id']}", words=buttons[1])
        assert "回拨办完了" in done.text
    assert await city.one("SELECT outcome FROM desk_tasks") == "没人接"
