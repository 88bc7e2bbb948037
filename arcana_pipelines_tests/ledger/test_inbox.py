"""Announced changes: they only make things come sooner."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from arcana_pipelines.db.engine import Database
from arcana_pipelines.ledger.polling import poll
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.web import handshake
from arcana_pipelines.web.webhooks import PATH, make_app
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness

TOKEN = "secret_of_the_subscription"
PAGE = "c0ffee00-0000-4000-8000-00000000000f"
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


@pytest.fixture
def _subscribed(database: Database) -> None:
    """The key of a subscription is known."""
    handshake.invite(database.settings)
    assert handshake.take(database.settings, TOKEN)


def post(receiver: TestClient, event: dict[str, Any], token: str = TOKEN) -> int:
    body = json.dumps(event).encode()
    signature = "sha256=" + hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    return receiver.post(PATH, content=body, headers={"X-Notion-Signature": signature}).status_code


def waits(harness: Harness) -> int:
    ((count,),) = harness.rows("SELECT count(*) FROM webhook_event WHERE generation IS NULL")
    return int(count)


@pytest.mark.usefixtures("_subscribed")
class TestReceiver:
    def test_the_same_event_twice_is_one(self, receiver: TestClient, event: Event, indexed: Harness) -> None:
        page = indexed.world.visible_pages()[0]
        for attempt in (1, 2):
            again = {**event("page.content_updated", page, event_id="one"), "attempt_number": attempt}
            assert post(receiver, again) == 200
        assert waits(indexed) == 1
        indexed.sync()
        assert post(receiver, event("page.content_updated", page, event_id="one")) == 200
        assert waits(indexed) == 0

    def test_an_event_of_a_workspace_that_nobody_indexes_is_taken_and_forgotten(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        elsewhere = {**event("page.created", PAGE), "workspace_id": "11111111-1111-4111-8111-111111111111"}
        assert post(receiver, elsewhere) == 200
        assert waits(indexed) == 0

    @pytest.mark.parametrize("signature", [None, "", "sha256=", "sha256=00", "nonsense", "sha256=é"])
    def test_a_wrong_signature_is_refused(
        self, receiver: TestClient, event: Event, indexed: Harness, signature: str | None
    ) -> None:
        headers = {} if signature is None else {"X-Notion-Signature": signature.encode()}
        assert receiver.post(PATH, json=event("page.created", PAGE), headers=headers).status_code == 401
        assert post(receiver, event("page.created", PAGE), token="another") == 401
        assert waits(indexed) == 0

    @pytest.mark.parametrize("payload", [[], "text", 1, None, {}, {"id": 1, "type": "x"}, {"id": "1", "type": "x"}])
    def test_what_is_no_event_is_refused_in_words(self, receiver: TestClient, payload: Any) -> None:
        assert post(receiver, payload) == 400

    @pytest.mark.parametrize(
        "odd",
        [
            {"id": "a\x00b"},
            {"id": "\ud800"},
            {"id": "x" * 201},
            {"id": ""},
            {"type": "t\x00"},
            {"type": "x" * 101},
            {"workspace_id": "somebody-else"},
            {"workspace_id": "\ud800"},
            {"entity": {"type": "page", "id": "../users?x="}},
            {"entity": {"type": "page", "id": "\x00"}},
            {"entity": {"type": "page", "id": None}},
            {"timestamp": "2020-01-01T00:00:00.000Z"},
            {"timestamp": "0001-01-02T00:00:00+05:00"},
            {"timestamp": "2999-01-01T00:00:00.000Z"},
        ],
    )
    def test_ids_that_are_none_and_times_of_other_days_are_refused(
        self, receiver: TestClient, event: Event, indexed: Harness, odd: dict[str, Any]
    ) -> None:
        assert post(receiver, {**event("page.created", PAGE), **odd}) == 400
        assert waits(indexed) == 0

    def test_an_event_that_notion_repeats_a_day_later_is_taken(
        self, receiver: TestClient, event: Event, indexed: Harness
    ) -> None:
        yesterday = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
        assert post(receiver, {**event("page.created", PAGE), "timestamp": yesterday}) == 200
        assert waits(indexed) == 1


@pytest.mark.usefixtures("_subscribed")
class TestFollowing:
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
