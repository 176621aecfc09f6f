"""Every refusal has one shape and a stable code; a failure says nothing about anybody."""

import json
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from litestar import get
from litestar.params import FromPath

from backend.core.errors import CODES, DomainError
from backend.database.pool import Database
from backend.processes import web
from backend.processes.embedded import Embedded
from backend.processes.web import OpenRouteError, create_app
from tests.support.people import asking, one_database, person, settings


@get("/v1/broken/{how:str}", opt={"public": True})
async def broken(how: FromPath[str]) -> None:
    raise {
        "bug": ValueError("+8613800138000 王奶奶"),
        "gone": asyncpg.ConnectionDoesNotExistError("gone"),
        "refused": ConnectionRefusedError(),
        "deadlock": asyncpg.DeadlockDetectedError("one of two"),
        "domain": DomainError("slot_taken", "Somebody was faster.", order="7"),
    }[how]


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture(scope="module")
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "_SLICES", (*web._SLICES, [broken]))
        async with asking(create_app(settings(database), database)) as client:
            yield client


def _problem(answer: httpx.Response, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["type"] == f"urn:yinling:problem:{code}"
    assert problem["status"] == status == CODES[code][0]
    assert problem["title"] == CODES[code][1]
    assert problem["detail"]
    assert problem["request_id"]
    return problem


async def test_what_the_framework_refuses_has_the_same_shape(client):
    codes = "/v1/sign-in/codes"
    _problem(await client.get("/v1/nothing/here"), 404, "not_found")
    _problem(await client.get("/v1/nothing"), 404, "not_found")
    _problem(await client.put(codes), 405, "method_not_allowed")
    _problem(await client.post(codes, content=b"{", headers={"content-type": "application/json"}), 400, "invalid_json")
    _problem(await client.post(codes, data={"phone": "1"}), 415, "unsupported_media_type")
    _problem(await client.post(codes, json={"phone": "1" * 70_000}), 413, "body_too_large")
    misfit = _problem(await client.post(codes, json={"phone": 5}), 400, "invalid_request")
    assert misfit["errors"][0]["field"] == "phone"
    _problem(await client.post(codes, json={"phone": "1", "more": 1}), 400, "invalid_request")
    _problem(await client.post(codes, json=[]), 400, "invalid_request")


async def test_who_is_not_signed_in_and_who_may_not(client, database):
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = await client.get("/v1/me", headers=headers)
        _problem(answer, 401, "not_signed_in")
        assert answer.headers["www-authenticate"] == "Bearer"
    resident = await person(database, "resident")
    answer = await client.post("/v1/residents/search", json={"phone": "13800138000"}, headers=resident.headers)
    _problem(answer, 403, "not_allowed")


async def test_a_domain_error_keeps_its_code_and_detail(client):
    problem = _problem(await client.get("/v1/broken/domain"), 409, "slot_taken")
    assert problem["detail"] == "Somebody was faster."
    assert problem["order"] == "7"


@pytest.mark.parametrize("how", ["gone", "refused", "deadlock"])
async def test_a_lost_database_asks_to_try_again(client, how):
    answer = await client.get(f"/v1/broken/{how}")
    _problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_a_failure_is_logged_without_what_it_said(client, capsys):
    problem = _problem(await client.get("/v1/broken/bug"), 500, "internal_error")
    assert "王" not in json.dumps(problem, ensure_ascii=False)
    said = "".join(capsys.readouterr())
    assert problem["request_id"] in said
    assert "ValueError" in said
    assert "王" not in said
    assert "13800138000" not in said


async def test_every_answer_carries_the_security_headers(client):
    for path in ("/health/live", "/v1/nothing", "/v1/catalogue/items"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "same-origin"


async def test_health_tells_whether_the_database_answers(database_urls):
    database = await Database.open(database_urls.app, size=1)
    async with asking(create_app(settings(database), database)) as client:
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        assert (await client.get("/health/ready")).status_code == 200
        await database.close()
        assert (await client.get("/health/ready")).status_code == 503
        _problem(await client.get("/v1/me", headers={"Authorization": "Bearer x"}), 503, "unavailable")


async def test_a_route_that_names_no_role_does_not_start(database, monkeypatch):
    @get("/v1/forgotten")
    async def forgotten() -> None: ...

    monkeypatch.setattr(web, "_SLICES", (*web._SLICES, [forgotten]))
    with pytest.raises(OpenRouteError, match="/v1/forgotten"):
        create_app(settings(database), database)


async def test_the_interface_describes_itself_without_sign_in(client):
    description = (await client.get("/v1/openapi.json")).json()
    assert description["openapi"].startswith("3.1")
    operation = description["paths"]["/v1/sign-in/codes"]["post"]
    assert operation["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"].endswith(
        "/Problem"
    )
