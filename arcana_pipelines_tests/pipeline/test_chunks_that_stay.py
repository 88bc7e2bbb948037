"""A chunk stays while its text does: a new version writes what changed, and every version is told rightly."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import pytest

from arcana_pipelines.chunking.chunker import chunk_document
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.embedding.language_means import NO_MEANS
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.indexes.targets.pgvector.publish import load_sql as load_publish_sql
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.rag_indexes import publish
from arcana_pipelines.pipeline.sync import SyncRequest, cut_chunks, embed_chunks, make_contents, read_pages
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.test_passages import rows_touched

WORDS = (
    "battery robot policy holiday invoice request index search access deploy backup review audit team ticket week "
    "배터리 로봇은 휴가 정책은 청구서 요청을 색인 검색 권한 배포 백업을 검토 감사 팀의 티켓 주말"
).split()


def sentence(rng: random.Random) -> str:
    return f"{' '.join(rng.choices(WORDS, k=rng.randint(8, 40)))}."


@dataclass
class Edited:
    """A synced workspace with a page of many chunks."""

    acme: Harness
    page: str
    rng: random.Random

    def sync(self) -> tuple[int, int]:
        """Returns how many chunks were published and retired."""
        self.acme.settle()
        chunks = self.acme.sync()["chunks"]
        return chunks["published"], chunks["retired"]

    def rows(self) -> dict[int, tuple[str, str]]:
        """Where PostgreSQL keeps each row that is searched, and which transaction wrote it."""
        return {
            chunk: (place, written)
            for chunk, place, written in self.acme.rows(
                "SELECT document_chunk_id, ctid::text, xmin::text FROM chunk WHERE deleted_at IS NULL"
            )
        }

    def blocks(self) -> list[str]:
        return list(self.acme.world.nodes[self.page].children)

    def change_word(self, at: int) -> None:
        self.acme.world.set_block_text(self.blocks()[at], sentence(self.rng))


@pytest.fixture
def edited(acme: Harness) -> Edited:
    rng = random.Random(7)
    page = acme.world.add_page("편람 Handbook", blocks=[blocks.paragraph(sentence(rng)) for _ in range(120)])
    edited = Edited(acme, page, rng)
    edited.sync()
    assert len(edited.rows()) > 10
    return edited


def assert_versions_are_as_they_were_cut(acme: Harness) -> None:
    """Each version that a build served is told as its content is cut, chunk by chunk, and no chunk is of no version."""
    for build, chunker, model in acme.rows("SELECT rag_index_build_id, chunker, embedding_model FROM rag_index_build"):
        versions: dict[tuple[Any, datetime], list[tuple[Any, ...]]] = {}
        for content, since, *told in acme.rows(
            "SELECT document_content_id, created_at, position, chunk_content, heading_path, heading_levels, text_hash "
            "FROM document_chunk WHERE rag_index_build_id = %s ORDER BY position",
            build,
        ):
            versions.setdefault((content, since), []).append(tuple(told))
        for (content, _), told in versions.items():
            ((contents,),) = acme.rows("SELECT contents FROM document_content WHERE document_content_id = %s", content)
            cut = chunk_document(contents, ChunkerSettings(**chunker), vocabulary(model))
            assert told == [
                (one.position, one.text, list(one.heading_path), list(one.heading_levels), one.text_hash) for one in cut
            ]
        listed = acme.rows(
            "SELECT unnest(chunk_ids) FROM published_document WHERE rag_index_build_id = %s ORDER BY 1", build
        )
        assert listed == acme.rows(
            "SELECT document_chunk_id FROM chunk WHERE rag_index_build_id = %s AND deleted_at IS NULL ORDER BY 1", build
        )


def test_a_changed_word_writes_one_chunk_and_touches_no_other(edited: Edited) -> None:
    before = edited.rows()
    edited.change_word(60)
    assert edited.sync() == (1, 1)
    after = edited.rows()
    assert len(after) == len(before) and len(before.items() - after.items()) == 1
    assert_versions_are_as_they_were_cut(edited.acme)


def test_a_paragraph_at_the_top_writes_two_chunks_at_most(edited: Edited) -> None:
    before = edited.rows()
    edited.acme.world.insert_blocks_at_top(edited.page, [blocks.paragraph("A new beginning, 새 시작입니다.")])
    published, retired = edited.sync()
    assert published <= 2 and retired <= 2
    assert len(before.items() - edited.rows().items()) == retired
    assert_versions_are_as_they_were_cut(edited.acme)


def test_a_moved_page_writes_none_and_a_new_title_writes_what_it_is_embedded_with(edited: Edited) -> None:
    other = edited.acme.world.add_page("Archive")
    edited.sync()
    before = edited.rows()
    edited.acme.world.move(edited.page, other)
    assert edited.sync() == (0, 0)
    assert edited.rows() == before
    edited.acme.world.set_title(edited.page, "Manual")
    published, retired = edited.sync()
    assert published == retired == len(before) - 1, "all chunks but the one of the other page"
    assert_versions_are_as_they_were_cut(edited.acme)


def test_a_text_that_stands_twice_is_two_chunks_and_stays_as_often_as_it_stands(acme: Harness) -> None:
    same = [blocks.paragraph(sentence(random.Random(number))) for number in range(30)]
    page = acme.world.add_page("Twice", blocks=[blocks.heading("Rules"), *same, blocks.heading("Rules"), *same])
    edited = Edited(acme, page, random.Random(1))
    edited.sync()
    ((twice,),) = acme.rows("SELECT count(*) - count(DISTINCT text_hash) FROM chunk")
    assert twice > 2
    acme.world.append_blocks(page, [blocks.paragraph("The end.")])
    assert edited.sync() in ((1, 1), (1, 0))
    assert_versions_are_as_they_were_cut(acme)
    for block in edited.blocks()[31:]:
        acme.world.delete_block(block)
    published, retired = edited.sync()
    assert published <= 1 and retired > twice
    assert_versions_are_as_they_were_cut(acme)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_edited_every_version_is_told_as_it_was(acme: Harness, seed: int) -> None:
    rng = random.Random(seed)
    parts = [
        blocks.heading(" ".join(rng.choices(WORDS, k=2)), rng.randint(1, 3)) if rng.random() < 0.1
        else blocks.paragraph(sentence(rng))
        for _ in range(70)
    ]  # fmt: skip
    page = acme.world.add_page("편람", blocks=parts)
    edited = Edited(acme, page, rng)
    edited.sync()

    def repeat() -> None:
        text = acme.world.nodes[rng.choice(edited.blocks())].payload["rich_text"]
        acme.world.append_blocks(
            page,
            [blocks.paragraph("".join(piece["text"]["content"] for piece in text))],
            after=rng.choice(edited.blocks()),
        )

    edits: list[Callable[[], object]] = [
        lambda: edited.change_word(rng.randrange(len(edited.blocks()))),
        lambda: acme.world.insert_blocks_at_top(page, [blocks.paragraph(sentence(rng))]),
        lambda: acme.world.append_blocks(page, [blocks.heading("새 제목", 2)], after=rng.choice(edited.blocks())),
        lambda: acme.world.delete_block(rng.choice(edited.blocks())),
        repeat,
        lambda: acme.world.trash(page),
        lambda: acme.world.restore(page),
        lambda: acme.world.set_title(page, " ".join(rng.choices(WORDS, k=2))),
    ]
    for _ in range(14):
        for _ in range(rng.randint(1, 3)):
            rng.choices(edits, weights=[6, 2, 2, 4, 4, 1, 3, 1])[0]()
        edited.sync()
        acme.assert_matches_world()
    assert_versions_are_as_they_were_cut(acme)


def test_a_search_of_the_past_finds_each_version_in_its_place_with_its_neighbours(edited: Edited) -> None:
    acme, at = edited.acme, 60
    versions: list[tuple[datetime, str]] = []
    for number in range(6):
        if number % 2:
            acme.world.insert_blocks_at_top(edited.page, [blocks.paragraph(sentence(edited.rng))])
            at += 1
        acme.world.set_block_text(edited.blocks()[at], f"The zebra number{number} 얼룩말. {sentence(edited.rng)}")
        edited.sync()
        ((time,),) = acme.rows("SELECT clock_timestamp()")
        versions.append((time, f"number{number}"))
    told = {
        version: [text for (text,) in texts]
        for version, texts in (
            (version, acme.rows(
                "SELECT chunk_content FROM document_chunk JOIN document_content USING (document_content_id) "
                "WHERE version = %s ORDER BY position", version))
            for version in range(1, 8)
        )
    }  # fmt: skip
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        searcher = ConnectionSearcher(connection, acme.database.settings, workspace_id)
        for version, (time, word) in enumerate(versions, 2):
            for as_of in (time, None) if version == 7 else (time,):
                hit = searcher.search(SearchRequest("zebra 얼룩말", 1, neighbours=2, as_of=as_of)).hits[0]
                assert word in hit.text and hit.version == version
                texts = told[version]
                assert texts[hit.position] == hit.text
                assert hit.before == texts[max(hit.position - 2, 0) : hit.position]
                assert hit.after == texts[hit.position + 1 : hit.position + 3]


def test_what_was_cut_beside_a_version_that_is_served_no_more_is_cut_again(edited: Edited) -> None:
    acme = edited.acme
    edited.change_word(60)
    acme.settle()
    with acme.session() as session:
        read_pages(session, SyncRequest())
        make_contents(session)
        assert cut_chunks(session, Purpose.SYNC).chunks == 1
    # The chunks that it keeps are taken out meanwhile, and the same version comes back.
    acme.world.trash(edited.page)
    acme.settle()
    with acme.session() as session:
        read_pages(session, SyncRequest())
        make_contents(session)
        assert publish(session.connection, session.generation).retired > 10
    acme.world.restore(edited.page)
    edited.sync()
    acme.assert_matches_world()
    assert_versions_are_as_they_were_cut(acme)


def test_a_rebuild_and_a_rollback_are_whole_after_edits(edited: Edited) -> None:
    acme = edited.acme
    edited.change_word(10)
    edited.sync()
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        lifecycle.rebuild_index(connection, workspace_id, "default", promote=True)
    acme.fill()
    edited.change_word(20)
    assert max(edited.sync()) <= 2
    assert_versions_are_as_they_were_cut(acme)
    with acme.database.connection() as connection:
        lifecycle.roll_back(connection, workspace_id, "default")
    edited.sync()
    acme.assert_matches_world()
    assert_versions_are_as_they_were_cut(acme)


def test_the_purge_takes_versions_and_what_only_they_had(edited: Edited) -> None:
    acme = edited.acme
    for number in (10, 60, 100):
        edited.change_word(number)
        edited.sync()
    assert acme.rows("SELECT count(*) FROM retired_document") == [(3,)]
    with acme.database.connection() as connection:
        connection.execute("UPDATE chunk SET deleted_at = deleted_at - interval '1 year'")
        connection.execute("UPDATE retired_document SET retired_at = retired_at - interval '1 year'")
    held = acme.published()
    acme.sync(Mode.AUDIT)
    assert acme.rows("SELECT count(*) FROM retired_document") == [(0,)]
    assert acme.rows("SELECT count(*) FROM chunk WHERE deleted_at IS NOT NULL") == [(0,)]
    assert acme.published() == held
    assert_versions_are_as_they_were_cut(acme)


@pytest.mark.parametrize(
    ("statement", "before"),
    [("publish_documents", ""), ("publish_removals", "UPDATE document SET deleted_at = now()")],
)
def test_what_leaves_is_looked_up_each_once_although_the_tables_were_small_when_they_were_analysed(
    acme: Harness, statement: str, before: LiteralString
) -> None:
    many = 1000
    page = acme.world.add_page("House", blocks=[blocks.paragraph("a door and a window")])
    acme.settle()
    acme.sync()
    acme.world.set_title(page, "Another house")
    acme.settle()
    with acme.session() as session:
        read_pages(session, SyncRequest())
        make_contents(session)
        cut_chunks(session, Purpose.SYNC)
        embed_chunks(session, Purpose.SYNC)
        connection = session.connection
        (build,) = builds_of(connection, session.workspace.workspace_id)
        ((document,),) = connection.execute("SELECT document_id FROM document").fetchall()
        with connection.transaction(force_rollback=True):
            connection.execute("ANALYZE chunk, chunk_terms, published_document, term_count")
            connection.execute(
                "WITH made AS (INSERT INTO chunk (rag_index_build_id, document_content_id, chunk_content, "
                "heading_path, text_hash, token_count, chunk_embedding, heading_levels, passages) "
                "SELECT rag_index_build_id, document_content_id, chunk_content, heading_path, text_hash, token_count, "
                "chunk_embedding, heading_levels, passages FROM chunk, generate_series(1, %s) "
                "RETURNING document_chunk_id), "
                "words AS (INSERT INTO chunk_terms (rag_index_build_id, document_chunk_id, document_id, terms, keys) "
                "SELECT t.rag_index_build_id, made.document_chunk_id, t.document_id, t.terms, t.keys "
                "FROM chunk_terms t, made) "
                "UPDATE published_document SET chunk_ids = chunk_ids || ARRAY(SELECT document_chunk_id FROM made)",
                [many],
            )
            connection.execute(before)
            ((plan,),) = connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {load_publish_sql(statement)}",
                {**build.params, **NO_MEANS, "documents": [document], "counting": True},
            ).fetchall()
    assert rows_touched(plan[0]["Plan"]) < 100 * many
