"""Conditions on properties: typed alike for the API and exports, and told where they cannot mean anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from pydantic import SecretStr

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.retrieval import conditions, filters
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filtered import documents_of
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.number_ranges import in_ranges
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.notion_export.source import NotionExportSource
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.testing.shared_data import SHARED_DATA

# The same rows, as the API has them and as exports in two languages write them.
ENGLISH = (
    "Task,Stage,Due,Cost,Share,Ready,Labels,Code,Left=Right\n"
    '"Roof repair",Open,"March 5, 2026 9:30 AM (GMT+9)","$1,200.50",50%,Yes,"north, urgent",007,0.5\n'
    '"Paint walls",Done,"March 28, 2026 → April 2, 2026","$80.00",12.5%,No,south,1.10,2\n'
    '"Order tiles",,"December 24, 2026","$1,000.00",100%,No,"south, urgent",1.9,3\n'
)
KOREAN = (
    "작업,단계,기한,비용,비율,완료,태그\n"
    '"지붕 수리",진행,2026년 3월 5일 오전 9:30,"₩1,200,500",50%,Yes,"북쪽, 긴급"\n'
    '"벽 칠하기",끝,2026년 3월 28일 → 2026년 4월 2일,"₩80,000",12.5%,No,남쪽\n'
    '"타일 주문",,2026년 12월 24일,"₩1,000,000",100%,No,"남쪽, 긴급"\n'
)


class Indexed:
    """An export that is indexed, without a Dagster run."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        model, dimensions = model_of(database.settings)
        settings = IndexSettings(model, dimensions, ChunkerSettings())
        registration.register(database, "export", "notion_export", settings, lambda _: None, lambda _: None)
        self.sync()

    def sync(self) -> None:
        export = NotionExportSource(self.folder)
        with workspace_session(self.database, "export", open_source=lambda *_: export) as session:
            self.workspace_id = session.workspace.workspace_id
            sync(session, SyncRequest(Mode.FULL))

    def find(self, *conditions: str, **options: Any) -> Results:
        filters = Filters(properties=[PropertyCondition.parse(text) for text in conditions])
        with self.database.connection() as connection:
            searcher = ConnectionSearcher(connection, self.database.settings, self.workspace_id)
            return searcher.search(SearchRequest("repair paint tiles 수리 벽 타일", 50, filters=filters, **options))

    def titles(self, *conditions: str, **options: Any) -> set[str]:
        return names(self.find(*conditions, **options))


def names(found: Results) -> set[str]:
    return {hit.title for hit in found.hits} | {twin.title for hit in found.hits for twin in hit.duplicates}


@pytest.fixture(scope="module")
def english(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Indexed]:
    """For tests that only ask: to index it takes longer than most of them."""
    with shared(arcana_server, tmp_path_factory.mktemp("english"), ENGLISH) as export:
        yield export


@pytest.fixture(scope="module")
def korean(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Indexed]:
    """Likewise."""
    with shared(arcana_server, tmp_path_factory.mktemp("korean"), KOREAN) as export:
        yield export


@contextmanager
def shared(server: DatabaseServer, folder: Path, table: str) -> Iterator[Indexed]:
    with server.database() as url:
        settings = Settings(  # type: ignore[call-arg]
            arcana_home=folder / "home", database_url=SecretStr(url), embedding_provider="local-small"
        )
        with closing(Database(settings)) as database:
            yield indexed(database, folder, table)


def indexed(database: Database, tmp_path: Path, table: str) -> Indexed:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / f"Tasks {'d' * 32}.csv").write_text(table, encoding="utf-8")
    (folder / f"A page about repair {'e' * 32}.md").write_text("# A page about repair\n\nPaint, tiles.\n", "utf-8")
    return Indexed(database, folder)


ROOF, WALLS, TILES = "Roof repair", "Paint walls", "Order tiles"
KOREAN_TITLES = {ROOF: "지붕 수리", WALLS: "벽 칠하기", TILES: "타일 주문"}
KOREAN_NAMES = {"Due": "기한", "Cost": "비용", "Share": "비율", "Ready": "완료", "Stage": "단계", "Labels": "태그"}


@pytest.mark.parametrize(
    ("condition", "tasks"),
    [
        ("Due<2026-12-24", {ROOF, WALLS}),
        ("Due<=2026-12-24", {ROOF, WALLS, TILES}),
        ("Due>2026-04-02", {TILES}),
        ("Due>=2026-04-02", {WALLS, TILES}),
        ("Due=2026-03-05", {ROOF}),
        ("Due=2026-04-01", {WALLS}),
        ("Due=2026-03", {ROOF, WALLS}),
        ("Due=2026", {ROOF, WALLS, TILES}),
        ("Due=March 5, 2026", {ROOF}),
        ("Due=2026년 3월 5일 오전 9:30", {ROOF}),
        ("Due>2026-03-05 09:30", {WALLS, TILES}),
        ("Due!=2026-03", {TILES}),
        ("Share=50%", {ROOF}),
        ("Share=0.5", {ROOF}),
        ("Share>=50%", {ROOF, TILES}),
        ("Share<0.5", {WALLS}),
        ("Ready=true", {ROOF}),
        ("Ready=예", {ROOF}),
        ("Ready=아니요", {WALLS, TILES}),
        ("Ready!=yes", {WALLS, TILES}),
        ("Stage=", {TILES}),
        ("Stage!=", {ROOF, WALLS}),
    ],
)
def test_dates_shares_and_check_boxes_are_compared_alike_in_both_languages(
    english: Indexed, korean: Indexed, condition: str, tasks: set[str]
) -> None:
    assert english.titles(condition) == tasks
    for name, korean_name in KOREAN_NAMES.items():
        condition = condition.replace(name, korean_name, 1) if condition.startswith(name) else condition
    assert korean.titles(condition) == {KOREAN_TITLES[task] for task in tasks}


@pytest.mark.parametrize(
    ("condition", "tasks"),
    [
        ("Cost>=1000", {ROOF, TILES}),
        ("Cost>$1,000", {ROOF}),
        ("Cost=1200.5", {ROOF}),
        ("Cost=$1,200.50", {ROOF}),
        ("Cost<100", {WALLS}),
        ("Labels=urgent", {ROOF, TILES}),
        ("Labels=south, urgent", {TILES}),
        ("Labels!=urgent", {WALLS}),
        ("Labels~urg", {ROOF, TILES}),
        ("Code=007", {ROOF}),
        ("Left=Right=0.5", {ROOF}),
        ("Left=Right>=2", {WALLS, TILES}),
        ("stage=done", {WALLS}),
        ("Stage!=Done", {ROOF, TILES}),
        ("Task=roof repair", {ROOF}),
        ("task~pai", {ROOF, WALLS}),
        ("Task!=Roof repair", {WALLS, TILES}),
        ("Title=Roof repair", {ROOF}),
    ],
)
def test_amounts_lists_names_and_titles_are_compared_as_what_they_are(
    english: Indexed, condition: str, tasks: set[str]
) -> None:
    assert english.titles(condition) == tasks


@pytest.mark.parametrize(
    ("bounds", "tasks"),
    [
        (("Cost>=80", "Cost<1200.50"), {WALLS, TILES}),
        (("Cost<=1200.50", "Cost>80"), {ROOF, TILES}),
        (("Cost>80", "Cost<100"), set()),
        (("Cost>100", "Cost<80"), set()),
        (("Cost>=80", "Cost>=1000", "Cost<1200"), {TILES}),
        (("Cost>100", "Share<100%"), {ROOF}),
        (("Due>=2026-03-06", "Due<2026-12-24"), {WALLS}),
    ],
)
def test_two_bounds_leave_what_is_between_them(english: Indexed, bounds: tuple[str, ...], tasks: set[str]) -> None:
    assert english.titles(*bounds) == tasks


@pytest.mark.parametrize(
    ("bounds", "tasks"),
    [
        ((">=4", "<5"), {ROOF, WALLS}),
        (("<5", ">=4"), {ROOF, WALLS}),
        ((">4", "<=5"), {WALLS}),
        ((">7", "<=2"), {WALLS}),
        ((">=9", "<=9"), {TILES}),
        ((">9", "<9"), set()),
    ],
)
def test_of_a_list_of_numbers_each_of_two_bounds_may_be_met_by_another_item(
    english: Indexed, bounds: tuple[str, str], tasks: set[str]
) -> None:
    lists = {ROOF: [1, 4], WALLS: [2, 8], TILES: [9]}
    asked = Filters(properties=[PropertyCondition.parse(f"Scores{bound}") for bound in bounds])
    of_workspace = {"workspace_id": english.workspace_id}
    with english.database.connection() as connection, connection.transaction(force_rollback=True):
        for title, numbers in lists.items():
            cells = [(0, numbers[0])] if len(numbers) == 1 else [(0, None), *enumerate(numbers, start=1)]
            for position, number in cells:
                connection.execute(
                    "INSERT INTO document_property (workspace_id, document_id, name, position, text, number) "
                    "SELECT workspace_id, document_id, 'Scores', %s, '', %s FROM source_page "
                    "WHERE workspace_id = %s AND title = %s",
                    [position, number, english.workspace_id, title],
                )
        known, _ = conditions.known_conditions(connection, english.workspace_id, asked, of_workspace, None)
        for bounds_asked in (known, in_ranges(known)):
            documents, parameters = documents_of(asked, bounds_asked)
            titles = sql.SQL("SELECT title FROM source_page WHERE document_id IN ({})").format(documents)
            assert {title for (title,) in connection.execute(titles, of_workspace | parameters)} == tasks
    assert len(in_ranges(known)) == 1


def test_korean_amounts_are_compared_in_any_spelling(korean: Indexed) -> None:
    for condition in ("비용>=100만원", "비용>=₩1,000,000", "비용>=1000000원", "비용>999,999"):
        assert korean.titles(condition) == {"지붕 수리", "타일 주문"}, condition


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("Stgae=Done", "'Stage'"),
        ("Nothing alike at all=1", "no property"),
        ("Stage>Done", "holds texts"),
        ("Ready>yes", "holds texts"),
        ("Due>soon", "holds dates"),
        ("Due>05/03/2026", "holds dates"),
        ("Cost>much", "holds numbers"),
        ("Code>=3", "holds texts"),
        ("Task>a", "holds texts"),
    ],
)
def test_a_condition_that_cannot_mean_anything_is_refused_in_a_sentence(
    english: Indexed, condition: str, says: str
) -> None:
    with pytest.raises(WrongUse, match=says):
        english.find(condition)


@pytest.mark.parametrize(
    ("condition", "near"),
    [("Stage=Dnoe", "'Done'"), ("Stage!=Dnoe", "'Done'"), ("Code=7", "'007'"), ("Task=Roof", ROOF)],
)
def test_a_value_that_no_row_has_is_told_with_what_is_near(english: Indexed, condition: str, near: str) -> None:
    (note,) = english.find(condition).notes
    assert near in note
    assert english.find("Stage=Done").notes == []


@pytest.mark.parametrize(
    ("condition", "form"),
    [("Due=tomorrow", "2026-03-05"), ("Due!=next week", "2026-03-05"), ("Cost=cheap", "1,200.50")],
)
def test_what_is_no_date_or_number_is_told_how_they_are_written(english: Indexed, condition: str, form: str) -> None:
    (note,) = english.find(condition).notes
    assert "are written as" in note and form in note
    assert english.find("Due=2031-01-01").notes[0].count("written") == 0


def test_names_that_differ_in_case_alone_have_to_be_spelled(database: Database, tmp_path: Path) -> None:
    table = "Name,status,Status\nRepair one,a,b\nRepair two,b,a\n"
    two = indexed(database, tmp_path, table)
    assert two.titles("Status=a") == {"Repair two"} and two.titles("status=a") == {"Repair one"}
    with pytest.raises(WrongUse, match="'Status', 'status'"):
        two.find("STATUS=a")


def test_a_column_s_type_that_changes_with_other_rows_changes_all_of_its_cells(
    database: Database, tmp_path: Path
) -> None:
    export = indexed(database, tmp_path, "Name,Due\nRepair one,05/03/2026\n")
    assert export.titles("Due=2026-05-03") == {"Repair one"}
    table = "Name,Due\nRepair one,05/03/2026\nRepair two,25/03/2026\n"
    (tmp_path / "export" / f"Tasks {'d' * 32}.csv").write_text(table, encoding="utf-8")
    export.sync()
    assert export.titles("Due=2026-03-05") == {"Repair one"}


def test_what_rows_were_is_compared_alike_in_the_past(database: Database, tmp_path: Path) -> None:
    english = indexed(database, tmp_path, ENGLISH)
    with english.database.connection() as connection:
        ((now,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    later = ENGLISH.replace('"March 5, 2026 9:30 AM (GMT+9)"', '"May 6, 2026"').replace("$1,200.50", "$3.00")
    (english.folder / f"Tasks {'d' * 32}.csv").write_text(later, encoding="utf-8")
    english.sync()
    for condition, then, today in (
        ("Due=2026-03-05", {ROOF}, set()),
        ("Cost>=1000", {ROOF, TILES}, {TILES}),
        ("Labels=urgent", {ROOF, TILES}, {ROOF, TILES}),
        ("Ready=yes", {ROOF}, {ROOF}),
        ("Stage=", {TILES}, {TILES}),
        ("Task=Roof repair", {ROOF}, {ROOF}),
        ("Stage!=Done", {ROOF, TILES}, {ROOF, TILES}),
    ):
        assert english.titles(condition, as_of=now) == then, condition
        assert english.titles(condition) == today, condition
    for condition in ("Stgae=Done", "Stage>1"):
        with pytest.raises(WrongUse):
            english.find(condition, as_of=now)
    assert "'Done'" in english.find("Stage=Dnoe", as_of=now).notes[0]


class TestApi:
    @pytest.fixture
    def rows(self, acme: Harness) -> dict[str, str]:
        database = acme.world.add_database(
            "Tasks",
            schema={
                "Due": "date",
                "Cost": "number",
                "Ready": "checkbox",
                "Labels": {"type": "multi_select", "options": ["north", "south", "urgent"]},
                "Level": {"type": "select", "options": ["1", "2", "10"]},
                "Never": "rich_text",
            },
        )
        rows = {
            "Roof": {"Due": "2026-03-05", "Cost": 1200.5, "Ready": True, "Labels": ["north", "urgent"], "Level": "10"},
            "Walls": {"Due": "2026-12-24", "Cost": 0.5, "Ready": False, "Labels": ["south"], "Level": "2"},
        }
        made = {
            title: acme.world.add_row(database.data_source_id, title, values, [blocks.paragraph("Repair.")])
            for title, values in rows.items()
        }
        acme.world.add_page("Repair manual", blocks=[blocks.paragraph("Repair.")])
        acme.world.clock.advance(600)
        acme.sync()
        return made

    @pytest.mark.parametrize(
        ("condition", "tasks"),
        [
            ("Due=2026-03", {"Roof"}), ("Due>March 5, 2026", {"Walls"}), ("Due<2027-01-01", {"Roof", "Walls"}),
            ("Cost=$1,200.50", {"Roof"}), ("Cost=50%", {"Walls"}), ("Ready=예", {"Roof"}), ("Ready!=true", {"Walls"}),
            ("Labels=urgent", {"Roof"}), ("Level>=10", {"Roof"}), ("Level=2", {"Walls"}), ("Name=roof", {"Roof"}),
            ("Never=", {"Roof", "Walls"}), ("Never!=", set()), ("Never!=x", {"Roof", "Walls"}),
        ],
    )  # fmt: skip
    def test_rows_of_the_api_are_compared_as_those_of_exports(
        self, acme: Harness, rows: dict[str, str], condition: str, tasks: set[str]
    ) -> None:
        with acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, acme.slug).workspace_id
            filters = Filters(properties=[PropertyCondition.parse(condition)])
            searcher = ConnectionSearcher(connection, acme.database.settings, workspace_id)
            assert names(searcher.search(SearchRequest("repair", 20, filters=filters))) == tasks


LONG = ["a=b" * 30_000, "a" * 30_000 + "=b", "a=" + "b" * 30_000, "a" + "=" * 30_000, "가>=" * 10_000, "=" * 30_000]


class TestLimits:
    @pytest.mark.parametrize("text", LONG, ids=lambda text: text[:6])
    def test_a_long_condition_is_refused_before_it_is_taken_apart(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setattr(filters, "_OPERATOR", None)
        with pytest.raises(WrongUse, match=r"at most 2,000"):
            PropertyCondition.parse(text)
        with pytest.raises(WrongUse, match=r"at most 2,000"):
            PropertyCondition("a", "=", "b", written=text).readings()

    def test_many_signs_do_not_multiply_with_the_names(self, acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        names = [f"Column {number}" for number in range(50)]
        table = acme.world.add_database("Table", schema={"Name": "title", **dict.fromkeys(names, "rich_text")})
        acme.world.add_row(table.data_source_id, "Row", dict.fromkeys(names, "x"), [blocks.paragraph("Repair.")])
        acme.world.clock.advance(600)
        acme.sync()
        folded: list[str] = []
        fold = conditions.folded
        monkeypatch.setattr(conditions, "folded", lambda text: folded.append(text) or fold(text))
        with acme.database.connection() as connection:
            searcher = ConnectionSearcher(
                connection, acme.database.settings, workspaces.find(connection, acme.slug).workspace_id
            )
            asked = PropertyCondition.parse("column=" * 200)
            with pytest.raises(WrongUse, match="There is no property 'column'"):
                searcher.search(SearchRequest("repair", filters=Filters(properties=[asked])))
        assert len(folded) < 1000


CASES = SHARED_DATA.parent / "cases" / "bugs"


@pytest.mark.parametrize(
    ("case", "condition", "expected"),
    [
        ("filter-dates-and-money", "Due<2027-01-01", {"Fix login", "Write docs", "Budget"}),
        ("filter-dates-and-money", "Due>=2026-03-01", {"Fix login", "Write docs", "Budget", "Late"}),
        ("filter-dates-and-money", "Price>=1000", {"Fix login", "Budget"}),
        ("filter-dates-and-money", "Price=1200.5", {"Fix login"}),
        ("filter-dates-and-money", "Tags=urgent", {"Fix login"}),
        ("filter-unknown-property", "Status!=Done", {"Fix login"}),
        ("filter-unknown-property", "Ratio=x=0.5", {"Fix login"}),
        ("filter-unknown-property", "Name=Fix login", {"Fix login"}),
        ("filter-unknown-property", "Status=", set()),
    ],
)
def test_the_cases_that_were_handed_over_hold(
    database: Database, case: str, condition: str, expected: set[str]
) -> None:
    folder = CASES / case / "input"
    if not folder.exists():
        pytest.skip(f"shared/cases/bugs/{case} is not beside the repository: the handed cases were NOT tried.")
    assert Indexed(database, folder).titles(condition) == expected
