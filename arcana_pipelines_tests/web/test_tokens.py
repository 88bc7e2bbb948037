"""Tokens: a key hands on less than it may, for a while; nothing forged, widened or over opens anything."""

from __future__ import annotations

import base64
import json
import time
from itertools import product
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Access, Permission
from arcana_pipelines.keys.keys import NewKey
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.web.tokens import TokenScope
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.web.conftest import JWT_SECRET, SALT, SEARCH, Api
from arcana_pipelines_tests.web.test_api import problem

DOCUMENTS = "/v1/workspaces/acme/documents"
SECRET = JWT_SECRET.get_secret_value()


def made(api: Api, key: NewKey, **asked: Any) -> str:
    with api.with_key(key.key) as client:
        answer = client.post("/v1/tokens", json=asked)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    token: str = answer.json()["token"]
    return token


def statuses(api: Api, token: str) -> tuple[int, int]:
    """Of a search and of a list."""
    with api.with_key(token) as client:
        found = client.post(SEARCH, json={"query": "vacation"}), client.get(DOCUMENTS)
    return found[0].status_code, found[1].status_code


def claims(key: NewKey, **changed: Any) -> dict[str, Any]:
    """What a good token of a key holds."""
    now = int(time.time())
    good = {
        "iss": "urn:arcana", "aud": "urn:arcana:api", "iat": now, "exp": now + 60, "sub": key.key_id,
        "scopes": ["search", "read"],
    }  # fmt: skip
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


class TestAToken:
    def test_opens_what_its_key_opens_until_it_ends(self, api: Api) -> None:
        key = api.key("search", "read")
        assert statuses(api, made(api, key)) == (200, 200)
        short = made(api, key, seconds=1)
        time.sleep(2.1)
        assert statuses(api, short) == (401, 401)

    def test_may_less_than_its_key(self, api: Api) -> None:
        key = api.key("search", "read")
        assert statuses(api, made(api, key, scopes=["search"])) == (200, 403)
        assert statuses(api, made(api, key, workspace="acme", index="default", scopes=["read"])) == (403, 200)
        assert statuses(api, made(api, key, workspace="acme", index="drafts")) == (404, 404)

    def test_of_a_whole_company_is_for_one_workspace_where_it_says_so(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            company_id = workspaces.find(connection, "acme").company_id
            key = keys.create(connection, SALT, company_id, [Permission("search", None, None)], "all")
        api.acme.register(api.acme.database, api.acme.world, api.acme.server, "other")
        with api.with_key(key.key) as client, api.with_key(made(api, key, workspace="acme")) as narrow:
            assert client.get("/v1/workspaces").json() == {"workspaces": ["acme", "other"]}
            assert narrow.get("/v1/workspaces").json() == {"workspaces": ["acme"]}

    def test_is_over_with_its_key(self, api: Api) -> None:
        key = api.key("search", "read")
        token = made(api, key)
        assert statuses(api, token) == (200, 200)
        with api.acme.database.connection() as connection:
            keys.revoke(connection, key.key_id)
        assert statuses(api, token) == (401, 401)

    def test_ends_when_its_key_expires(self, api: Api) -> None:
        key = api.key("search", "read")
        token = made(api, key)
        with api.acme.database.connection() as connection:
            connection.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
        assert statuses(api, token) == (401, 401)

    def test_may_no_more_than_its_key_may_when_it_is_shown(self, api: Api) -> None:
        key = api.key("search", "read")
        token = made(api, key)
        with api.acme.database.connection() as connection:
            connection.execute("DELETE FROM api_key_permissions WHERE scope = 'read'")
        assert statuses(api, token) == (200, 403)

    def test_makes_no_token_and_administers_nothing(self, api: Api) -> None:
        token = made(api, api.key("search", "read"))
        with api.with_key(token) as client:
            assert problem(client.post("/v1/tokens", json={}))["status"] == 403
        with api.administrator() as client:
            assert problem(client.post("/v1/tokens", json={}))["status"] == 403
            assert problem(client.post("/v1/tokens", json={"scopes": ["admin"]}))["status"] == 422

    def test_keeps_the_filters_of_its_key(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = [Permission("search", workspace.workspace_id, None, Filters(kinds=("row",)))]
            key = keys.create(connection, SALT, workspace.company_id, granted, "rows")
        for asked in ({}, {"workspace": "acme"}, {"workspace": "acme", "index": "default"}):
            with api.with_key(made(api, key, **asked)) as client:
                assert client.post(SEARCH, json={"query": "vacation"}).json()["hits"] == []

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({"seconds": 0}, 422), ({"seconds": 3601}, 422), ({"scopes": []}, 422), ({"scopes": ["everything"]}, 422),
            ({"nonsense": 1}, 422), ({"index": "default"}, 422), ({"workspace": "globex"}, 404),
            ({"workspace": "nowhere"}, 404), ({"workspace": "a\0"}, 404), ({"scopes": ["sync"]}, 403),
            ({"scopes": ["search", "sync"]}, 403),
        ],
    )  # fmt: skip
    def test_that_cannot_be_made_is_refused_in_a_sentence(
        self, shared_api: Api, asked: dict[str, Any], status: int
    ) -> None:
        with shared_api.client("search", "read") as client:
            refused = problem(client.post("/v1/tokens", json=asked))
        assert refused["status"] == status and len(refused["detail"]) > 20


class TestNothingIsOpenedByATokenThat:
    def refused(self, api: Api, token: str) -> None:
        with api.with_key(token) as client:
            answer: httpx.Response = client.get(DOCUMENTS)
        told = problem(answer)
        assert told["status"] == 401 and "www-authenticate" in answer.headers
        assert told["detail"] == "This key opens nothing (any more). Ask for another."

    def test_is_signed_with_nothing(self, api: Api) -> None:
        key = api.key("search", "read")
        assert statuses(api, jwt.encode(claims(key), SECRET, "HS256")) == (200, 200), "the others differ in one thing"
        self.refused(api, jwt.encode(claims(key), None, "none"))
        _, body, signature = made(api, key).split(".")
        for name in ("none", "None", "NONE"):
            without = base64.urlsafe_b64encode(json.dumps({"alg": name, "typ": "JWT"}).encode()).rstrip(b"=").decode()
            self.refused(api, f"{without}.{body}.")
            self.refused(api, f"{without}.{body}.{signature}")

    def test_is_signed_with_another_secret_or_in_another_way(self, api: Api) -> None:
        key = api.key("search", "read")
        self.refused(api, jwt.encode(claims(key), "x" * 64, "HS256"))
        self.refused(api, jwt.encode(claims(key), SALT, "HS256"))
        self.refused(api, jwt.encode(claims(key), SECRET + "x" * 32, "HS512"))
        private = rsa.generate_private_key(65537, 2048)
        self.refused(api, jwt.encode(claims(key), private, "RS256"))
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signed = jwt.encode(claims(key), base64.b64encode(public).decode(), "HS256")
        self.refused(api, signed)

    def test_was_widened(self, api: Api) -> None:
        key = api.key("search", "read")
        head, body, signature = made(api, key, scopes=["search"]).split(".")
        held = json.loads(base64.urlsafe_b64decode(body + "=="))
        held["scopes"] = ["search", "read"]
        wider = base64.urlsafe_b64encode(json.dumps(held).encode()).rstrip(b"=").decode()
        self.refused(api, f"{head}.{wider}.{signature}")

    @pytest.mark.parametrize(
        "changed",
        [
            {"exp": 1}, {"exp": None}, {"iat": None}, {"iss": "https://example.com"}, {"iss": None}, {"aud": "other"},
            {"aud": None}, {"sub": None}, {"sub": "aaaaaaaa"}, {"sub": 7}, {"scopes": None}, {"scopes": ["admin"]},
            {"scopes": "search"}, {"workspace": "acme"}, {"workspace": 7}, {"nbf": 2**40}, {"sub": "a\0"},
        ],
    )  # fmt: skip
    def test_says_something_else(self, shared_api: Api, changed: dict[str, Any]) -> None:
        self.refused(shared_api, jwt.encode(claims(shared_api.key("search", "read"), **changed), SECRET, "HS256"))

    @pytest.mark.parametrize("odd", [".", "..", "a.b.c", "arc_.x", "e30.e30.e30", "x" * 3000 + ".y.z", "é.é.é"])
    def test_is_none(self, shared_api: Api, odd: str) -> None:
        with httpx.Client(base_url=shared_api.url, trust_env=False) as client:
            told = client.get(DOCUMENTS, headers={"Authorization": f"Bearer {odd}".encode()})
        assert problem(told)["status"] == 401


def test_a_signed_token_may_no_more_than_its_key(api: Api) -> None:
    key = api.key("search")
    token = jwt.encode(claims(key, scopes=["search", "read", "sync"]), SECRET, "HS256")
    assert statuses(api, token) == (200, 403)


def test_narrowing_only_takes_away() -> None:
    here, there, company = (UUID(int=number) for number in range(3))
    places = [(workspace, index) for workspace in (None, here, there) for index in (None, "default", "drafts")]
    scopes: tuple[TokenScope, ...] = ("search", "read")
    filters = Filters(kinds=("row",))
    for granted in product(places, places):
        permissions = (
            Permission("search", *granted[0], filters),
            Permission("search", *granted[1]),
            Permission("read", *granted[1]),
        )
        access = Access("a", company, permissions)
        for (workspace, index), chosen in product(places, (scopes, ("search",), ("read",))):
            narrow = access.narrowed(workspace, index, chosen)
            for scope, at, name in product(scopes, (here, there), ("default", "drafts")):
                within = scope in chosen and workspace in (None, at) and index in (None, name)
                assert narrow.may_in(scope, at, name) == (within and access.may_in(scope, at, name))
                if scope == "search" and within:
                    assert narrow.limits(at, name) == access.limits(at, name)
