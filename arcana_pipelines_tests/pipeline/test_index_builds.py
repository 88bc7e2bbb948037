"""Several indexes a workspace; each made anew beside the serving one, promoted and rolled back in one step."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from arcana_pipelines.chunking import sizes
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import NotVerified, WrongUse
from arcana_pipelines.indexes import builds as builds_module
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import Build, IndexSettings, builds_of
from arcana_pipelines.indexes.health import inspect_indexes, pgvector
from arcana_pipelines.indexes.targets.pgvector import ann
from arcana_pipelines.indexes.verification import LEAST_RECALL, verify
from arcana_pipelines.lexical import version, weights
from arcana_pipelines.operations.reports import builds_not_serving, counts_agree, served_counts
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import Session
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=12, rows=3)
    for number in range(3):
        text = [blocks.paragraph(f"Sentence {number}-{line} about 휴가 규정 and holidays.") for line in range(40)]
        world.add_page(f"Long {number}", blocks=text)
    world.clock.advance(600)
    return world


@pytest.fixture
def synced(acme: Harness) -> Harness:
    acme.sync()
    acme.settle()
    acme.sync()
    return acme


def small(settings: IndexSettings) -> IndexSettings:
    return replace(settings, chunker=ChunkerSettings.of_target(32))


class Indexes:
    """The indexes of a workspace as the commands see them."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        with harness.database.connection() as connection:
            self.workspace_id = workspaces.find(connection, harness.slug).workspace_id

    def call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        with self.harness.database.connection() as connection:
            return function(connection, self.workspace_id, *arguments, **options)

    def builds(self, name: str = "default") -> list[Build]:
        found: list[Build] = self.call(builds_of, name)
        return found

    def states(self, name: str = "default") -> list[str]:
        return [build.state for build in self.builds(name)]

    def counts_are_true(self) -> bool:
        return counts_agree(self.call(served_counts))


@pytest.fixture
def of_acme(synced: Harness) -> Indexes:
    return Indexes(synced)


class TestSeveralIndexes:
    def test_a_second_index_is_filled_beside_the_first_and_both_follow_the_source(
        self, synced: Harness, of_acme: Indexes
    ) -> None:
        before = synced.checksum()
        build = of_acme.call(lifecycle.create_index, "fine", small(of_acme.builds()[0].settings))
        assert build.state == "building"
        with pytest.raises(WrongUse, match="no index 'fine' that serves"):
            synced.search("holidays", index="fine")
        synced.fill()
        assert of_acme.states("fine") == ["active"] and synced.checksum() != before
        assert max(len(hit.text) for hit in synced.search("holidays", index="fine")) < max(
            len(hit.text) for hit in synced.search("holidays")
        )
        page = synced.world.add_page("News", blocks=[blocks.paragraph("the zebra has arrived")])
        synced.world.trash(synced.world.visible_pages()[0])
        synced.settle()
        synced.sync()
        for name in ("default", "fine"):
            assert synced.search("zebra", index=name)[0].external_id == page
        assert of_acme.counts_are_true()

    def test_the_same_settings_under_another_name_embed_nothing_again(self, synced: Harness, of_acme: Indexes) -> None:
        (before,) = synced.rows("SELECT count(*) FROM embedding_store")
        of_acme.call(lifecycle.create_index, "twin", of_acme.builds()[0].settings)
        synced.fill()
        assert of_acme.states("twin") == ["active"]
        assert synced.rows("SELECT count(*) FROM embedding_store") == [before]

    def test_in_a_workspace_without_documents_a_new_index_serves_at_once(self, acme: Harness) -> None:
        of_acme = Indexes(acme)
        build = of_acme.call(lifecycle.create_index, "fine", small(of_acme.builds()[0].settings))
        assert build.state == "active" and acme.search("anything", index="fine") == []

    @pytest.mark.parametrize("name", ["default", "No Capitals", "", "-x"])
    def test_a_name_that_is_taken_or_breaks_the_rules_is_refused(self, of_acme: Indexes, name: str) -> None:
        with pytest.raises(WrongUse):
            of_acme.call(lifecycle.create_index, name, of_acme.builds()[0].settings)
        assert len(of_acme.builds()) == 1

    def test_a_dropped_index_leaves_nothing_but_its_embeddings(self, synced: Harness, of_acme: Indexes) -> None:
        build = of_acme.call(lifecycle.create_index, "fine", small(of_acme.builds()[0].settings))
        synced.fill()
        (held,) = synced.rows("SELECT count(*) FROM embedding_store")
        with synced.database.connection() as connection:
            lifecycle.drop_index(synced.database, connection, of_acme.workspace_id, "fine")
        assert synced.rows("SELECT to_regclass(%s)", build.table) == [(None,)]
        assert synced.rows("SELECT count(*) FROM embedding_store") == [held]
        assert synced.rows("SELECT name FROM rag_indexes") == [("default",)]


class TestRebuild:
    def test_readers_see_the_old_build_until_the_new_one_is_promoted(self, synced: Harness, of_acme: Indexes) -> None:
        before = synced.checksum()
        updated = synced.rows("SELECT updated, object_count, vector_count FROM rag_indexes")
        of_acme.call(lifecycle.rebuild_index, "default", small)
        synced.sync()
        assert of_acme.states() == ["active", "building"], "a sync leaves the filling to a run of its own"
        synced.fill()
        assert of_acme.states() == ["active", "verifying"]
        assert synced.checksum() == before
        assert synced.rows("SELECT updated, object_count, vector_count FROM rag_indexes") == updated

        of_acme.call(lifecycle.promote, "default")
        assert of_acme.states() == ["retired", "active"]
        assert synced.checksum() != before and of_acme.counts_are_true()
        synced.assert_matches_world()

    def test_why_a_new_build_does_not_serve_is_said_until_it_does(self, synced: Harness, of_acme: Indexes) -> None:
        def why() -> list[list[str]]:
            return [build.reasons for build in of_acme.call(builds_not_serving)]

        assert why() == []
        pages = len(synced.world.visible_pages())
        of_acme.call(lifecycle.rebuild_index, "default", small)
        assert why() == [[f"{pages} documents are not in it yet"]]
        synced.fill()
        assert why() == [["it is verified and waits for promotion"]]
        of_acme.call(lifecycle.promote, "default")
        assert why() == []

    def test_while_it_waits_a_new_build_follows_the_source(self, synced: Harness, of_acme: Indexes) -> None:
        of_acme.call(lifecycle.rebuild_index, "default", small)
        synced.fill()
        synced.world.add_page("News", blocks=[blocks.paragraph("the zebra has arrived")])
        synced.world.trash(synced.world.visible_pages()[0])
        synced.settle()
        synced.sync()
        of_acme.call(lifecycle.promote, "default")
        assert of_acme.counts_are_true()
        synced.assert_matches_world()

    def test_one_that_may_serve_is_promoted_when_it_is_whole(self, synced: Harness, of_acme: Indexes) -> None:
        of_acme.call(lifecycle.rebuild_index, "default", small, promote=True)
        synced.fill()
        assert of_acme.states() == ["retired", "active"]
        synced.assert_matches_world()

    def test_calling_again_goes_on_with_the_same_build_and_other_settings_are_refused(self, of_acme: Indexes) -> None:
        first = of_acme.call(lifecycle.rebuild_index, "default", small)
        assert of_acme.call(lifecycle.rebuild_index, "default", small).rag_index_build_id == first.rag_index_build_id
        with pytest.raises(WrongUse, match="under way with other settings"):
            of_acme.call(lifecycle.rebuild_index, "default")
        assert len(of_acme.builds()) == 2

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (
                "UPDATE {table} SET deleted_at = now() WHERE document_chunk_id = "
                "(SELECT max(document_chunk_id) FROM {table})",
                "other chunks than their version",
            ),
            ("DELETE FROM published_document WHERE rag_index_build_id = {build}", "not in it in their latest version"),
        ],
    )
    def test_a_build_that_is_not_what_it_should_be_is_not_promoted(
        self, synced: Harness, of_acme: Indexes, damage: str, words: str
    ) -> None:
        before = synced.checksum()
        build = of_acme.call(lifecycle.rebuild_index, "default", small)
        synced.fill()
        with synced.database.connection() as connection:
            connection.execute(damage.format(table=build.table, build=build.rag_index_build_id))  # type: ignore[call-overload]
        with pytest.raises(NotVerified, match=words):
            of_acme.call(lifecycle.promote, "default")
        assert synced.checksum() == before and of_acme.states() == ["active", "verifying"]

    def test_unsound_vectors_are_found(self, synced: Harness, of_acme: Indexes) -> None:
        with synced.database.connection() as connection:
            connection.execute("UPDATE chunk SET chunk_embedding = array_fill(0, ARRAY[256])::vector")
        _, found = of_acme.call(lifecycle.verify_index, "default")
        assert not found.passed and "vectors are zero" in found.problems[0]

    def test_a_verified_build_that_answers_worse_waits_for_a_person(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worse = ["it answers the golden questions worse"]
        of_acme.call(lifecycle.rebuild_index, "default", small, promote=True)
        with monkeypatch.context() as patch:
            patch.setattr(Session, "gate", lambda session, build: worse)
            synced.fill()
        assert of_acme.states() == ["active", "verifying"]
        assert (of_acme.builds()[1].verification or {})["problems"] == worse
        assert [build.reasons for build in of_acme.call(builds_not_serving)] == [worse]
        with pytest.raises(NotVerified, match="golden questions"):
            of_acme.call(lifecycle.promote, "default", lambda build: worse)
        of_acme.call(lifecycle.promote, "default")
        assert of_acme.states() == ["retired", "active"]

    def test_with_nothing_waiting_promotion_changes_nothing(self, synced: Harness, of_acme: Indexes) -> None:
        before = synced.rows("SELECT updated, active_build_id FROM rag_indexes")
        of_acme.call(lifecycle.promote, "default")
        assert synced.rows("SELECT updated, active_build_id FROM rag_indexes") == before

    def test_other_terms_make_new_builds_and_no_embedding(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        embedded = synced.rows("SELECT count(*) FROM embedding_store")
        monkeypatch.setattr(builds_module, "LEXEMES_VERSION", version.LEXEMES_VERSION + 1)
        monkeypatch.setattr(weights, "HEADING_WEIGHT", 7)
        (_,) = of_acme.call(lifecycle.rebuild_outdated)
        synced.fill()
        assert [each.state for each in of_acme.builds()] == ["retired", "active"]
        assert synced.rows("SELECT count(*) FROM embedding_store") == embedded
        before, after = (
            synced.rows(f"SELECT terms::text FROM chunk_terms_b{each.rag_index_build_id} ORDER BY 1")
            for each in of_acme.builds()
        )
        assert len(before) == len(after) and before != after

    def test_a_new_chunker_makes_new_builds_that_serve_when_they_are_whole(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert of_acme.call(lifecycle.rebuild_outdated) == []
        monkeypatch.setattr(builds_module, "CHUNKER_VERSION", sizes.CHUNKER_VERSION + 1)
        (build,) = of_acme.call(lifecycle.rebuild_outdated)
        assert of_acme.call(lifecycle.rebuild_outdated) == [], "it is under way"
        synced.fill()
        assert [each.rag_index_build_id for each in of_acme.builds() if each.state == "active"] == [
            build.rag_index_build_id
        ]
        assert of_acme.call(lifecycle.rebuild_outdated) == []


class TestRollback:
    def test_the_build_that_served_before_serves_again_without_what_was_removed(
        self, synced: Harness, of_acme: Indexes
    ) -> None:
        edited, gone = (synced.world.add_page(name, blocks=[blocks.paragraph(name)]) for name in ("Edited", "Gone"))
        synced.settle()
        synced.sync()
        of_acme.call(lifecycle.rebuild_index, "default", small, promote=True)
        synced.fill()
        synced.world.trash(gone)
        synced.world.append_blocks(edited, [blocks.paragraph("the zebra has arrived")])
        synced.settle()
        synced.sync()

        build = of_acme.call(lifecycle.roll_back, "default")
        assert (
            of_acme.states() == ["active", "retired"]
            and build.rag_index_build_id == of_acme.builds()[0].rag_index_build_id
        )
        assert gone not in synced.published() and edited in synced.published()
        assert of_acme.counts_are_true()
        synced.sync()
        synced.assert_matches_world()

        of_acme.call(lifecycle.roll_back, "default")
        assert of_acme.states() == ["retired", "active"], "the way back leads forward again"

    def test_with_no_earlier_build_it_is_refused(self, of_acme: Indexes) -> None:
        with pytest.raises(WrongUse, match="no earlier build"):
            of_acme.call(lifecycle.roll_back, "default")

    def test_builds_that_no_rollback_leads_to_go_with_the_run_that_promotes_another(
        self, synced: Harness, of_acme: Indexes
    ) -> None:
        for tokens in (32, 64, 128):
            settings = ChunkerSettings.of_target(tokens)
            change = lambda held, chosen=settings: replace(held, chunker=chosen)  # noqa: E731
            of_acme.call(lifecycle.rebuild_index, "default", change, promote=True)
            synced.fill()
        assert of_acme.states() == ["retired", "active"]
        assert [build.settings.chunker.target_tokens for build in of_acme.builds()] == [64, 128]
        synced.assert_matches_world()

    def test_a_search_of_a_build_that_is_being_dropped_says_so(self, synced: Harness, of_acme: Indexes) -> None:
        of_acme.call(lifecycle.rebuild_index, "default", small, promote=True)
        synced.fill()
        old = of_acme.builds()[0].rag_index_build_id
        with synced.database.connect() as connection:  # the first of what dropping does
            connection.execute(f"ALTER TABLE chunk DETACH PARTITION chunk_b{old} CONCURRENTLY")
            connection.execute(f"DROP TABLE chunk_b{old}")
        with synced.database.connection() as connection, pytest.raises(WrongUse, match=f"Build {old} .* being dropped"):
            ConnectionSearcher(connection, synced.database.settings, of_acme.workspace_id, build=old).search(
                SearchRequest("holidays")
            )

    def test_a_serving_build_is_not_dropped(self, synced: Harness, of_acme: Indexes) -> None:
        serving = of_acme.builds()[0].rag_index_build_id
        with synced.database.connection() as connection, pytest.raises(WrongUse, match="serves the index"):
            lifecycle.drop_one_build(synced.database, connection, of_acme.workspace_id, "default", serving)


def scatter(connection: Connection, spread: float) -> None:
    """Put the vectors around ten places, so far from them."""
    random = np.random.default_rng(7)
    places = random.normal(size=(10, 256))
    chunks = connection.execute("SELECT document_chunk_id FROM document_chunk ORDER BY 1").fetchall()
    with connection.transaction():
        for number, (chunk,) in enumerate(chunks):
            vector = places[number % 10] + spread * random.normal(size=256)
            connection.execute(
                "UPDATE chunk SET chunk_embedding = %s::vector WHERE document_chunk_id = %s",
                [str(list(map(float, vector))), chunk],
            )


class TestApproximateSearch:
    @pytest.mark.parametrize("kind", ["hnsw", "ivfflat"])
    def test_above_a_size_a_build_gets_an_index_that_finds_what_exact_search_finds(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setattr(ann, "TUNED_RECALL", 1.0)
        exact = [hit.text for hit in synced.search("holidays", 5)]
        if kind == "ivfflat":
            monkeypatch.setattr(ann, "ANN_FROM", 10)
        else:
            change = lambda held: replace(held, ann="hnsw")  # noqa: E731
            of_acme.call(lifecycle.rebuild_index, "default", change, promote=True)
            synced.fill()
        synced.sync()
        (build,) = [each for each in of_acme.builds() if each.state == "active"]
        assert build.ann == kind
        found = list(of_acme.call(inspect_indexes))
        assert all(finding.ok for finding in found), found
        assert any("finds 1.000" in finding.detail for finding in found)
        assert [hit.text for hit in synced.search("holidays", 5)] == exact

    def test_an_index_that_an_interruption_left_invalid_is_made_again(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ann, "ANN_FROM", 10)
        synced.sync()
        name = ann.ann_index_of(of_acme.builds()[0].rag_index_build_id)
        with synced.superuser() as connection:
            connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])
        assert not all(finding.ok for finding in of_acme.call(inspect_indexes))
        synced.sync()
        found = list(of_acme.call(inspect_indexes))
        assert all(finding.ok for finding in found), found

    def test_an_index_that_is_being_made_is_not_told_as_broken(self, synced: Harness, of_acme: Indexes) -> None:
        (build,) = of_acme.builds()
        statement = f"CREATE INDEX CONCURRENTLY of_a_test ON {build.table} (token_count)"

        def make() -> None:
            with synced.database.connect() as own:
                own.execute(statement)  # type: ignore[arg-type]

        with ThreadPoolExecutor(1) as pool:
            with synced.database.connection() as writer, writer.transaction():
                writer.execute(f"LOCK TABLE {build.table} IN ROW EXCLUSIVE MODE")  # type: ignore[arg-type]
                making = pool.submit(make)
                deadline = time.monotonic() + 30
                while not synced.rows("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('of_a_test')"):
                    assert time.monotonic() < deadline and not making.done()
                    time.sleep(0.05)
                found = list(of_acme.call(inspect_indexes))
            making.result()
        assert all(finding.ok for finding in found), found
        assert "being built: of_a_test" in [finding.detail for finding in found]

    def test_verification_makes_an_index_look_harder_before_it_gives_a_build_up(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ann, "ANN_FROM", 10)
        with synced.database.connection() as connection:
            scatter(connection, 10.0)
            build = ann.ensure_ann(connection, of_acme.builds()[0], 100)
            connection.execute("UPDATE rag_index_build SET ann_effort = 1")
            careless = replace(build, ann_effort=1)
            assert ann.recall(connection, careless) < LEAST_RECALL
            verified = verify(connection, careless)
        assert verified.passed and verified.recall >= LEAST_RECALL
        assert of_acme.builds()[0].ann_effort > 1

    def test_an_index_looks_as_hard_as_the_vectors_need(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ann, "ANN_FROM", 10)
        efforts = []
        for spread in (0.01, 10.0):
            with synced.database.connection() as connection:
                scatter(connection, spread)
                build = ann.ensure_ann(connection, of_acme.builds()[0], 100)
                assert ann.recall(connection, build) >= LEAST_RECALL
                efforts.append(of_acme.builds()[0].ann_effort)
                connection.execute(f"DROP INDEX {ann.ann_index_of(build.rag_index_build_id)}")
        assert efforts[0] < efforts[1], "vectors that lie in heaps are found in few lists, others nowhere near"

    @pytest.mark.parametrize(("lists", "least"), [(1, 1), (70, 3), (512, 16), (1000, 16), (10_000, 16)])
    def test_the_fewest_lists_that_are_read_are_a_thirtieth_and_no_more_than_sixteen(
        self, lists: int, least: int
    ) -> None:
        efforts = ann.efforts_of("ivfflat", lists)
        assert (efforts[0], efforts[-1]) == (least, lists), "all lists are all vectors: exact"
        assert list(efforts) == sorted(set(efforts))

    def test_an_index_of_a_build_that_has_grown_gets_more_lists(
        self, synced: Harness, of_acme: Indexes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ann, "ANN_FROM", 10)
        with synced.database.connection() as connection:
            for vectors, lists in ((100, 10), (200, 10), (400, 20)):
                ann.ensure_ann(connection, of_acme.builds()[0], vectors)
                made = synced.rows("SELECT reloptions FROM pg_class WHERE relname = 'chunk_b1_ann_idx'")
                assert made == [([f"lists={lists}"],)]

    def test_vectors_longer_than_an_index_takes_are_searched_exactly(self, of_acme: Indexes) -> None:
        assert ann.wanted_ann(replace(of_acme.builds()[0], dimensions=4096), 1_000_000) == "none"


def test_an_old_pgvector_is_named(synced: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    with synced.superuser() as connection:
        assert pgvector(connection).ok
        connection.execute("UPDATE pg_extension SET extversion = '0.8.2' WHERE extname = 'vector'")
        assert not pgvector(connection).ok


def test_a_removed_workspace_takes_its_builds_along(synced: Harness, of_acme: Indexes) -> None:
    of_acme.call(lifecycle.rebuild_index, "default", small)
    synced.fill()
    registration.remove(synced.database, "acme", lambda _: None)
    assert synced.rows("SELECT count(*) FROM rag_index_build") == [(0,)]
    assert synced.rows("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'chunk'::regclass") == []
