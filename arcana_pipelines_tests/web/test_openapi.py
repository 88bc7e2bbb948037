"""Whatever the OpenAPI document allows is answered as it says, and nothing that it does not allow breaks the server.

`SCHEMA_REQUESTS=12000` asks about so often; `make fuzz` does.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from arcana_pipelines_tests.ticket_rows import add_desk
from arcana_pipelines_tests.web.conftest import Api

REQUESTS = int(os.environ.get("SCHEMA_REQUESTS", "200"))
# What a route is asked about, half of the time: what a generator makes up is nowhere.
KNOWN = {"slug": "acme", "document": "Vacation policy", "generation": 1, "store": "acme", "name": "default",
         "index": "default", "ticket": "20"}  # fmt: skip
LONGEST_ADDRESS = 60_000
CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def test_every_answer_is_one_that_the_document_describes(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    document = httpx.get(f"{api.url}/openapi.json", trust_env=False).json()
    assert document["openapi"].startswith("3.1")
    operations = [each.ok() for each in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert len(operations) >= 10
    statuses: dict[int, int] = {}
    known: dict[str, Any] = dict(KNOWN)
    with api.administrator() as administrator, api.client("search", "read", "sync", "feedback") as reader:
        add_desk(api.acme.database, "help").add("20")
        begun = reader.post("/v1/conversations", json={"workspace": "acme"})
        known["conversation_id"] = begun.json()["conversation_id"]
        for operation in operations:

            @settings(
                max_examples=max(3, REQUESTS // len(operations)),
                phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(
                case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)),
                is_known=st.booleans(), administers=st.booleans(),
            )  # fmt: skip
            def answers(case: Any, is_known: bool, administers: bool) -> None:
                if is_known and case.method != "DELETE":
                    case.path_parameters |= {name: known[name] for name in case.path_parameters.keys() & known.keys()}
                client = administrator if administers else reader
                asked = case.as_transport_kwargs(api.url, {"Authorization": client.headers["authorization"]})
                address = requests.Request("GET", asked["url"], params=asked.get("params")).prepare().url
                if len(address or "") > LONGEST_ADDRESS:
                    return  # refused before it is read as a request, maybe with nothing but a closed connection
                response = case.call(base_url=api.url, headers={"Authorization": client.headers["authorization"]})
                statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
                case.validate_response(response, checks=CHECKS)

            answers()
    told = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    with capsys.disabled():
        print(f"\n{sum(statuses.values())} requests to {len(operations)} operations ({told})")
    assert statuses.keys() >= {200, 404, 422}
