"""Asking for a consent and answering on the pages of families, residents and the desk, without script."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from backend.core.phone import as_dialled
from tests.support.city import City, at
from tests.support.pages import Browsers, Forms, send
from tests.support.people import person


@pytest.fixture
async def browsers(city: City) -> AsyncIterator[Browsers]:
    async with Browsers(city) as opened:
        yield opened


async def _operator(city: City, browsers: Browsers) -> httpx.AsyncClient:
    account_id = await city.one(
        "INSERT INTO accounts (role, name, login, password_hash) VALUES ('operator', '某人', 'asks', 'none') RETURNING id"
    )
    return await browsers.of(account_id)


async def _held(city: City, resident_id: UUID, account_id: UUID) -> set[str]:
    rows = await city.sql(
        "SELECT purpose FROM consents WHERE resident_id = $1 AND account_id = $2 AND valid_to IS NULL",
        resident_id,
        account_id,
    )
    return {row["purpose"] for row in rows}


async def test_a_daughter_asks_and_her_mother_answers_one_question_a_page(city: City, browsers: Browsers):
    """A strip on the mother's first page, each thing by itself in plain words; the daughter's page says how it stands."""
    someone = await city.resident()
    account_id = await city.daughter(someone["id"])
    mother, daughter = await browsers.of(someone["account_id"]), await browsers.of(account_id)
    people = await daughter.get("/family")
    assert "没有：现在在哪里、服务记录" in people.text
    form = await daughter.get(f"/family/ask?of={someone['id']}")
    assert set(Forms(form.text).found["/family/ask"]) == {"forgery", "key", "of", "location", "reports"}
    asked = await _ask(daughter, form, location="1", reports="1")
    assert "问出去了" in asked.text
    assert "还在等回答" in asked.text
    assert f"/family/ask?of={someone['id']}" not in asked.text, "nothing is asked twice at a time"
    home = await mother.get("/")
    assert "想请您同意一件事" in home.text
    question = await mother.get("/asked")
    assert "想看师傅走到哪里了，您同意吗？" in question.text
    assert "还有 2 件" in question.text
    second = await send(mother, question, "/asked", agreed="yes")
    assert "想看您的服务记录，您同意吗？" in second.text
    done = await send(mother, second, "/asked", agreed="no")
    assert str(done.url).endswith("/sharing?done=answered")
    assert await _held(city, someone["id"], account_id) >= {"location"}
    assert "reports" not in await _held(city, someone["id"], account_id)
    assert "想请您同意一件事" not in (await mother.get("/")).text
    people = await daughter.get("/family")
    assert "现在还不想让您：服务记录" in people.text
    again = await daughter.get(f"/family/ask?of={someone['id']}")
    refused = await _ask(daughter, again, reports="1")
    assert refused.status_code == 422
    assert "过些日子才能再问" in refused.text


async def _ask(browser: httpx.AsyncClient, page: httpx.Response, **typed: str) -> httpx.Response:
    """Send the form with only these things ticked."""
    fields = {name: value for name, value in Forms(page.text).found["/family/ask"].items()
              if name not in {"status", "location", "reports", "book"}}  # fmt: skip
    return await browser.post("/family/ask", data={**fields, **typed})


async def test_what_is_left_out_of_the_form_is_named(city: City, browsers: Browsers):
    someone = await person(city.database, "family")
    browser = await browsers.of(someone.account_id)
    page = await browser.get("/family/ask")
    nothing = await _ask(browser, page, name="某奶奶", phone="13700009301")
    assert "请至少选一样" in nothing.text
    nobody = await _ask(browser, page, status="1")
    assert "请写手机号" in nobody.text
    wrong = await _ask(browser, page, name="某奶奶", phone="12", status="1")
    assert "这个号码打不通" in wrong.text
    assert await city.one("SELECT count(*) FROM consent_requests") == 0


async def test_a_number_nobody_has_and_one_somebody_has_look_the_same(city: City, browsers: Browsers):
    stranger = await person(city.database, "family")
    browser = await browsers.of(stranger.account_id)
    someone = await city.resident()
    name = await city.one("SELECT name FROM residents WHERE id = $1", someone["id"])
    said = list[str]()
    for phone in (someone["phone"], "+8613700009302"):
        page = await browser.get("/family/ask")
        asked = await _ask(browser, page, name=name, phone=phone, status="1")
        row = Forms(asked.text).said.split(as_dialled(phone))[1].split("不问了")[0]
        said.append(" ".join(row.split()))
        action = next(action for action in Forms(asked.text).found if "/withdraw" in action)
        assert "不问了。" in (await send(browser, asked, action)).text
    assert said[0] == said[1]


async def test_an_operator_asks_and_presses_one_or_two(city: City, browsers: Browsers):
    """From the queue to the question; what the resident has pressed meanwhile stays, and the operator is told."""
    someone = await city.resident()
    account_id = await city.daughter(someone["id"])
    mother, daughter = await browsers.of(someone["account_id"]), await browsers.of(account_id)
    operator = await _operator(city, browsers)
    form = await daughter.get(f"/family/ask?of={someone['id']}")
    await _ask(daughter, form, location="1", reports="1", by_desk="1")
    path = f"/desk/residents/{someone['id']}/asked"
    desk = await operator.get("/desk")
    assert "等同意" in desk.text
    assert path in Forms(desk.text).links
    assert path in Forms((await operator.get(f"/desk/residents/{someone['id']}")).text).links
    question = await operator.get(path)
    assert "想看师傅走到哪里了" in question.text
    assert [button for button in Forms(question.text).buttons if button[1] == "agreed"] == [
        (path, "agreed", "yes"), (path, "agreed", "no")
    ]  # fmt: skip
    empty = await send(operator, question, path, agreed="yes", evidence=" ")
    assert empty.status_code == 422
    await send(mother, await mother.get("/asked"), "/asked", agreed="no")
    late = await send(operator, question, path, agreed="yes")
    assert "已经回答过了" in late.text
    assert "location" not in await _held(city, someone["id"], account_id)
    done = await send(operator, late, path, agreed="yes", evidence="录音 12")
    assert "都问完了" in done.text
    assert (
        await city.one("SELECT evidence FROM consents WHERE purpose = 'reports' AND evidence = '录音 12'") == "录音 12"
    )
    assert "等同意" not in (await operator.get("/desk")).text


async def test_the_page_of_others_is_not_there(city: City, browsers: Browsers):
    """A daughter on the resident's page, a resident on the desk's, a stranger asking for somebody by id."""
    someone, other = await city.resident(), await city.resident(number=1)
    daughter = await browsers.of(await city.daughter(someone["id"]))
    neighbour = await browsers.of(other["account_id"])
    for browser, path, status in (
        (daughter, "/asked", 403), (daughter, "/asked/live", 403), (neighbour, f"/family/ask?of={someone['id']}", 404),
        (neighbour, f"/desk/residents/{someone['id']}/asked", 403), (daughter, f"/desk/residents/{someone['id']}/asked", 403),
    ):  # fmt: skip
        assert (await browser.get(path)).status_code == status, path
    mine = await neighbour.get("/asked")
    assert str(mine.url).endswith("/sharing")


async def test_a_visit_that_one_may_follow_no_longer_says_so_and_nothing_of_it(city: City, browsers: Browsers):
    """To whoever never could, and of what was booked since, it is as if there were none."""
    someone = await city.resident()
    name = await city.one("SELECT name FROM residents WHERE id = $1", someone["id"])
    operator = await city.staff("operator")
    orders = [await city.booked(operator, someone["id"], "rehab-home", at(10), at(12), channel="phone")]
    daughter = await browsers.of(await city.daughter(someone["id"]))
    stranger = await browsers.of((await person(city.database, "family")).account_id)
    assert (await daughter.get(f"/visits/{orders[0]['id']}")).status_code == 200
    await city.sql("UPDATE consents SET valid_to = now() WHERE resident_id = $1", someone["id"])
    orders.append(await city.booked(operator, someone["id"], "rehab-home", at(13), at(15), channel="phone"))
    gone = await daughter.get(f"/visits/{orders[0]['id']}")
    assert gone.status_code == 404
    assert f"{name}收回了，您不能再看" in gone.text
    assert "康复" not in gone.text
    for browser, order in ((stranger, orders[0]), (daughter, orders[1])):
        answer = await browser.get(f"/visits/{order['id']}")
        assert answer.status_code == 404
        assert "没有找到这一单" in answer.text
        assert name not in answer.text
    assert (await daughter.get(f"/visits/{orders[0]['id']}/live")).status_code == 404
