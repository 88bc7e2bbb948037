"""Poison pages come back when a person says so; what was removed long ago is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from arcana_pipelines.errors import PageTooLarge, WrongUse
from arcana_pipelines.ledger import pages
from arcana_pipelines.pipeline import cutting
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=12, rows=4)
    world.clock.advance(600)
    return world


def release(harness: Harness, page: str | None = None) -> int:
    with harness.database.connection() as connection:
        return pages.release(connection, find(connection, harness.slug).workspace_id, page)


def age_removals(harness: Harness, days: int) -> None:
    with harness.database.connection() as connection:
        connection.execute("UPDATE source_page SET removed_at = removed_at - make_interval(days => %s)", [days])
        connection.execute("UPDATE embedding_store SET created_at = created_at - make_interval(days => %s)", [days])


class TestPoisonPages:
    @pytest.fixture
    def poisoned(self, acme: Harness) -> tuple[Harness, str]:
        """A workspace in which an edited page cannot be read any more, for ever as it seems."""
        acme.sync()
        page = acme.world.visible_pages()[3]
        acme.world.append_blocks(page, [blocks.paragraph("words behind the fault")])
        acme.settle()
        acme.server.faults.add(rf"(pages/{page}/markdown|blocks/{page}/children)", "403", times=None)
        for _ in range(6):
            acme.sync()
        return acme, page

    def test_after_a_few_tries_a_page_waits_ever_longer_and_its_old_version_stays(
        self, poisoned: tuple[Harness, str]
    ) -> None:
        acme, page = poisoned
        assert acme.page_state(page)[0] == "quarantined"
        before = acme.published()[page]
        tried = [request for request in acme.server.requests if page in request.path]
        assert not tried, "the sixth sync does not ask for the page again"
        ((attempts, waits),) = acme.rows(
            "SELECT attempts, next_attempt_at > now() FROM source_page WHERE external_id = %s", page
        )
        assert attempts == 3 and waits
        assert acme.published()[page] == before

    def test_a_page_that_takes_too_long_to_cut_is_cut_once_and_delays_no_other(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = acme.world.visible_pages()[3]
        tried: list[str] = []
        real = cutting.chunk_document

        def cut(contents: dict[str, Any], *arguments: Any) -> Any:
            if contents["external_id"] == page:
                tried.append(page)
                raise PageTooLarge("It took more than 30 seconds.")
            return real(contents, *arguments)

        monkeypatch.setattr(cutting, "chunk_document", cut)
        acme.sync()
        acme.settle()
        acme.sync(Mode.FULL)
        acme.sync(Mode.FULL)
        assert acme.page_state(page)[0] == "quarantined" and tried == [page]
        assert len(acme.published()) == len(acme.world.visible_pages()) - 1

        assert release(acme, page) == 1
        acme.sync()
        assert tried == [page, page]
        monkeypatch.setattr(cutting, "chunk_document", real)
        release(acme, page)
        acme.sync()
        assert page in acme.published()

    def test_a_retry_brings_the_quarantine_back_at_once(self, poisoned: tuple[Harness, str]) -> None:
        acme, page = poisoned
        acme.server.faults.clear()
        acme.sync()
        assert acme.page_state(page)[0] == "quarantined", "nobody asked for it yet"
        assert release(acme) == 1
        report = acme.sync()
        assert report["pages"]["updated"] == 1 and report["pages"]["quarantined"] == 0
        assert "words behind the fault" in acme.published()[page]

    def test_a_retry_in_vain_is_quarantine_again(self, poisoned: tuple[Harness, str]) -> None:
        acme, page = poisoned
        release(acme)
        assert acme.sync()["pages"]["quarantined"] == 1
        assert acme.page_state(page)[0] == "quarantined"

    def test_one_page_can_be_named_whatever_its_state(self, acme: Harness) -> None:
        acme.sync()
        acme.settle()
        acme.sync()
        page = acme.world.visible_pages()[0]
        assert release(acme, page) == 1
        report = acme.sync()
        assert report["pages"]["unchanged"] >= 1 and report["embeddings"]["computed"] == 0
        assert any(page in request.path for request in acme.server.requests)

    def test_an_unknown_page_is_named_in_the_answer(self, acme: Harness) -> None:
        acme.sync()
        with pytest.raises(WrongUse, match="no page nowhere"):
            release(acme, "nowhere")


class TestPurge:
    def test_a_page_is_forgotten_when_its_removal_is_old_enough(self, acme: Harness) -> None:
        acme.sync()
        page = acme.world.visible_pages()[-1]
        acme.world.trash(page)
        acme.sync()
        ((document,),) = acme.rows("SELECT document_id FROM source_page WHERE external_id = %s", page)
        acme.sync(Mode.AUDIT)
        assert acme.page_state(page)[0] == "tombstoned", "30 days have not passed"
        age_removals(acme, 31)
        acme.sync()
        assert acme.page_state(page)[0] == "tombstoned", "no-op syncs purge nothing"
        acme.sync(Mode.AUDIT)
        assert acme.rows("SELECT 1 FROM source_page WHERE external_id = %s", page) == []
        assert acme.rows("SELECT 1 FROM document WHERE document_id = %s", document) == []
        assert acme.rows("SELECT 1 FROM document_content WHERE document_id = %s", document) == []
        acme.assert_matches_world()

    def test_embeddings_that_no_text_has_any_more_go_with_it_and_others_stay(self, acme: Harness) -> None:
        acme.sync()
        page = acme.world.add_page("Short-lived", acme.world.visible_pages()[0], [blocks.paragraph("gone soon")])
        acme.settle()
        acme.sync()
        ((before,),) = acme.rows("SELECT count(*) FROM embedding_store")
        acme.world.trash(page)
        acme.sync()
        age_removals(acme, 31)
        acme.sync(Mode.AUDIT)
        ((after,),) = acme.rows("SELECT count(*) FROM embedding_store")
        assert 0 < before - after < 5
        acme.assert_matches_world()

    def test_a_page_that_comes_back_after_it_was_forgotten_is_a_new_one(self, acme: Harness) -> None:
        acme.sync()
        page = acme.world.visible_pages()[-1]
        acme.world.trash(page)
        acme.sync()
        age_removals(acme, 31)
        acme.sync(Mode.AUDIT)
        acme.world.restore(page)
        acme.sync(Mode.AUDIT)
        acme.assert_matches_world()
        assert acme.version(page) == 1
