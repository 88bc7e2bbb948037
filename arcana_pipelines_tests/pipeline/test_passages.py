"""Passages: with a model that compares them, each has a vector of its own, which decides what is found and shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding import catalogue
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.embedding.local_small import SmallEmbedder
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.errors import InputRejected
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.ledger import purge as purging
from arcana_pipelines.pipeline.chunk_embeddings import missing
from arcana_pipelines.pipeline.chunk_embeddings.passages import load_sql as load_passages_sql
from arcana_pipelines.pipeline.chunk_embeddings.passages import staged_passages
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import seed_world, serve
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.test_killed_at_commits import commits_of, registered, stored, sync_killed_after
from arcana_pipelines_tests.pipeline.world_machine import in_haste

DOORS = (
    "## Doors\n\nThe front door is locked at ten.\n\n- Badges open it.\n\n## Parking\n\nBicycles stand in the cellar."
)


@pytest.fixture(autouse=True)
def comparing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model compares passages, as the multilingual one does."""
    models = tuple(
        replace(model, compares_passages=True) if model.name == SMALL_MODEL else model for model in catalogue._OURS
    )
    monkeypatch.setattr(catalogue, "_OURS", models)


class Counting(SmallEmbedder):
    """The small model, which remembers what it was asked, and refuses some texts."""

    def __init__(self, refuses: str = "\0") -> None:
        self.asked: list[str] = []
        self.sizes: list[int] = []
        self._refuses = refuses

    def embed(self, texts: Sequence[str]) -> Embedded:
        if any(self._refuses in text for text in texts):
            raise InputRejected(f"not {self._refuses}")
        self.asked += texts
        self.sizes.append(len(texts))
        return super().embed(texts)


def without_vector(acme: Harness) -> list[tuple[object, ...]]:
    return acme.rows(
        "SELECT hash FROM document_chunk k CROSS JOIN unnest(k.passages) hash "
        "LEFT JOIN passage p ON p.rag_index_build_id = k.rag_index_build_id AND p.text_hash = hash "
        "WHERE k.deleted_at IS NULL AND p.text_hash IS NULL"
    )


def count(acme: Harness, table: str) -> int:
    ((found,),) = acme.rows(f"SELECT count(*) FROM {table}")
    assert isinstance(found, int)
    return found


def test_each_passage_of_a_published_chunk_has_a_vector(acme: Harness) -> None:
    acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    report = acme.sync()
    assert report["embeddings"]["passages"] == count(acme, "passage") == 3
    assert without_vector(acme) == [] and count(acme, "passage_stage") == 0
    acme.assert_matches_world()


def test_a_chunk_has_the_mean_of_its_passages_and_is_not_embedded_itself(acme: Harness) -> None:
    embedder = Counting()
    acme = acme.at(open_embedder=lambda model, dimensions: embedder)
    acme.world.add_page("House", blocks=DOORS)
    acme.world.add_page("Empty")
    acme.settle()
    report = acme.sync()
    assert sorted(embedder.asked) == [
        "Empty\n", "House > Doors\n- Badges open it.", "House > Doors\nThe front door is locked at ten.",
        "House > Parking\nBicycles stand in the cellar.",
    ]  # fmt: skip
    assert (report["embeddings"]["computed"], report["embeddings"]["passages"]) == (2, 4)
    for chunk, vectors in acme.rows(
        "SELECT k.chunk_embedding::text, (SELECT array_agg(p.passage_embedding::text) FROM passage p "
        "WHERE p.text_hash = ANY(k.passages)) FROM document_chunk k"
    ):
        assert isinstance(chunk, str) and isinstance(vectors, list)
        mean = np.mean([json.loads(vector) for vector in vectors], 0)
        assert np.allclose(json.loads(chunk), mean / np.linalg.norm(mean), atol=1e-3)


def test_one_changed_word_embeds_the_passages_of_its_chunk_and_writes_one(acme: Harness) -> None:
    page = acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    acme.sync()
    held = count(acme, "passage")
    acme.world.edit_page(page, DOORS.replace("ten", "nine"))
    acme.settle()
    report = acme.sync()
    assert (report["embeddings"]["computed"], report["embeddings"]["passages"]) == (1, 3)
    assert without_vector(acme) == [] and count(acme, "passage") == held + 1
    assert "passages" not in acme.sync()["embeddings"]


def test_chunks_of_many_passages_are_embedded_fewer_together_by_an_embedder_that_is_opened_once(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        acme.world.add_page(f"List {number}", blocks="\n".join(f"- {number} {item}" for item in range(20)))
    acme.settle()
    monkeypatch.setattr(missing, "texts_at_once", lambda model, most: 3)
    opened: list[Counting] = []

    def open_embedder(model: str, dimensions: int) -> Counting:
        opened.append(Counting())
        return opened[-1]

    acme.at(open_embedder=open_embedder).sync()
    (embedder,) = opened
    assert embedder.sizes == [40, 40, 40] and without_vector(acme) == []


def test_the_passages_of_odd_pages_are_embedded_as_they_were_cut_and_none_twice(acme: Harness) -> None:
    marks = "#### deep\n\n# shallow\n\n- [ ] todo\n  - [x] done\n\n1. one\n1. two\n\n> # quoted\n\nNULL\n\n## {a}"
    pages = {
        "": "",
        "\u200b": "\u200b\n\n\u2028",
        "Heading": "# Only",
        "Code": "```\n" + "x = 1\n" * 600 + "```",
        "Long": "word " * 3000,
        "#### Title > like": marks,
        "NUL \0 and \ud800": "text \0 with \udfff\n\n## he\0ad \ud801\n\nmore \0",
        "회의": "## 회의\n\n" + "한국어 문장이 이어집니다. " * 200,
        "T" * 1900: f"# {'h' * 1500}\n## {'h' * 1900}\n" + "\n".join(f"- {item}" for item in range(200)),
        "Table": "| a | b |\n|---|---|\n" + "\n".join(f"| {row} | y |" for row in range(200)),
    }
    for title, text in pages.items():
        acme.world.add_page(title, blocks=text)
    acme.settle()
    embedder = Counting()
    report = acme.at(open_embedder=lambda model, dimensions: embedder).sync()
    assert report["pages"]["quarantined"] == 0 and without_vector(acme) == [] and count(acme, "passage_stage") == 0
    ((named,),) = acme.rows("SELECT count(DISTINCT hash) FROM document_chunk, unnest(passages) hash")
    assert len(embedder.asked) == len(set(embedder.asked)) == count(acme, "passage") == named


def test_a_first_sync_that_is_killed_at_any_commit_leaves_no_passage_without_a_vector(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "texts_at_once", lambda model, most: 2)
    world = seed_world(pages=1, rows=0)
    for number in range(3):
        world.add_page(f"House {number}", blocks=DOORS.replace("ten", str(number)))
    world.clock.advance(600)
    with in_haste(), serve(world) as server:
        whole = registered(database, world, server, "whole")
        commits = commits_of(whole, Mode.FULL)
        for number in range(1, commits):
            killed = registered(database, world, server, f"killed-{number}")
            sync_killed_after(killed, Mode.FULL, number)
            paid = stored(killed)
            assert killed.sync()["embeddings"]["computed"] == stored(whole) - paid
            assert killed.checksum() == whole.checksum(), f"killed after commit {number} of {commits}"
    assert without_vector(whole) == [] and count(whole, "passage_stage") == 0


def test_a_new_build_takes_over_what_is_known_and_embeds_nothing(acme: Harness) -> None:
    acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    acme.sync()
    with acme.session() as session:
        (served,) = builds_of(session.connection, session.workspace.workspace_id)
        lifecycle.create_index(session.connection, session.workspace.workspace_id, "other", served.settings)
    embedder = Counting()
    acme.at(open_embedder=lambda model, dimensions: embedder).fill()
    assert embedder.asked == [] and without_vector(acme) == []
    assert acme.rows("SELECT count(DISTINCT rag_index_build_id) FROM passage") == [(2,)]


def test_of_refused_passages_a_chunk_goes_without_and_a_page_of_nothing_else_waits(acme: Harness) -> None:
    house = acme.world.add_page("House", blocks=DOORS)
    bad = acme.world.add_page("Bad", blocks="Bicycles and nothing else.")
    acme.settle()
    embedder = Counting(refuses="Bicycles")
    report = acme.at(open_embedder=lambda model, dimensions: embedder).sync()
    assert report["pages"]["quarantined"] == 1
    assert acme.page_state(bad)[0] == "quarantined" and "not Bicycles" in str(acme.page_state(bad)[1])
    assert house in acme.published() and "Bicycles" in acme.published()[house]
    assert count(acme, "passage") == 2 and count(acme, "passage_stage") == 0
    embedder.asked.clear()
    acme.at(open_embedder=lambda model, dimensions: embedder).sync()
    assert embedder.asked == []


def test_a_hit_shows_the_passage_that_answers_and_leads_to_its_heading(acme: Harness) -> None:
    acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    acme.sync()
    (hit, *_) = acme.search("where do bicycles stand")
    assert hit.passage is not None and hit.link is not None
    assert hit.passage.heading_path == ["Parking"]
    assert hit.text[hit.passage.begin : hit.passage.end] == hit.passage.text == "Bicycles stand in the cellar."
    assert [hit.passage.text[begin:end].lower() for begin, end in hit.passage.highlights] == ["bicycles", "stand"]
    assert hit.link.endswith("#:~:text=Parking")


def test_known_passages_are_looked_up_each_once_although_the_stage_was_empty_when_it_was_analysed(
    acme: Harness,
) -> None:
    many = 500
    acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    acme.sync()
    with acme.session() as session, session.connection.transaction():
        connection, workspace_id = session.connection, session.workspace.workspace_id
        connection.execute("ANALYZE passage_stage, passage")
        (served,) = builds_of(connection, workspace_id)
        other = lifecycle.create_index(connection, workspace_id, "other", served.settings)
        hashes = "(SELECT sha256(number::text::bytea) FROM generate_series(1, %s) number) t (hash)"
        connection.execute(
            "INSERT INTO passage (rag_index_build_id, text_hash, passage_embedding) "
            f"SELECT %s, hash, (SELECT passage_embedding FROM passage LIMIT 1) FROM {hashes}",
            [served.rag_index_build_id, many],
        )
        connection.execute(
            f"INSERT INTO passage_stage (rag_index_build_id, text_hash, embedded) SELECT %s, hash, '' FROM {hashes}",
            [other.rag_index_build_id, many],
        )
        statement = load_passages_sql("known_passages")
        ((plan,),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", other.params)
        left = connection.execute("SELECT count(*) FROM passage_stage").fetchone()
        given = connection.execute(
            "SELECT count(passage_embedding) FROM passage WHERE rag_index_build_id = %s", [other.rag_index_build_id]
        ).fetchone()
    assert (left, given) == ((0,), (many,))
    assert rows_touched(plan[0]["Plan"]) < 100 * many


def test_a_passage_that_was_staged_while_another_process_embedded_it_is_embedded_once(acme: Harness) -> None:
    acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    acme.sync()
    with acme.session() as session:
        connection = session.connection
        (build,) = builds_of(connection, session.workspace.workspace_id)
        with connection.transaction():
            connection.execute(
                "INSERT INTO passage_stage (rag_index_build_id, text_hash, embedded) "
                "SELECT rag_index_build_id, text_hash, 'again' FROM passage"
            )
        assert list(staged_passages(connection, build)) == []
    assert "passages" not in acme.sync()["embeddings"]
    assert count(acme, "passage_stage") == 0 and without_vector(acme) == []


@pytest.mark.parametrize("analysed", ["before they were many", "and of more than fit into memory"])
def test_a_purge_compares_no_passage_with_all(acme: Harness, monkeypatch: pytest.MonkeyPatch, analysed: str) -> None:
    many = 1500
    plans: list[Any] = []
    acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    acme.sync()
    with acme.session() as session, session.connection.transaction(force_rollback=True):
        connection = session.connection
        connection.execute("ANALYZE chunk, passage")
        connection.execute(
            "WITH made AS (INSERT INTO chunk (rag_index_build_id, document_content_id, chunk_content, heading_path, "
            "text_hash, token_count, chunk_embedding, heading_levels, passages) "
            "SELECT rag_index_build_id, document_content_id, chunk_content, heading_path, text_hash, token_count, "
            "chunk_embedding, heading_levels, ARRAY(SELECT sha256(format('%%s %%s', number, part)::bytea) "
            "FROM generate_series(1, 3) part) FROM chunk, generate_series(1, %s) number "
            "RETURNING rag_index_build_id, passages) "
            "INSERT INTO passage (rag_index_build_id, text_hash, passage_embedding) "
            "SELECT rag_index_build_id, unnest(passages), array_fill(1, ARRAY[256])::vector::halfvec FROM made",
            [many],
        )
        if analysed != "before they were many":
            connection.execute("ANALYZE chunk, passage; SET LOCAL work_mem = '64kB'")
        (passages,) = connection.execute("SELECT count(*) FROM passage").fetchone() or (0,)
        load, execute = purging.load_sql, connection.execute

        def explained(statement: Any, *parameters: Any) -> Any:
            cursor = execute(statement, *parameters)
            plans.extend(cursor.fetchall() if str(statement).startswith("EXPLAIN") else [])
            return cursor

        monkeypatch.setattr(
            purging,
            "load_sql",
            lambda name: ("EXPLAIN (ANALYZE, FORMAT JSON) " if name == "purge_passages" else "") + load(name),
        )
        monkeypatch.setattr(connection, "execute", explained)
        purging.purge(connection, session.generation, 30)
        assert execute("SELECT count(*) FROM passage").fetchone() == (passages,)
    ((plan,),) = plans
    assert rows_touched(plan[0]["Plan"]) < 100 * many


def rows_touched(node: dict[str, Any]) -> int:
    """Rows that the nodes of a plan gave and threw away, in all their loops."""
    own = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"))
    return int(own * node["Actual Loops"]) + sum(map(rows_touched, node.get("Plans", [])))


def test_passages_that_no_chunk_has_any_more_are_purged(acme: Harness) -> None:
    page = acme.world.add_page("House", blocks=DOORS)
    acme.settle()
    acme.sync()
    held = count(acme, "passage")
    acme.world.trash(page)
    acme.settle()
    acme.sync()
    acme.rows("UPDATE chunk SET deleted_at = deleted_at - interval '1 year' WHERE deleted_at IS NOT NULL RETURNING 1")
    acme.sync(Mode.AUDIT)
    assert count(acme, "passage") < held
    assert without_vector(acme) == []


def test_what_one_section_says_comes_before_what_stands_apart_in_a_text(acme: Harness) -> None:
    acme.world.add_page("House", blocks="## Yard\n\nGreen bicycles.\n\n## Walls\n\nA white cellar.")
    rules = "## Guests\n\nThey may leave their bicycles in the cellar over the weekend.\n\n## Night\n\nKeep quiet."
    acme.world.add_page("Rules", blocks=rules)
    for number in range(4):
        acme.world.add_page(f"Other {number}", blocks=f"Nothing of it, {number} times.")
    acme.settle()
    acme.sync()
    assert [hit.title for hit in acme.search("bicycles cellar")[:2]] == ["Rules", "House"]
