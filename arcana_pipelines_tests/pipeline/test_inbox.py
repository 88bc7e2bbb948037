"""Announced changes: they only make things come sooner."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from arcana_pipelines.db.engine import Database
from arcana_pipelines.pipeline.polling import poll
from arcana_pipelines.pipeline.workspaces import find
from arcana_pipelines.serving.webhooks import LARGEST_BODY, PATH, make_app, token_file
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld, blocks, seed_world
from arcana_pipelines_tests.harness import Harness

TOKEN = "secret_of_the_subscription"
Event = Callable[..., dict[str, Any]]


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=12, rows=4)
    world.clock.advance(600)
    return world


@pytest.fixture
def indexed(acme: Harness) -> Harness:
    """A workspace whose index is up to date and settled."""
    acme.sync()
    acme.settle()
    acme.sync()
    return acme


@pytest.fixture
def receiver(database: Database) -> Iterator[TestClient]:
    with TestClient(make_app(database)) as client:
        yield client


@pytest.fixture
def event(indexed: Harness) -> Event:
    """Events as Notion sends them (https://developers.notion.com/reference/webhooks)."""
    ((source_workspace,),) = indexed.rows("SELECT source_workspace_id FROM workspace")
    numbers = itertools.count()

    def make(kind: str, page: str, *, event_id: str | None = None) -> dict[str, Any]:
        entity = "comment" if kind.startswith("comment.") else "page"
        return {
            "id": event_id or f"event-{next(numbers)}",
            "timestamp": datetime.now(UTC).isoformat(),
            "workspace_id": source_workspace,
            "type": kind,
            "attempt_number": 1,
            "entity": {"id": page if entity == "page" else "c0ffee00-0000-4000-8000-000000000000", "type": entity},
            "data": {"page_id": page, "parent": {"id": page, "type": "page"}} if entity == "comment" else {},
        }

    return make


def shake_hands(receiver: TestClient) -> None:
    assert receiver.post(PATH, json={"verification_token": TOKEN}).status_code == 200


def post(receiver: TestClient, event: dict[str, Any], token: str = TOKEN) -> int:
    body = json.dumps(event).encode()
    signature = "sha256=" + hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    return receiver.post(PATH, content=body, headers={"X-Notion-Signature": signature}).status_code


def waits(harness: Harness) -> int:
    ((count,),) = harness.rows("SELECT count(*) FROM webhook_event WHERE generation IS NULL")
    return int(count)


class TestReceiver:
    def test_the_first_handshake_is_kept_where_only_its_owner_reads_it(
        self, receiver: TestClient, database: Database
    ) -> None:
        shake_hands(receiver)
        path = token_file(database.settings)
        assert path.read_text() == TOKEN and path.stat().st_mode & 0o077 == 0
        assert receiver.post(PATH, json={"verification_token": "secret_of_another"}).status_code == 401
        assert path.read_text() == TOKEN

    def test_before_a_handshake_nothing_is_accepted(self, receiver: TestClient, event: Event) -> None:
        assert post(receiver, event("page.created", "x")) == 401

    @pytest.mark.parametrize("signature", [None, "", "sha256=", "sha256=00", "nonsense", "sha256=é"])
    def test_a_wrong_signature_is_refused(
        self, receiver: TestClient, event: Event, indexed: Harness, signature: str | None
    ) -> None:
        shake_hands(receiver)
        headers = {} if signature is None else {"X-Notion-Signature": signature.encode()}
        assert receiver.post(PATH, json=event("page.created", "x"), headers=headers).status_code == 401
        assert post(receiver, event("page.created", "x"), token="another") == 401
        assert waits(indexed) == 0

    @pytest.mark.parametrize("payload", [[], "text", 1, None, {}, {"id": 1, "type": "x"}, {"id": "1", "type": "x"}])
    def test_what_is_no_event_is_refused_in_words(self, receiver: TestClient, payload: Any) -> None:
        shake_hands(receiver)
        assert post(receiver, payload) == 400

    def test_a_body_that_is_too_large_is_not_read_to_its_end(self, receiver: TestClient) -> None:
        assert receiver.post(PATH, content=b" " * (LARGEST_BODY + 1)).status_code == 413

    def test_an_event_of_a_workspace_that_nobody_indexes_is_taken_and_forgotten(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        shake_hands(receiver)
        assert post(receiver, {**event("page.created", "x"), "workspace_id": "somebody-else"}) == 200
        assert waits(indexed) == 0

    def test_the_same_event_twice_is_one(self, receiver: TestClient, event: Event, indexed: Harness) -> None:
        shake_hands(receiver)
        page = indexed.world.visible_pages()[0]
        for attempt in (1, 2):
            again = {**event("page.content_updated", page, event_id="one"), "attempt_number": attempt}
            assert post(receiver, again) == 200
        assert waits(indexed) == 1
        indexed.sync()
        assert post(receiver, event("page.content_updated", page, event_id="one")) == 200
        assert waits(indexed) == 0


class TestFollowing:
    @pytest.fixture(autouse=True)
    def _subscribed(self, receiver: TestClient) -> None:
        shake_hands(receiver)

    def test_an_announced_workspace_is_the_next_to_be_synced_and_costs_no_look(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        post(receiver, event("page.content_updated", indexed.world.visible_pages()[0]))
        with indexed.database.connection() as connection:
            workspace = find(connection, "acme")
        indexed.server.reset_log()
        source = indexed.source()
        found = poll(indexed.database, workspace, source)
        source.close()
        assert found.needed and found.reason == "changes were announced"
        assert not indexed.server.requests
        assert indexed.rows("SELECT polled_at FROM workspace") == [(None,)]

    def test_a_page_that_the_search_index_does_not_show_yet_is_found(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        indexed.world.search_lag_seconds = 3600
        page = indexed.world.add_page("Fresh", indexed.world.visible_pages()[0], [blocks.paragraph("갓 쓴 글")])
        indexed.sync()
        assert page not in indexed.published()
        post(receiver, event("page.created", page))
        indexed.sync()
        assert "갓 쓴 글" in indexed.published()[page]
        assert waits(indexed) == 0

    def test_a_deletion_is_believed_only_when_the_source_says_so(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        page = indexed.world.visible_pages()[-1]
        post(receiver, event("page.deleted", page))
        indexed.sync()
        assert page in indexed.published()
        indexed.world.trash(page)
        post(receiver, event("page.deleted", page))
        indexed.sync()
        assert page not in indexed.published()

    def test_a_late_event_about_a_page_below_a_trashed_one_does_not_bring_it_back(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        parent = indexed.world.add_page("Parent", indexed.world.visible_pages()[0], [])
        child = indexed.world.add_page("Child", parent, [blocks.paragraph("words below")])
        indexed.settle()
        indexed.sync()
        assert child in indexed.published()
        indexed.world.trash(parent)
        for _ in range(2):
            post(receiver, event("page.content_updated", child))
            indexed.sync()
            assert child not in indexed.published() and parent not in indexed.published()

    def test_events_about_unknown_and_unreachable_pages_do_no_harm(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        for page in ("not-an-id", "0" * 32, "c0ffee00-0000-4000-8000-000000000000"):
            post(receiver, event("page.created", page))
        indexed.sync()
        indexed.assert_matches_world()
        assert waits(indexed) == 0

    def test_events_in_any_order_and_none_at_all_lead_to_the_same_index(
        self, receiver: TestClient, event: Event, indexed: Harness, another: Callable[[str], Harness]
    ) -> None:
        silent = Harness.register(indexed.database, indexed.world, indexed.server, "silent")
        silent.sync()
        pages = indexed.world.visible_pages()
        indexed.world.trash(pages[-1])
        indexed.world.append_blocks(pages[1], [blocks.paragraph("announced words")])
        for kind, page in [
            ("page.undeleted", pages[-1]),
            ("page.content_updated", pages[1]),
            ("page.deleted", pages[-1]),
            ("page.created", pages[1]),
            ("page.moved", pages[2]),
        ]:
            post(receiver, event(kind, page))
        with indexed.database.connection() as connection:
            connection.execute(
                "DELETE FROM webhook_event USING workspace w "
                "WHERE w.workspace_id = webhook_event.workspace_id AND w.slug = 'silent'"
            )
        indexed.settle()
        for workspace in (indexed, silent):
            workspace.sync()
            workspace.sync(Mode.AUDIT)
            workspace.assert_matches_world()
        assert indexed.published() == silent.published()

    def test_a_new_comment_is_indexed_where_comments_are(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        page = indexed.world.visible_pages()[0]
        indexed.world.add_comment(page, "나중에 단 댓글")
        post(receiver, event("comment.created", page))
        assert indexed.sync()["pages"]["updated"] == 0
        with indexed.database.connection() as connection:
            connection.execute("""UPDATE workspace SET source_config = '{"comments": true}'""")
        commented = indexed.at(comments=True)
        post(receiver, event("comment.created", page))
        assert commented.sync()["pages"]["updated"] == 1
        assert "나중에 단 댓글" in commented.published()[page]
