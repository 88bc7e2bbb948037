"""An index in a file: searched without PostgreSQL as with it, renewed by difference, refused where it is not whole."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.cli.main import main
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import CursorRefused, IndexFileRefused, UnknownDocument, WrongUse
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.index_file import file as index_file
from arcana_pipelines.indexes.targets.delivery import deliver
from arcana_pipelines.indexes.targets.targets import add_target
from arcana_pipelines.operations.export_index import ExportedIndex, export_index
from arcana_pipelines.retrieval import Filters, PropertyCondition, Searcher, SearchRequest
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

TOPICS = (
    "vacation",
    "canteen",
    "travel",
    "payroll",
    "onboarding",
    "security",
    "laptops",
    "parking",
    "visitors",
    "fire",
)
QUESTIONS = (
    "vacation rules", "연차 휴가는 며칠인가요?", "who pays for travel", "vacatoin rules in number 12", "휴가",
    "payroll number 33 and parking", "is the canteen open", "HR-200",
)  # fmt: skip


@pytest.fixture
def handbook(acme: Harness) -> Harness:
    world = acme.world
    top = world.add_page("Handbook", blocks="Everything about working here.")
    world.add_page(
        "휴가 규정", parent=top, blocks=[blocks.heading("연차"), blocks.paragraph("연차휴가를 15일 드린다.")]
    )
    for number in range(60):
        topic = TOPICS[number % len(TOPICS)]
        text = (
            f"Rules of {topic} have number {number}. Form HR-{200 + number} is about {topic} and {TOPICS[number % 3]}."
        )
        world.add_page(f"{topic.title()} {number}", blocks=[blocks.heading(f"Part {number}"), blocks.paragraph(text)])
    world.add_page("Long", blocks="\n\n".join(f"Paragraph {n} about lockers. " + "word " * 80 for n in range(20)))
    world.clock.advance(600)
    acme.sync()
    return acme


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports" / "handbook.sqlite"


def exported(harness: Harness, file: Path, overwrite: bool = False) -> ExportedIndex:
    with harness.database.connection() as connection:
        workspace = workspaces.find(connection, harness.slug)
        return export_index(connection, workspace.workspace_id, harness.slug, file, overwrite=overwrite)


def page(harness: Harness, title: str) -> str:
    return str(harness.rows(f"SELECT external_id FROM source_page WHERE title = '{title}'")[0][0])


def alone(database: Database) -> Settings:
    """The settings without the address of a database."""
    return database.settings.model_copy(update={"database_url": None})


def test_a_file_answers_as_postgresql_does(handbook: Harness, file: Path) -> None:
    exported(handbook, file)
    settings = alone(handbook.database)
    with (
        Searcher(handbook.slug, database=handbook.database) as ours,
        Searcher.from_file(file, settings=settings) as one,
    ):
        requests = [SearchRequest(question, 10) for question in QUESTIONS]
        requests += [
            SearchRequest("rules", 5, per_document=True),
            SearchRequest("lockers paragraph", 3, neighbours=2),
            SearchRequest("rules", ranking="dense"),
            SearchRequest("rules of travel", ranking="lexical"),
            SearchRequest("rules of travel", fusion="rrf"),
            SearchRequest("rules", min_score=0.99),
            SearchRequest("and in summer?", earlier=("vacation rules",)),
            SearchRequest("연차", filters=Filters(below="Handbook")),
            SearchRequest("rules", filters=Filters(kinds=["page"])),
            SearchRequest("rules", filters=Filters(edited_since=datetime(2020, 1, 1, tzinfo=UTC))),
        ]
        for request in requests:
            expected, found = ours.search(request), one.search(request)
            assert [hit.document_id for hit in found.hits] == [hit.document_id for hit in expected.hits], request
            for hit, same in zip([*found.hits, *found.nearest], [*expected.hits, *expected.nearest], strict=True):
                assert hit.score == pytest.approx(same.score, abs=2e-3), request
                assert (hit.text, hit.passage, hit.also, hit.highlights) == (
                    same.text,
                    same.passage,
                    same.also,
                    same.highlights,
                )
                assert (hit.title, hit.url, hit.link, hit.path) == (same.title, same.url, same.link, same.path)
                assert (hit.position, hit.version, hit.heading_path) == (same.position, same.version, same.heading_path)
                assert (hit.before, hit.after, hit.workspace) == (same.before, same.after, same.workspace)
                assert hit.last_edited_at == same.last_edited_at and hit.other_chunks == same.other_chunks
            assert found.corrections == expected.corrections and found.taken_with == expected.taken_with
            assert found.notes == expected.notes == []
        assert one.search("vacatoin rules").corrections == {"vacatoin": "vacation"}
        assert one.document("휴가 규정") == ours.document("휴가 규정")


def test_what_comes_after_an_answer_is_found_until_the_file_changes(handbook: Harness, file: Path) -> None:
    exported(handbook, file)
    with Searcher.from_file(file, settings=alone(handbook.database)) as searcher:
        first = searcher.search("rules", 5)
        second = searcher.search("rules", 5, after=first.cursor)
        assert len({hit.document_id for hit in (*first.hits, *second.hits)}) == 10
        exported(handbook, file)
        assert searcher.search("rules", 5, after=first.cursor).hits == second.hits, "nothing has changed"
        handbook.world.add_page("New rules", blocks="New rules of lockers.")
        handbook.world.clock.advance(600)
        handbook.sync()
        exported(handbook, file)
        with pytest.raises(CursorRefused, match="has changed"):
            searcher.search("rules", 5, after=first.cursor)


def test_a_second_export_changes_what_differs_and_open_searchers_see_it(handbook: Harness, file: Path) -> None:
    first = exported(handbook, file)
    assert first.is_new and first.put == first.chunks > 60 and first.documents == 63
    again = exported(handbook, file)
    assert (again.is_new, again.put, again.taken, again.chunks) == (False, 0, 0, first.chunks)
    before = file.read_bytes()
    exported(handbook, file)
    assert file.read_bytes() == before, "nothing differs, and nothing is written"
    handbook.world.edit_page(
        page(handbook, "Vacation 0"), [blocks.heading("Part 0"), blocks.paragraph("Zebras have number 0.")]
    )
    handbook.world.trash(page(handbook, "Canteen 1"))
    handbook.world.clock.advance(600)
    handbook.sync()
    handbook.settle()
    handbook.sync()
    with Searcher.from_file(file, settings=alone(handbook.database)) as searcher:
        assert not [hit for hit in searcher.search("zebras").hits if "Zebras" in hit.text]
        renewed = exported(handbook, file)
        assert (renewed.put, renewed.taken, renewed.documents) == (1, 2, 62)
        assert searcher.search("zebras").hits[0].title == "Vacation 0", "the searcher that is open sees it"
        with Searcher(handbook.slug, database=handbook.database) as ours:
            assert searcher.search("canteen").hits[0].text == ours.search("canteen").hits[0].text


def test_another_build_takes_the_place_of_the_file(handbook: Harness, file: Path) -> None:
    first = exported(handbook, file)
    with Searcher.from_file(file, settings=alone(handbook.database)) as searcher:
        assert searcher.search("vacation rules").hits
        with handbook.database.connection() as connection:
            workspace_id = workspaces.find(connection, handbook.slug).workspace_id
            lifecycle.rebuild_index(connection, workspace_id, "default", promote=True)
        handbook.fill()
        second = exported(handbook, file)
        assert second.is_new and second.build != first.build and second.put == first.put
        assert searcher.search("vacation rules").hits, "the searcher opens the new one"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_file_of_a_target_is_searched_the_same_way(handbook: Harness, file: Path) -> None:
    with handbook.database.connection() as connection:
        workspace_id = workspaces.find(connection, handbook.slug).workspace_id
        target = add_target(connection, workspace_id, "sqlite", str(file), "sqlite")
    assert deliver(handbook.database, target, seconds=60).error is None
    with Searcher(handbook.slug, database=handbook.database) as ours:
        expected = ours.search("연차 휴가는 며칠인가요?")
    with Searcher.from_file(file, settings=alone(handbook.database)) as searcher:
        found = searcher.search("연차 휴가는 며칠인가요?")
    # The last digit is that of vectors of half precision, which PostgreSQL and the file add up in another order.
    for hit, same in zip(found.hits, expected.hits, strict=True):
        assert replace(hit, score=round(hit.score, 4)) == replace(same, score=round(same.score, 4))
    with pytest.raises(WrongUse, match="is a target"):
        exported(handbook, file)


def test_a_target_that_keeps_no_texts_is_told(handbook: Harness, file: Path) -> None:
    with handbook.database.connection() as connection:
        workspace_id = workspaces.find(connection, handbook.slug).workspace_id
        target = add_target(connection, workspace_id, "sqlite", str(file), "sqlite", with_text=False)
    assert deliver(handbook.database, target, seconds=60).error is None
    with pytest.raises(WrongUse, match="keeps no texts"):
        Searcher.from_file(file, settings=alone(handbook.database))


def test_without_its_model_words_alone_are_searched_and_a_note_says_what_is_missing(
    handbook: Harness, file: Path
) -> None:
    exported(handbook, file)
    with sqlite3.connect(file) as writer:
        # As an index of such a model would be; what was sealed stays, for it is not of the model's name.
        writer.execute("UPDATE collections SET made_by = json_set(made_by, '$.model', 'text-embedding-3-small')")
    settings = alone(handbook.database).model_copy(update={"openai_api_key": None})
    with Searcher.from_file(file, settings=settings) as searcher:
        results = searcher.search("vacation rules")
    assert {hit.title for hit in results.hits} > {"Vacation 0", "휴가 규정"}
    assert "OPENAI_API_KEY is not set" in results.notes[0] and "Words alone" in results.notes[0]


def test_a_reader_that_does_not_end_is_told_and_nothing_is_changed(
    handbook: Harness, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(handbook, file)
    before = file.read_bytes()
    handbook.world.edit_page(page(handbook, "Vacation 0"), [blocks.paragraph("Zebras have number 0.")])
    handbook.world.clock.advance(600)
    handbook.sync()
    handbook.settle()
    handbook.sync()
    monkeypatch.setattr(index_file, "BUSY_SECONDS", 0.1)
    reader = index_file.open_to_read(file)  # locks of two libraries in one process do not see each other
    reader.execute("BEGIN; SELECT count(*) FROM documents")
    with pytest.raises(IndexFileRefused, match="another process"):
        exported(handbook, file)
    reader.close()
    assert file.read_bytes() == before
    assert exported(handbook, file).put == 1


def test_rows_of_a_database_are_found_below_it(acme: Harness, file: Path) -> None:
    world = acme.world
    database = world.add_database("Tasks", schema={"Name": "title"}).data_source_id
    for number in range(3):
        world.add_row(database, f"Task {number}", blocks=f"Water the plants of floor {number}.")
    world.add_page("Plants", blocks="Plants want water.")
    world.clock.advance(600)
    acme.sync()
    exported(acme, file)
    with (
        Searcher(acme.slug, database=acme.database) as ours,
        Searcher.from_file(file, settings=alone(acme.database)) as one,
    ):
        for filters in (Filters(below=database), Filters(kinds=["row"]), Filters(kinds=["page"])):
            expected, found = (searcher.search("water plants", filters=filters).hits for searcher in (ours, one))
            assert expected and {hit.text for hit in found} == {hit.text for hit in expected}


def test_what_a_file_does_not_answer_is_refused(handbook: Harness, file: Path) -> None:
    exported(handbook, file)
    with Searcher.from_file(str(file), settings=alone(handbook.database)) as searcher:
        with pytest.raises(WrongUse, match="properties and links"):
            searcher.search("rules", filters=Filters(properties=[PropertyCondition("Team", "=", "A")]))
        with pytest.raises(WrongUse, match="one state"):
            searcher.search("rules", as_of=datetime(2026, 1, 1, tzinfo=UTC))
        with pytest.raises(WrongUse, match=r"There is no page 'Handbok'.*Near it: 'Handbook'"):
            searcher.search("rules", filters=Filters(below="Handbok"))
        with pytest.raises(WrongUse, match="no index 'other', only default"):
            searcher.search("rules", index="other")
        with pytest.raises(UnknownDocument):
            searcher.document("Nothing of the kind")
    with pytest.raises(WrongUse, match="is closed"):
        searcher.search("rules")


def _torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _flipped(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content.replace(b"Rules of travel have number", b"Rulez of travel have number"))


def _without_a_chunk(file: Path) -> None:
    with sqlite3.connect(file) as writer:
        writer.execute("DELETE FROM document_chunks WHERE vector_id = 3")


def _of_later(file: Path) -> None:
    with sqlite3.connect(file) as writer:
        writer.execute(f"PRAGMA user_version = {index_file.VERSION + 1}")


def _something_else(file: Path) -> None:
    file.write_bytes(b"no database at all " * 100)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_torn, "is damaged"),
        (_flipped, "what it holds is not what was written"),
        (_without_a_chunk, "another number of vectors"),
        (_of_later, "newer release"),
        (_something_else, "no SQLite database"),
        (_empty, "is empty"),
        (Path.unlink, "There is no file"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    handbook: Harness, file: Path, harm: Callable[[Path], None], said: str
) -> None:
    exported(handbook, file)
    harm(file)
    with pytest.raises(IndexFileRefused, match=said) as told:
        Searcher.from_file(file, settings=alone(handbook.database))
    assert str(file) in str(told.value)
    if file.exists() and file.stat().st_size:
        with pytest.raises(IndexFileRefused):
            exported(handbook, file)
    exported(handbook, file, overwrite=True)
    with Searcher.from_file(file, settings=alone(handbook.database)) as searcher:
        assert searcher.search("vacation rules").hits


def test_an_export_that_was_killed_in_the_middle_is_as_before(handbook: Harness, file: Path) -> None:
    """The journal beside the file takes back what was written: as SQLite leaves them when the process is killed."""
    exported(handbook, file)
    before = file.read_bytes()
    connection = index_file.create_or_open(file, is_shared=False)
    connection.execute("PRAGMA cache_size = 10; PRAGMA cache_spill = ON")
    connection.execute("BEGIN IMMEDIATE; UPDATE document_chunks SET text = text || 'half written'")
    killed = file.parent / "killed.sqlite"
    shutil.copy(file, killed)
    shutil.copy(f"{file}-journal", f"{killed}-journal")
    connection.execute("ROLLBACK")
    connection.close()
    assert killed.read_bytes() != before
    with Searcher.from_file(killed, settings=alone(handbook.database)) as searcher:
        assert searcher.search("vacation rules").hits
    assert not Path(f"{killed}-journal").exists()


def test_many_threads_share_one_searcher(handbook: Harness, file: Path) -> None:
    exported(handbook, file)

    async def ask(searcher: object) -> list[int]:
        answers = await asyncio.gather(*(searcher.asearch(question) for question in QUESTIONS * 4))  # type: ignore[attr-defined]
        return [len(answer.hits) for answer in answers]

    with Searcher.from_file(file, settings=alone(handbook.database)) as searcher:
        assert all(asyncio.run(ask(searcher)))


def test_the_command_writes_renews_and_tells(
    handbook: Harness, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handbook.database.settings.database_url is not None
    url = handbook.database.settings.database_url
    monkeypatch.setenv("DATABASE_URL", url.get_secret_value() if isinstance(url, SecretStr) else str(url))
    assert run("export", handbook.slug, "--sqlite", str(file)) == 0
    assert f"{file.stat().st_size / 1e6:.1f} MB" in capsys.readouterr().out
    assert run("export", handbook.slug, "--sqlite", str(file), "--json") == 0
    assert '"put": 0' in capsys.readouterr().out
    assert run("export", handbook.slug, "--sqlite", str(file), "--chunks", "c.csv") == 2
    assert "one of --documents" in capsys.readouterr().err


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)
