"""An order is found by the code somebody reads aloud, however they group it; a slip is told apart from a stranger."""

from uuid import UUID

import pytest

from backend.core.codes import CODES, code_of, grouped, is_right
from backend.core.principal import SYSTEM
from backend.orders import actions
from tests.support.city import City, at

REHAB = "rehab-home"


async def _booked(city: City, number: int = 0) -> dict[str, str]:
    operator, someone = await city.staff("operator"), await city.resident(number=number)
    return await city.booked(operator, someone["id"], REHAB, at(9), at(17), channel="phone")


async def test_an_order_is_found_by_its_code(city: City):
    order = await _booked(city)
    operator = await city.staff("operator")
    code = order["code"]
    assert is_right(code)
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    for typed in (code, grouped(code), f"{code[:4]}-{code[4:]}", full_width, f" {code} "):
        answer = await operator.post("/v1/orders/search", {"code": typed})
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == order["id"]
    slipped = code[:-1] + str((int(code[-1]) + 1) % 10)
    answer = await operator.post("/v1/orders/search", {"code": slipped})
    assert (answer.status_code, answer.json()["code"]) == (400, "mistyped_code")
    answer = await operator.post("/v1/orders/search", {"code": code_of((int(code[:10]) + 1) % CODES)})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order")


async def test_codes_from_before_are_still_found(city: City):
    order = await _booked(city)
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await connection.execute("UPDATE orders SET code = '7F3A9C01' WHERE id = $1", UUID(order["id"]))
    answer = await (await city.staff("operator")).post("/v1/orders/search", {"code": "7f3a-9c01"})
    assert answer.json()["id"] == order["id"]


async def test_only_the_desk_searches(city: City):
    order = await _booked(city)
    me = await city.resident()
    for caller in (await city.signed_in(me["account_id"]), await city.staff("supervisor")):
        assert (await caller.post("/v1/orders/search", {"code": order["code"]})).status_code == 403


async def test_a_code_that_is_taken_is_drawn_again(city: City, monkeypatch: pytest.MonkeyPatch):
    """A million orders are a ten-thousandth of all codes: some draw meets one, and no booking fails for it."""
    taken = int((await _booked(city))["code"][:10])
    draws = iter([taken, taken, 1234567890, 7])  # the last for the digits at the door
    monkeypatch.setattr(actions.store, "__defaults__", (lambda _: next(draws),))
    assert (await _booked(city, 1))["code"] == code_of(1234567890)


async def test_the_board_groups_codes(city: City):
    order = await _booked(city)
    page = (await (await city.staff("supervisor")).get("/board")).text
    assert grouped(order["code"]) in page
    assert order["code"] not in page
