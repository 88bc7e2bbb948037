"""What an administrator's key changes over HTTP, and what no other key does."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from arcana_pipelines.audit.chain import entries
from arcana_pipelines.credentials.store import stored_token
from arcana_pipelines.web import handshake, webhooks
from arcana_pipelines.web.api import LARGEST_BODY
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.web.conftest import SEARCH, Api

TOKEN = "ntn_a_token_of_nobody"
NEW: dict[str, Any] = {"slug": "acme-wiki", "source": "notion", "token": TOKEN, "name": "Acme 위키"}
KEY: dict[str, Any] = {"name": "help desk", "scopes": ["search", "read"], "workspaces": ["acme"]}


def actions(api: Api) -> list[tuple[str, str, str]]:
    """What the audit log tells, the newest first."""
    with api.acme.database.connection() as connection:
        return [(entry.action, entry.object, entry.actor) for entry in entries(connection, None, 10)]


class TestAWorkspace:
    def test_is_registered_as_by_the_command_line_and_removed_again(self, api: Api) -> None:
        with api.administrator() as client:
            made = client.post("/v1/workspaces", json=NEW)
            assert made.status_code == 201
            assert made.json() == {"workspace": "acme-wiki", "name": "Acme 위키", "platform": "notion"}
            assert "acme-wiki" in client.get("/v1/workspaces").json()["workspaces"]
            settings = api.settings
            with api.acme.database.connection() as connection:
                row = workspaces.find(connection, "acme-wiki")
                assert row.company_id == workspaces.find(connection, "acme").company_id
                assert stored_token(connection, settings, "acme-wiki").get_secret_value() == TOKEN
            assert workspaces.storage_path(settings, "acme-wiki").is_dir()
            action, what, actor = actions(api)[0]
            assert (action, what) == ("workspace.registered", "acme-wiki") and actor.startswith("key:")
            assert client.post("/v1/workspaces", json=NEW).status_code == 409
            assert client.delete("/v1/workspaces/acme-wiki").status_code == 204
            assert client.delete("/v1/workspaces/acme-wiki").status_code == 404
            assert client.post("/v1/workspaces", json=NEW).status_code == 409, "a slug is not given twice"
        assert actions(api)[0] == ("workspace.removed", "acme-wiki", actor)
        assert not workspaces.storage_path(settings, "acme-wiki").exists()

    def test_gets_another_token_in_the_place_of_a_wrong_one(self, api: Api) -> None:
        with api.administrator() as client:
            client.post("/v1/workspaces", json=NEW)
            assert client.put("/v1/workspaces/acme-wiki/token", json={"token": "ntn_another"}).status_code == 204
            wrong = client.put("/v1/workspaces/acme-wiki/token", json={"token": "two words"})
            assert wrong.status_code == 422 and "two words" not in wrong.text
            assert client.put("/v1/workspaces/acme-wiki/token", json={"token": " "}).status_code == 422
            assert client.post("/v1/workspaces", json={**NEW, "slug": "other", "token": " "}).status_code == 422
            assert client.put("/v1/workspaces/globex/token", json={"token": "ntn_another"}).status_code == 404
        with api.acme.database.connection() as connection:
            assert stored_token(connection, api.settings, "acme-wiki").get_secret_value() == "ntn_another"
        assert [action for action, _, _ in actions(api)[:2]] == ["token.stored", "workspace.registered"]

    def test_whose_slug_is_taken_is_refused_without_a_word_about_whose_it_is(self, api: Api) -> None:
        with api.administrator() as client:
            own, foreign = (
                client.post("/v1/workspaces", json={**NEW, "slug": slug}).json() for slug in ("acme", "globex")
            )
        assert own["status"] == foreign["status"] == 409
        assert own["detail"].replace("acme", "globex") == foreign["detail"]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"slug": "Ä"}, "slug"),
            ({"source": "notion-export"}, "arcana workspace add"),
            ({"source": "nowhere"}, "notion"),
            ({"token": "two words"}, "no token has"),
            ({"token": ""}, "token"),
            ({"name": "a\0b"}, "name"),
            ({"token_env": "DATABASE_URL"}, "token_env"),
            ({"path": "/etc"}, "path"),
        ],
    )
    def test_that_cannot_be_read_is_refused_and_nothing_is_left_of_it(
        self, api: Api, change: dict[str, str], said: str
    ) -> None:
        with api.administrator() as client:
            refused = client.post("/v1/workspaces", json={**NEW, **change})
            assert refused.status_code == 422 and said in refused.text and TOKEN not in refused.text
            assert client.get("/v1/workspaces").json() == {"workspaces": ["acme"]}

    def test_that_fails_half_way_is_rolled_back_whole(self, api: Api, caplog: pytest.LogCaptureFixture) -> None:
        path = workspaces.storage_path(api.settings, "acme-wiki")
        path.mkdir(parents=True)
        (path / "somebody's").write_text("…")
        with api.administrator() as client:
            failed = client.post("/v1/workspaces", json=NEW)
            assert failed.status_code == 500 and failed.json()["request_id"] in caplog.text
            assert str(path) in caplog.text and str(path) not in failed.text and TOKEN not in caplog.text
            (path / "somebody's").unlink()
            assert client.post("/v1/workspaces", json=NEW).status_code == 201

    def test_of_another_company_is_not_removed(self, api: Api) -> None:
        with api.administrator() as client:
            foreign, unknown = (client.delete(f"/v1/workspaces/{slug}").json() for slug in ("globex", "nowhere"))
        assert foreign.pop("request_id") != unknown.pop("request_id") and foreign == unknown
        with api.client("search", slug="globex") as client:
            assert client.get("/v1/workspaces/globex/indexes").status_code == 403, "it is there"


class TestAKey:
    def test_is_made_listed_rotated_and_revoked(self, api: Api) -> None:
        with api.administrator() as client:
            made = client.post("/v1/keys", json={**KEY, "expires_days": 30})
            assert made.status_code == 201 and made.headers["cache-control"] == "no-store"
            key_id, key = made.json()["key_id"], made.json()["key"]
            (listed,) = [each for each in client.get("/v1/keys").json()["keys"] if each["key_id"] == key_id]
            assert (
                listed["state"] == "good" and listed["name"] == "help desk" and listed["created_by"].startswith("key:")
            )
            assert key not in client.get("/v1/keys").text and made.json()["note"] is None
            notes_alone = client.post("/v1/keys", json={**KEY, "scopes": ["notes"]}).json()
            assert notes_alone["note"].startswith("This key opens nothing: the scope `notes` only adds")
            with api.with_key(key) as other:
                assert other.post(SEARCH, json={"query": "vacation"}).status_code == 200
                rotated = client.post(f"/v1/keys/{key_id}/rotate", json={"overlap_days": 0}).json()
                assert other.post(SEARCH, json={"query": "vacation"}).status_code == 401
            with api.with_key(rotated["key"]) as other:
                assert other.post(SEARCH, json={"query": "vacation"}).status_code == 200
                assert client.delete(f"/v1/keys/{rotated['key_id']}").status_code == 204
                assert other.post(SEARCH, json={"query": "vacation"}).status_code == 401
            assert client.post(f"/v1/keys/{rotated['key_id']}/rotate").status_code == 422

    def test_that_was_rotated_is_not_rotated_again_for_its_heir_would_end_with_it(self, api: Api) -> None:
        with api.administrator() as client:
            key_id = client.post("/v1/keys", json=KEY).json()["key_id"]
            heir = client.post(f"/v1/keys/{key_id}/rotate").json()
            assert heir["expires_at"] is None
            again = client.post(f"/v1/keys/{key_id}/rotate")
            assert again.status_code == 422 and f"'{heir['key_id']}' took its place" in again.json()["detail"]
            assert client.post(f"/v1/keys/{heir['key_id']}/rotate").status_code == 201

    def test_is_told_in_the_audit_log(self, api: Api) -> None:
        with api.administrator() as client:
            key_id = client.post("/v1/keys", json=KEY).json()["key_id"]
            heir = client.post(f"/v1/keys/{key_id}/rotate").json()["key_id"]
            client.delete(f"/v1/keys/{heir}")
        assert [action for action, _, _ in actions(api)[:3]] == ["key.revoked", "key.rotated", "key.created"]

    def test_opens_what_is_its_makers_company_s_alone(self, api: Api) -> None:
        with api.administrator() as client:
            assert client.post("/v1/keys", json={**KEY, "workspaces": ["globex"]}).status_code == 404
            assert client.post("/v1/keys", json={**KEY, "index": "drafts"}).status_code == 404
            assert client.post("/v1/keys", json={**KEY, "workspaces": [], "index": "default"}).status_code == 422
            whole = client.post("/v1/keys", json={**KEY, "workspaces": []}).json()["key"]
        with api.with_key(whole) as client:
            assert client.get("/v1/workspaces").json() == {"workspaces": ["acme"]}

    def test_of_another_company_is_as_one_that_does_not_exist(self, api: Api) -> None:
        theirs = api.key("search", slug="globex")
        with api.administrator() as client:
            assert theirs.key_id not in client.get("/v1/keys").text
            for ask in (
                lambda key_id: client.delete(f"/v1/keys/{key_id}"),
                lambda key_id: client.post(f"/v1/keys/{key_id}/rotate"),
            ):
                foreign, unknown = ask(theirs.key_id).json(), ask("aaaaaaaa").json()
                assert foreign["status"] == unknown["status"] == 404
                assert foreign["detail"].replace(theirs.key_id, "aaaaaaaa") == unknown["detail"]
        with api.with_key(theirs.key) as client:
            assert client.get("/v1/workspaces").status_code == 200


def test_a_key_that_administers_one_workspace_removes_it_and_changes_nothing_else(api: Api) -> None:
    with api.client("admin", "read") as client:
        assert client.post("/v1/workspaces", json=NEW).status_code == 403
        assert client.get("/v1/keys").status_code == client.post("/v1/keys", json=KEY).status_code == 403
        assert client.delete("/v1/workspaces/globex").status_code == 404
        assert client.delete("/v1/workspaces/acme").status_code == 204


def test_without_the_scope_nothing_is_changed(api: Api) -> None:
    with api.client("search", "read", "sync", "feedback") as client:
        asked = [
            client.post("/v1/workspaces", json=NEW), client.delete("/v1/workspaces/acme"), client.get("/v1/keys"),
            client.post("/v1/keys", json=KEY), client.delete("/v1/keys/aaaaaaaa"),
            client.post("/v1/keys/aaaaaaaa/rotate"),
        ]  # fmt: skip
    assert [answer.status_code for answer in asked] == [403] * 6


class TestWebhooks:
    """The server receives them, too: it may write them down."""

    def test_are_taken_when_they_are_signed_and_may_be_larger_than_requests(self, api: Api) -> None:
        key = "secret_of_the_subscription"
        handshake.invite(api.settings)
        with api.with_key(None) as client:
            assert client.post(webhooks.PATH, json={"verification_token": key}).status_code == 200
            source = "11111111-1111-4111-8111-111111111111"
            with api.acme.database.connection() as connection:
                connection.execute("UPDATE workspace SET source_workspace_id = %s WHERE slug = 'acme'", [source])
            event = {"id": "e1", "type": "page.created", "workspace_id": source, "rest": "x" * 100_000}
            event["timestamp"] = datetime.now(UTC).isoformat()
            body = json.dumps(event).encode()
            assert LARGEST_BODY < len(body) < webhooks.LARGEST_BODY
            signature = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
            taken = client.post(webhooks.PATH, content=body, headers={"X-Notion-Signature": signature})
            assert (taken.status_code, taken.text) == (200, "1 workspaces are concerned.")
            assert client.post(webhooks.PATH, content=body).status_code == 401
            too_large = client.post(webhooks.PATH, content=b"x" * (webhooks.LARGEST_BODY + 1))
            assert too_large.status_code == 413


def test_a_key_may_be_made_with_a_filter_and_a_limit(api: Api) -> None:
    limited = {"scopes": ["search"], "workspaces": ["acme"], "filter": {"kinds": ["row"]}, "requests_per_minute": 5}
    with api.administrator() as client:
        made = client.post("/v1/keys", json=limited)
        assert made.status_code == 201
        (listed,) = [key for key in client.get("/v1/keys").json()["keys"] if key["key_id"] == made.json()["key_id"]]
        reads = client.post("/v1/keys", json={**limited, "scopes": ["search", "read"]})
        unknown = client.post("/v1/keys", json={**limited, "filter": {"below": "Nowhere"}})
        open_ = client.post("/v1/keys", json={**limited, "filter": {}})
    assert listed["scopes"] == ['search in acme within {"kinds": ["row"]}'] and listed["requests_per_minute"] == 5
    assert [each.status_code for each in (reads, unknown, open_)] == [422] * 3
    with api.with_key(made.json()["key"]) as client:
        found = client.post(SEARCH, json={"query": "vacation", "min_score": 0})
    assert found.json()["hits"] == [] and found.headers["x-ratelimit-limit"] == "5"
