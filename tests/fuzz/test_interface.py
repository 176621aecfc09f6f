"""Whatever is sent to any route, as anybody: an answer the description promises, never a failure of ours."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from backend.accounts import proofs
from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.simulation.demo.city import desks
from tests.support.day_judge import must_be_sound
from tests.support.effort import FULL
from tests.support.processes import started
from tests.support.scratch import GUARDED

SNAPSHOT = Path(__file__).parents[1] / "unit" / "openapi.json"
EXAMPLES = int(os.environ.get("YINLING_FUZZ_EXAMPLES", "12"))
schema = schemathesis.openapi.from_dict(json.loads(SNAPSHOT.read_text()))


@pytest.fixture(scope="module")
async def web(server: Embedded) -> AsyncIterator[tuple[str, list[str]]]:
    """A web process of an invented city, and who asks it: an operator, a provider, a resident, a worker; the empty one is nobody.

    Nobody else is at work there: each worker that has a part of these tests starts one.
    """
    name = f"fuzz_{os.getpid()}"
    urls = await server.copy_database(GUARDED, name)
    owner = await open_as_owner(urls.owner, size=1)
    async with started("web", urls.app, requests_per_address_s=10000) as process:
        await process.answers("/health/ready")
        yield f"http://{process.address}", [*await _tokens(owner), ""]

        async def rows(statement: str, *args: Any) -> list[dict[str, Any]]:
            async with owner.unit_of_work(SYSTEM) as connection:
                return [dict(row) for row in await connection.fetch(statement, *args)]

        await must_be_sound(rows)
    await owner.close()
    await server.drop_database(name)


async def _tokens(owner: Database) -> list[str]:
    tokens = []
    async with owner.unit_of_work(SYSTEM) as connection:
        await desks(connection)
        for role in ("operator", "provider", "resident", "worker"):
            tokens.append(proofs.new_token())
            assert await connection.fetchval(
                """INSERT INTO sessions (token_hash, account_id, expires_at)
                   SELECT $1, id, now() + interval '1 hour' FROM accounts WHERE role = $2 ORDER BY id LIMIT 1
                   RETURNING true""",
                proofs.token_hash(tokens[-1]), role,
            )  # fmt: skip
    return tokens


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_interface(case: Case, web: tuple[str, list[str]]):
    if case.path == "/v1/sign-in" and case.method == "DELETE":
        return  # it would sign out the very people who ask
    url, tokens = web
    sent = repr((case.path_parameters, case.query, case.body)).encode()
    for token in tokens if FULL else (tokens[crc32(sent) % len(tokens)],):
        headers = {"Idempotency-Key": str(uuid4())} | ({"Authorization": f"Bearer {token}"} if token else {})
        answer = case.call(base_url=url, headers=headers)
        case.validate_response(
            answer, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
        )
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"], answer.status_code
            assert json.loads(answer.content)["code"]
