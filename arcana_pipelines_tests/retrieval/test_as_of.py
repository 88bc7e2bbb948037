"""Searching the past: what the index showed at a time, whole, or a refusal that says since when it is known."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from click.testing import CliRunner

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.cli.commands import search as search_command
from arcana_pipelines.db import schema
from arcana_pipelines.errors import NotRemembered, WrongUse
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.pipeline import registration
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

RANKINGS = ("lexical", "dense", "fused")


def now(acme: Harness) -> datetime:
    """The database's clock."""
    ((time,),) = acme.rows("SELECT clock_timestamp()")
    assert isinstance(time, datetime)
    return time


def search(acme: Harness, query: str, as_of: datetime | None, k: int = 50, **options: Any) -> list[Hit]:
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        return (
            ConnectionSearcher(connection, acme.database.settings, workspace_id)
            .search(SearchRequest(query, k, as_of=as_of, **options))
            .hits
        )


def found(acme: Harness, query: str, as_of: datetime | None, **options: Any) -> set[str]:
    """The pages that hold what is asked for, without those that are only near."""
    hits = search(acme, query, as_of, ranking="lexical", **options)
    return {hit.external_id for hit in hits} | {twin.external_id for hit in hits for twin in hit.duplicates}


def synced(acme: Harness, mode: Mode = Mode.INCREMENTAL, **options: Any) -> datetime:
    """Sync; returns a time at which the result is what searches see."""
    acme.settle()
    acme.sync(mode, **options)
    return now(acme)


def age(acme: Harness, days: int) -> None:
    """Let everything that was published, retired or promoted be so many days older."""
    with acme.database.connection() as connection:
        for table, columns in (
            ("chunk", ("created_at", "deleted_at")),
            ("published_document", ("published_at",)),
            ("retired_document", ("published_at", "retired_at")),
            ("rag_index_build", ("promoted_at", "retired_at", "remembers_since")),
            ("source_page", ("removed_at",)),
        ):
            changes = ", ".join(f"{column} = {column} - make_interval(days => {days})" for column in columns)
            connection.execute(f"UPDATE {table} SET {changes}")


class Edited:
    """A page that was edited, one that was removed and one that came later, with the times between."""

    def __init__(self, acme: Harness) -> None:
        self.acme, world = acme, acme.world
        self.top = world.add_page("Handbook", blocks=[blocks.paragraph("All that employees need.")])
        self.page = world.add_page("Lunch", self.top, [blocks.paragraph("The zebra eats in the canteen.")])
        self.gone = world.add_page("Garage", self.top, [blocks.paragraph("The walrus parks underground.")])
        self.before = synced(acme)
        world.edit_page(self.page, [blocks.paragraph("The giraffe eats in the canteen.")])
        world.set_title(self.page, "Dinner")
        world.trash(self.gone)
        self.late = world.add_page("Bicycles", self.top, [blocks.paragraph("The penguin rides to work.")])
        self.after = synced(acme)


@pytest.fixture
def edited(acme: Harness) -> Edited:
    return Edited(acme)


class TestVersions:
    def test_words_of_an_old_version_are_found_then_and_not_now(self, acme: Harness, edited: Edited) -> None:
        assert found(acme, "zebra", edited.before) == {edited.page} and found(acme, "giraffe", edited.before) == set()
        for time in (edited.after, None):
            assert found(acme, "giraffe", time) == {edited.page} and found(acme, "zebra", time) == set()

    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_a_hit_is_all_of_the_version_of_then(self, acme: Harness, edited: Edited, ranking: str) -> None:
        old = search(acme, "zebra canteen", edited.before, ranking=ranking)[0]
        new = search(acme, "giraffe canteen", edited.after, ranking=ranking)[0]
        assert (old.external_id, old.title, old.version) == (edited.page, "Lunch", 1)
        assert (new.external_id, new.title, new.version) == (edited.page, "Dinner", 2)
        assert "zebra" in old.text and old.url and (old.last_edited_at or "") < (new.last_edited_at or "")
        assert [old.text[begin:end] for begin, end in old.highlights] == ["zebra", "canteen"]

    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_pages_removed_since_are_there_and_pages_added_since_are_not(
        self, acme: Harness, edited: Edited, ranking: str
    ) -> None:
        then = {hit.external_id for hit in search(acme, "walrus penguin", edited.before, ranking=ranking)}
        today = {hit.external_id for hit in search(acme, "walrus penguin", edited.after, ranking=ranking)}
        assert edited.gone in then and edited.late not in then
        assert edited.late in today and edited.gone not in today

    def test_a_restored_page_is_there_before_and_after_and_not_between(self, acme: Harness, edited: Edited) -> None:
        acme.world.restore(edited.gone)
        restored = synced(acme, Mode.AUDIT)
        times = (edited.before, edited.after, restored, None)
        assert [found(acme, "walrus", time) == {edited.gone} for time in times] == [True, False, True, True]

    def test_neighbours_are_of_the_same_version(self, acme: Harness) -> None:
        def text(mark: str) -> list[Any]:
            return [
                blocks.paragraph(f"Sentence {mark}{number} " + f"filler{number} words " * 40) for number in range(9)
            ]

        page = acme.world.add_page("Long", blocks=text("old"))
        before = synced(acme)
        acme.world.edit_page(page, text("new"))
        after = synced(acme)
        for time, mark, other in ((before, "old", "new"), (after, "new", "old")):
            hit = search(acme, "filler4", time, neighbours=1)[0]
            around = " ".join((*hit.before, hit.text, *hit.after))
            assert len(hit.before) == len(hit.after) == 1 and f"{mark}4" in around and other not in around

    def test_a_sync_that_is_the_first_keeps_no_words_of_retired_chunks(self, acme: Harness) -> None:
        acme.world.add_page("Lunch", blocks=[blocks.paragraph("The zebra eats in the canteen.")])
        synced(acme)
        assert acme.rows("SELECT count(*) FROM retired_chunk_terms") == [(0,)]


class TestFilters:
    def test_rows_are_chosen_by_the_properties_they_had(self, acme: Harness) -> None:
        database = acme.world.add_database("Tasks", schema={"Status": {"type": "select", "options": ["Done", "Open"]}})
        rows = [
            acme.world.add_row(
                database.data_source_id,
                f"Task {number}",
                {"Status": "Open"},
                [blocks.paragraph("Repair the elevator.")],
            )
            for number in range(2)
        ]
        before = synced(acme)
        acme.world.set_property(rows[0], "Status", "Done")
        after = synced(acme)
        is_open = Filters(kinds=["row"], properties=[PropertyCondition.parse("Status=Open")])
        assert found(acme, "elevator", before, filters=is_open) == set(rows)
        assert found(acme, "elevator", after, filters=is_open) == {rows[1]}

    def test_subtrees_kinds_edit_times_and_links_are_those_of_the_versions(self, acme: Harness) -> None:
        world = acme.world
        top = world.add_page("Top", blocks=[blocks.paragraph("canteen")])
        linking = world.add_page("Linking", top, [blocks.paragraph("canteen"), blocks.link_to_page(top)])
        start = world.clock.now()
        before = synced(acme)
        world.edit_page(linking, [blocks.paragraph("canteen without a link")])
        after = synced(acme)
        beyond = start + timedelta(minutes=3)
        for filters, then, today in (
            (Filters(below=linking), {linking}, {linking}),
            (Filters(below=top, kinds=["page"]), {top, linking}, {top, linking}),
            (Filters(kinds=["row"]), set(), set()),
            (Filters(links_to=top), {linking}, set()),
            (Filters(edited_since=beyond), set(), {linking}),
        ):
            assert found(acme, "canteen", before, filters=filters) == then, filters
            assert found(acme, "canteen", after, filters=filters) == today, filters
            assert found(acme, "canteen", None, filters=filters) == today, filters

    @pytest.mark.parametrize("ranking", RANKINGS)
    def test_what_a_filter_leaves_is_searched_also_where_it_is_much(
        self, acme: Harness, edited: Edited, ranking: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("arcana_pipelines.retrieval.snapshot_search.FEW", 0)
        hits = search(acme, "zebra walrus", edited.before, ranking=ranking, filters=Filters(below=edited.top))
        assert {edited.page, edited.gone} <= {hit.external_id for hit in hits}
        assert all(hit.version == 1 for hit in hits)


class TestRecordedAnswers:
    @pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
    def test_every_answer_is_that_of_then(self, acme: Harness, seed: int) -> None:
        """Random edits; each state's answers are recorded and asked for again at the end, and after the next edits."""
        chance = random.Random(seed)
        vocabulary = (
            "zebra giraffe walrus penguin canteen garage bicycle elevator 휴가 규정 신청 harbour lantern".split()
        )
        questions = ["zebra canteen", "휴가 신청", "lantern harbour elevator", "zebro"]

        def text() -> list[Any]:
            sizes = (8, 8, 30, 300)
            return [blocks.paragraph(" ".join(chance.choices(vocabulary, k=chance.choice(sizes)))) for _ in range(3)]

        def answers(time: datetime | None) -> list[Any]:
            return [
                (
                    question,
                    ranking,
                    [asdict(hit) for hit in search(acme, question, time, ranking=ranking, neighbours=1)],
                )
                for question in questions
                for ranking in RANKINGS
            ]

        pages = [acme.world.add_page(f"Page {number}", blocks=text()) for number in range(8)]
        removed: list[str] = []
        recorded = [(synced(acme), answers(None))]
        for step in range(6):
            for page in chance.sample(pages, 2):
                acme.world.edit_page(page, text())
            pages.append(acme.world.add_page(f"Later {step}", blocks=text()))
            if removed and chance.random() < 0.5:
                pages.append(removed.pop())
                acme.world.restore(pages[-1])
            else:
                removed.append(pages.pop(chance.randrange(len(pages))))
                acme.world.trash(removed[-1])
            recorded.append((synced(acme, chance.choice([Mode.INCREMENTAL, Mode.AUDIT])), answers(None)))
        for time, answer in recorded:
            assert answers(time) == answer


class TestRefusals:
    def test_a_time_before_the_index_served_is_refused_with_the_earliest(self, acme: Harness, edited: Edited) -> None:
        ((since,),) = acme.rows("SELECT promoted_at FROM rag_index_build")
        with pytest.raises(NotRemembered, match=re.escape(f"since {since.isoformat(sep=' ')}")):
            search(acme, "zebra", since - timedelta(seconds=1))
        assert search(acme, "zebra", since) == []

    def test_a_time_to_come_is_refused(self, acme: Harness, edited: Edited) -> None:
        with pytest.raises(WrongUse, match="still to come"):
            search(acme, "zebra", now(acme) + timedelta(minutes=1))

    def test_a_time_without_a_zone_is_refused(self, acme: Harness, edited: Edited) -> None:
        with pytest.raises(WrongUse, match="zone"):
            search(acme, "zebra", edited.before.replace(tzinfo=None))

    def test_an_index_of_an_older_release_looks_back_to_the_upgrade(self, acme: Harness, edited: Edited) -> None:
        schema.downgrade(acme.database, "0007")
        schema.upgrade(acme.database)
        upgraded = now(acme)
        with pytest.raises(NotRemembered):
            search(acme, "giraffe", edited.after)
        acme.world.trash(edited.page)
        synced(acme)
        assert found(acme, "giraffe", upgraded) == {edited.page} and found(acme, "giraffe", None) == set()

    def test_after_a_purge_times_that_it_made_incomplete_are_refused(self, acme: Harness, edited: Edited) -> None:
        age(acme, 31)
        before, after = (time - timedelta(days=31) for time in (edited.before, edited.after))
        acme.world.edit_page(edited.late, [blocks.paragraph("The ostrich rides to work.")])
        synced(acme)
        assert found(acme, "zebra", before) == {edited.page}, "no audit has purged it yet"
        synced(acme, Mode.AUDIT)
        with pytest.raises(NotRemembered, match="purged") as refused:
            search(acme, "zebra", before)
        ((since,),) = acme.rows("SELECT remembers_since FROM rag_index_build")
        assert since.isoformat(sep=" ") in str(refused.value) and before < since < after
        assert found(acme, "giraffe", after) == {edited.page} and found(acme, "penguin", after) == {edited.late}
        kept = {edited.late}
        assert acme.rows(
            "SELECT DISTINCT p.external_id FROM retired_chunk_terms t JOIN source_page p USING (document_id)"
        ) == [(page,) for page in kept], "words go with their chunks, and no others"

    def test_a_purged_page_takes_the_times_along_in_which_it_was_seen(self, acme: Harness) -> None:
        acme.world.add_page("Other", blocks=[blocks.paragraph("The giraffe.")])
        gone = acme.world.add_page("Garage", blocks=[blocks.paragraph("The walrus parks underground.")])
        before = synced(acme)
        acme.world.trash(gone)
        after = synced(acme)
        with acme.database.connection() as connection:
            # Its removal is old; its chunks left the index much later.
            connection.execute("UPDATE source_page SET removed_at = removed_at - interval '31 days'")
        synced(acme, Mode.AUDIT)
        assert acme.rows("SELECT count(*) FROM retired_chunk_terms") == [(0,)]
        with pytest.raises(NotRemembered):
            search(acme, "walrus", before)
        assert found(acme, "walrus giraffe", after) == found(acme, "walrus giraffe", None) != set()


class TestBuilds:
    @pytest.fixture
    def rebuilt(self, acme: Harness, edited: Edited) -> Callable[..., Any]:
        """A second build serves since `edited.after`; calls a function of `pipeline.indexes`."""

        def call(function: Any, *arguments: Any, **options: Any) -> Any:
            with acme.database.connection() as connection:
                workspace_id = workspaces.find(connection, acme.slug).workspace_id
                return function(connection, workspace_id, "default", *arguments, **options)

        smaller = lambda held: replace(held, chunker=ChunkerSettings.of_target(32))  # noqa: E731
        call(lifecycle.rebuild_index, smaller, promote=True)
        acme.fill()
        return call

    def test_the_build_that_served_then_answers(
        self, acme: Harness, edited: Edited, rebuilt: Callable[..., Any]
    ) -> None:
        assert found(acme, "zebra", edited.before) == {edited.page}
        assert found(acme, "zebra", edited.after) == set() and found(acme, "giraffe", edited.after) == {edited.page}
        acme.world.edit_page(edited.page, [blocks.paragraph("The ostrich eats in the canteen.")])
        promoted = now(acme)
        synced(acme)
        assert found(acme, "giraffe", promoted) == {edited.page} and found(acme, "ostrich", promoted) == set()

    def test_with_the_build_goes_its_past(self, acme: Harness, edited: Edited, rebuilt: Callable[..., Any]) -> None:
        ((first,), (second,)) = acme.rows("SELECT rag_index_build_id FROM rag_index_build ORDER BY 1")
        assert acme.rows("SELECT count(*) > 0 FROM retired_chunk_terms WHERE rag_index_build_id = %s", first) == [
            (True,)
        ]
        lifecycle.drop_builds(acme.database, [first])
        assert acme.rows("SELECT count(*) FROM retired_chunk_terms WHERE rag_index_build_id = %s", first) == [(0,)]
        ((since,),) = acme.rows("SELECT promoted_at FROM rag_index_build WHERE rag_index_build_id = %s", second)
        with pytest.raises(NotRemembered, match=re.escape(since.isoformat(sep=" "))):
            search(acme, "zebra", edited.before)

    def test_what_a_build_showed_in_its_first_time_is_not_mixed_with_its_second(
        self, acme: Harness, edited: Edited, rebuilt: Callable[..., Any]
    ) -> None:
        second = now(acme)
        rebuilt(lifecycle.roll_back)
        assert found(acme, "giraffe", second) == {edited.page}
        with pytest.raises(NotRemembered):
            search(acme, "zebra", edited.before)
        assert found(acme, "giraffe", now(acme)) == {edited.page}

    def test_a_removed_workspace_leaves_nothing(self, acme: Harness, edited: Edited) -> None:
        assert acme.rows("SELECT count(*) > 0 FROM retired_chunk_terms") == [(True,)]
        registration.remove(acme.database, acme.slug, lambda _: None)
        assert acme.rows("SELECT count(*) FROM retired_chunk_terms") == [(0,)]


class TestCommand:
    @pytest.fixture
    def run(self, acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        monkeypatch.setattr(search_command, "open_database", lambda: acme.database)

        def run(*arguments: str) -> Any:
            return CliRunner().invoke(search_command.command, [acme.slug, *arguments, "--json"])

        return run

    def test_times_are_utc_or_have_an_offset(self, acme: Harness, edited: Edited, run: Callable[..., Any]) -> None:
        for time in (
            edited.before.astimezone(UTC).replace(tzinfo=None),
            edited.before.astimezone(timezone(timedelta(hours=9))),
        ):
            result = run("zebra", "--as-of", time.isoformat())
            assert json.loads(result.stdout)["hits"][0]["title"] == "Lunch"
        today = json.loads(run("zebra").stdout)
        assert today["hits"] == [] and today["nearest"][0]["title"] == "Dinner", "near in meaning, in today's version"

    def test_what_is_no_time_is_refused(self, acme: Harness, edited: Edited, run: Callable[..., Any]) -> None:
        result = run("zebra", "--as-of", "yesterday")
        assert result.exit_code == 2 and "2026-02-01T09:30+09:00" in result.output
        assert isinstance(run("zebra", "--as-of", "2001-01-01").exception, NotRemembered)


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    world.clock.advance(600)
    return world
