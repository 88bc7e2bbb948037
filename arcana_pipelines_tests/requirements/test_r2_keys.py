"""R2: no route answers without a key that is good and meant for it, and none tells what is wrong with another."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from typing import Any

import httpx
import pytest

from arcana_pipelines.keys import access, keys, spelling
from arcana_pipelines.keys.spelling import PATTERN, new_key
from arcana_pipelines_tests.requirements.routes import ALL_SCOPES, ask_tools, routes_with_key
from arcana_pipelines_tests.web.conftest import SALT, Api


def spelled(key_id: str, of: str) -> str:
    """A key that is spelled well: this id, and the rest of another."""
    said = f"arc_{key_id}_{of[13:-6]}"
    return said + spelling._check(said)


def that_open_nothing(api: Api) -> dict[str, str | None]:
    """Keys, by what is wrong with them."""
    good, revoked, expired = (api.key(*ALL_SCOPES) for _ in range(3))
    other = new_key()[1]
    with api.acme.database.connection() as connection:
        keys.revoke(connection, revoked.key_id)
        connection.execute("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", [expired.key_id])
    return {
        "none": None,
        "no key": "secret",
        "mistyped": good.key[:-1] + ("a" if good.key[-1] != "a" else "b"),
        "unknown": other,
        "another's secret": spelled(good.key_id, other),
        "another's id": spelled(other[4:12], good.key),
        "revoked": revoked.key,
        "expired": expired.key,
        "another case": good.key.upper(),
        "cut off": good.key[:20],
        "too long": good.key + "x" * 5000,
    }


def test_r2_no_route_answers_a_key_that_opens_nothing(api: Api) -> None:
    tried, said = 0, set()
    for why, key in that_open_nothing(api).items():
        with api.with_key(key) as client:
            for answer in (*(route.ask(client) for route in routes_with_key(api)), ask_tools(client)):
                assert answer.status_code == 401, f"{why}: {answer.text}"
                assert answer.headers["www-authenticate"].startswith("Bearer")
                if key and key.strip():
                    held = answer.json()
                    said.add(held["detail"] if "detail" in held else held["error"]["message"])
                tried += 1
    print(f"{tried} requests with keys that open nothing, all told the same")
    assert len(said) == 1 and tried > 150


@pytest.mark.parametrize("scheme", ["Basic", "Token", "", "bearer bearer"])
def test_r2_no_other_header_lets_in(api: Api, scheme: str) -> None:
    key = api.key(*ALL_SCOPES).key
    elsewhere: list[dict[str, Any]] = [
        {"headers": {"Authorization": f"{scheme} {key}".strip()}},
        {"headers": {"X-Api-Key": key}},
        {"params": {"key": key, "access_token": key, "api_key": key}},
        {"cookies": {"Authorization": f"Bearer {key}", "key": key}},
    ]
    for each in elsewhere:
        with httpx.Client(base_url=api.url, trust_env=False, cookies=each.pop("cookies", None)) as client:
            assert client.get("/v1/workspaces", **each).status_code == 401


def test_r2_no_route_is_open_to_every_scope(api: Api) -> None:
    """Denied by default: a route that asks for no scope tells each key of its own alone."""
    opened: dict[str, list[str]] = {}
    for scope in ALL_SCOPES:
        with api.client(scope) as client:
            for route in routes_with_key(api):
                if route.method == "DELETE" and scope == "admin":
                    opened.setdefault(str(route), []).append(scope)
                    continue
                status = route.ask(client).status_code
                if status != 403:
                    opened.setdefault(str(route), []).append(scope)
    for route, scopes in sorted(opened.items()):
        print(f"{route}: {', '.join(scopes)}")
    to_each = {route for route, scopes in opened.items() if len(scopes) == len(ALL_SCOPES)}
    # What it opens itself, and a token that opens no more than it does.
    assert to_each <= {"GET /v1/workspaces", "POST /v1/tokens"}


def test_r2_an_unknown_key_costs_the_work_of_a_wrong_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    good = api.key("search")
    done: Counter[str] = Counter()

    def counted(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            done[name] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(access, "hash_of", counted("hash", access.hash_of))
    monkeypatch.setattr(access.query, "find", counted("look up", access.query.find))
    # The C function cannot be counted where it is: the module that asks for it gets another name of it.
    monkeypatch.setattr(
        access, "hmac", type("Counted", (), {"compare_digest": counted("compare", hmac.compare_digest)})
    )
    work = []
    with api.acme.database.connection() as connection:
        for key in (new_key()[1], spelled(good.key_id, new_key()[1])):
            done.clear()
            assert access.access_of(connection, key, SALT) is None
            work.append(dict(done))
    assert work[0] == work[1] == {"hash": 1, "look up": 1, "compare": 1}


def test_r2_scanners_find_a_key_by_its_pattern_and_the_database_has_none(api: Api) -> None:
    made = api.key("search")
    assert re.fullmatch(PATTERN, made.key)
    ((row,),) = api.acme.rows("SELECT k::text FROM api_keys k WHERE key_id = %s", made.key_id)
    assert made.key[13:] not in row and not re.search(PATTERN, row)
