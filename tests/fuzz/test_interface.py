"""Whatever is sent to any route, as anybody: an answer the description promises, never a failure of ours."""

import json
import os
from pathlib import Path
from uuid import uuid4
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.support.effort import FULL
from tests.support.platform import Running

SNAPSHOT = Path(__file__).parents[1] / "unit" / "openapi.json"
EXAMPLES = int(os.environ.get("YINLING_FUZZ_EXAMPLES", "12"))
schema = schemathesis.openapi.from_dict(json.loads(SNAPSHOT.read_text()))


@pytest.fixture(scope="module")
def city(running_city: Running) -> Running:
    return running_city


@pytest.fixture(scope="module")
async def tokens(city: Running) -> list[str]:
    """An operator, a provider, a resident and a worker; the empty one is nobody."""
    phones = [
        row["phone"]
        for row in await city.sql(
            """(SELECT phone FROM accounts a JOIN account_numbers n ON n.account_id = a.id
                WHERE role = 'resident' ORDER BY phone LIMIT 1) UNION ALL
               (SELECT phone FROM accounts a JOIN account_numbers n ON n.account_id = a.id
                WHERE role = 'worker' ORDER BY phone LIMIT 1)"""
        )
    ]
    people = [await city.desk("operator"), await city.desk("provider1"), *[await city.phone(p) for p in phones]]
    return [*(person.session.token for person in people if person.session), ""]


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_interface(case: Case, city: Running, tokens: list[str]):
    if case.path == "/v1/sign-in" and case.method == "DELETE":
        return  # it would sign out the very people who ask
    sent = repr((case.path_parameters, case.query, case.body)).encode()
    for token in tokens if FULL else (tokens[crc32(sent) % len(tokens)],):
        headers = {"Idempotency-Key": str(uuid4())} | ({"Authorization": f"Bearer {token}"} if token else {})
        answer = case.call(base_url=city.platform.web_url, headers=headers)
        case.validate_response(
            answer, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
        )
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"], answer.status_code
            assert json.loads(answer.content)["code"]
