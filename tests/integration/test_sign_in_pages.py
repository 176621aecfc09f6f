"""The sign-in as pages: forms with a proof, what was typed stays, cookies nobody else can use, and the way back."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher

from backend.core.errors import CODES
from backend.database.pool import Database
from backend.pages.problems import PROBLEMS
from backend.processes.embedded import Embedded
from backend.processes.web import create_app
from tests.support.pages import Forms, send
from tests.support.people import asking, one_database, person, settings

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture
async def browser(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps its cookies, as a browser does, and says where its forms come from."""
    async with asking(create_app(settings(database), database)) as client:
        client.headers["Origin"] = str(client.base_url).rstrip("/")
        yield client


def _demo_code(answer: httpx.Response) -> str:
    found = re.search(r"data-demo-code>(\d{6})<", answer.text)
    assert found is not None
    return found[1]


async def test_a_resident_signs_in_with_the_digits_and_stays_at_home(browser, database):
    resident = await person(database, "resident")
    first = await browser.get("/sign-in")
    asked = await send(browser, first, "/sign-in", phone=resident.phone.removeprefix("+86"))
    assert asked.status_code == 200, asked.text
    wrong = await send(browser, asked, "/sign-in/digits", code="12345")
    assert (wrong.status_code, 'value="12345"' in wrong.text, "出错：" in wrong.text) == (422, True, True)
    inside = await send(browser, wrong, "/sign-in/digits", code=f" {_demo_code(asked)} ")
    assert (inside.status_code, inside.headers["location"]) == (303, "/")
    cookie = inside.headers["set-cookie"].lower()
    for what in ("yinling_session=", "httponly", "samesite=lax", "path=/", "max-age="):
        assert what in cookie
    assert (await browser.get("/v1/me")).json()["resident_id"] == str(resident.own_id)
    again = await browser.get("/sign-in", params={"to": "/sign-in/staff"})
    assert (again.status_code, again.headers["location"]) == (303, "/"), "who is in need not sign in"


async def test_who_was_sent_to_sign_in_comes_back_and_nowhere_else(browser, database):
    for to, back in (
        ("/reading", "/reading"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/sign-in", "/"),
        ("", "/"),
    ):
        browser.cookies.clear()
        resident = await person(database, "resident")
        asked = await send(browser, await browser.get("/sign-in", params={"to": to}), "/sign-in", phone=resident.phone)
        inside = await send(browser, asked, "/sign-in/digits", code=_demo_code(asked))
        assert (inside.status_code, inside.headers["location"]) == (303, back), to


async def test_signing_in_anew_ends_what_the_browser_had_before(browser, database):
    first, second = await person(database, "resident"), await person(database, "family")
    browser.cookies.set("yinling_session", first.token)
    page = await browser.get("/reading")
    browser.cookies.delete("yinling_session")
    form = await browser.get("/sign-in")
    asked = await send(browser, form, "/sign-in", phone=second.phone)
    browser.cookies.set("yinling_session", first.token)
    refused = await send(browser, asked, "/sign-in/digits", code=_demo_code(asked))
    assert refused.status_code == 403, "the form was another person's"
    assert page.status_code == 200
    proof = Forms(page.text).found["/reading"]["forgery"]
    inside = await send(browser, asked, "/sign-in/digits", code=_demo_code(asked), forgery=proof)
    assert (inside.status_code, inside.headers["location"]) == (303, "/")
    assert (await browser.get("/v1/me", headers=first.headers)).status_code == 401


async def test_staff_sign_in_with_three_proofs_and_one_sentence_for_all_that_is_wrong(browser, database):
    secret, login = pyotp.random_base32(), f"desk-{uuid4().hex[:8]}"
    await person(
        database, "operator", login=login, password_hash=PasswordHasher().hash("right-one"), totp_secret=secret
    )
    page = await browser.get("/sign-in/staff")
    told = set()
    for typed in ({"login": login, "password": "another-one"}, {"login": "nobody", "password": "right-one"}):
        answer = await send(browser, page, "/sign-in/staff", totp=pyotp.TOTP(secret).now(), **typed)
        assert answer.status_code == 422
        assert f'value="{typed["login"]}"' in answer.text, "what was typed stays"
        assert typed["password"] not in answer.text, "but no proof does"
        told.add(re.search(r"<li>(.*?)</li>", answer.text)[1])
    assert len(told) == 1
    inside = await send(
        browser, page, "/sign-in/staff", login=login, password="right-one", totp=pyotp.TOTP(secret).now()
    )
    assert (inside.status_code, inside.headers["location"]) == (303, "/")


async def test_one_browsers_form_is_nobody_elses(browser):
    another = Forms((await browser.get("/sign-in")).text).found["/sign-in"]
    browser.cookies.clear()
    own = await browser.get("/sign-in")
    refused = await send(browser, own, "/sign-in", phone="13800000000", forgery=another["forgery"])
    assert (refused.status_code, (await send(browser, own, "/sign-in", phone="1")).status_code) == (403, 422)


@pytest.mark.parametrize("spoilt", [{"forgery": ""}, {"forgery": "0" * 64}])
async def test_a_form_that_was_not_ours_does_nothing(browser, database, spoilt):
    resident = await person(database, "resident")
    browser.cookies.set("yinling_session", resident.token)
    page = await browser.get("/reading")
    refused = await send(browser, page, "/sign-out", **spoilt)
    assert (refused.status_code, "<h1>" in refused.text) == (403, True)
    assert (await browser.get("/v1/me")).status_code == 200
    elsewhere = await browser.post(
        "/sign-out", data=Forms(page.text).found["/sign-out"], headers={"Origin": "https://evil.example"}
    )
    assert elsewhere.status_code == 403
    out = await send(browser, page, "/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert (await browser.get("/v1/me", headers=resident.headers)).status_code == 401


async def test_a_lost_phone_is_signed_out_from_another(browser, database):
    resident = await person(database, "resident")
    asked = await send(browser, await browser.get("/sign-in"), "/sign-in", phone=resident.phone)
    await send(browser, asked, "/sign-in/digits", code=_demo_code(asked))
    done = await send(browser, await browser.get("/reading"), "/sign-out/elsewhere")
    assert (done.status_code, done.headers["location"]) == (303, "/reading?done=elsewhere")
    assert (await browser.get("/v1/me", headers=resident.headers)).status_code == 401
    assert (await browser.get("/v1/me")).status_code == 200


async def test_text_size_and_language_are_kept_and_leave_no_chinese_word_in_english(browser):
    page = await browser.get("/reading", params={"to": "/sign-in"})
    chosen = await send(browser, page, "/reading", size="5")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in")
    await send(browser, page, "/reading", language="en")
    for path in ("/sign-in", "/sign-in/staff", "/reading", "/reading?done=elsewhere"):
        text = (await browser.get(path)).text
        assert '<html lang="en" data-door="resident" data-size="5" data-large>' in text
        said = Forms(text).said.replace("中文", "")
        assert HAN.search(said) is None, (path, HAN.findall(said))


@pytest.mark.parametrize("typed", ["12345", "", "手机", "<script>alert(1)</script>"])
async def test_a_number_nobody_can_ring_is_told_at_its_field(browser, typed):
    answer = await send(browser, await browser.get("/sign-in"), "/sign-in", phone=typed)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "<script>alert" not in answer.text


async def test_an_address_there_is_not_and_a_door_that_is_closed_are_pages(browser):
    closed = await browser.post("/sign-out", data={})
    assert (closed.status_code, closed.headers["content-type"]) == (401, "text/html; charset=utf-8")


def test_every_refusal_has_its_sentence_in_both_languages():
    assert set(PROBLEMS) == set(CODES)
    for code, sentence in PROBLEMS.items():
        assert HAN.search(sentence.zh), code
        assert not HAN.search(sentence.en), code
        assert sentence.zh[-1] in "。？", code


async def test_outside_the_demo_cookies_travel_encrypted_and_no_code_is_shown(database):
    async with asking(create_app(settings(database, demo=False), database)) as client:
        page = await client.get("/sign-in")
        assert "secure" in page.headers["set-cookie"].lower()
        resident = await person(database, "resident")
        visitor = page.headers["set-cookie"].partition(";")[0]
        fields = {**Forms(page.text).found["/sign-in"], "phone": resident.phone}
        asked = await client.post("/sign-in", data=fields, headers={"Cookie": visitor})
        assert (asked.status_code, "data-demo-code" in asked.text) == (200, False)
