"""Whatever a client writes is read in one way only, or refused as the client's own mistake."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from backend.core.principal import Role
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.web import create_app
from tests.support.people import Person, asking, one_database, person, settings

CODES = "/v1/sign-in/codes"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture(scope="module")
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(create_app(settings(database), database)) as client:
        yield client


@pytest.fixture(scope="module")
async def operator(database: Database) -> Person:
    return await person(database, Role.OPERATOR)


def _refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    return answer.json()


@pytest.mark.parametrize(
    "body",
    [
        b'{"phone":"\xff"}',
        b'{"phone":"\xed\xa0\x80"}',
        b'{"phone":"\\ud800"}',
        b'{"phone":"1","phone":"2"}',
        b'{"phone":' + b"[" * 30_000,
        b"[" * 60_000,
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
        b"\xef\xbb\xbf{}",
        b"{'phone':'1'}",
        b"NaN",
        b"",
    ],
)
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, body: bytes):
    answer = await client.post(CODES, content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in {"invalid_json", "invalid_request"}


async def _quote(client: httpx.AsyncClient, operator: Person, **other: Any) -> httpx.Response:
    body = json.dumps({"resident_id": str(uuid4()), "item_code": "rehab-home"} | other).encode()
    return await client.post("/v1/quotes", content=body, headers=JSON | operator.headers)


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"wish": "null"}, "wish"),
        ({"days": "3"}, "days"),
        ({"days": 3.0}, "days"),
        ({"days": True}, "days"),
        ({"from_on": 1_900_000_000}, "from_on"),
        ({"wish": {"from_at": 1_900_000_000, "to_at": 1_900_000_000}}, "wish.from_at"),
        ({"wish": {"from_at": "1e9", "to_at": "1e9"}}, "wish.from_at"),
        ({"wish": {"from_at": "2030-03-12T10:00:00Z", "to_at": "2030-03-12T10:00:00Z", "more": 1}}, "wish"),
        ({"wish": {"from_at": "0001-01-01T00:00:00Z", "to_at": "2030-03-12T10:00:00Z"}}, "wish.from_at"),
        ({"pickup": {"facility_id": str(uuid4()), "ready_at": "0001-01-01T00:00:00Z"}}, "pickup.ready_at"),
        ({"pickup": {"facility_id": str(uuid4()), "ready_at": "2030-03-12T10:00:00Z", "max_ride_s": 2**40}},
         "pickup.max_ride_s"),
        ({"after": {"order_id": str(uuid4()), "min_gap_s": 0, "maximum": 1}}, "after"),
        ({"item_code": "x" * 65}, "item_code"),
        ({"item_code": "a\0b"}, "item_code"),
        ({"more": 1}, ""),
    ],
)  # fmt: skip
async def test_a_value_has_one_written_form_and_a_bound(
    client: httpx.AsyncClient, operator: Person, other: dict[str, Any], field: str
):
    problem = _refused(await _quote(client, operator, **other), 400, "invalid_request")
    assert problem["errors"][0]["field"] == field
    assert problem["errors"][0]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/orders?cursor=null",
        "/v1/orders?limit=1e1",
        "/v1/orders?limit=%31%00",
        "/v1/orders?limit=5&limit=6",
        "/v1/orders?limit=99999999999999999999",
        "/v1/orders?status=",
        "/v1/orders?status=null",
        "/v1/orders?statuses=placed",
        "/v1/orders?status=%ff",
        "/v1/orders?",
        "/v1/orders?=",
        "/v1/facilities?zone_id=00000000000000000000000000000000",
        "/v1/zones?x",
    ],
)
async def test_a_query_is_read_as_strictly(client: httpx.AsyncClient, operator: Person, path: str):
    answer = await client.get(path, headers=operator.headers)
    if path.endswith("orders?"):
        assert answer.status_code == 200
    else:
        _refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "Content-Type", "Origin"])
async def test_a_header_that_decides_something_stands_once(client: httpx.AsyncClient, operator: Person, name: str):
    headers = [*operator.headers.items(), ("Idempotency-Key", "12345678"), ("Content-Type", "application/json")]
    value = dict(headers).get(name, "http://127.0.0.1")
    twice = [*headers, *([(name, value)] * (1 if name in dict(headers) else 2))]
    answer = await client.post("/v1/residents/search", content=b'{"phone":"13800138000"}', headers=twice)
    _refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("key", ["\u00e9" * 8, "x" * 256, "x" * 7, "tab\tinside it"])
async def test_a_key_is_plain_text(client: httpx.AsyncClient, operator: Person, key: str):
    headers = [*((n.encode(), v.encode()) for n, v in operator.headers.items()), (b"Idempotency-Key", key.encode())]
    answer = await client.post(
        "/v1/residents", content=b"{}", headers=[*headers, (b"Content-Type", b"application/json")]
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//[x", "\u00ff"])
async def test_an_origin_that_is_no_address_is_another_site(client: httpx.AsyncClient, operator: Person, origin: str):
    headers = {"Cookie": f"yinling_session={operator.token}", "Origin": origin.encode("latin-1"), **JSON}
    _refused(await client.post("/v1/live/tickets", headers=headers), 403, "not_allowed")


@pytest.mark.parametrize("name", ["%00", "a" * 5000, "%2e%2e/%2e%2e/config.py", "%ff", "..%5c..", "board.css/", "CON"])
async def test_no_name_reaches_the_disk(client: httpx.AsyncClient, name: str):
    answer = await client.get(f"/static/{name}")
    if name != "board.css/":  # a slash at the end changes nothing, as with every address
        _refused(answer, 404, "not_found")


async def test_what_never_changes_is_made_once_and_sent_once(client: httpx.AsyncClient):
    for path, kind in (
        ("/static/board.css", "text/css; charset=utf-8"),
        ("/static/icon.svg", "image/svg+xml"),
        ("/v1/openapi.json", "application/json"),
    ):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "no-cache"
        again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == answer.headers["etag"]
    assert (await client.head("/static/board.css")).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip, br", True), ("br;q=1, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("identity", False), ("", False)],
)  # fmt: skip
async def test_a_sheet_is_compressed_for_whoever_takes_that(client: httpx.AsyncClient, accepted: str, packed: bool):
    """A browser behind a slow line loads a third; the two versions have tags of their own, and caches keep them apart."""
    plain = await client.get("/static/resident.css", headers={"Accept-Encoding": "identity"})
    answer = await client.get("/static/resident.css", headers={"Accept-Encoding": accepted})
    assert (answer.headers.get("content-encoding") == "gzip", answer.content == plain.content) == (packed, True)
    assert answer.headers["vary"].lower() == "accept-encoding"
    assert (answer.headers["etag"] != plain.headers["etag"]) == packed
    known = {"Accept-Encoding": accepted, "If-None-Match": answer.headers["etag"]}
    assert (await client.get("/static/resident.css", headers=known)).status_code == 304


async def test_the_description_is_written_out_once(database: Database, monkeypatch: pytest.MonkeyPatch):
    """A stranger who asks for it again and again takes no time from others."""
    from backend.processes import description

    made = []
    described = description.described
    monkeypatch.setattr(description, "described", lambda app: made.append(1) or described(app))
    async with asking(create_app(settings(database), database)) as client:
        for _ in range(3):
            assert (await client.get("/v1/openapi.json")).json()["openapi"].startswith("3.1")
        for aside in ("/v1/openapi", "/v1/openapi/openapi.json", "/v1/openapi/raw.json", "/v1/openapi/x"):
            _refused(await client.get(aside), 404, "not_found")
    assert len(made) == 1
