"""Files among hits: which file and where in it, also of equal files; found where their pages are, told in words."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from arcana_pipelines.cli.main import main
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.operations.export import Kind, export
from arcana_pipelines.operations.export_index import export_index
from arcana_pipelines.retrieval import Searcher
from arcana_pipelines.retrieval.chunks import find_chunks, passages_of
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.hit_files import hit_file, where_in_korean, where_in_words
from arcana_pipelines.retrieval.results import Hit, HitFile, HoldingPage, Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.served import related_documents, served_documents
from arcana_pipelines.retrieval.whole_document import Document, find_document
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.file_rows import TYPE, make_copy, make_file
from arcana_pipelines_tests.harness import Harness

SALES = HoldingPage("1", "Sales handbook", None)


class Papers:
    """A contract on the page Sales, and once more, by another name, on a row of Legal's database."""

    def __init__(self, acme: Harness) -> None:
        world = acme.world
        self.acme = acme
        self.sales = world.add_page("Sales", blocks="What we sell.")
        self.offers = world.add_page("Offers", blocks="All offers.", parent=self.sales)
        self.legal = world.add_page("Legal", blocks="What is allowed.")
        self.other = world.add_page("Lunch", blocks="The lunch of today: termination is no topic.")
        self.cases = world.add_database("Cases", parent=self.legal, schema={"Status": "select"})
        self.case = world.add_row(self.cases.data_source_id, "Case 7", {"Status": "Open"}, blocks="A case.")
        text = world.add_page(
            "Contract.pdf", blocks=[blocks.paragraph("Termination of the contract takes ninety days.")]
        )
        acme.settle()
        acme.sync()
        self.contract = make_file(acme, self.offers, text, "Contract.pdf", [{"page": 12, "label": "xii"}])
        self.copy = make_copy(acme, self.case, self.contract, "Case 7, appendix.pdf")

    def search(self, limits: tuple[Filters, ...] = (), query: str = "termination contract", **asked: Any) -> Results:
        with self.acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, self.acme.slug).workspace_id
            searcher = ConnectionSearcher(connection, self.acme.database.settings, workspace_id, limits=limits)
            return searcher.search(SearchRequest(query, min_score=0, **asked))

    def files(self, limits: tuple[Filters, ...] = (), **filters: Any) -> list[Hit]:
        found = self.search(limits, filters=Filters(**filters) if filters else None)
        return [hit for hit in found.hits if hit.kind == "file"]


@pytest.fixture
def papers(acme: Harness) -> Papers:
    return Papers(acme)


class TestAHitOfAFile:
    def test_says_which_file_where_in_it_and_on_which_pages_it_is(self, papers: Papers) -> None:
        hit = papers.search().hits[0]
        assert (hit.kind, hit.title, hit.document_id) == ("file", "Contract.pdf", str(papers.contract))
        assert hit.external_id.startswith(f"{papers.offers}#")
        assert hit.file is not None and hit.url is not None
        assert (hit.file.name, hit.file.mime_type) == ("Contract.pdf", TYPE)
        assert (hit.file.page, hit.file.page_label, hit.file.slide) == (12, "xii", None)
        assert hit.file.attached_to == HoldingPage(papers.offers, "Offers", hit.url)
        assert [page.title for page in hit.file.also_in] == ["Case 7"]
        assert where_in_words(hit.file) == "page 12 (printed xii) of Contract.pdf, attached to Offers"

    def test_leads_to_where_its_page_names_it(self, papers: Papers) -> None:
        hit = papers.search().hits[0]
        assert hit.link == f"{hit.url}#:~:text=Contract.pdf"

    def test_has_its_file_in_json_and_pages_have_none(self, papers: Papers) -> None:
        told = papers.search().to_dict()
        of_file, of_page = (next(hit for hit in told["hits"] if hit["kind"] == kind) for kind in ("file", "page"))
        assert of_file["file"]["page"] == 12 and of_file["file"]["attached_to"]["title"] == "Offers"
        assert of_page["file"] is None

    def test_whose_place_is_not_known_says_its_name_alone(self, papers: Papers) -> None:
        papers.acme.rows("UPDATE published_document SET places = NULL RETURNING 1")
        hit = papers.search().hits[0]
        assert hit.file is not None and where_in_words(hit.file) == "Contract.pdf, attached to Offers"

    def test_on_no_page_is_found_without_filters_that_are_of_pages(self, papers: Papers) -> None:
        papers.acme.rows("UPDATE source_file SET page_external_id = NULL WHERE name = 'Contract.pdf' RETURNING 1")
        papers.acme.rows(
            "UPDATE document SET path = subpath(path, 0, 1) || subpath(path, -1) WHERE document_id = %s RETURNING 1",
            papers.contract,
        )
        (hit,) = papers.files()
        assert hit.file is not None and where_in_words(hit.file) == "page 12 (printed xii) of Contract.pdf"
        assert [page.title for page in hit.file.also_in] == ["Case 7"]
        assert papers.files(below="Sales") == []
        assert [hit.title for hit in papers.files(below="Legal")] == ["Case 7, appendix.pdf"]
        (hit,) = papers.files((Filters(kinds=["file"]),))
        assert hit.title == "Contract.pdf"

    def test_is_told_on_a_terminal(
        self, papers: Papers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", papers.acme.database.url)
        with pytest.raises(SystemExit):
            main(["search", "acme", "termination contract", "--kind", "file"])
        said = capsys.readouterr().out
        assert "page 12 (printed xii) of Contract.pdf, attached to Offers" in said
        assert "also attached to: Case 7 https://" in said
        with pytest.raises(SystemExit):
            main(["document", "acme", "Case 7, appendix.pdf"])
        said = capsys.readouterr().out
        assert "Case 7, appendix.pdf, attached to Case 7" in said and "ninety days" in said

    def test_of_the_past_is_the_same(self, papers: Papers) -> None:
        ((then,),) = papers.acme.rows("SELECT clock_timestamp()")
        (hit, *_) = papers.search(as_of=then).hits
        now = papers.search().hits[0]
        assert hit.file == now.file and hit.external_id == now.external_id


class TestEqualFiles:
    def test_are_found_below_each_of_their_pages_as_the_one_that_is_there(self, papers: Papers) -> None:
        for below, name, page in (
            ("Sales", "Contract.pdf", "Offers"),
            (papers.offers, "Contract.pdf", "Offers"),
            ("Legal", "Case 7, appendix.pdf", "Case 7"),
            ("Cases", "Case 7, appendix.pdf", "Case 7"),
            ("Case 7", "Case 7, appendix.pdf", "Case 7"),
        ):
            (hit,) = papers.files(below=below)
            assert hit.file is not None and hit.file.attached_to is not None
            assert (hit.title, hit.file.attached_to.title) == (name, page), below
        assert papers.files(below="Lunch") == []

    def test_tell_who_may_see_all_of_the_others_too(self, papers: Papers) -> None:
        (hit,) = papers.files(below="Legal")
        assert hit.file is not None and [page.title for page in hit.file.also_in] == ["Offers"]

    @pytest.mark.parametrize(
        ("limits", "name"),
        [
            ([{"below": "Sales"}], "Contract.pdf"),
            ([{"below": "Legal"}], "Case 7, appendix.pdf"),
            ([{"below": "Cases"}], "Case 7, appendix.pdf"),
            ([{"properties": [PropertyCondition("Status", "=", "Open")]}], "Case 7, appendix.pdf"),
            ([{"below": "Legal"}, {"kinds": ["file"]}], "Case 7, appendix.pdf"),
            ([{"below": "Lunch"}], None),
            ([{"kinds": ["page", "row"]}], None),
            ([{"below": "Sales"}, {"below": "Legal"}], None),
            ([{"below": "Sales"}, {"properties": [PropertyCondition("Status", "=", "Open")]}], None),
        ],
    )
    def test_tell_who_is_limited_of_those_within_and_of_no_other(
        self, papers: Papers, limits: list[dict[str, Any]], name: str | None
    ) -> None:
        results = papers.search(tuple(Filters(**limit) for limit in limits))
        found = [hit for hit in results.hits if hit.kind == "file"]
        assert [hit.title for hit in found] == ([name] if name else [])
        told = str(asdict(results))
        outside = {"Contract.pdf": ("appendix", "Case 7"), "Case 7, appendix.pdf": ("Contract.pdf", "Offers")}
        for secret in outside.get(name or "", ("Contract.pdf", "appendix")):
            assert secret not in told
        if name is not None:
            (page, file) = (papers.case, papers.copy) if name == "Contract.pdf" else (papers.offers, papers.contract)
            assert page not in told and str(file) not in told

    def test_are_below_two_pages_only_where_one_of_them_is_below_both(self, papers: Papers) -> None:
        limits = (Filters(below="Legal"),)
        assert papers.files(limits, below="Sales") == []
        assert [hit.title for hit in papers.files(limits, below="Cases")] == ["Case 7, appendix.pdf"]

    def test_in_a_search_of_the_past_are_those_of_then(self, papers: Papers) -> None:
        acme = papers.acme
        ((before,),) = acme.rows("SELECT clock_timestamp()")
        acme.rows("UPDATE document_relation SET deleted_at = now() WHERE relation_type = 'duplicate' RETURNING 1")
        assert papers.files(below="Legal") == []
        found = papers.search(filters=Filters(below="Legal"), as_of=before)
        assert [hit.title for hit in found.hits if hit.kind == "file"] == ["Case 7, appendix.pdf"]

    def test_are_no_more_than_files_that_the_source_has_twice(self, papers: Papers) -> None:
        """What somebody says by hand opens nothing."""
        papers.acme.rows("UPDATE document_relation SET origin = 'hand' WHERE relation_type = 'duplicate' RETURNING 1")
        assert papers.files(below="Legal") == []

    def test_that_were_deleted_are_told_no_more(self, papers: Papers) -> None:
        papers.acme.rows("UPDATE document SET deleted_at = now() WHERE document_id = %s RETURNING 1", papers.copy)
        (hit,) = papers.files()
        assert hit.file is not None and hit.file.also_in == []
        assert papers.files(below="Legal") == []


class TestAWholeFile:
    def document(self, papers: Papers, asked: str, **when: Any) -> Document:
        with papers.acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, papers.acme.slug).workspace_id
            return find_document(connection, workspace_id, asked, "default", **when)

    @pytest.mark.parametrize("asked", ["Contract.pdf", "Case 7, appendix.pdf"])
    def test_is_found_by_any_of_its_names_and_has_its_text(self, papers: Papers, asked: str) -> None:
        document = self.document(papers, asked)
        assert document.kind == "file" and "ninety days" in document.text
        assert document.file is not None and document.file.attached_to is not None
        assert document.file.attached_to.title == ("Offers" if asked == "Contract.pdf" else "Case 7")
        for name in (document.document_id, document.external_id):
            assert self.document(papers, name) == document
        ((then,),) = papers.acme.rows("SELECT clock_timestamp()")
        assert self.document(papers, asked, as_of=then) == self.document(papers, asked, version=1) == document

    def test_has_the_chunks_of_the_one_that_it_equals(self, papers: Papers) -> None:
        with papers.acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, papers.acme.slug).workspace_id
            texts = [passages_of(connection, workspace_id, str(each)) for each in (papers.contract, papers.copy)]
            found = find_chunks(connection, workspace_id, str(papers.copy))
        assert texts[0] == texts[1] != []
        assert found.document.title == "Case 7, appendix.pdf" and len(found.chunks) == len(texts[0])
        assert [chunk.place for chunk in found.chunks] == [{"page": 12, "label": "xii"}]

    def test_gives_way_to_a_page_of_the_same_title(self, papers: Papers) -> None:
        papers.acme.rows("UPDATE source_page SET title = 'Contract.pdf' WHERE title = 'Lunch' RETURNING 1")
        assert self.document(papers, "Contract.pdf").kind == "page"

    def test_is_listed_below_its_page_and_related_to_it(self, papers: Papers) -> None:
        with papers.acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, papers.acme.slug).workspace_id
            listed = served_documents(connection, workspace_id)
            files = served_documents(connection, workspace_id, Filters(kinds=["file"]))
            related = {
                each: {(one.how, one.title) for one in related_documents(connection, workspace_id, each)}
                for each in (papers.contract, papers.copy)
            }
        titles = [each.title for each in listed]
        assert titles.index("Contract.pdf") == titles.index("Offers") + 1
        assert {each.title for each in files} == {"Contract.pdf", "Case 7, appendix.pdf"}
        assert ("derived from", "Offers") in related[papers.contract]
        assert ("duplicate", "Case 7, appendix.pdf") in related[papers.contract]
        assert ("duplicate", "Contract.pdf") in related[papers.copy]


class TestFilters:
    def test_below_a_file_is_the_file(self, papers: Papers) -> None:
        assert [hit.title for hit in papers.files(below="Case 7, appendix.pdf")] == ["Case 7, appendix.pdf"]
        assert [hit.kind for hit in papers.search(filters=Filters(below="Contract.pdf")).hits] == ["file"]

    def test_take_a_file_as_its_page_is(self, papers: Papers) -> None:
        assert [hit.title for hit in papers.files(kinds=["file"])] == ["Contract.pdf"]
        assert papers.files(kinds=["page", "row"]) == []
        open_case = PropertyCondition("Status", "=", "Open")
        assert [hit.title for hit in papers.files(properties=[open_case])] == ["Case 7, appendix.pdf"]
        shut_case = PropertyCondition("Status", "!=", "Open")
        assert papers.files(properties=[shut_case]) == []
        ((edited,),) = papers.acme.rows("SELECT last_edited_at FROM source_page WHERE title = 'Offers'")
        assert papers.files(edited_since=edited) != []

    def test_know_no_other_kind(self) -> None:
        with pytest.raises(WrongUse, match="page, row, file"):
            Filters(kinds=["folder"]).checked()


class TestWhereInWords:
    @pytest.mark.parametrize(
        ("place", "english", "korean"),
        [
            ({"page": 12}, "page 12 of a.pdf", "a.pdf 12쪽"),
            ({"page": 12, "last_page": 13}, "pages 12–13 of a.pdf", "a.pdf 12–13쪽"),
            ({"page": 12, "last_page": 12}, "page 12 of a.pdf", "a.pdf 12쪽"),
            ({"page": 4, "label": "iv"}, "page 4 (printed iv) of a.pdf", "a.pdf 4쪽(인쇄된 쪽 번호 iv)"),
            ({"page": 4, "label": "4"}, "page 4 of a.pdf", "a.pdf 4쪽"),
            ({"slide": 3}, "slide 3 of a.pdf", "a.pdf 슬라이드 3"),
            ({"sheet": "Budget"}, "sheet Budget of a.pdf", "a.pdf 시트 Budget"),
            ({"sheet": "예산", "rows": [2, 14]}, "sheet 예산, rows 2–14 of a.pdf", "a.pdf 시트 예산 2–14행"),
            ({"rows": [2, 2]}, "row 2 of a.pdf", "a.pdf 2행"),
            ({"begin": 12.0, "end": 40.5}, "0:12–0:40 of a.pdf", "a.pdf 0:12–0:40"),
            ({"begin": 3723.9}, "1:02:03 of a.pdf", "a.pdf 1:02:03"),
            (None, "a.pdf", "a.pdf"),
        ],
    )
    def test_says_what_is_known(self, place: dict[str, Any] | None, english: str, korean: str) -> None:
        file = hit_file({"mime_type": TYPE}, place, "a.pdf")
        assert (where_in_words(file), where_in_korean(file)) == (english, korean)

    def test_names_the_page_that_it_hangs_on(self) -> None:
        file = replace(HitFile("Contract.pdf", TYPE, page=12), attached_to=SALES)
        assert where_in_words(file) == "page 12 of Contract.pdf, attached to Sales handbook"
        assert where_in_korean(file) == "Contract.pdf 12쪽, Sales handbook에 첨부"

    def test_hides_nothing_and_commands_no_terminal(self) -> None:
        file = hit_file({"mime_type": "a\x1b[31m"}, {"sheet": "B\u202eudget"}, "a.xlsx")
        assert file.mime_type == "a[31m" and file.sheet == "Budget"


class TestInAFile:
    """The same of an index in a file (SQLite)."""

    @pytest.fixture
    def file(self, papers: Papers, tmp_path: Path) -> Path:
        file = tmp_path / "papers.sqlite"
        with papers.acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, papers.acme.slug).workspace_id
            export_index(connection, workspace_id, papers.acme.slug, file)
        return file

    def test_hits_are_those_of_the_index_itself(self, papers: Papers, file: Path) -> None:
        with Searcher.from_file(file, settings=papers.acme.database.settings) as searcher:
            for filters in (
                {},
                {"below": "Legal"},
                {"below": papers.cases.data_source_id},
                {"below": "Sales"},
                {"kinds": ["file"]},
            ):
                ours = papers.files(**filters)
                found = searcher.search("termination contract", min_score=0, filters=Filters(**filters))
                theirs = [hit for hit in found.hits if hit.kind == "file"]
                assert [replace(hit, score=0, passage=None) for hit in theirs] == [
                    replace(hit, score=0, passage=None) for hit in ours
                ], filters
            for filters in ({"below": "Lunch"}, {"kinds": ["page", "row"]}):
                found = searcher.search("termination contract", min_score=0, filters=Filters(**filters))
                assert not any(hit.kind == "file" for hit in found.hits)

    def test_a_whole_one_is_read(self, papers: Papers, file: Path) -> None:
        with Searcher.from_file(file, settings=papers.acme.database.settings) as searcher:
            for name, page in (("Contract.pdf", "Offers"), ("Case 7, appendix.pdf", "Case 7")):
                document = searcher.document(name)
                assert "ninety days" in document.text and document.file is not None
                assert document.file.attached_to is not None and document.file.attached_to.title == page

    def test_one_of_an_earlier_release_is_searched_and_renewed(self, papers: Papers, file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("DROP TABLE files")
        with Searcher.from_file(file, settings=papers.acme.database.settings) as searcher:
            hit = searcher.search("termination contract", min_score=0).hits[0]
        assert hit.file is not None and where_in_words(hit.file) == "Contract.pdf"
        with papers.acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, papers.acme.slug).workspace_id
            export_index(connection, workspace_id, papers.acme.slug, file)


def test_an_export_says_which_documents_are_files_and_where_their_chunks_stand(papers: Papers, tmp_path: Path) -> None:
    rows: dict[Kind, list[dict[str, Any]]] = {}
    for kind in get_args(Kind)[:2]:
        for ending in ("jsonl", "csv", "parquet"):
            with papers.acme.database.connection() as connection:
                workspace_id = workspaces.find(connection, papers.acme.slug).workspace_id
                export(connection, workspace_id, kind, tmp_path / f"{kind}.{ending}")
        lines = (tmp_path / f"{kind}.jsonl").read_text("utf-8").splitlines()
        rows[kind] = [json.loads(line) for line in lines]
    files = {row["title"]: row for row in rows["documents"] if row["kind"] == "file"}
    assert {row["mime_type"] for row in files.values()} == {TYPE}
    assert (files["Contract.pdf"]["attached_to"], files["Contract.pdf"]["copy_of"]) == (papers.offers, None)
    copied = files["Case 7, appendix.pdf"]
    assert (copied["attached_to"], copied["copy_of"]) == (papers.case, str(papers.contract))
    assert [row["place"] for row in rows["chunks"] if row["title"] == "Contract.pdf"] == [{"page": 12, "label": "xii"}]
    assert all(row["place"] is None for row in rows["chunks"] if row["title"] != "Contract.pdf")
