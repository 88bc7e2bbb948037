"""The index follows the reading: pages can be found while others are read, and nothing is different in the end."""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines import plugins
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.documents import versions
from arcana_pipelines.documents.contents import make_contents
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, SMALL_MODEL
from arcana_pipelines.embedding.local_small import DIMENSIONS
from arcana_pipelines.errors import BudgetReached, DatabaseUnreachable, InvalidSetting, PageTooLarge, UnknownWorkspace
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.lifecycle import create_index
from arcana_pipelines.indexes.targets.targets import add_target
from arcana_pipelines.ledger import generations, pages
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.observing import traces
from arcana_pipelines.pipeline import (
    cutting,
    document_content,
    follow,
    follower,
    registration,
    source_pages,
    sync,
)
from arcana_pipelines.pipeline.chunk_embeddings import missing
from arcana_pipelines.pipeline.follow import Follower
from arcana_pipelines.pipeline.follower import Slice, index_slice
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.session import Session
from arcana_pipelines.pipeline.sync import SyncRequest
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.observing.collector import Collector
from arcana_pipelines_tests.pipeline.test_killed_at_commits import commits_of, killed_after, registered, stored
from arcana_pipelines_tests.pipeline.test_passages import rows_touched
from arcana_pipelines_tests.pipeline.world_machine import end_if_it_hangs, in_haste


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    top = world.add_page("Company")
    for number in range(40):
        world.clock.advance(61)
        text = f"Room {number} 회의실 {'word ' * (number * 20)}"
        page = world.add_page(f"Page {number}", top, [blocks.paragraph(text), blocks.paragraph("the same for all")])
        top = page if number % 15 == 14 else top
    world.clock.advance(600)
    return world


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both processes have many turns."""
    monkeypatch.setattr(source_pages, "COMMIT_PAGES", 4)
    with in_haste():
        yield


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch, small_batches: None) -> list[Slice]:
    """The other process has its turns in this one, one slice after each commit of the reading."""
    done: list[Slice] = []

    def look(self: Follower, left: int) -> None:
        done.append(index_slice(self._session, 3))
        self.did += done[-1]

    monkeypatch.setattr(Follower, "look", look)
    monkeypatch.setattr(sync, "may_follow", lambda session: True)  # whatever embeds: it is the same process
    return done


@pytest.fixture
def slow(acme: Harness, server: NotionServer, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """A source that is slower than the follower: there from the beginning on, it has a slice before all is read."""
    look = Follower.look

    def look_until_it_did_something(self: Follower, left: int) -> None:
        look(self, left)
        while not self.did.pages and self._process is not None and self._process.poll() is None:
            time.sleep(0.02)
            look(self, left)

    monkeypatch.setattr(Follower, "look", look_until_it_did_something)
    monkeypatch.setattr(follow, "AFTER_SECONDS", 0.0)
    monkeypatch.setattr(follow, "HELP_FROM", 1)
    monkeypatch.setattr(source_pages, "COMMIT_PAGES", 4)
    server.latency(0.2)
    return acme


def test_what_was_read_is_found_before_all_is_read_and_the_end_is_the_same(
    database: Database, world: NotionWorld, server: NotionServer, turns: list[Slice], monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = registered(database, world, server, "followed")
    report = followed.sync()
    assert sum(did.pages for did in turns) > 15 and all(did.chunks for did in turns)
    with monkeypatch.context() as patch:
        patch.setattr(Follower, "look", lambda self, left: None)
        plain = registered(database, world, server, "plain")
        assert {**plain.sync(), "workspace": "followed"} == report
    assert followed.checksum() == plain.checksum()
    followed.assert_matches_world()


def test_slices_of_the_other_process_are_parts_of_the_reading_in_its_trace(
    slow: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector() as collector:
        monkeypatch.setenv(traces.ENDPOINT, collector.address)
        traces.start_if_asked("test")
        try:
            slow.sync()
        finally:
            traces.end()
    (reading,), (following,) = collector.named("read pages"), collector.named("follow the reading")
    slices, ends = collector.named("index a slice"), collector.named("contents of the end")
    assert following.service == "arcana-follower" and following.parent_id == reading.span_id
    assert {each.parent_id for each in slices} == {following.span_id}
    assert {each.parent_id for each in ends} == {reading.span_id}
    assert {each.trace_id for each in (*slices, *ends, following)} == {reading.trace_id}
    assert any(int(each.attributes["arcana.pages"]) for each in ends)
    assert sum(int(each.attributes["arcana.pages"]) for each in slices) == len(slow.world.visible_pages())
    for each in slices:
        assert each.attributes["arcana.workspace"] == "acme" and each.nanoseconds > 0
        assert each.attributes["arcana.chunks"] and each.attributes["arcana.texts"]
        assert each.attributes["arcana.run"] == reading.attributes["arcana.run"]


def test_targets_hear_of_what_was_read_while_others_are_read(slow: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        place = workspaces.storage_path(slow.database.settings, "acme") / "targets" / "sqlite.sqlite"
        add_target(connection, workspace_id, "sqlite", str(place), "sqlite")
    seen: list[int] = []
    look = Follower.look

    def look_until_the_target_has_something(self: Follower, left: int) -> None:
        look(self, left)
        until = time.monotonic() + 20
        while left and not seen and time.monotonic() < until:
            seen.extend(count for (count,) in slow.rows("SELECT vector_count FROM target_collection") if count)
            time.sleep(0.05)

    monkeypatch.setattr(Follower, "look", look_until_the_target_has_something)
    slow.sync()
    ((held, published),) = slow.rows("SELECT c.vector_count, published_vectors FROM target_collection c, rag_indexes")
    assert seen and seen[0] < held == published


def test_the_counts_of_an_index_move_with_each_slice(acme: Harness, turns: list[Slice]) -> None:
    seen: list[tuple[int, int]] = []

    def look(self: Follower, left: int) -> None:
        index_slice(self._session, 3)
        ((objects, vectors, documents, chunks),) = acme.rows(
            "SELECT object_count, vector_count, (SELECT count(*) FROM published_document), "
            "(SELECT count(*) FROM document_chunk WHERE deleted_at IS NULL) FROM rag_indexes"
        )
        assert (objects, vectors) == (documents, chunks)
        seen.append((objects, vectors))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Follower, "look", look)
        acme.sync()
    assert seen[0][0] == 3 and seen == sorted(set(seen))


def test_each_index_of_the_workspace_is_followed(acme: Harness, turns: list[Slice]) -> None:
    with acme.database.connection() as connection:
        index = IndexSettings(SMALL_MODEL, DIMENSIONS, ChunkerSettings(), "auto")
        create_index(connection, workspaces.find(connection, "acme").workspace_id, "drafts", index)
    seen: set[tuple[int, int]] = set()

    def look(self: Follower, left: int) -> None:
        index_slice(self._session, 3)
        seen.add(tuple(count for (count,) in acme.rows("SELECT object_count FROM rag_indexes ORDER BY name")))  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Follower, "look", look)
        acme.sync()
    assert len(seen) > 5 and all(default == drafts for default, drafts in seen)
    assert acme.rows("SELECT object_count, vector_count > 0 FROM rag_indexes") == [(41, True)] * 2


def test_a_sync_that_is_killed_at_any_commit_while_it_follows_is_finished_by_the_next(
    database: Database, world: NotionWorld, server: NotionServer, turns: list[Slice]
) -> None:
    whole = registered(database, world, server, "whole")
    commits = commits_of(whole, Mode.FULL)
    assert commits > 60
    for number in range(1, commits, 3):
        killed = registered(database, world, server, f"killed-{number}")
        killed_after(killed, number, lambda dying: dying.sync(Mode.FULL))
        paid = stored(killed)
        report = killed.sync()
        assert killed.checksum() == whole.checksum(), f"killed after commit {number} of {commits}"
        assert report["embeddings"]["computed"] == stored(whole) - paid


def test_nothing_is_forgotten_while_another_process_may_cut(
    acme: Harness, turns: list[Slice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it stages may name what nothing names any more in the snapshot of the purge."""
    happened: list[str] = []
    end, purge = Follower.end, sync.purge

    def ended(self: Follower) -> None:
        end(self)
        happened.append("ended")

    def purged(connection: Connection, generation: Generation, days: int) -> int:
        happened.append("forgotten")
        return purge(connection, generation, days)

    monkeypatch.setattr(Follower, "end", ended)
    monkeypatch.setattr(sync, "purge", purged)
    acme.sync(Mode.AUDIT)
    assert happened == ["ended", "forgotten"]


def test_a_page_that_cannot_be_processed_is_counted_once(acme: Harness, turns: list[Slice]) -> None:
    bad = max(acme.world.visible_pages(), key=lambda page: acme.world.nodes[page].edited)
    with pytest.MonkeyPatch.context() as patch:
        made = follower.process_slice

        def fail(*arguments: object, **options: object) -> object:
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(
                    "arcana_pipelines.documents.contents.make_contents", partial(_refusing, bad, make_contents)
                )
                return made(*arguments, **options)  # type: ignore[arg-type]

        patch.setattr(follower, "process_slice", fail)
        report = acme.sync()
    assert report["pages"]["quarantined"] == 1
    assert acme.page_state(bad)[0] == "quarantined"


def _refusing(bad: str, make: Callable[..., object], row: dict[str, str], titles: object) -> object:
    if row["external_id"] == bad:
        raise ValueError("nobody can read this")
    return make(row, titles)


def test_the_newest_pages_are_read_first_and_then_tree_by_tree(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "NEWEST", 5)
    others = [acme.world.add_page(f"Other {number}") for number in range(3)]
    for number in range(12):
        acme.world.clock.advance(61)
        acme.world.add_page(f"Below {number}", others[number % 3])
    acme.sync()
    with acme.session() as session:
        with session.connection.transaction():
            session.connection.execute("UPDATE source_page SET state = 'pending'")
        ids = pages.to_fetch(session.connection, session.generation, datetime.now(UTC))
        read = [
            ref.title for batch in pages.references(session.connection, session.generation, ids, 4) for ref in batch
        ]
    by_edit = [
        title for (title,) in acme.rows("SELECT title FROM source_page ORDER BY last_edited_at DESC, external_id")
    ]
    trees: dict[str, list[str]] = {}
    for title in by_edit[5:]:
        trees.setdefault(_tree(title), []).append(title)
    assert len(trees) == 4 and len(read) == 41 + 3 + 12
    assert read == by_edit[:5] + [title for tree in trees.values() for title in tree]


class TestWhileTheLedgerGrows:
    """What the planner knew of it before is out of date, and nothing may compare each page with each."""

    @pytest.fixture
    def grown(self, another: Callable[[str], Harness], monkeypatch: pytest.MonkeyPatch) -> Harness:
        monkeypatch.setattr(source_pages, "MANY", 100)
        small = another("small")
        top = small.world.add_page("Top")
        small.settle()
        small.sync()
        with small.database.connection() as connection:
            connection.execute("ANALYZE source_page, document, document_relation")
        for number in range(400):
            small.world.add_page(f"Below {number}", top)
        small.settle()
        return small

    def test_what_is_listed_is_counted_before_it_is_read(self, grown: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        estimates: list[int] = []

        def estimate(reading: source_pages._Reading) -> None:
            statement = "EXPLAIN (FORMAT JSON) SELECT FROM source_page WHERE workspace_id = %s"
            ((plan,),) = reading.connection.execute(statement, [reading.generation.workspace_id]).fetchall()
            estimates.append(plan[0]["Plan"]["Plan Rows"])

        monkeypatch.setattr(source_pages._Reading, "run", estimate)
        with grown.session() as session:
            sync.read_pages(session, SyncRequest(Mode.FULL))
        assert estimates[0] == pytest.approx(401, rel=0.1)

    def test_documents_are_put_in_place_by_joining_whole_tables(self, grown: Harness) -> None:
        touched: list[int] = []

        class Explaining:
            def __init__(self, connection: Connection) -> None:
                self._connection = connection

            def execute(self, statement: str, *parameters: object) -> None:
                if not statement.startswith("--"):
                    self._connection.execute(statement)  # type: ignore[call-overload]
                    return
                explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
                ((plan,),) = self._connection.execute(explained, *parameters).fetchall()  # type: ignore[call-overload]
                touched.append(rows_touched(plan[0]["Plan"]))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source_pages, "MANY", 1_000_000)
            grown.sync(Mode.FULL)
        with grown.session() as session, session.connection.transaction(force_rollback=True):
            versions.put_in_place(Explaining(session.connection), session.workspace.workspace_id)  # type: ignore[arg-type]
        assert len(touched) == 4 and max(touched) < 20_000


def test_the_follower_hears_of_more_and_of_the_end() -> None:
    """Else it would look again after a second, and the reading may be over by then."""
    reads, writes = os.pipe()
    with open(reads, "rb", buffering=0) as lines, open(writes, "wb", buffering=0) as tell:
        heard = follower.Heard()
        hearing = threading.Thread(target=heard.listen, args=(lines,))
        hearing.start()
        seen = []
        for line in (follower.MORE_IS_READ, follower.ALL_IS_READ, follower.ALL_IS_STAGED):
            tell.write(line.encode())
            assert heard.news.wait(10)
            heard.news.clear()
            seen.append((heard.all_is_read.is_set(), heard.all_is_staged.is_set()))
        assert seen == [(False, False), (True, False), (True, True)]
        tell.close()
        hearing.join(10)
    assert not hearing.is_alive()


def _tree(title: str) -> str:
    name, _, number = title.partition(" ")
    return f"Other {int(number) % 3}" if name in ("Other", "Below") else "Company"


def test_of_a_page_that_is_read_again_while_it_is_processed_the_newer_text_is_indexed(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = acme.world.add_page("Plan", blocks=[blocks.paragraph("We meet on Monday.")])
    make = document_content._make

    def read_again(given: document_content._Given) -> document_content._Made:
        made = make(given)
        acme.rows("UPDATE source_page SET body = 'We meet on Friday.' WHERE external_id = %s RETURNING 1", page)
        return made

    with acme.session() as session:
        sync.read_pages(session, SyncRequest())
        monkeypatch.setattr(document_content, "_make", read_again)
        assert index_slice(session, 100).pages == 41
        assert page not in acme.published() and acme.page_state(page) == ("fetched", None)
        monkeypatch.setattr(document_content, "_make", make)
        assert index_slice(session, 100).pages == 1
    assert "Friday" in acme.published()[page]


def test_two_processes_make_contents_from_both_ends_and_none_twice(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = document_content._make
    with acme.session() as session:
        sync.read_pages(session, SyncRequest())

        def other_is_faster(given: document_content._Given) -> document_content._Made:
            monkeypatch.setattr(document_content, "_make", make)
            made = make(given)
            did = document_content.process_slice(session.connection, session.generation, 30, last_first=True)
            assert did.processed == 30
            return made

        monkeypatch.setattr(document_content, "_make", other_is_faster)
        assert index_slice(session, 20).pages == 41  # its own eleven, and what the other one has staged
        assert acme.rows("SELECT count(*), max(version), count(DISTINCT document_id) FROM document_content") == [
            (41, 1, 41)
        ]
        assert generations.counters(session.connection, session.generation).versions == 41
        while index_slice(session, 20).pages:
            pass
        assert len(acme.published()) == 41
    acme.sync()
    acme.assert_matches_world()


def test_what_one_process_has_made_is_published_with_the_slice_of_the_other(acme: Harness) -> None:
    with acme.session() as session:
        sync.read_pages(session, SyncRequest())
        made = document_content.process_slice(session.connection, session.generation, 100, last_first=True)
        assert made.processed == 41 and acme.published() == {}
        assert index_slice(session, 100).pages == 41 == len(acme.published())
        assert index_slice(session, 100) == Slice()


def test_slices_get_smaller_towards_the_end(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_content, "SMALLEST_SLICE", 3)
    sizes: list[int] = []
    with acme.session() as session:
        sync.read_pages(session, SyncRequest())
        while did := index_slice(session, 100, is_end=True).pages:
            sizes.append(did)
    assert sizes == [13, 9, 6, 4, 3, 3, 3]


def test_texts_that_another_process_stages_while_some_are_embedded_are_embedded_and_counted(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = missing._embed_build

    with acme.session() as session:
        connection = session.connection
        sync.read_pages(session, SyncRequest())
        document_content.process_slice(connection, session.generation, 10)

        def stage_more(*arguments: object) -> int:
            refused = embed(*arguments)  # type: ignore[arg-type]
            document_content.process_slice(connection, session.generation, 100)
            return refused

        monkeypatch.setattr(missing, "_embed_build", stage_more)
        did = sync.embed_chunks(session, Purpose.SYNC)
        ((staged,),) = acme.rows("SELECT count(*) FROM chunk_stage")
    assert did.computed + did.reused == staged > 41


def test_pages_are_taken_in_the_order_of_the_reading_or_from_its_end(acme: Harness) -> None:
    with acme.session() as session:
        sync.read_pages(session, SyncRequest())
        first, last = (
            [
                page["external_id"]
                for page in pages.just_read(session.connection, session.generation, 100, last_first=it)
            ]
            for it in (False, True)
        )
    assert len(first) == 41 and last == first[::-1]


def test_of_pages_that_were_read_in_one_second_the_newest_are_taken_first(acme: Harness) -> None:
    with acme.session() as session:
        sync.read_pages(session, SyncRequest())
        acme.rows("UPDATE source_page SET fetched_at = now() WHERE state = 'fetched' RETURNING 1")
        taken = [page["last_edited_at"] for page in pages.just_read(session.connection, session.generation, 100)]
    assert len(set(taken)) > 1 and taken == sorted(taken, reverse=True)


def test_what_slices_have_not_put_in_place_the_run_does(acme: Harness) -> None:
    placing = follower.Placing()
    placing._again_at = float("inf")
    with acme.session() as session:
        sync.read_pages(session, SyncRequest())
        while index_slice(session, 100, placing).pages:
            pass
        deepest = "SELECT max(nlevel(path)) FROM document"
        assert acme.rows(deepest) == [(2,)]
        sync.make_contents(session)
        assert acme.rows(deepest) == [(5,)]


def test_putting_documents_in_place_takes_a_small_share_of_the_time(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, placed = 100.0, []

    def place(connection: Connection, generation: Generation) -> None:
        nonlocal now
        placed.append(now)
        now += 2

    monkeypatch.setattr(follower, "place_documents", place)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    placing = follower.Placing()
    with acme.session() as session:
        for _ in range(100):
            placing.place(session.connection, session.generation)
            now += 1
    assert placed[:2] == [100, 142] and len(placed) == 3


def test_a_page_that_cannot_be_cut_is_indexed_once_an_edit_has_mended_it(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edit is read, and the slice that takes it up is not the first."""
    first, page = sorted(acme.world.add_page(title) for title in ("One", "Two"))
    (block,) = acme.world.append_blocks(page, [blocks.paragraph("far too long")])
    cut = cutting.chunk_document

    def refuse(contents: object, *arguments: object) -> object:
        if "far too long" in str(contents):
            raise PageTooLarge("nobody can cut this")
        return cut(contents, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cutting, "chunk_document", refuse)
    acme.settle()
    acme.sync()
    assert acme.page_state(page) == ("quarantined", "cannot be cut: nobody can cut this")
    acme.world.set_block_text(block, "short enough")
    acme.world.append_blocks(first, [blocks.paragraph("edited as well")])
    acme.settle()
    with acme.session() as session:
        sync.read_pages(session, SyncRequest())
        assert index_slice(session, 1).pages == 1
        assert acme.page_state(page) == ("fetched", None)
        assert index_slice(session, 1).pages == 1
    acme.assert_matches_world()


def test_a_workspace_that_is_removed_while_it_is_read_ends_its_sync_with_a_sentence(
    acme: Harness, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count()

    def look(self: Follower, left: int) -> None:
        if next(looks) == 0:
            registration.remove(acme.database, acme.slug, lambda _: None)

    monkeypatch.setattr(Follower, "look", look)
    with pytest.raises(UnknownWorkspace, match="'acme'"):
        acme.sync()
    assert next(looks) > 1


@pytest.mark.parametrize(
    ("limit", "pages", "seconds", "then"),
    [(10, 10, 1, 40), (10, 7, 1, 10), (10, 10, 5, 10), (10, 10, 11, 5), (1, 1, 90, 1), (100, 100, 1, 200)],
)
def test_slices_take_some_seconds(limit: int, pages: int, seconds: float, then: int) -> None:
    assert follower.next_limit(limit, pages, seconds) == then


def test_slices_stay_large_where_it_is_not_the_pages_that_take_long() -> None:
    limit, before, sizes = follower.LARGEST_SLICE, (0, 0.0), []
    for _ in range(20):
        sizes.append(limit)
        seconds = 40 + limit / 100
        limit, before = follower.next_limit(limit, limit, seconds, before), (limit, seconds)
    assert min(sizes) >= follower.LARGEST_SLICE / 2


@pytest.mark.parametrize(
    "stage",
    [
        lambda session: sync.read_pages(session, SyncRequest()),
        sync.fetch_files,
        sync.make_contents,
        lambda session: sync.cut_chunks(session, Purpose.SYNC),
        lambda session: sync.embed_chunks(session, Purpose.SYNC),
        lambda session: sync.publish_indexes(session, Purpose.SYNC),
        sync.classify,
    ],
)
def test_a_stage_whose_connection_was_ended_says_so_to_whoever_called_it(
    acme: Harness, stage: Callable[[Session], object]
) -> None:
    with acme.session() as session:
        with acme.superuser() as superuser:
            superuser.execute("SELECT pg_terminate_backend(%s, 10000)", [session.connection.info.backend_pid])
        with pytest.raises(DatabaseUnreachable, match="ended the connection"):
            stage(session)


class TestInAnotherProcess:
    def test_it_is_told_what_was_indexed_meanwhile(self, slow: Harness) -> None:
        told: list[Slice] = []
        with slow.session() as session:
            report = sync.read_pages(session, SyncRequest(), told.append)
            assert len(told) > 1 and report.indexed == sum(told, Slice()) and report.indexed.pages == 41
            assert slow.rows("SELECT count(*) FROM published_document") == [(report.indexed.pages,)]
            assert report.is_balanced
            sync.make_contents(session)
            sync.cut_chunks(session, Purpose.SYNC)
            sync.embed_chunks(session, Purpose.SYNC)
            sync.publish_indexes(session, Purpose.SYNC)
        slow.server.latency(0)
        slow.assert_matches_world()
        assert slow.sync()["embeddings"]["computed"] == 0

    @pytest.mark.parametrize(
        ("left", "a_minute", "begins"), [(31, 180, True), (30, 180, False), (501, 0, True), (500, 0, False)]
    )
    def test_one_begins_at_once_where_a_limit_says_that_the_rest_takes_long(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch, left: int, a_minute: int, begins: bool
    ) -> None:
        begun: list[int] = []
        monkeypatch.setattr(Follower, "_start", lambda self: begun.append(left))
        with acme.session() as session:
            limited = session.settings.model_copy(update={"notion_requests_per_minute": a_minute})
            Follower(replace(session, settings=limited), lambda did: None).look(left)
        assert begun == [left] * begins

    def test_a_reading_that_is_soon_over_starts_none(self, acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Follower, "_start", lambda self: pytest.fail("it was started"))
        acme.sync()

    def test_an_estimate_embeds_nothing(self, slow: Harness) -> None:
        with slow.session() as session:
            report = sync.read_pages(session, SyncRequest(purpose=Purpose.STAGE))
        assert report.indexed == Slice() and slow.rows("SELECT 1 FROM embedding_store") == []

    @pytest.mark.parametrize(("model", "may"), [("text-embedding-3-small", False), (SMALL_MODEL, True)])
    def test_texts_that_are_cheaper_together_are_not_embedded_slice_by_slice(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch, model: str, may: bool
    ) -> None:
        with acme.database.connection() as connection:
            connection.execute("UPDATE rag_index_build SET embedding_model = %s", [model])
        with acme.session() as session:
            assert follow.may_follow(session)
            cheaper = session.settings.model_copy(update={"openai_batch_above": 100})
            assert follow.may_follow(replace(session, settings=cheaper)) is may

    def test_the_stages_do_what_it_could_not(self, slow: Harness, caplog: pytest.LogCaptureFixture) -> None:
        started = Follower._start

        def start_and_kill(self: Follower) -> object:
            process = started(self)
            process.kill()
            return process

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Follower, "_start", start_and_kill)
            slow.sync()
        assert "ended with exit code -9" in caplog.text
        slow.assert_matches_world()

    def test_what_went_wrong_in_it_is_told_and_the_sync_goes_on(
        self, slow: Harness, caplog: pytest.LogCaptureFixture
    ) -> None:
        with slow.database.connection() as connection:
            connection.execute("UPDATE workspace SET embedding_budget = 0")
            connection.execute(
                "UPDATE rag_index_build SET embedding_model = 'text-embedding-3-small', dimensions = 1536"
            )
        with pytest.raises(InvalidSetting, match="OPENAI_API_KEY"):
            slow.sync()
        assert "pages are indexed when all are read" in caplog.text

    def test_one_that_stood_still_for_a_while_goes_on_where_it_was(self, slow: Harness) -> None:
        stopped: list[int] = []
        look = Follower.look

        def look_and_stop(self: Follower, left: int) -> None:
            look(self, left)
            if self._process is not None and self.did.pages and not stopped:
                stopped.append(self._process.pid)
                os.kill(stopped[0], signal.SIGSTOP)
                threading.Timer(3.0, os.kill, (stopped[0], signal.SIGCONT)).start()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Follower, "look", look_and_stop)
            slow.sync()
        assert stopped
        slow.server.latency(0)
        slow.assert_matches_world()
        assert slow.sync()["embeddings"]["computed"] == 0

    def test_a_database_that_ends_all_connections_ends_the_sync_and_the_next_one_is_whole(self, slow: Harness) -> None:
        ended: list[int] = []
        look = Follower.look

        def look_and_end(self: Follower, left: int) -> None:
            look(self, left)
            if self.did.pages and not ended:
                with slow.superuser() as connection:
                    row = connection.execute(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
                        "current_database() AND pid <> pg_backend_pid() AND application_name = 'arcana'"
                    ).fetchone()
                    assert row is not None
                    ended.append(row[0])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Follower, "look", look_and_end)
            with pytest.raises(DatabaseUnreachable, match=r"ended the connection|cannot be used"):
                slow.sync()
        assert ended[0] >= 2, "of both processes"
        slow.server.latency(0)
        slow.sync()
        slow.assert_matches_world()

    def test_what_the_budget_does_not_allow_waits_for_the_next_month_and_nothing_is_lost(
        self, slow: Harness, arcana_embeddings: EmbeddingServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with slow.database.connection() as connection:
            connection.execute("UPDATE workspace SET embedding_budget = 0")
            connection.execute("ALTER TABLE chunk_b1 DROP CONSTRAINT chunk_b1_dimensions_check")
            connection.execute(
                "UPDATE rag_index_build SET embedding_model = 'text-embedding-3-small', dimensions = 1536"
            )
        settings = slow.database.settings.model_copy(
            update={"openai_api_key": SecretStr("sk-stand-in"), "openai_base_url": arcana_embeddings.base_url}
        )
        paid = slow.at(database=Database(settings))
        with pytest.raises(BudgetReached):
            paid.sync()
        assert "pages are indexed when all are read" in caplog.text and arcana_embeddings.requests == []
        with slow.database.connection() as connection:
            connection.execute("UPDATE workspace SET embedding_budget = 100")
        slow.server.latency(0)
        assert paid.sync()["embeddings"]["computed"] > 0
        paid.assert_matches_world()
        paid.database.close()

    def test_no_file_of_the_directory_where_somebody_syncs_is_run(
        self, slow: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "json.py").write_text("import os\nos._exit(9)\n")
        monkeypatch.chdir(tmp_path)
        assert _followed(slow).pages == 41

    def test_an_interrupt_of_the_whole_group_never_reaches_it(
        self, slow: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        started = Follower._start

        def start(self: Follower) -> object:
            process = started(self)
            process.send_signal(signal.SIGINT)
            return process

        monkeypatch.setattr(Follower, "_start", start)
        assert _followed(slow).pages == 41 and caplog.text == ""
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    @pytest.mark.parametrize(
        ("does", "told"), [("print('computing')", ""), ("raise RuntimeError('no luck')", "RuntimeError: no luck")]
    )
    def test_what_a_plugin_prints_is_no_report_and_what_it_raises_is_told(
        self, slow: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
        does: str, told: str
    ) -> None:  # fmt: skip
        _install_provider(tmp_path, monkeypatch, f"if 'arcana_pipelines.pipeline.follow' not in sys.modules: {does}")
        with slow.database.connection() as connection:
            connection.execute("UPDATE rag_index_build SET embedding_model = 'guest-model'")
        did = _followed(slow)
        assert (did.pages, caplog.text) == (41, "") if not told else told in caplog.text

    @pytest.mark.parametrize(
        ("model", "processes", "can"),
        [(SMALL_MODEL, 2, True), (SMALL_MODEL, 1, False), (MULTILINGUAL_MODEL, 2, False), ("their-model", 2, False)],
    )
    def test_it_is_helped_where_cutting_is_what_takes_long(
        self, acme: Harness, model: str, processes: int, can: bool
    ) -> None:
        """What is cut far ahead of a slow model is published all at once, when the last of it is embedded."""
        with acme.database.connection() as connection:
            connection.execute("UPDATE rag_index_build SET embedding_model = %s", [model])
        with acme.session() as session:
            settings = session.settings.model_copy(update={"worker_processes": processes})
            assert Follower(replace(session, settings=settings), lambda did: None)._can_help() is can

    def test_one_that_stands_still_does_not_hold_up_the_reading(self, acme: Harness) -> None:
        with acme.session() as session:
            follower = Follower(session, lambda did: None)
            process = follower._process = follower._start()
            process.send_signal(signal.SIGSTOP)
            assert process.stdin is not None
            fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, 4096)
            for left in range(1000, 0, -1):
                follower.look(left)
            follower.kill()

    def test_an_interrupt_ends_the_waiting_for_one_that_stands_still(self, slow: Harness) -> None:
        class Interrupted(BaseException):
            """As Dagster raises: of its own kind."""

        interrupts: list[int] = []

        def interrupt(number: int, frame: object) -> None:
            interrupts.append(number)
            raise Interrupted

        before = signal.signal(signal.SIGALRM, interrupt)
        with slow.session() as session:
            follower = Follower(session, lambda did: None)
            process = follower._process = follower._start()
            process.send_signal(signal.SIGSTOP)
            # The first is enough: the second is for who waits on.
            signal.setitimer(signal.ITIMER_REAL, 1, 30)
            with pytest.raises(Interrupted):
                follower.end()
            signal.setitimer(signal.ITIMER_REAL, 0)
            follower.kill()
        signal.signal(signal.SIGALRM, before)
        assert len(interrupts) == 1 and process.returncode == -signal.SIGKILL

    def test_it_ends_at_once_with_a_run_that_is_killed_while_it_waits_for_it(self, slow: Harness) -> None:
        with slow.session() as session:
            process = Follower(session, lambda did: None)._start()
            assert process.stdin is not None and process.stdout is not None
            os.set_blocking(process.stdout.fileno(), True)
            process.stdout.close()
            process.stdin.write(follower.ALL_IS_STAGED.encode())
            process.stdin.close()
            assert process.wait(30) == 1

    @pytest.mark.parametrize("seed", range(3))
    def test_it_ends_with_the_run_that_is_killed_and_the_next_ends_like_an_uninterrupted_one(
        self, slow: Harness, database: Database, tmp_path: Path, seed: int
    ) -> None:
        slow.server.latency(0.5)  # so that it is killed while there is something to read
        noted = tmp_path / "pid"
        started = Follower._start

        def start(self: Follower) -> object:
            process = started(self)
            noted.write_text(str(process.pid))
            return process

        child = os.fork()
        if child == 0:
            with suppress(BaseException), pytest.MonkeyPatch.context() as patch:
                end_if_it_hangs()
                patch.setattr(Follower, "_start", start)
                slow.at(database=Database(database.settings)).sync()
            os._exit(0)
        _until(noted.exists)
        if seed:
            _until(lambda: slow.rows("SELECT 1 FROM published_document LIMIT 1") != [])
        time.sleep(random.Random(seed).uniform(0, 1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pid = int(noted.read_text())
        _until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())
        slow.server.latency(0)
        slow.sync()
        slow.assert_matches_world()
        plain = Harness.register(database, slow.world, slow.server, "plain")
        plain.sync()
        assert slow.checksum() == plain.checksum()


def _followed(harness: Harness) -> Slice:
    """What the other process did of a reading."""
    with harness.session() as session:
        return sync.read_pages(session, SyncRequest()).indexed


def _install_provider(folder: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Put a distribution on the path that brings the model `guest-model`, whose embedder begins with this line."""
    (folder / "guest-1.0.dist-info").mkdir()
    (folder / "guest-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (folder / "guest-1.0.dist-info" / "entry_points.txt").write_text(f"[{plugins.GROUP}]\nguest = guest:PARTS\n")
    (folder / "guest.py").write_text(
        f"""import sys

import numpy as np

from arcana_pipelines.documents import versions
from arcana_pipelines.embedding.catalogue import Model
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.embedding.registry import EmbeddingProvider


class Guest:
    model, dimensions, concurrency = "guest-model", 256, 1

    def embed(self, texts):
        {line}
        return Embedded(np.ones((len(texts), 256), dtype=np.float32) / 16, len(texts))


PARTS = (
    EmbeddingProvider(name="guest", open=lambda *anything: Guest(), default=lambda settings: ("guest-model", 256)),
    Model(name="guest-model", provider="guest", dimensions=256, price=0, runs_here=True, strength="weak"),
)
"""
    )
    monkeypatch.syspath_prepend(str(folder))
    plugins._all_installed.cache_clear()
    monkeypatch.setattr(plugins, "_all_installed", plugins._all_installed.__wrapped__)


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_reading_that_takes_too_long_is_gone_on_with_by_the_next_sync(acme: Harness) -> None:
    acme.server.latency(0.2)
    with acme.session() as session:
        report = sync.sync(session, SyncRequest(read_seconds=0.3))
    assert report.listing_complete and 0 < report.pages.pending < 41
    assert report.pages.pending + report.pages.added == 41 == len(acme.world.visible_pages())
    assert len(acme.published()) == report.pages.added
    acme.server.latency(0)
    acme.sync()
    acme.assert_matches_world()


def test_what_the_process_is_told_makes_the_same_settings(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = acme.database.settings.model_copy(update={"batch_size": 7})
    told = follow._plain(settings.model_dump())
    assert type(settings)(**told) == settings


def test_slices_add_up() -> None:
    assert Slice(1, 2, 3) + Slice(10, 20, 30) == Slice(11, 22, 33)
