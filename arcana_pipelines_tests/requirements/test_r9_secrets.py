"""R9: what was planted is found nowhere. What is audited: `arcana_pipelines_tests/audit`."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Any

import pytest
from psycopg import sql
from pydantic import SecretStr

from arcana_pipelines.credentials.store import keep
from arcana_pipelines.db.query import scalars
from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.requirements.routes import ALL_SCOPES, ask_tools, routes_with_key
from arcana_pipelines_tests.requirements.test_r4_mcp import call
from arcana_pipelines_tests.web.conftest import Api, served

QUERY = "plantedquokka vacation"
TOKEN = "ntn_plantedtoken0123456789"


def held(api: Api) -> dict[str, str]:
    """Every row of every table, by its name: what a dump would have."""
    with closing(api.acme.superuser()) as connection:
        tables = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        ).fetchall()
        return {
            table[1]: "\n".join(scalars(connection, sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*table))))
            for table in tables
        }


@pytest.mark.parametrize("kept", ["text", "hash", "off"])
def test_r9_keys_and_tokens_stand_in_no_log_no_error_and_no_table_and_queries_in_the_register_alone(
    kept: str, companies: Harness, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What was asked stands in the register of questions, `query_cache`, as KEEP_QUESTIONS says, and nowhere else."""
    with served(companies, keep_questions=kept, key_requests_per_minute=1_000_000) as api:
        _plant(api, kept, caplog, capfd, monkeypatch)


def _plant(
    api: Api, kept: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    made = api.key(*ALL_SCOPES)
    planted = {"key": made.key[13:], "query": "plantedquokka", "token": "plantedtoken"}
    with api.acme.database.connection() as connection:
        keep(connection, api.settings, workspaces.find(connection, "acme").workspace_id, SecretStr(TOKEN))

    def ask_everything() -> list[str]:
        said = []
        with api.with_key(made.key) as client:
            for route in routes_with_key(api):
                body = {**route.body, "query": QUERY} if "query" in (route.body or {}) else None
                if route.method == "DELETE":
                    continue
                # What else is required, a file's name, is kept.
                query = {name: QUERY for name in route.required if name == "query"}
                said.append(route.ask(client, query=query, body=body))
            said += [ask_tools(client), client.get("/v1/workspaces", params={"key": made.key, "token": TOKEN})]
            call(client, "search", query=QUERY)
        wrong = made.key[:-1]
        with api.with_key(wrong) as client:
            said.append(client.get(f"/v1/{wrong}", headers={"X-Request-Id": wrong, "User-Agent": wrong}))
            said.append(client.get("/v1/workspaces"))
        return [f"{answer.headers} {answer.text}" for answer in said]

    answers = ask_everything()

    def fails(*_: Any, **__: Any) -> Any:
        raise DatabaseUnreachable("The database at db.internal cannot be used.")

    with monkeypatch.context() as patch:
        patch.setattr("arcana_pipelines.retrieval.searcher.Searcher.search", fails)
        patch.setattr("arcana_pipelines.retrieval.connection_searcher.ConnectionSearcher.search", fails)
        answers += ask_everything()
    with api.with_key(made.key) as client:  # what waits is written
        client.post("/v1/feedback", json={"request_id": "none", "verdict": "no_answer"})
    tables = held(api)
    register = tables.pop("query_cache")
    assert (planted["query"] in register) == (kept == "text") and (register == "") == (kept == "off")
    rows = "\n".join([*tables.values(), register.replace(planted["query"], "")])
    out, err = capfd.readouterr()
    # But what the test's own client says of what it sends.
    of_server = [each for each in caplog.records if not each.name.startswith(("httpx", "httpcore"))]
    ours = "\n".join(f"{each.getMessage()} {each.exc_text or ''}" for each in of_server)
    places = {"logs": ours, "output": out + err, "tables": rows, "answers": "\n".join(answers)}
    for place, text in places.items():
        for what, secret in planted.items():
            if (place, what) == ("answers", "query"):
                continue  # whoever asked may be told what
            assert secret not in text, f"the {what} stands in the {place}"
    print(
        f"{len(answers)} answers, {len(tables) + 1} tables, {len(of_server)} lines of logs: 0 of {len(planted)} secrets"
    )
    assert len(tables) > 30 and "acme" in rows
